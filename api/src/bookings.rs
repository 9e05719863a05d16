//! `POST /v1/bookings` and `GET /v1/bookings/{id}`.

use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    follow::wait_until,
    idempotency::{self, Seen},
    intake,
    layers::{Slot, Trace},
    look::Look,
    params::{Id, Options, proof_text},
    prefer::{self, PREFERENCE_APPLIED},
    submission::Submission,
    view::{BookingView, Links},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{
    BookingId, Code, Envelope, Instant, MessageId, OperationId, Owner,
    message::booking::{Submit, Tender},
};
use boxoffice_store::mysql::status;
use chrono::{SubsecRound, TimeDelta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The answer to a command that the broker has, whatever becomes of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Accepted {
    pub id: BookingId,
    /// What the booking lists this command under.
    pub operation_id: OperationId,
    /// As far as it is known now.
    #[schemars(extend("enum" = crate::words::STATUSES))]
    pub status: String,
    pub version: u32,
    /// By then it is decided, or given up with `deadline_exceeded`.
    pub deadline: Instant,
    pub links: Links,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadOptions {
    #[serde(default, deserialize_with = "proof_text")]
    proof: Option<String>,
    /// Wait for a higher version than this.
    after: Option<u32>,
    /// For so many seconds.
    wait: Option<u64>,
}

/// `POST /v1/bookings`: accepts a booking for decision.
///
/// Safe to send twice: the key names the booking, and its message has the same id every time.
pub(crate) async fn submit(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    slot: Slot,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Problem> {
    let key = idempotency::key(&headers)?;
    let hash = idempotency::request_hash(&body);
    let submission = Submission::read(body)?;
    let Owner { tenant, subject } = &caller.principal.owner;
    let id = BookingId::derive(tenant, subject, key);
    let operation_id = OperationId::derive(id, tenant, subject, "submit", key);
    let now = state.now();
    let mut deadline = submission
        .deadline
        .unwrap_or_else(|| default_deadline(&state, now));

    let seen = state.recent.come(id.0, hash, deadline);
    match seen {
        Seen::Reused => return idempotency::reused(),
        Seen::Same { deadline: first } => deadline = first,
        Seen::Unknown => {}
    }
    let is_stored = match state.stored.find(id).await {
        Some(stored) if stored == hash => true,
        Some(_) => return idempotency::reused(),
        None => false,
    };
    if !is_stored && seen == Seen::Unknown {
        submission.check_deadline(now, state.config.submit_deadline_secs_max)?;
    }
    let proof = state
        .proofs
        .sign(id, &caller.principal.owner, &hash, deadline);
    // Subscribed before the command leaves, so that no answer is too fast.
    let waiting = prefer::wait(&headers)
        .map(|wait| {
            Ok::<_, Problem>((
                wait,
                slot.begin_to_wait(&state)?,
                state.watch.subscribe(id)?,
            ))
        })
        .transpose()?;
    if !is_stored {
        let message_id = MessageId::of_operation(id, operation_id);
        let mut envelope = Envelope::root::<Submit>(message_id, id, now, trace);
        envelope.tenant.clone_from(tenant);
        envelope.deadline = Some(deadline);
        let command = Submit {
            booking_id: id,
            operation_id,
            owner: caller.principal.owner.clone(),
            show_id: submission.show_id,
            positions: submission.positions,
            customer: submission.customer,
            payment: submission.payment,
            // A partner's credit is spent through the partner's own door.
            tender: Tender::Card,
            late_policy: submission.late_policy,
            request_hash: hex::encode(hash),
            deadline,
        };
        intake::send(state.intake.as_ref(), envelope, &command).await?;
        state.recent.accepted(id.0, hash);
    }
    let accepted = Accepted {
        id,
        operation_id,
        status: "queued".to_owned(),
        version: 0,
        deadline,
        links: Links::of(id, Some(&proof)),
    };
    let Some((wait, _permit, mut watching)) = waiting else {
        return Ok(accept(&accepted));
    };
    let look = Look {
        state,
        caller,
        id,
        proof: Some(proof),
    };
    let until = tokio::time::Instant::now() + wait;
    // The command is accepted: a read that fails takes nothing of that back.
    let reached = wait_until(&look, &mut watching, until, None, BookingView::is_at_rest).await;
    Ok(answer_after_wait(
        &accepted,
        reached.ok().filter(|view| !view.is_undecided()),
        wait,
    ))
}

/// `GET /v1/bookings/{id}`: the status, at once or when it has news.
pub(crate) async fn read(
    State(state): State<AppState>,
    caller: Caller,
    slot: Slot,
    Id(id): Id<BookingId>,
    Options(options): Options<ReadOptions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let look = Look {
        state: state.clone(),
        caller,
        id,
        proof: options.proof,
    };
    let wait = Duration::from_secs(options.wait.unwrap_or(0).min(state.config.poll_secs_max));
    let (view, age) = match options.after {
        Some(after) if !wait.is_zero() => {
            let mut watching = state.watch.subscribe(id)?;
            let first = look.load().await?;
            let view = if first.version > after {
                first
            } else {
                let _permit = slot.begin_to_wait(&state)?;
                let until = tokio::time::Instant::now() + wait;
                let newer = |view: &BookingView| view.version > after;
                wait_until(&look, &mut watching, until, None, newer).await?
            };
            (view, None)
        }
        // Whoever names a version is told no older one.
        Some(_) => (look.load().await?, None),
        None => look.glance().await?,
    };
    let mut response = show(&view, &headers);
    if let Some(age) = age {
        // Never younger than it is.
        let secs = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        put(&mut response, header::AGE, &secs.to_string());
    }
    Ok(response)
}

/// The status with its version as a weak tag: the time in it differs, its meaning does not.
fn show(view: &BookingView, headers: &HeaderMap) -> Response {
    let tag = format!("W/\"{}\"", view.version);
    // Before the first decision the version says nothing.
    let mut response = if view.version > 0 && none_match(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        axum::Json(view).into_response()
    };
    if view.version > 0 {
        put(&mut response, header::ETAG, &tag);
    }
    response
}

/// Whether the client has this already. Tags are compared weakly (RFC 9110, 8.8.3.2).
pub(crate) fn none_match(headers: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|one| bare(one) == bare(tag))
}

/// 202 with the place to look.
pub(crate) fn accept(accepted: &Accepted) -> Response {
    let mut response = (StatusCode::ACCEPTED, axum::Json(accepted)).into_response();
    put(&mut response, header::LOCATION, &accepted.links.this);
    put(&mut response, header::RETRY_AFTER, "1");
    response
}

/// 200 with the state reached, or 202 when there is none yet.
pub(crate) fn answer_after_wait(
    accepted: &Accepted,
    reached: Option<BookingView>,
    wait: Duration,
) -> Response {
    let mut response = match reached {
        Some(view) => {
            let mut response = axum::Json(&view).into_response();
            put(
                &mut response,
                header::CONTENT_LOCATION,
                &accepted.links.this,
            );
            put(
                &mut response,
                header::ETAG,
                &format!("W/\"{}\"", view.version),
            );
            response
        }
        None => accept(accepted),
    };
    put(
        &mut response,
        PREFERENCE_APPLIED,
        &format!("wait={}", wait.as_secs()),
    );
    response
}

/// In whole seconds: a deadline is not a measurement.
pub(crate) fn default_deadline(state: &AppState, now: Instant) -> Instant {
    now.trunc_subsecs(0) + TimeDelta::seconds(i64::from(state.config.submit_deadline_secs))
}

pub(crate) fn put(response: &mut Response, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            response.headers_mut().insert(name, value);
        }
        Err(_invalid) => tracing::error!(header = name.as_str(), "a header can't be written"),
    }
}

/// # Errors
/// 404, unless the link proves that the booking is on its way.
pub(crate) async fn find_or_proven(look: &Look) -> Result<(String, u32), Problem> {
    let row = status::find_for(&look.state.db, &look.caller.reach, look.id).await?;
    if let Some(row) = row {
        return Ok((row.status, row.version));
    }
    let owner = &look.caller.principal.owner;
    let proof = look.proof.as_deref();
    let proven =
        proof.is_some_and(|proof| look.state.proofs.check(look.id, owner, proof).is_some());
    if proven {
        Ok(("queued".to_owned(), 0))
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

#[cfg(test)]
#[path = "bookings_tests.rs"]
mod tests;
