//! The routes about quarantined messages of partners.

use super::{
    Shapes,
    describe::{Description, json_request, with},
    parts::{answer, id, json_body, query, string, whole},
};
use crate::{
    backoffice::quarantine::{Change, Page, View},
    permissions::Action,
};
use boxoffice_contracts::Code;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::{Response, path::Parameter};

pub(super) const TAG: &str = "quarantine";

const ID: &str = "0d4f6b1e-52b7-5c0a-9a63-0f6f0a3d9c11";
const CURSOR: &str = "MTc5NTAwMDAwMDEyMyAwZDRmNmIxZQ";

/// Lets a message pass the gate again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct QuarantineRelease {
    /// The repaired CloudEvent; left out, the message is taken as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Map<String, Value>>,
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

/// Leaves a message what it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct QuarantineReject {
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

pub(super) fn describe(action: Action, shapes: &mut Shapes) -> Description {
    let plain = Description {
        id: "readQuarantine",
        tag: TAG,
        summary: "Read a quarantined message",
        text: "With its body for operators and admins.",
        parameters: vec![id("The quarantined message.", ID)],
        body: None,
        answers: vec![(200, one(shapes))],
        refusals: &[Code::Unavailable],
    };
    match action {
        Action::ListOwnQuarantine => Description {
            id: "listOwnQuarantine",
            summary: "List the partner's own quarantined messages",
            text: "The newest first. They are kept for 14 days.",
            parameters: list_options(),
            answers: vec![(200, page(shapes))],
            refusals: &[Code::ValidationFailed, Code::Unavailable],
            ..plain
        },
        Action::ListQuarantine => {
            let mut parameters = list_options();
            parameters.push(query(
                "partner",
                string().max_length(Some(32)),
                "Only this partner's.",
                json!("acme"),
            ));
            Description {
                id: "listQuarantine",
                summary: "List quarantined messages",
                text: "The newest first. They are kept for 14 days.",
                parameters,
                answers: vec![(200, page(shapes))],
                refusals: &[Code::ValidationFailed, Code::Unavailable],
                ..plain
            }
        }
        Action::ReleaseQuarantined => Description {
            id: "releaseQuarantined",
            summary: "Release a quarantined message",
            text: "The message passes the gate's checks again, repaired or as it came; the sender counts as proved. \
                   The partner gets a new reply.",
            body: Some(json_request::<QuarantineRelease>(
                shapes,
                json!({"reason": "The seat id had a typing error.", "event": event()}),
                true,
            )),
            answers: vec![(
                202,
                change(shapes, "Accepted: the gate looks at it again.", "releasing"),
            )],
            refusals: &[Code::QuarantineClosed, Code::Unavailable],
            ..plain
        },
        Action::RejectQuarantined => Description {
            id: "rejectQuarantined",
            summary: "Reject a quarantined message",
            text: "It stays what it is, and can't be released any more.",
            body: Some(json_request::<QuarantineReject>(
                shapes,
                json!({"reason": "A test of theirs."}),
                true,
            )),
            answers: vec![(200, change(shapes, "Rejected.", "rejected"))],
            refusals: &[Code::QuarantineClosed, Code::Unavailable],
            ..plain
        },
        _ => plain,
    }
}

fn list_options() -> Vec<Parameter> {
    vec![
        query(
            "status",
            string().enum_values(Some(["waiting", "released", "rejected"])),
            "Only those that stand so.",
            json!("waiting"),
        ),
        query(
            "cursor",
            string().pattern(Some("^[A-Za-z0-9_-]+$")),
            "As the page before gave it.",
            json!(CURSOR),
        ),
        query(
            "limit",
            whole(1, Some(200)),
            "Messages on a page; 50 when left out.",
            json!(50),
        ),
    ]
}

fn page(shapes: &mut Shapes) -> Response {
    let example = json!({"messages": [message()], "cursor": CURSOR});
    let body = json_body(shapes.answer::<Page>(), example);
    with(answer("A page.", &[]), "application/json", body)
}

fn one(shapes: &mut Shapes) -> Response {
    let body = json_body(shapes.answer::<View>(), message());
    with(answer("The message.", &[]), "application/json", body)
}

fn change(shapes: &mut Shapes, text: &str, status: &str) -> Response {
    let body = json_body(
        shapes.answer::<Change>(),
        json!({"id": ID, "status": status}),
    );
    with(answer(text, &[]), "application/json", body)
}

fn event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "order-77",
        "source": "https://acme.example/sales",
        "type": "booking.cancel.v1",
        "time": "2026-11-21T18:30:00Z",
        "data": {"booking_id": "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11"},
    })
}

fn message() -> Value {
    json!({
        "id": ID,
        "partner": "acme",
        "status": "waiting",
        "message_id": "order-77",
        "kind": "booking.cancel.v1",
        "correlation_id": null,
        "routing_key": "booking.cancel.v1",
        "content_type": "application/cloudevents+json",
        "user_id": "acme.1",
        "at": "2026-11-21T18:30:05Z",
        "kept_until": "2026-12-05T18:30:05Z",
        "problem": {
            "type": "https://tickets.example/problems/validation_failed",
            "title": Code::ValidationFailed.title(),
            "status": 422,
            "code": "validation_failed",
            "retryable": false,
            "errors": [{"pointer": "/data/booking_id", "code": "malformed", "detail": "must be a UUID"}],
        },
    })
}
