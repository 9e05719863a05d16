//! Partners: who they are, what they may, and their credentials. Admins change, staff sees.
//!
//! What is written here is what is to be; the role `partners` brings the broker there, and the view says how far
//! it is. A password is answered once and kept nowhere.

pub(crate) mod bodies;
mod view;

pub(crate) use view::{AddedPartner, LimitsView, PartnerView, PartnersView, Secret};

use super::Actor;
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    bookings::put,
    documents::NoOptions,
    layers::Trace,
    params::{Id, Options},
    problem::FieldError,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use bodies::{Addition, Changes};
use boxoffice_contracts::{Code, Instant, VenueId, partner::PartnerId};
use boxoffice_runtime::pool;
use boxoffice_store::{
    broker_password,
    mysql::{
        partner_admin::{self, Record},
        partner_credentials::{self, Credential},
        partners::PartnerState,
    },
};
use futures::{FutureExt, future::BoxFuture};
use sea_orm::{ConnectionTrait, DatabaseTransaction, SqlErr};
use serde_json::{Value, json};

/// Random bytes of a password: nobody ever types one.
const PASSWORD_BYTES: usize = 32;

/// `GET /v1/partners`.
pub(crate) async fn list(
    State(state): State<AppState>,
    Options(NoOptions {}): Options<NoOptions>,
) -> Result<Response, Problem> {
    let now = state.now();
    let venues = partner_admin::venues(&state.db, None).await?;
    let mut partners = Vec::new();
    for record in partner_admin::list(&state.db).await? {
        let credentials = partner_credentials::of(&state.db, &record.partner.id).await?;
        let venues = venues.get(record.partner.id.as_str());
        let venues = venues.cloned().unwrap_or_default();
        partners.push(PartnerView::of(record, credentials, venues, now));
    }
    Ok(axum::Json(PartnersView { partners }).into_response())
}

/// `GET /v1/partners/{id}`.
pub(crate) async fn read(
    State(state): State<AppState>,
    Id(id): Id<PartnerId>,
    Options(NoOptions {}): Options<NoOptions>,
) -> Result<Response, Problem> {
    let record = partner_admin::find(&state.db, &id).await?;
    let record = record.ok_or_else(|| Problem::new(Code::NotFound))?;
    let view = view_of(&state.db, record, state.now()).await?;
    Ok(axum::Json(view).into_response())
}

/// `POST /v1/partners`.
pub(crate) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Json(body): Json,
) -> Result<Response, Problem> {
    let addition = Addition::read(body)?;
    let actor = actor(&state, &caller, trace);
    let tx = pool::begin(&state.db).await?;
    if partner_admin::lock(&tx, &addition.id).await?.is_some() {
        return Err(Problem::new(Code::PartnerExists));
    }
    let Addition {
        id, name, limits, ..
    } = &addition;
    let added = partner_admin::insert(&tx, id, name, *limits, actor.now).await;
    added.map_err(|error| match error.sql_err() {
        // Another was added between the look and this.
        Some(SqlErr::UniqueConstraintViolation(_)) => Problem::new(Code::PartnerExists),
        _ => error.into(),
    })?;
    let venues = known_venues(&tx, &addition.venues).await?;
    partner_admin::set_venues(&tx, id, &venues).await?;
    let secret = issue(&tx, id, 1, actor.now).await?;
    let detail =
        json!({"name": name, "limits": LimitsView::from(*limits), "venues": addition.venues});
    let target = format!("partner:{id}");
    actor
        .audit(&tx, "partner.add", &target, Some(&addition.reason), detail)
        .await?;
    answer(tx, id, StatusCode::CREATED, Some(secret), actor.now).await
}

/// `POST /v1/partners/{id}/rotate`: a new credential; the one before ends after the overlap.
pub(crate) async fn rotate(
    State(state): State<AppState>,
    Id(id): Id<PartnerId>,
    caller: Caller,
    Trace(trace): Trace,
    Json(body): Json,
) -> Result<Response, Problem> {
    let rotation = bodies::Rotation::read(body)?;
    let actor = actor(&state, &caller, trace);
    let (tx, record) = open(&state, &id).await?;
    let credentials = partner_credentials::of(&tx, &id).await?;
    let live = credentials.iter().filter(|one| one.is_live(actor.now));
    if live.count() >= partner_credentials::LIVE_MAX {
        return Err(Problem::because(
            Code::CredentialsLive,
            "Wait until the older one has ended, or revoke one.",
        ));
    }
    let serial = credentials.last().map_or(0, |last| last.serial);
    let serial = serial.checked_add(1).ok_or_else(|| {
        Problem::because(
            Code::ValidationFailed,
            "The partner has had all credentials that there are.",
        )
    })?;
    let former_end_at = actor.now + rotation.overlap;
    partner_credentials::expire_at(&tx, &id, former_end_at).await?;
    let secret = issue(&tx, &id, serial, actor.now).await?;
    let detail = json!({"serial": serial, "former_end_at": former_end_at});
    commit_change(
        &tx,
        &actor,
        &record,
        "partner.rotate",
        &rotation.reason,
        detail,
    )
    .await?;
    answer(tx, &id, StatusCode::CREATED, Some(secret), actor.now).await
}

/// `POST /v1/partners/{id}/revoke`: a credential ends now.
pub(crate) async fn revoke(
    State(state): State<AppState>,
    Id(id): Id<PartnerId>,
    caller: Caller,
    Trace(trace): Trace,
    Json(body): Json,
) -> Result<Response, Problem> {
    let (serial, reason) = bodies::revocation(body)?;
    let actor = actor(&state, &caller, trace);
    let (tx, record) = open(&state, &id).await?;
    let credentials = partner_credentials::of(&tx, &id).await?;
    if !credentials.iter().any(|one| one.serial == serial) {
        return Err(Problem::of_fields(vec![FieldError::new(
            "/serial",
            "unknown",
            "names no credential of this partner",
        )]));
    }
    partner_credentials::end(&tx, &id, serial, actor.now).await?;
    let detail = json!({"serial": serial});
    commit_change(&tx, &actor, &record, "partner.revoke", &reason, detail).await?;
    answer(tx, &id, StatusCode::OK, None, actor.now).await
}

/// Handler of `POST /v1/partners/{id}/{suspend|resume}`. A suspended partner reads what is there, and publishes nothing.
pub(crate) fn mover(
    to: PartnerState,
) -> impl Fn(State<AppState>, Id<PartnerId>, Caller, Trace, Json) -> Answer + Clone + Send + Sync + 'static
{
    move |State(state), Id(id), caller, Trace(trace), Json(body)| {
        let moved = async move {
            let reason = super::only_reason(body)?;
            let actor = actor(&state, &caller, trace);
            move_to(&state, &actor, &id, to, &reason).await
        };
        moved.boxed()
    }
}

/// What [`mover`] answers.
type Answer = BoxFuture<'static, Result<Response, Problem>>;

/// `POST /v1/partners/{id}/remove`: for good. Said again it may add that what is unread goes, too.
pub(crate) async fn remove(
    State(state): State<AppState>,
    Id(id): Id<PartnerId>,
    caller: Caller,
    Trace(trace): Trace,
    Json(body): Json,
) -> Result<Response, Problem> {
    let (discard_unread, reason) = bodies::removal(body)?;
    let actor = actor(&state, &caller, trace);
    let (tx, mut record) = locked(&state, &id).await?;
    record.partner.state = PartnerState::Removed;
    record.partner.state_reason = Some(reason.clone());
    record.discard_unread |= discard_unread;
    for credential in partner_credentials::of(&tx, &id).await? {
        partner_credentials::end(&tx, &id, credential.serial, actor.now).await?;
    }
    let detail = json!({"discard_unread": discard_unread});
    commit_change(&tx, &actor, &record, "partner.remove", &reason, detail).await?;
    answer(tx, &id, StatusCode::OK, None, actor.now).await
}

/// `POST /v1/partners/{id}/limits`: what is named changes.
pub(crate) async fn limits(
    State(state): State<AppState>,
    Id(id): Id<PartnerId>,
    caller: Caller,
    Trace(trace): Trace,
    Json(body): Json,
) -> Result<Response, Problem> {
    let changes = Changes::read(body)?;
    let actor = actor(&state, &caller, trace);
    let (tx, mut record) = open(&state, &id).await?;
    let detail = changes.detail();
    changes.apply_to(&mut record.partner);
    if let Some(venues) = &changes.venues {
        let venues = known_venues(&tx, venues).await?;
        partner_admin::set_venues(&tx, &id, &venues).await?;
    }
    commit_change(
        &tx,
        &actor,
        &record,
        "partner.limits",
        &changes.reason,
        detail,
    )
    .await?;
    answer(tx, &id, StatusCode::OK, None, actor.now).await
}

async fn move_to(
    state: &AppState,
    actor: &Actor<'_>,
    id: &PartnerId,
    to: PartnerState,
    reason: &str,
) -> Result<Response, Problem> {
    let (tx, mut record) = open(state, id).await?;
    let from = record.partner.state;
    // Said twice it is one deed.
    if from != to {
        let is_active = to == PartnerState::Active;
        record.partner.state = to;
        record.partner.state_reason = (!is_active).then(|| reason.to_owned());
        let action = if is_active {
            "partner.resume"
        } else {
            "partner.suspend"
        };
        let detail = json!({"from": from.as_str()});
        commit_change(&tx, actor, &record, action, reason, detail).await?;
    }
    answer(tx, id, StatusCode::OK, None, actor.now).await
}

fn actor<'a>(
    state: &AppState,
    caller: &'a Caller,
    trace: boxoffice_contracts::trace::TraceParent,
) -> Actor<'a> {
    Actor {
        caller,
        trace,
        now: state.now(),
    }
}

/// A transaction with the partner's row locked.
async fn locked(
    state: &AppState,
    id: &PartnerId,
) -> Result<(DatabaseTransaction, Record), Problem> {
    let tx = pool::begin(&state.db).await?;
    let record = partner_admin::lock(&tx, id).await?;
    let record = record.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok((tx, record))
}

/// The same of a partner that was not removed.
async fn open(state: &AppState, id: &PartnerId) -> Result<(DatabaseTransaction, Record), Problem> {
    let (tx, record) = locked(state, id).await?;
    if record.partner.state == PartnerState::Removed {
        return Err(Problem::new(Code::PartnerRemoved));
    }
    Ok((tx, record))
}

/// The partner at its next version, and who wanted it, together.
async fn commit_change(
    tx: &DatabaseTransaction,
    actor: &Actor<'_>,
    record: &Record,
    action: &str,
    reason: &str,
    detail: Value,
) -> Result<(), Problem> {
    partner_admin::change(tx, record, actor.now).await?;
    let target = format!("partner:{}", record.partner.id);
    actor
        .audit(tx, action, &target, Some(reason), detail)
        .await?;
    Ok(())
}

/// Makes a password, keeps its hash, and returns it to be shown.
async fn issue(
    tx: &DatabaseTransaction,
    id: &PartnerId,
    serial: u16,
    now: Instant,
) -> Result<Secret, Problem> {
    let password = B64.encode(rand::random::<[u8; PASSWORD_BYTES]>());
    let credential = Credential {
        serial,
        password_hash: broker_password::hash(&password, rand::random()),
        created_at: now,
        expires_at: None,
        ended_at: None,
    };
    partner_credentials::insert(tx, id, &credential).await?;
    Ok(Secret {
        serial,
        user: credential.user(id),
        password,
    })
}

async fn known_venues(
    tx: &impl ConnectionTrait,
    slugs: &[String],
) -> Result<Vec<VenueId>, Problem> {
    let (mut venues, mut unknown) = (Vec::new(), Vec::new());
    for (i, slug) in slugs.iter().enumerate() {
        let venue = VenueId::from_slug(slug);
        if !partner_admin::is_venue(tx, venue).await? {
            let at = format!("/venues/{i}");
            unknown.push(FieldError::new(at, "unknown", "is the slug of no venue"));
        } else if !venues.contains(&venue) {
            venues.push(venue);
        }
    }
    if unknown.is_empty() {
        Ok(venues)
    } else {
        Err(Problem::of_fields(unknown))
    }
}

/// Commits, and shows the partner as it is to be now.
async fn answer(
    tx: DatabaseTransaction,
    id: &PartnerId,
    status: StatusCode,
    secret: Option<Secret>,
    now: Instant,
) -> Result<Response, Problem> {
    let record = partner_admin::find(&tx, id).await?;
    let record = record.ok_or_else(|| Problem::new(Code::NotFound))?;
    let partner = view_of(&tx, record, now).await?;
    tx.commit().await?;
    let mut response = match secret {
        Some(credential) => {
            let added = AddedPartner {
                partner,
                credential,
            };
            (status, axum::Json(added)).into_response()
        }
        None => (status, axum::Json(partner)).into_response(),
    };
    put(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}

async fn view_of(
    db: &impl ConnectionTrait,
    record: Record,
    now: Instant,
) -> Result<PartnerView, Problem> {
    let id = record.partner.id.clone();
    let credentials = partner_credentials::of(db, &id).await?;
    let mut venues = partner_admin::venues(db, Some(&id)).await?;
    let venues = venues.remove(id.as_str()).unwrap_or_default();
    Ok(PartnerView::of(record, credentials, venues, now))
}
