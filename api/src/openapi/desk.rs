//! What the back office's routes about bookings do.

use super::{
    Shapes,
    describe::{
        BACKOFFICE, Description, OF_ORDERS, OF_READS, booking, command_answers, json_request, with,
    },
    examples,
    parts::{answer, idempotency_key, json_body, prefer, query, string, whole},
};
use crate::{
    backoffice::{FoundPage, MendRequest, Story, StuckPage},
    words,
};
use boxoffice_contracts::{Currency, Money, message::booking::MendAction};
use boxoffice_saga::Attention;
use boxoffice_store::reference::reference;
use serde_json::{Value, json};
use utoipa::openapi::{ObjectBuilder, Type, path::Parameter};

pub(super) fn find_bookings(shapes: &mut Shapes) -> Description {
    let example = json!({"bookings": [found()], "next_cursor": CURSOR});
    Description {
        id: "findBookings",
        tag: BACKOFFICE,
        summary: "Find bookings by what is at hand",
        text: "Exactly one of `booking`, `reference`, `email`, `show` (with `seat` or without), `payment_intent` and \
               `message`, or `attention` alone; `status` and `attention` narrow it down. Newest first. A message is \
               found when a decision was made on it, when it was parked, when the gateway was asked because of it, \
               or while it has not left; what it led to stands in the timeline.",
        parameters: find_parameters(),
        body: None,
        answers: vec![(
            200,
            with(
                answer("A page.", &[]),
                "application/json",
                json_body(shapes.answer::<FoundPage>(), example),
            ),
        )],
        refusals: OF_READS,
    }
}

pub(super) fn read_story(shapes: &mut Shapes) -> Description {
    Description {
        id: "readStory",
        tag: BACKOFFICE,
        summary: "Everything on record about a booking",
        text: "Its state, positions, commands, payments, refunds, tickets, mails and parked messages, and what may be \
               done now. One that nobody decided yet shows what was parked of it.",
        parameters: vec![booking()],
        body: None,
        answers: vec![(
            200,
            with(
                answer("The story.", &[]),
                "application/json",
                json_body(shapes.answer::<Story>(), story()),
            ),
        )],
        refusals: OF_READS,
    }
}

pub(super) fn list_stuck(shapes: &mut Shapes) -> Description {
    let example = json!({
        "bookings": [{
            "booking": found(), "why": "refund_failed", "since": examples::now(), "stuck_secs": 7200,
            "actions": [allowed(MendAction::RetryRefund), allowed(MendAction::Acknowledge)],
        }],
    });
    Description {
        id: "listStuck",
        tag: BACKOFFICE,
        summary: "Bookings that somebody should look at",
        text: "Those that are longer in their state than it lasts when everything works, and those that are marked \
               for a person; longest first. Each with why, and with what its state allows to be done.",
        parameters: pages(),
        body: None,
        answers: vec![(
            200,
            with(
                answer("A page.", &[]),
                "application/json",
                json_body(shapes.answer::<StuckPage>(), example),
            ),
        )],
        refusals: OF_READS,
    }
}

pub(super) fn mend_booking(shapes: &mut Shapes) -> Description {
    let example = json!({"action": "retry_refund", "reason": "The bank was closed yesterday."});
    Description {
        id: "mendBooking",
        tag: BACKOFFICE,
        summary: "Order something to be done about a booking",
        text: "A command like a customer's: its outcome is listed with the booking. What the state does not allow \
               when it is decided is refused (`action_not_allowed`) and changes nothing. Support orders \
               `render_tickets` and `mail_tickets` only.",
        parameters: vec![booking(), idempotency_key(), prefer()],
        body: Some(json_request::<MendRequest>(shapes, example, true)),
        answers: command_answers(shapes, "mend"),
        refusals: OF_ORDERS,
    }
}

const CURSOR: &str = "MTc2Mzc1MjgwMDAwMDAwMCA1ZjBmM2MwYS05YTU1LTVhMGUtOGE1MS0wZDNmMWY2YzdhMTE";

fn find_parameters() -> Vec<Parameter> {
    let booking = examples::booking_id();
    let marks = std::iter::once("any").chain(Attention::ALL.map(Attention::as_str));
    let mut parameters = vec![
        query("booking", string(), "Its id.", json!(booking)),
        query(
            "reference",
            string(),
            "What the customer reads out: of the booking, or the serial below a ticket's code. Case, spaces and \
             hyphens don't matter.",
            json!(reference(booking)),
        ),
        query(
            "email",
            string(),
            "The whole address; case doesn't matter.",
            json!("ada@example.org"),
        ),
        query(
            "show",
            string(),
            "The show's id.",
            json!(examples::show_id()),
        ),
        query(
            "seat",
            string(),
            "With `show`: everybody who has, had or wanted this seat.",
            json!("A-1"),
        ),
        query(
            "payment_intent",
            string(),
            "The gateway's id of the payment.",
            json!("pi_3MtwBwLkdIwHu7ix28a3tqPa"),
        ),
        query(
            "message",
            string(),
            "The id of a message.",
            json!(examples::operation_id("pay")),
        ),
        query(
            "status",
            words_of(words::STATUSES),
            "Only those.",
            json!("refunding"),
        ),
        query(
            "attention",
            words_of(marks),
            "Only those that are marked for this reason, or for any.",
            json!("any"),
        ),
    ];
    parameters.extend(pages());
    parameters
}

fn pages() -> Vec<Parameter> {
    vec![
        query(
            "cursor",
            string().pattern(Some("^[A-Za-z0-9_-]+$")),
            "`next_cursor` of the page before.",
            json!(CURSOR),
        ),
        query(
            "limit",
            whole(1, Some(200)),
            "Bookings on a page; 50 when left out.",
            json!(50),
        ),
    ]
}

fn words_of(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
}

fn allowed(action: MendAction) -> Value {
    json!({"action": action, "meaning": action.meaning()})
}

fn found() -> Value {
    let id = examples::booking_id();
    let money = |minor| Money::new(minor, Currency::EUR);
    json!({
        "id": id, "reference": reference(id), "owner": {"tenant": "house", "subject": "ada"},
        "status": "refunding", "phase": null, "version": 9, "code": null, "attention": "refund_failed",
        "disputed": false, "waits_for": "the gateway, which is to give money back",
        "total": money(0), "captured": money(2400), "refunded": money(0),
        "show": {
            "id": examples::show_id(), "starts_at": "2026-11-21T19:30:00Z", "film": "Low Tide at Noon",
            "venue": "Astor",
        },
        "customer": {"email": "a•••@example.org", "name": "A•••"},
        "hold_expires_at": null, "wakes_at": "2026-11-22T18:30:00Z",
        "created_at": examples::now(), "updated_at": examples::now(),
    })
}

fn story() -> Value {
    let id = examples::booking_id();
    json!({
        "booking": found(), "positions": [], "operations": [], "payment_intents": [], "attempts": [], "refunds": [],
        "tickets": [],
        "mails": [{
            "template": "confirmation", "revision": 1, "message_id": format!("{id}.confirmation.1@tickets.example"),
            "state": "sent", "detail": null, "updated_at": examples::now(),
        }],
        "parked": [], "actions": [allowed(MendAction::RetryRefund)],
        "timeline": format!("/v1/bookings/{id}/timeline"),
    })
}
