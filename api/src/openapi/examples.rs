//! Examples: values of the very types that are answered, of one booking of two seats.

use super::bodies::{
    BookingRequest, CancelRequest, CustomerRequest, PaymentMethod, PaymentRequest, PositionRequest,
};
use crate::{
    Problem,
    bookings::Accepted,
    catalogue::CodeEntry,
    idempotency,
    problem::FieldError,
    proof::Proofs,
    seats::{CategoryView, SeatMapView, SeatView},
    shows::{FilmView, SalesView, ShowLinks, ShowView, ShowsPage, VenueView},
    view::{BookingView, Decided, Links, OperationView, PositionView, TicketsView},
};
use boxoffice_contracts::{
    BookingId, Code, Currency, FilmId, Instant, Money, OperationId, Owner, SeatId, ShowId, VenueId,
    message::booking::{LatePolicy, Tender},
    principal::TENANT_HOUSE,
};
use boxoffice_store::{
    document_link::{DocumentLinks, LinkedDocument},
    reference::reference,
};
use chrono::{DateTime, TimeDelta};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use url::Url;
use utoipa::openapi::{RefOr, example::Example};

/// The idempotency key of the example.
pub(super) const KEY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const SUBJECT: &str = "ada";
const SHOW: &str = "low-tide-at-noon-d0-2000-2026-11-21";
const LINK_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// When the example's booking is made: 2026-11-21T18:30:00Z.
pub(super) fn now() -> Instant {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_285_800)
}

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

pub(super) fn show_id() -> ShowId {
    ShowId::from_slug(SHOW)
}

/// What ada's key derives.
pub(super) fn booking_id() -> BookingId {
    BookingId::derive(TENANT_HOUSE, SUBJECT, KEY)
}

pub(super) fn operation_id(kind: &str) -> OperationId {
    OperationId::derive(booking_id(), TENANT_HOUSE, SUBJECT, kind, KEY)
}

/// A proof of the right form; no secret of a house makes it.
pub(super) fn proof() -> String {
    let owner = Owner {
        tenant: TENANT_HOUSE.to_owned(),
        subject: SUBJECT.to_owned(),
    };
    let hash = idempotency::request_hash(&submit());
    Proofs::new("").sign(booking_id(), &owner, &hash, now() + minutes(10))
}

pub(super) fn submit() -> Value {
    value(&BookingRequest {
        show_id: show_id(),
        positions: vec![seat("A-1"), seat("A-2")],
        customer: CustomerRequest {
            email: "ada@example.org".to_owned(),
            name: "Ada Lovelace".to_owned(),
            locale: "en".to_owned(),
        },
        payment: Some(PaymentMethod {
            method: METHOD.to_owned(),
        }),
        late_policy: None,
        deadline: None,
    })
}

/// Places without numbers, held first and paid later.
pub(super) fn submit_places() -> Value {
    let mut body = submit();
    body["positions"] = value(&[PositionRequest::Places {
        category: "Standing".to_owned(),
        count: 2,
    }]);
    body["late_policy"] = value(&LatePolicy::Refuse);
    if let Some(body) = body.as_object_mut() {
        body.remove("payment");
    }
    body
}

const METHOD: &str = "pm_card_visa";

fn seat(id: &str) -> PositionRequest {
    #[allow(clippy::expect_used, reason = "constants that a test reads")]
    let seat_id = SeatId::new(id).expect("a seat id");
    PositionRequest::Seat { seat_id }
}

pub(super) fn pay() -> Value {
    value(&PaymentRequest {
        method: Some(METHOD.to_owned()),
    })
}

pub(super) fn cancel() -> Value {
    value(&CancelRequest {
        positions: Some(vec![2]),
        reason: Some("A friend is ill.".to_owned()),
    })
}

pub(super) fn accepted(kind: &str) -> Value {
    let id = booking_id();
    let is_new = kind == "submit";
    let proof = proof();
    value(&Accepted {
        id,
        operation_id: operation_id(kind),
        status: if is_new { "queued" } else { "held" }.to_owned(),
        version: u32::from(!is_new),
        deadline: now() + minutes(10),
        links: Links::of(id, is_new.then_some(proof.as_str())),
    })
}

pub(super) fn booking() -> Value {
    value(&booking_view())
}

/// One event as the stream carries it.
pub(super) fn event() -> Value {
    let view = booking_view();
    let data = serde_json::to_string(&view).unwrap_or_default();
    format!(
        "id: {}\nevent: booking\nretry: 2000\ndata: {data}\n\n",
        view.version
    )
    .into()
}

fn booking_view() -> BookingView {
    let id = booking_id();
    let euro = |minor| Money::new(minor, Currency::EUR);
    let position = |no: u16| PositionView {
        no,
        seat_id: Some(format!("A-{no}")),
        row: Some("A".to_owned()),
        number: Some(no.to_string()),
        category: "Standard".to_owned(),
        price: euro(1_000),
        live: true,
    };
    let decided = Decided {
        show_id: show_id(),
        positions: vec![position(1), position(2)],
        total: euro(2_000),
        currency: Currency::EUR,
        tender: Tender::Card,
        captured: euro(2_000),
        refunded: euro(0),
        hold_expires_at: None,
        payment: None,
        operations: vec![OperationView {
            id: operation_id("submit"),
            kind: "submit".to_owned(),
            outcome: "done".to_owned(),
            code: None,
            at: now(),
        }],
        tickets: Some(TicketsView {
            pdf: format!("/v1/bookings/{id}/tickets.pdf"),
        }),
        alternatives: None,
    };
    BookingView {
        id,
        reference: reference(id),
        status: "completed".to_owned(),
        phase: None,
        version: 6,
        code: None,
        attention: None,
        server_time: now() + TimeDelta::seconds(2),
        decided: Some(decided),
        links: Links {
            tickets_pdf: Some(document_link(LinkedDocument::TicketsPdf)),
            tickets_ics: Some(document_link(LinkedDocument::TicketsIcs)),
            ..Links::of(id, None)
        },
    }
}

/// A link of the right form; no secret of a house makes it.
fn document_link(document: LinkedDocument) -> String {
    DocumentLinks::new("").link(booking_id(), document, now(), LINK_TTL)
}

/// What such a link carries: when it expires, and the signature.
pub(super) fn link_parts() -> (i64, String) {
    let link = document_link(LinkedDocument::TicketsPdf);
    let part = |name: &str| {
        let query = link.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(of, _)| *of == name).map(|(_, value)| value);
        value.unwrap_or_default().to_owned()
    };
    (
        part("expires").parse().unwrap_or_default(),
        part("signature"),
    )
}

pub(super) fn cursor() -> String {
    crate::shows::cursor(now() + minutes(30), show_id())
}

pub(super) fn shows() -> Value {
    value(&ShowsPage {
        shows: vec![show_view()],
        next_cursor: None,
    })
}

pub(super) fn show() -> Value {
    value(&show_view())
}

fn show_view() -> ShowView {
    let id = show_id();
    let starts_at = now() + minutes(30);
    ShowView {
        id,
        slug: SHOW.to_owned(),
        film: FilmView {
            id: FilmId::from_slug("low-tide-at-noon").0,
            slug: "low-tide-at-noon".to_owned(),
            title: "Low Tide at Noon".to_owned(),
            year: 2025,
            runtime_min: 97,
            certificate: "6".to_owned(),
        },
        venue: VenueView {
            id: VenueId::from_slug("astor").0,
            slug: "astor".to_owned(),
            name: "Astor".to_owned(),
            city: "Berlin".to_owned(),
        },
        hall: "Astor 1".to_owned(),
        starts_at,
        starts_at_local: Some("2026-11-21T20:00:00+01:00".to_owned()),
        zone: "Europe/Berlin".to_owned(),
        sales: SalesView {
            from: now() - minutes(14 * 24 * 60),
            until: starts_at - minutes(15),
            open: true,
            cancel_until: starts_at - minutes(60),
            cancel_fee: Money::new(100, Currency::EUR),
        },
        cancelled: false,
        price_from: Some(Money::new(1_000, Currency::EUR)),
        links: ShowLinks {
            this: format!("/v1/shows/{id}"),
            seats: format!("/v1/shows/{id}/seats"),
        },
    }
}

pub(super) fn seat_map() -> Value {
    let seat = |seat_id, number, x, state| SeatView {
        seat_id,
        row: "A",
        number,
        category: "Standard",
        x,
        y: 0.0,
        state,
    };
    value(&SeatMapView {
        show_id: show_id(),
        version: "9c1185a5c5e9fc54",
        categories: &[
            CategoryView {
                name: "Standard".to_owned(),
                price: Money::new(1_000, Currency::EUR),
                capacity: None,
                taken: None,
                free: None,
            },
            CategoryView {
                name: "Standing".to_owned(),
                price: Money::new(700, Currency::EUR),
                capacity: Some(200),
                taken: Some(143),
                free: Some(57),
            },
        ],
        seats: &[
            seat("A-1", "1", 24.0, "free"),
            seat("A-2", "2", 48.0, "held"),
            seat("A-3", "3", 72.0, "sold"),
        ],
    })
}

/// Of a page that begins after a line.
pub(super) const TIMELINE_CURSOR: &str = "MTc2Mzc1MjgwMDAwMDAwMCBkZWNpc2lvbjox";

/// A decision and a call of a booking's timeline.
pub(super) fn timeline() -> Value {
    let id = booking_id();
    let called = now() + TimeDelta::seconds(1);
    json!({
        "booking_id": id,
        "lines": [
            {
                "at": now(), "type": "decision", "version": 1, "input": "submit", "from": "none",
                "to": "held", "cause": operation_id("submit"), "effects": ["booking.held.v1"], "messages": [],
            },
            {
                "at": called, "type": "call", "operation": "create", "idempotency_key": format!("bk:{id}:create"),
                "calls": 1, "outcome": "answered", "last_at": called,
            },
        ],
        "next": format!("/v1/bookings/{id}/timeline?cursor={TIMELINE_CURSOR}&limit=2"),
    })
}

pub(super) fn ticket_keys() -> Value {
    let keys = [crate::ticket_keys::TicketKey {
        kid: 1,
        public_key: [7; 32],
        signs: true,
    }];
    value(&crate::ticket_keys::KeySet::of(&keys))
}

pub(super) fn code(code: Code) -> Value {
    // Not the routes: they are what the document lists, and finding them reads this.
    value(&CodeEntry::of(code, &base(), Vec::new()))
}

/// A problem of every code that HTTP answers with, as it is rendered.
pub(super) fn problems() -> BTreeMap<String, RefOr<Example>> {
    Code::ALL
        .iter()
        .map(|code| {
            let mut example = Example::new();
            example.summary = code.title().to_owned();
            let problem = problem(*code);
            let body = problem.body(&base(), "/v1/bookings", TRACE);
            example.value = Some(value(&body));
            (code.to_string(), RefOr::T(example))
        })
        .collect()
}

fn problem(code: Code) -> Problem {
    let of_field = |pointer: &str, code, detail: &'static str| {
        Problem::of_fields(vec![FieldError::new(pointer, code, detail)])
    };
    match code {
        Code::ValidationFailed => {
            of_field("/customer/email", "malformed", "must be an email address")
        }
        Code::SeatRepeated => of_field("/positions/1/seat_id", code.as_str(), "is asked for twice"),
        Code::CardNumberRefused => of_field(
            "/customer/name",
            code.as_str(),
            "Give the card to the gateway and send its payment method here.",
        ),
        Code::Overloaded => Problem::overloaded(1),
        Code::IdempotencyKeyReused => idempotency::reused::<()>()
            .err()
            .unwrap_or_else(|| Problem::new(code)),
        other => Problem::new(other),
    }
}

fn base() -> Url {
    #[allow(clippy::expect_used, reason = "a constant that a test parses")]
    Url::parse("https://tickets.example").expect("a constant URL")
}

fn value(of: &impl Serialize) -> Value {
    #[allow(clippy::expect_used, reason = "plain values that a test writes")]
    serde_json::to_value(of).expect("a plain value")
}
