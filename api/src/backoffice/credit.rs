//! What the house lets a partner owe: `GET` and `POST /v1/partners/{id}/credit`.

use super::{Actor, reason};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    fields::{Fields, Mistakes, text, whole},
    layers::Trace,
    params::Id,
};
use axum::extract::State;
use boxoffice_contracts::{Code, Currency, Instant, Money, partner::PartnerId};
use boxoffice_runtime::pool;
use boxoffice_store::mysql::{
    partner_credit::{self, Credit},
    partners,
};
use schemars::JsonSchema;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};

/// The largest limit, in minor units: sums of it stay within what a column holds.
pub(crate) const LIMIT_MINOR_MAX: u64 = 1_000_000_000_000_000;

/// A partner's credit in every currency that it has some in.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PartnerCredit")]
pub(crate) struct PartnerCreditView {
    pub partner_id: String,
    pub credits: Vec<CreditView>,
}

/// How a partner's credit stands in one currency; all amounts in minor units.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Credit")]
pub(crate) struct CreditView {
    pub currency: Currency,
    /// Nothing is authorised beyond it.
    pub limit_minor: i64,
    /// Authorised, and neither captured nor given up.
    pub reserved_minor: i64,
    /// Captured and not refunded: what the partner owes.
    pub used_minor: i64,
    /// What may still be authorised.
    pub available_minor: i64,
    pub updated_at: Instant,
}

impl CreditView {
    pub(crate) fn of(credit: &Credit) -> Self {
        Self {
            currency: credit.currency,
            limit_minor: credit.limit_minor,
            reserved_minor: credit.reserved_minor,
            used_minor: credit.used_minor,
            available_minor: credit.available_minor(),
            updated_at: credit.updated_at,
        }
    }
}

/// `GET /v1/partners/{id}/credit`.
pub(crate) async fn read(
    State(state): State<AppState>,
    Id(id): Id<PartnerId>,
) -> Result<axum::Json<PartnerCreditView>, Problem> {
    partner(&state.db, &id).await?;
    Ok(axum::Json(view(&state.db, &id).await?))
}

/// `POST /v1/partners/{id}/credit`: sets the limit in one currency.
pub(crate) async fn set(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(id): Id<PartnerId>,
    Json(body): Json,
) -> Result<axum::Json<PartnerCreditView>, Problem> {
    let (limit, reason) = read_limit(body)?;
    let actor = Actor {
        caller: &caller,
        trace,
        now: state.now(),
    };
    let tx = pool::begin(&state.db).await?;
    partner(&tx, &id).await?;
    let before = partner_credit::lock(&tx, &id, limit.currency).await?;
    partner_credit::set_limit(&tx, &id, limit, actor.now).await?;
    let detail = json!({
        "currency": limit.currency,
        "limit_minor": limit.minor,
        "before": before.map(|credit| json!({
            "limit_minor": credit.limit_minor,
            "reserved_minor": credit.reserved_minor,
            "used_minor": credit.used_minor,
        })),
    });
    let target = format!("partner:{id}");
    actor
        .audit(&tx, "partner.credit", &target, Some(&reason), detail)
        .await?;
    tx.commit().await?;
    Ok(axum::Json(view(&state.db, &id).await?))
}

/// 404 unless there is such a partner.
async fn partner(db: &impl ConnectionTrait, id: &PartnerId) -> Result<(), Problem> {
    match partners::find(db, id).await? {
        Some(_) => Ok(()),
        None => Err(Problem::new(Code::NotFound)),
    }
}

async fn view(db: &impl ConnectionTrait, id: &PartnerId) -> Result<PartnerCreditView, Problem> {
    let credits = partner_credit::of_partner(db, id).await?;
    Ok(PartnerCreditView {
        partner_id: id.to_string(),
        credits: credits.iter().map(CreditView::of).collect(),
    })
}

/// # Errors
/// 422 with everything that is wrong.
pub(crate) fn read_limit(body: Value) -> Result<(Money, String), Problem> {
    let mut mistakes = Mistakes::default();
    let found = fields(body, &mut mistakes);
    mistakes.refuse()?;
    found.ok_or_else(|| Problem::new(Code::ValidationFailed))
}

fn fields(body: Value, mistakes: &mut Mistakes) -> Option<(Money, String)> {
    let mut fields = Fields::of(body, String::new(), mistakes)?;
    let currency = fields.required(
        "currency",
        mistakes,
        text(|code| {
            Currency::new(&code).map_err(|_error| ("malformed", "is three capital letters"))
        }),
    );
    let limit = fields.required("limit_minor", mistakes, whole(0..=LIMIT_MINOR_MAX));
    let reason = reason(&mut fields, mistakes);
    fields.finish(mistakes);
    let minor = i64::try_from(limit?).ok()?;
    Some((Money::new(minor, currency?), reason?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};
    use boxoffice_contracts::Role;

    fn body() -> Value {
        json!({"currency": "EUR", "limit_minor": 50_000, "reason": "Contract of May."})
    }

    #[test]
    fn a_limit_is_read_field_by_field() {
        let (limit, reason) = read_limit(body()).unwrap();
        assert_eq!(limit, Money::new(50_000, Currency::EUR));
        assert_eq!(reason, "Contract of May.");
        for (field, wrong) in [
            ("currency", json!("eur")),
            ("currency", json!(978)),
            ("currency", json!(null)),
            ("limit_minor", json!(-1)),
            ("limit_minor", json!(10.5)),
            ("limit_minor", json!(LIMIT_MINOR_MAX + 1)),
            ("limit_minor", json!("50000")),
            ("reason", json!("")),
            ("tender", json!("partner_credit")),
        ] {
            let mut body = body();
            body[field] = wrong.clone();
            let problem = read_limit(body).unwrap_err();
            assert_eq!(problem.errors.len(), 1, "{field} {wrong}");
            assert_eq!(problem.errors[0].pointer, format!("/{field}"), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_name_that_no_partner_can_have_is_not_found() {
        let world = world();
        let bearer = format!("Bearer {}", world.token(Role::Admin));
        for id in ["house", "A-B", "x"] {
            let request = Request::post(format!("/v1/partners/{id}/credit"))
                .header("authorization", &bearer)
                .header("content-type", "application/json")
                .body(Body::from(body().to_string()));
            let answer = world.ask(request.unwrap()).await;
            assert_eq!(answer.code(), "not_found", "{id}");
        }
    }
}
