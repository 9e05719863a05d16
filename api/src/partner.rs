//! What a partner asks over HTTP beside its exchanges: what it missed, and all of its bookings anew.

use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    bookings::put,
    fields::{Fields, Mistakes, text},
    params::Options,
};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{
    BookingId, Code, MessageId,
    partner::{PartnerId, event::CloudEvent},
    rules,
};
use boxoffice_store::mysql::{
    partner_events::{self, Followed, Sent},
    partner_out, partner_snapshot,
    partners::{self, PartnerState},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsOptions {
    /// The last sequence that the partner has.
    after: Option<u64>,
    limit: Option<u16>,
}

const LIMIT: u16 = 100;
const LIMIT_MAX: u16 = 500;

/// When so much waits to be sent that a snapshot would only wait behind it.
const RETRY_AFTER_BACKLOG_SECS: u32 = 10;

/// Messages as they were sent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerEventsPage")]
pub(crate) struct EventsPage {
    /// In the order of their sequences, without a gap.
    pub events: Vec<CloudEvent>,
    /// Number of the last message to this partner.
    pub last_sequence: u64,
    /// The address of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A snapshot is on its way.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SnapshotAccepted {
    /// In each of its messages.
    pub snapshot_id: MessageId,
    pub bookings: u32,
    /// There are more: ask again with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<BookingId>,
}

/// `GET /v1/partner/events`.
pub(crate) async fn events(
    State(state): State<AppState>,
    caller: Caller,
    Options(EventsOptions { after, limit }): Options<EventsOptions>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = "`limit` is from 1 to 500.";
        return Err(Problem::because(Code::ValidationFailed, detail));
    }
    let partner = partner_of(&caller)?;
    let after = after.unwrap_or_default();
    let found = partner_events::after(&state.db, &partner, after, u64::from(limit)).await?;
    let (messages, last_sequence) = match found {
        Followed::NoPartner => return Err(Problem::new(Code::Forbidden)),
        Followed::Gone { last_sequence } => {
            let detail = format!("The last one is {last_sequence}. Ask for a snapshot.");
            return Err(Problem::because(Code::SequenceGone, detail));
        }
        Followed::Messages {
            messages,
            last_sequence,
        } => (messages, last_sequence),
    };
    let next = messages
        .last()
        .filter(|last| last.sequence < last_sequence)
        .map(|last| format!("/v1/partner/events?after={}&limit={limit}", last.sequence));
    let page = EventsPage {
        events: messages.iter().map(as_sent).collect::<Result<_, _>>()?,
        last_sequence,
        next,
    };
    let mut response = axum::Json(page).into_response();
    put(&mut response, header::CACHE_CONTROL, "private, no-cache");
    Ok(response)
}

fn as_sent(Sent { sequence, body }: &Sent) -> Result<CloudEvent, Problem> {
    let mut event: CloudEvent = serde_json::from_slice(body).map_err(|error| {
        tracing::error!(sequence, %error, "a message to a partner is unreadable");
        Problem::new(Code::InternalError)
    })?;
    event.sequence = Some(*sequence);
    Ok(event)
}

/// `POST /v1/partner/snapshot`. The bookings come as messages, as everything else does.
pub(crate) async fn snapshot(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json,
) -> Result<Response, Problem> {
    let after = read_request(body)?;
    let partner = partner_of(&caller)?;
    let found = partners::find(&state.db, &partner).await?;
    if found.is_none_or(|found| found.state == PartnerState::Removed) {
        return Err(Problem::new(Code::Forbidden));
    }
    if partner_snapshot::has_backlog(&state.db, &partner).await? {
        let detail = "What was told before has not been sent yet.";
        return Err(
            Problem::because(Code::RateLimited, detail).retry_after(RETRY_AFTER_BACKLOG_SECS)
        );
    }
    let (id, now) = (MessageId(uuid::Uuid::new_v4()), state.now());
    let snapshot = partner_snapshot::read(&state.db, &partner, id, None, after, now).await?;
    // Without a transaction: who doesn't see its last message asks for another.
    partner_out::append(&state.db, &snapshot.messages, now).await?;
    let accepted = SnapshotAccepted {
        snapshot_id: id,
        bookings: snapshot.bookings,
        after: snapshot.after,
    };
    Ok((StatusCode::ACCEPTED, axum::Json(accepted)).into_response())
}

/// `{after?}`.
fn read_request(body: Value) -> Result<Option<BookingId>, Problem> {
    let mut mistakes = Mistakes::default();
    let mut after = None;
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        after = fields.optional("after", &mut mistakes, text(rules::uuid));
        fields.finish(&mut mistakes);
    }
    mistakes.refuse()?;
    Ok(after.map(BookingId))
}

fn partner_of(caller: &Caller) -> Result<PartnerId, Problem> {
    let tenant = &caller.principal.owner.tenant;
    tenant
        .parse()
        .map_err(|_error| Problem::new(Code::Forbidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_for_a_snapshot_names_a_booking_or_nothing() {
        assert_eq!(read_request(json!({})).unwrap(), None);
        let id = BookingId::derive("acme", "ada", "k");
        assert_eq!(read_request(json!({"after": id})).unwrap(), Some(id));
        for (body, pointer) in [
            (json!([]), ""),
            (json!({"after": "x"}), "/after"),
            (json!({"all": true}), "/all"),
        ] {
            let problem = read_request(body).unwrap_err();
            assert_eq!(problem.code, Code::ValidationFailed);
            assert_eq!(problem.errors[0].pointer, pointer);
        }
    }
}
