//! Bookings as staff look for them: by what is at hand, those that are stuck, and all that is on record about one.

use super::{
    bookings_view::{Allowed, FoundView, Masked, Recorded, StuckView},
    house_reach,
};
use crate::{
    AppState, Problem,
    auth::Caller,
    params::{Id, Options},
    view::{OperationView, PositionView},
    words,
};
use axum::{Json, extract::State};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_contracts::{BookingId, Code, Currency, MessageId, SeatId, ShowId};
use boxoffice_saga::{Attention, actions};
use boxoffice_store::{
    mysql::{
        desk::{self, Cursor, Found, Key, Query},
        status::{self, Reach},
        ticket_states::SCANNED,
    },
    reference,
};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const LIMIT: u16 = 50;
const LIMIT_MAX: u16 = 200;
/// Longest that a mail address or an id of the gateway is.
const TEXT_BYTES_MAX: usize = 255;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindOptions {
    booking: Option<String>,
    reference: Option<String>,
    email: Option<String>,
    show: Option<String>,
    seat: Option<String>,
    payment_intent: Option<String>,
    message: Option<String>,
    status: Option<String>,
    attention: Option<String>,
    cursor: Option<String>,
    limit: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageOptions {
    cursor: Option<String>,
    limit: Option<u16>,
}

/// Bookings that a key leads to, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FoundBookings")]
pub(crate) struct FoundPage {
    bookings: Vec<FoundView>,
    /// Give it back as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Bookings that somebody should look at, longest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StuckBookings")]
pub(crate) struct StuckPage {
    bookings: Vec<StuckView>,
    /// Give it back as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Everything that is on record about a booking, but for its timeline.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BookingStory")]
pub(crate) struct Story {
    /// Absent while nobody has decided it: then there are only parked messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    booking: Option<FoundView>,
    positions: Vec<PositionView>,
    operations: Vec<OperationView>,
    #[serde(flatten)]
    recorded: Recorded,
    /// What may be ordered now.
    actions: Vec<Allowed>,
    /// Where its timeline is.
    timeline: String,
}

/// `GET /v1/backoffice/bookings`.
pub(crate) async fn find(
    State(state): State<AppState>,
    caller: Caller,
    Options(options): Options<FindOptions>,
) -> Result<Json<FoundPage>, Problem> {
    let limit = limit_of(options.limit)?;
    let query = options.query(limit + 1)?;
    let mut found = desk::find(&state.db, &house_reach(&caller), &query).await?;
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next_cursor = found.last().filter(|_| more).map(|last| {
        encode(Cursor {
            at: last.created_at,
            id: last.id,
        })
    });
    let masked = Masked::for_role(caller.principal.role);
    let bookings = found.iter().map(|found| FoundView::of(found, masked));
    Ok(Json(FoundPage {
        bookings: bookings.collect::<Result<_, _>>()?,
        next_cursor,
    }))
}

/// `GET /v1/backoffice/stuck`.
pub(crate) async fn stuck(
    State(state): State<AppState>,
    caller: Caller,
    Options(options): Options<PageOptions>,
) -> Result<Json<StuckPage>, Problem> {
    let limit = limit_of(options.limit)?;
    let after = options.cursor.as_deref().map(decode).transpose()?;
    let now = desk::now(&state.db).await?;
    let mut found = desk::stuck(&state.db, &house_reach(&caller), now, after, limit + 1).await?;
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next_cursor = found.last().filter(|_| more).and_then(|last| {
        let at = last.stuck_at?;
        Some(encode(Cursor { at, id: last.id }))
    });
    let ids: Vec<BookingId> = found.iter().map(|found| found.id).collect();
    let scanned = desk::scanned(&state.db, &ids).await?;
    let masked = Masked::for_role(caller.principal.role);
    let mut bookings = Vec::with_capacity(found.len());
    // An older worker may have brought one to rest without taking the mark away.
    for found in found.iter().filter(|found| is_stuck(found, &state)) {
        let used = scanned.get(&found.id).map(Vec::as_slice);
        let allowed = actions(&found.saga, used.unwrap_or_default(), now, &state.saga);
        bookings.push(StuckView::of(found, masked, now, allowed)?);
    }
    Ok(Json(StuckPage {
        bookings,
        next_cursor,
    }))
}

fn is_stuck(found: &Found, state: &AppState) -> bool {
    found.saga.attention.is_some() || found.saga.wake_at(&state.saga).is_some()
}

/// `GET /v1/backoffice/bookings/{id}`.
pub(crate) async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<BookingId>,
) -> Result<Json<Story>, Problem> {
    let reach = house_reach(&caller);
    let query = Query {
        key: Key::Booking(id),
        status: None,
        attention: None,
        after: None,
        limit: 1,
    };
    let found = desk::find(&state.db, &reach, &query).await?.pop();
    // Parked rows don't say whose they are: without a booking only those see them who see everything.
    if found.is_none() && reach != Reach::Any {
        return Err(Problem::new(Code::NotFound));
    }
    let records = desk::records(&state.db, id).await?;
    let timeline = format!("/v1/bookings/{id}/timeline");
    let Some(found) = found else {
        if records.parked.is_empty() {
            return Err(Problem::new(Code::NotFound));
        }
        return Ok(Json(Story {
            booking: None,
            positions: Vec::new(),
            operations: Vec::new(),
            recorded: Recorded::of(records, Currency::EUR),
            actions: Vec::new(),
            timeline,
        }));
    };
    let masked = Masked::for_role(caller.principal.role);
    let view = FoundView::of(&found, masked)?;
    let currency = found.saga.currency;
    let whole = status::find_whole_for(&state.db, &reach, id)
        .await?
        .ok_or_else(|| Problem::new(Code::NotFound))?;
    let now = desk::now(&state.db).await?;
    let used = records.tickets.iter();
    let used = used.filter(|ticket| ticket.state == SCANNED);
    let used: Vec<u16> = used.map(|ticket| ticket.position).collect();
    let allowed = actions(&found.saga, &used, now, &state.saga);
    Ok(Json(Story {
        booking: Some(view),
        positions: whole
            .positions
            .iter()
            .map(|position| PositionView::of(position, currency))
            .collect(),
        operations: whole.operations.iter().map(OperationView::of).collect(),
        recorded: Recorded::of(records, currency),
        actions: allowed.into_iter().map(Allowed::of).collect(),
        timeline,
    }))
}

impl FindOptions {
    /// What is asked for, if it is one thing.
    fn query(self, limit: u16) -> Result<Query, Problem> {
        let mut keys = Vec::new();
        if let Some(text) = self.booking {
            keys.push(Key::Booking(id(&text, "booking")?));
        }
        if let Some(text) = self.reference {
            let (first, last) = reference::ids_of(&text).ok_or_else(|| {
                wrong("`reference` has 8 letters and digits, such as 7KQ2M8XC or 7KQ2-M8XC.")
            })?;
            keys.push(Key::Reference(first, last));
        }
        if let Some(email) = self.email {
            if email.len() > TEXT_BYTES_MAX || !email.contains('@') {
                return Err(wrong("`email` is a whole mail address."));
            }
            keys.push(Key::Email(email));
        }
        match (self.show, self.seat) {
            (Some(show), None) => keys.push(Key::Show(id(&show, "show")?)),
            (Some(show), Some(seat)) => {
                let show: ShowId = id(&show, "show")?;
                let seat = SeatId::new(seat)
                    .map_err(|_malformed| wrong("`seat` is the id of a seat, such as A-1."))?;
                keys.push(Key::Seat(show, seat));
            }
            (None, Some(_)) => return Err(wrong("`seat` needs the `show` that it is of.")),
            (None, None) => {}
        }
        if let Some(intent) = self.payment_intent {
            if intent.is_empty() || intent.len() > TEXT_BYTES_MAX {
                return Err(wrong(
                    "`payment_intent` is the gateway's id, such as pi_3Mtw.",
                ));
            }
            keys.push(Key::PaymentIntent(intent));
        }
        if let Some(text) = self.message {
            keys.push(Key::Message(id::<MessageId>(&text, "message")?));
        }
        let status = one_of(
            self.status,
            &words::STATUSES,
            "`status` is no status of a booking.",
        )?;
        let marks: Vec<&str> = std::iter::once(ANY)
            .chain(Attention::ALL.map(Attention::as_str))
            .collect();
        let attention = one_of(self.attention, &marks, "`attention` is `any` or a reason.")?;
        if keys.is_empty() && attention.is_some() {
            keys.push(Key::Attention);
        }
        let mut keys = keys.into_iter();
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(wrong(
                "Give exactly one of `booking`, `reference`, `email`, `show` (with `seat` or without), \
                 `payment_intent` and `message`, or `attention` alone. `status` and `attention` narrow it down.",
            ));
        };
        Ok(Query {
            key,
            status,
            attention,
            after: self.cursor.as_deref().map(decode).transpose()?,
            limit,
        })
    }
}

/// Whatever the reason.
const ANY: &str = desk::ANY;

fn one_of(
    word: Option<String>,
    words: &[&str],
    otherwise: &'static str,
) -> Result<Option<String>, Problem> {
    match word {
        Some(word) if !words.contains(&word.as_str()) => Err(wrong(otherwise)),
        word => Ok(word),
    }
}

fn id<T: std::str::FromStr>(text: &str, name: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_malformed| {
        Problem::because(Code::ValidationFailed, format!("`{name}` is not an id."))
    })
}

fn limit_of(limit: Option<u16>) -> Result<u16, Problem> {
    let limit = limit.unwrap_or(LIMIT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(wrong("`limit` is from 1 to 200."))
    }
}

fn wrong(detail: &'static str) -> Problem {
    Problem::because(Code::ValidationFailed, detail)
}

fn encode(Cursor { at, id }: Cursor) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {id}", at.timestamp_micros()))
}

fn decode(text: &str) -> Result<Cursor, Problem> {
    let read = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (at, id) = text.split_once(' ')?;
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        let id = id.parse().ok()?;
        Some(Cursor { at, id })
    };
    read().ok_or_else(|| wrong("`cursor` is not one that a page gave."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{clock_at, world};
    use axum::{body::Body, http::Request};
    use boxoffice_contracts::Role;

    #[test]
    fn a_cursor_survives_and_what_is_none_is_refused() {
        let cursor = Cursor {
            at: clock_at(7),
            id: BookingId::derive("house", "ada", "k"),
        };
        assert_eq!(decode(&encode(cursor)).unwrap(), cursor);
        for broken in ["", "!", "MQ", &BASE64_URL_SAFE_NO_PAD.encode("1 x")] {
            assert!(decode(broken).is_err(), "{broken}");
        }
    }

    #[tokio::test]
    async fn one_kind_of_key_at_a_time_and_each_in_its_form() {
        let world = world();
        let id = BookingId::derive("house", "ada", "k");
        let ask = async |query: &str| {
            let token = world.token(Role::Viewer);
            let request = Request::get(format!("/v1/backoffice/bookings?{query}"))
                .header("authorization", format!("Bearer {token}"));
            world.ask(request.body(Body::empty()).unwrap()).await
        };
        for query in [
            String::new(),
            "status=held".to_owned(),
            format!("booking={id}&email=a@example.org"),
            format!("booking={id}&status=sold"),
            format!("booking={id}&attention=maybe"),
            format!("booking={id}&cursor=x"),
            format!("booking={id}&limit=201"),
            format!("booking={id}&color=red"),
            "booking=7".to_owned(),
            "reference=7KQ2".to_owned(),
            "email=ada".to_owned(),
            "seat=A-1".to_owned(),
            format!("show={id}&seat=A%201"),
            "payment_intent=".to_owned(),
            "message=x".to_owned(),
        ] {
            let answer = ask(&query).await;
            assert_eq!(answer.status, 422, "{query}");
            assert_eq!(answer.code(), "validation_failed", "{query}");
        }
        // Asked properly it is the database that is missing here.
        for query in [
            format!("booking={id}&status=held&attention=any"),
            "reference=7kq2-m8xc".to_owned(),
            "email=Ada@Example.org".to_owned(),
            format!("show={id}"),
            format!("show={id}&seat=A-1"),
            "payment_intent=pi_1".to_owned(),
            format!("message={id}"),
            "attention=refund_failed".to_owned(),
        ] {
            assert_eq!(ask(&query).await.code(), "unavailable", "{query}");
        }
    }
}
