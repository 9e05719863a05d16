//! What happened to a booking, for staff.

use crate::{
    AppState, Problem,
    auth::Caller,
    backoffice::house_reach,
    bookings::put,
    params::{Id, Options},
};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_contracts::{BookingId, Code, Instant};
use boxoffice_store::{
    mongo::timelines::Cursor,
    mysql::status,
    timeline::{self, Line, What},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageOptions {
    /// As `next` carried it.
    cursor: Option<String>,
    limit: Option<u16>,
}

const LIMIT: u16 = 50;
const LIMIT_MAX: u16 = 200;

/// A page of a booking's timeline.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TimelinePage")]
pub(crate) struct Page {
    booking_id: BookingId,
    lines: Vec<LineView>,
    /// The address of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TimelineLine")]
struct LineView {
    at: Instant,
    #[serde(flatten)]
    what: What,
}

/// `GET /v1/bookings/{id}/timeline`: first line first.
pub(crate) async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<BookingId>,
    Options(PageOptions { cursor, limit }): Options<PageOptions>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(wrong("`limit` is from 1 to 200."));
    }
    let after = match cursor.as_deref().map(decode) {
        None => None,
        Some(Some(cursor)) => Some(cursor),
        Some(None) => return Err(wrong("`cursor` is not one that a page gave.")),
    };
    if status::find_for(&state.db, &house_reach(&caller), id)
        .await?
        .is_none()
    {
        return Err(Problem::new(Code::NotFound));
    }
    let unread = |error| {
        tracing::warn!(booking.id = %id, %error, "a timeline was not read");
        Problem::because(Code::Unavailable, "The documents can't be reached.").retry_after(2)
    };
    // No event tells of these: whoever reads brings them up to date.
    if after.is_none() {
        let mut asides = timeline::asides(&state.db, &BTreeSet::from([id])).await?;
        asides.extend(state.documents.stored(id).await.map_err(unread)?);
        if !asides.is_empty() {
            state.documents.keep(&asides).await.map_err(unread)?;
        }
    }
    // One more tells whether there is another page.
    let found = state.documents.timeline(id, after, limit + 1).await;
    let mut lines = found.map_err(unread)?;
    let more = lines.len() > usize::from(limit);
    lines.truncate(usize::from(limit));
    let last = lines.last().filter(|_| more);
    let next = last.map(|line| {
        let cursor = encode(&Cursor::after(line));
        format!("/v1/bookings/{id}/timeline?cursor={cursor}&limit={limit}")
    });
    let view = |Line { at, what, .. }| LineView { at, what };
    let lines = lines.into_iter().map(view).collect();
    let page = Page {
        booking_id: id,
        lines,
        next,
    };
    let mut response = Json(page).into_response();
    put(&mut response, header::CACHE_CONTROL, "private, no-cache");
    Ok(response)
}

fn wrong(detail: &'static str) -> Problem {
    Problem::because(Code::ValidationFailed, detail)
}

fn encode(cursor: &Cursor) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {}", cursor.at_micros, cursor.key))
}

fn decode(text: &str) -> Option<Cursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (at_micros, key) = text.split_once(' ')?;
    Some(Cursor {
        at_micros: at_micros.parse().ok()?,
        key: key.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};
    use boxoffice_contracts::Role;

    #[test]
    fn a_cursor_survives_and_what_is_none_is_refused() {
        let cursor = Cursor {
            at_micros: 1_795_000_000_123_456,
            key: "call:bk:5f0f3c0a:confirm:1".to_owned(),
        };
        assert_eq!(decode(&encode(&cursor)), Some(cursor));
        for broken in ["", "!", "MQ", &BASE64_URL_SAFE_NO_PAD.encode("x y")] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[tokio::test]
    async fn customers_do_not_read_timelines_and_pages_are_bounded() {
        let world = world();
        let id = BookingId::derive("house", "ada", "k");
        let ask = async |role: Role, query: &str| {
            let request = Request::get(format!("/v1/bookings/{id}/timeline{query}"))
                .header("authorization", format!("Bearer {}", world.token(role)))
                .body(Body::empty());
            world.ask(request.unwrap()).await
        };
        for role in [Role::Customer, Role::Cashier, Role::Partner] {
            assert_eq!(ask(role, "").await.status.as_u16(), 403, "{role:?}");
        }
        for query in ["?limit=0", "?limit=201", "?limit=x", "?cursor=!", "?page=2"] {
            let answer = ask(Role::Support, query).await;
            assert_eq!(answer.code(), "validation_failed", "{query}");
        }
    }
}
