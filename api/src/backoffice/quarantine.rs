//! Messages of partners that the gate could not understand or believe: seen by the partner and by staff, released or
//! rejected by staff.

use super::{Actor, reason};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    fields::{Fields, Mistakes},
    intake,
    layers::Trace,
    params::{Id, Options},
};
use axum::{
    Json as Answer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_contracts::{
    Code, Envelope, Instant, Message, MessageId, Role,
    message::partner::Release,
    partner::{PartnerId, broker::MESSAGE_BYTES_MAX},
    principal::TENANT_HOUSE,
};
use boxoffice_store::mongo::quarantine::{self, Closed, Cursor, Filter, Quarantined, Status};
use mongodb::Database;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The driver waits for ever on a server that hangs.
const ASK_MAX: Duration = Duration::from_secs(2);
const LIMIT: u16 = 50;
const LIMIT_MAX: u16 = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnOptions {
    status: Option<String>,
    cursor: Option<String>,
    limit: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOptions {
    partner: Option<String>,
    status: Option<String>,
    cursor: Option<String>,
    limit: Option<u16>,
}

/// A page of quarantined messages, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QuarantinePage")]
pub(crate) struct Page {
    messages: Vec<View>,
    /// What the next page begins with; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A quarantined message.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QuarantinedMessage")]
pub(crate) struct View {
    id: Uuid,
    partner: String,
    #[schemars(extend("enum" = ["waiting", "released", "rejected"]))]
    status: &'static str,
    /// The partner's own id of the message, where one could be read.
    message_id: Option<String>,
    kind: Option<String>,
    correlation_id: Option<String>,
    routing_key: Option<String>,
    content_type: Option<String>,
    user_id: Option<String>,
    at: Instant,
    kept_until: Instant,
    /// Why, as the reply said.
    problem: Value,
    /// Who of the staff ended it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<ClosedView>,
    /// The message as it came, for whoever may repair it: JSON where it is that, else text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QuarantineClosed")]
struct ClosedView {
    by: String,
    reason: String,
}

/// What became of a request to release or reject.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QuarantineChange")]
pub(crate) struct Change {
    id: Uuid,
    #[schemars(extend("enum" = ["releasing", "rejected"]))]
    status: &'static str,
}

/// `GET /v1/partner/quarantine`: the partner's own.
pub(crate) async fn own(
    State(state): State<AppState>,
    caller: Caller,
    Options(options): Options<OwnOptions>,
) -> Result<Response, Problem> {
    let partner = caller.principal.owner.tenant.parse();
    let partner = partner.map_err(|_no_partner| Problem::new(Code::Forbidden))?;
    let OwnOptions {
        status,
        cursor,
        limit,
    } = options;
    page(&state, Some(partner), status, cursor, limit).await
}

/// `GET /v1/backoffice/quarantine`.
pub(crate) async fn list(
    State(state): State<AppState>,
    Options(options): Options<ListOptions>,
) -> Result<Response, Problem> {
    let partner = options
        .partner
        .map(|id| {
            id.parse::<PartnerId>()
                .map_err(|_no_partner| wrong("`partner` is no id of a partner."))
        })
        .transpose()?;
    page(
        &state,
        partner,
        options.status,
        options.cursor,
        options.limit,
    )
    .await
}

/// `GET /v1/backoffice/quarantine/{id}`: with the body for whoever may repair it.
pub(crate) async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<Uuid>,
) -> Result<Response, Problem> {
    let kept = find(&state, id).await?;
    let body = body(&kept);
    let mut view = view(kept);
    if matches!(caller.principal.role, Role::Operator | Role::Admin) {
        view.body = Some(body);
    }
    Ok(Answer(view).into_response())
}

/// `POST …/release {event?, reason}`: lets the message pass the gate again, repaired or as it came.
///
/// Safe to send twice: the command has the id of the quarantined message.
pub(crate) async fn release(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(id): Id<Uuid>,
    Json(body): Json,
) -> Result<Response, Problem> {
    let (event, why) = read_release(body)?;
    let kept = waiting(&state, id).await?;
    if event.is_none() && kept.cut {
        return Err(Problem::because(
            Code::ValidationFailed,
            "The message was too large to be kept whole: send it repaired.",
        ));
    }
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let detail = json!({ "partner": kept.partner.as_str(), "repaired": event.is_some() });
    // Written before the command leaves: no release without its line.
    let target = format!("quarantine:{id}");
    actor
        .audit(&state.db, "quarantine.release", &target, Some(&why), detail)
        .await?;
    let command = Release {
        quarantine_id: id,
        partner_id: kept.partner.as_str().to_owned(),
        event,
        released_by: caller.principal.owner.clone(),
        released_at: now,
    };
    let message_id = MessageId::of_answer(MessageId(id), Release::KIND.as_str());
    let envelope = Envelope {
        message_id,
        kind: Release::KIND.as_str().to_owned(),
        correlation_id: None,
        causation_id: None,
        sent_at: Some(now),
        trace: trace.child(message_id.0),
        tenant: TENANT_HOUSE.to_owned(),
        deadline: None,
        attempt: 0,
        replay_of: None,
    };
    intake::send(state.intake.as_ref(), envelope, &command).await?;
    let status = "releasing";
    Ok((StatusCode::ACCEPTED, Answer(Change { id, status })).into_response())
}

/// `POST …/reject {reason}`: it stays what it is.
pub(crate) async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(id): Id<Uuid>,
    Json(body): Json,
) -> Result<Response, Problem> {
    let why = super::only_reason(body)?;
    let kept = waiting(&state, id).await?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let target = format!("quarantine:{id}");
    let detail = json!({ "partner": kept.partner.as_str() });
    actor
        .audit(&state.db, "quarantine.reject", &target, Some(&why), detail)
        .await?;
    let closed = Closed {
        by: caller.principal.owner.subject.clone(),
        reason: why,
        at_millis: now.timestamp_millis(),
    };
    let database = database(&state)?;
    let done = quarantine::close(database, id, Status::Rejected, Some(&closed));
    if !ask(done).await? {
        return Err(Problem::new(Code::QuarantineClosed));
    }
    let status = "rejected";
    Ok(Answer(Change { id, status }).into_response())
}

fn read_release(body: Value) -> Result<(Option<Value>, String), Problem> {
    let mut mistakes = Mistakes::default();
    let mut found = (None, None);
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        let event = |event: Value, at: &str, mistakes: &mut Mistakes| {
            if !event.is_object() {
                mistakes.add(at, ("wrong_type", "must be an object"));
                return None;
            }
            // Room for what else the command holds.
            if event.to_string().len() > MESSAGE_BYTES_MAX - 1_024 {
                mistakes.add(at, ("out_of_range", "is too large"));
                return None;
            }
            Some(event)
        };
        found.0 = fields.optional("event", &mut mistakes, event);
        found.1 = reason(&mut fields, &mut mistakes);
        fields.finish(&mut mistakes);
    }
    mistakes.refuse()?;
    let why = found
        .1
        .ok_or_else(|| Problem::new(Code::ValidationFailed))?;
    Ok((found.0, why))
}

async fn page(
    state: &AppState,
    partner: Option<PartnerId>,
    status: Option<String>,
    cursor: Option<String>,
    limit: Option<u16>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(wrong("`limit` is from 1 to 200."));
    }
    let status = status
        .map(|text| {
            Status::from_text(&text)
                .ok_or_else(|| wrong("`status` is waiting, released or rejected."))
        })
        .transpose()?;
    let after = cursor
        .map(|text| decode(&text).ok_or_else(|| wrong("`cursor` is not one that a page gave.")))
        .transpose()?;
    let filter = Filter {
        partner,
        status,
        after,
    };
    // One more tells whether there is another page.
    let found = quarantine::list(database(state)?, &filter, limit + 1);
    let mut found = ask(found).await?;
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let cursor = found.last().filter(|_| more).map(encode);
    let messages = found.into_iter().map(view).collect();
    Ok(Answer(Page { messages, cursor }).into_response())
}

async fn find(state: &AppState, id: Uuid) -> Result<Quarantined, Problem> {
    let found = ask(quarantine::find(database(state)?, id)).await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

async fn waiting(state: &AppState, id: Uuid) -> Result<Quarantined, Problem> {
    let kept = find(state, id).await?;
    if kept.status == Status::Waiting {
        Ok(kept)
    } else {
        Err(Problem::new(Code::QuarantineClosed))
    }
}

fn database(state: &AppState) -> Result<&Database, Problem> {
    state.documents.database().ok_or_else(unreachable)
}

async fn ask<T>(
    asked: impl Future<Output = Result<T, mongodb::error::Error>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(ASK_MAX, asked).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the quarantine was not reached");
            Err(unreachable())
        }
        Err(_elapsed) => Err(unreachable()),
    }
}

fn unreachable() -> Problem {
    Problem::because(Code::Unavailable, "The documents can't be reached.").retry_after(2)
}

fn wrong(detail: &'static str) -> Problem {
    Problem::because(Code::ValidationFailed, detail)
}

fn view(kept: Quarantined) -> View {
    let kept_until = kept.kept_until();
    View {
        id: kept.id,
        partner: kept.partner.as_str().to_owned(),
        status: kept.status.as_str(),
        message_id: kept.event_id,
        kind: kept.kind,
        correlation_id: kept.correlation_id,
        routing_key: kept.routing_key,
        content_type: kept.content_type,
        user_id: kept.user_id,
        at: kept.at,
        kept_until,
        problem: serde_json::from_str(&kept.problem).unwrap_or(Value::Null),
        closed: kept.closed.map(|closed| ClosedView {
            by: closed.by,
            reason: closed.reason,
        }),
        body: None,
    }
}

fn body(kept: &Quarantined) -> Value {
    serde_json::from_slice(&kept.body)
        .unwrap_or_else(|_not_json| String::from_utf8_lossy(&kept.body).into())
}

fn encode(last: &Quarantined) -> String {
    let Cursor { at_millis, id } = Cursor::after(last);
    BASE64_URL_SAFE_NO_PAD.encode(format!("{at_millis} {id}"))
}

fn decode(text: &str) -> Option<Cursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (at_millis, id) = text.split_once(' ')?;
    Some(Cursor {
        at_millis: at_millis.parse().ok()?,
        id: id.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};

    #[test]
    fn a_cursor_survives_and_what_is_none_is_refused() {
        let cursor = Cursor {
            at_millis: 1_795_000_000_123,
            id: Uuid::from_u128(7),
        };
        let text = BASE64_URL_SAFE_NO_PAD.encode(format!("{} {}", cursor.at_millis, cursor.id));
        assert_eq!(decode(&text), Some(cursor));
        for broken in ["", "!", "MQ", &BASE64_URL_SAFE_NO_PAD.encode("1 x")] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn whoever_releases_says_why_and_repairs_with_an_object() {
        let pointers = |body: Value| -> Vec<String> {
            let problem = read_release(body).unwrap_err();
            problem
                .errors
                .into_iter()
                .map(|error| error.pointer)
                .collect()
        };
        assert_eq!(pointers(json!({})), ["/reason"]);
        assert_eq!(pointers(json!({"event": "x", "reason": "r"})), ["/event"]);
        assert_eq!(pointers(json!({"reason": "r", "body": {}})), ["/body"]);
        let (event, why) = read_release(json!({"reason": "typing error"})).unwrap();
        assert_eq!((event, why.as_str()), (None, "typing error"));
    }

    #[tokio::test]
    async fn options_are_checked_before_anything_is_asked() {
        let world = world();
        let ask = async |role: Role, path: &str| {
            let request = Request::get(path)
                .header("authorization", format!("Bearer {}", world.token(role)))
                .body(Body::empty());
            world.ask(request.unwrap()).await
        };
        for query in [
            "limit=0",
            "status=lost",
            "cursor=!",
            "partner=House",
            "page=2",
        ] {
            let answer = ask(Role::Viewer, &format!("/v1/backoffice/quarantine?{query}")).await;
            assert_eq!(answer.code(), "validation_failed", "{query}");
        }
        let answer = ask(Role::Partner, "/v1/partner/quarantine?partner=other").await;
        assert_eq!(answer.code(), "validation_failed");
        let answer = ask(Role::Partner, "/v1/partner/quarantine").await;
        assert_eq!(answer.code(), "unavailable");
    }
}
