//! What a partner's own routes do.

use super::{
    Shapes,
    describe::{ABOUT, Body, Description, OF_READS, PARTNER, json_request, with},
    examples,
    parts::{answer, json_body, parameter, query, string, whole},
};
use crate::partner::{EventsPage, SnapshotAccepted};
use boxoffice_contracts::{
    Code, MessageId,
    partner::{
        booking::BookingEvent,
        kinds::{BOOKING_COMPLETED, to_partner},
        snapshot::SnapshotRequest,
    },
};
use serde_json::json;
use utoipa::openapi::{Content, path::ParameterIn};

pub(super) fn read_kind() -> Description {
    Description {
        id: "readPartnerSchema",
        tag: ABOUT,
        summary: "The JSON Schema of what partners send and get",
        text: "One for the `data` of each kind, and `cloudevent.json` for the envelope.",
        parameters: vec![parameter(
            "file",
            ParameterIn::Path,
            true,
            string(),
            "The kind, and `.json`.",
            json!("show.upsert.v1.json"),
        )],
        body: None,
        answers: vec![(
            200,
            with(
                answer("The document.", &[]),
                "application/schema+json",
                Content::default(),
            ),
        )],
        refusals: &[],
    }
}

pub(super) fn recover_events(shapes: &mut Shapes) -> Description {
    Description {
        id: "recoverEvents",
        tag: PARTNER,
        summary: "Messages again, as they were sent",
        text: "What was sent to the partner after a sequence, in order and without a gap. Messages that were not \
               sent yet have no sequence and are not here. 410 when what followed is no longer kept: then ask for a \
               snapshot.",
        parameters: vec![
            query(
                "after",
                whole(0, None),
                "The last sequence that the partner has; 0 when left out.",
                json!(41),
            ),
            query(
                "limit",
                whole(1, Some(500)),
                "Messages on a page; 100 when left out.",
                json!(100),
            ),
        ],
        body: None,
        answers: vec![(
            200,
            with(
                answer("A page.", &[]),
                "application/json",
                json_body(shapes.answer::<EventsPage>(), page()),
            ),
        )],
        refusals: &[
            Code::ValidationFailed,
            Code::Unavailable,
            Code::SequenceGone,
        ],
    }
}

pub(super) fn ask_snapshot(shapes: &mut Shapes) -> Description {
    let mut body: Body = json_request::<SnapshotRequest>(shapes, json!({}), false);
    body.is_json = true;
    let accepted = SnapshotAccepted {
        snapshot_id: example_id(),
        bookings: 12,
        after: None,
    };
    let accepted = serde_json::to_value(accepted).unwrap_or_default();
    Description {
        id: "askSnapshot",
        tag: PARTNER,
        summary: "All live bookings, told again",
        text: "Adds a message for each booking that hasn't ended to what is sent to the partner, and one that says \
               that these were all. At most 500 bookings at once: `after` of the answer, and of the last message, \
               asks for the next.",
        parameters: Vec::new(),
        body: Some(body),
        answers: vec![(
            202,
            with(
                answer("They are on their way.", &[]),
                "application/json",
                json_body(shapes.answer::<SnapshotAccepted>(), accepted),
            ),
        )],
        refusals: OF_READS,
    }
}

fn example_id() -> MessageId {
    MessageId::of_partner("acme", "a1b2-0007")
}

fn page() -> serde_json::Value {
    let at = examples::now();
    let data = BookingEvent {
        booking_id: examples::booking_id(),
        reference: Some("A-4711".to_owned()),
        show_id: examples::show_id(),
        version: 6,
        status: "completed".to_owned(),
        at,
        code: None,
    };
    let event = to_partner(BOOKING_COMPLETED, example_id(), at, &data).map(|mut event| {
        event.sequence = Some(42);
        event
    });
    let page = EventsPage {
        events: event.into_iter().collect(),
        last_sequence: 42,
        next: None,
    };
    serde_json::to_value(page).unwrap_or_default()
}
