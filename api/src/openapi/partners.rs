//! The routes about partners: what they do, what they take, with examples.

use super::{
    Shapes,
    bodies::TEXT,
    describe::{Description, json_request, with},
    parts::{answer, json_body, parameter, string},
};
use crate::backoffice::partners::{
    AddedPartner, PartnerView, PartnersView, Secret,
    bodies::{
        BURST_MAX, CHANNELS_MAX, CONNECTIONS_MAX, NAME_CHARS_MAX, QUEUE_LENGTH_MAX, RATE_MAX,
        VENUES_MAX,
    },
};
use boxoffice_contracts::{Code, Instant, partner::PartnerId};
use boxoffice_store::mysql::{
    audit::REASON_CHARS_MAX,
    partner_admin::{Limits, Record},
    partner_credentials::Credential,
    partners::{Partner, PartnerState},
};
use chrono::{DateTime, TimeDelta};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};

pub(super) const PARTNERS: &str = "partners";

/// A new partner. Limits that are left out are the usual ones.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartnerRequest {
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]{1,30}[a-z0-9]$"))]
    id: String,
    #[schemars(regex(pattern = TEXT), length(max = NAME_CHARS_MAX))]
    name: String,
    #[serde(flatten)]
    limits: LimitFields,
    /// Why, for the audit.
    #[schemars(regex(pattern = TEXT), length(max = REASON_CHARS_MAX))]
    reason: String,
}

/// What changes; what is left out stays.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartnerLimitsRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = TEXT), length(max = NAME_CHARS_MAX))]
    name: Option<String>,
    #[serde(flatten)]
    limits: LimitFields,
    #[schemars(regex(pattern = TEXT), length(max = REASON_CHARS_MAX))]
    reason: String,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
struct LimitFields {
    /// Messages per second that the gate takes in the long run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = RATE_MAX))]
    rate_per_sec: Option<u32>,
    /// Messages that it takes at once after a silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = BURST_MAX))]
    burst: Option<u32>,
    /// Messages that wait for the gate at most; more are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = QUEUE_LENGTH_MAX))]
    queue_length_max: Option<u32>,
    /// Of each user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = CONNECTIONS_MAX))]
    connections_max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = CHANNELS_MAX))]
    channels_max: Option<u32>,
    /// Slugs of the venues whose shows it may publish; none when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = VENUES_MAX))]
    venues: Option<Vec<String>>,
}

/// A new credential beside the old one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartnerRotation {
    /// How long the old one lives on: a number and s, m, h or d, at most 30 days; 24h when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]+[smhd]$"))]
    overlap: Option<String>,
    #[schemars(regex(pattern = TEXT), length(max = REASON_CHARS_MAX))]
    reason: String,
}

/// Which credential ends.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartnerRevocation {
    #[schemars(range(min = 1))]
    serial: u16,
    #[schemars(regex(pattern = TEXT), length(max = REASON_CHARS_MAX))]
    reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartnerReason {
    #[schemars(regex(pattern = TEXT), length(max = REASON_CHARS_MAX))]
    reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PartnerRemoval {
    /// What it left unread goes, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    discard_unread: Option<bool>,
    #[schemars(regex(pattern = TEXT), length(max = REASON_CHARS_MAX))]
    reason: String,
}

/// Refusals of every change of a partner that must be there.
const OF_CHANGES: &[Code] = &[Code::PartnerRemoved, Code::Unavailable];

pub(super) fn list(shapes: &mut Shapes) -> Description {
    Description {
        id: "listPartners",
        tag: PARTNERS,
        summary: "All partners",
        text: "With limits, credentials without their secrets, and whether the broker is as it should be.",
        parameters: Vec::new(),
        body: None,
        answers: vec![(200, {
            let example = json!({"partners": [example()]});
            let body = json_body(shapes.answer::<PartnersView>(), example);
            with(answer("By id.", &[]), "application/json", body)
        })],
        refusals: &[Code::ValidationFailed, Code::Unavailable],
    }
}

pub(super) fn read(shapes: &mut Shapes) -> Description {
    Description {
        id: "readPartner",
        tag: PARTNERS,
        summary: "A partner",
        text: "`applied` says whether the broker is as the last change wants it.",
        parameters: vec![partner()],
        body: None,
        answers: vec![(200, shown(shapes))],
        refusals: &[Code::ValidationFailed, Code::Unavailable],
    }
}

pub(super) fn add(shapes: &mut Shapes) -> Description {
    let body = PartnerRequest {
        id: ID.to_owned(),
        name: NAME.to_owned(),
        limits: LimitFields {
            rate_per_sec: Some(50),
            venues: Some(vec!["astor".to_owned()]),
            ..LimitFields::default()
        },
        reason: "contract of 2026-11-20".to_owned(),
    };
    Description {
        id: "addPartner",
        tag: PARTNERS,
        summary: "Let a partner in",
        text: "Answers its first credential; the password is shown here and never again. The broker has the \
               partner when `applied` is true, usually within seconds.",
        parameters: Vec::new(),
        body: Some(json_request::<PartnerRequest>(shapes, value(&body), true)),
        answers: vec![(201, with_secret(shapes))],
        refusals: &[Code::PartnerExists, Code::Unavailable],
    }
}

pub(super) fn rotate(shapes: &mut Shapes) -> Description {
    let body = PartnerRotation {
        overlap: Some("24h".to_owned()),
        reason: "yearly rotation".to_owned(),
    };
    Description {
        id: "rotatePartner",
        tag: PARTNERS,
        summary: "Give a partner a new credential",
        text: "The old one lives on for the overlap, so that the partner can change without a pause. At most two \
               live at once.",
        parameters: vec![partner()],
        body: Some(json_request::<PartnerRotation>(shapes, value(&body), true)),
        answers: vec![(201, with_secret(shapes))],
        refusals: &[
            Code::PartnerRemoved,
            Code::CredentialsLive,
            Code::Unavailable,
        ],
    }
}

pub(super) fn revoke(shapes: &mut Shapes) -> Description {
    let body = PartnerRevocation {
        serial: 1,
        reason: "found in a public repository".to_owned(),
    };
    Description {
        id: "revokePartnerCredential",
        tag: PARTNERS,
        summary: "End a credential now",
        text: "Its connections are closed.",
        parameters: vec![partner()],
        body: Some(json_request::<PartnerRevocation>(
            shapes,
            value(&body),
            true,
        )),
        answers: vec![(200, shown(shapes))],
        refusals: OF_CHANGES,
    }
}

pub(super) fn suspend(shapes: &mut Shapes) -> Description {
    change(
        shapes,
        "suspendPartner",
        "Stop a partner from publishing",
        "It may go on reading what is there. Its connections are closed once.",
    )
}

pub(super) fn resume(shapes: &mut Shapes) -> Description {
    change(
        shapes,
        "resumePartner",
        "Let a suspended partner publish again",
        "With the credentials that it has.",
    )
}

pub(super) fn remove(shapes: &mut Shapes) -> Description {
    let body = PartnerRemoval {
        discard_unread: None,
        reason: "contract ended".to_owned(),
    };
    Description {
        id: "removePartner",
        tag: PARTNERS,
        summary: "Remove a partner for good",
        text: "Its users and its way in go at once. Queues go when they are empty, or with `discard_unread`, \
               which may be said later. The id is not given out again.",
        parameters: vec![partner()],
        body: Some(json_request::<PartnerRemoval>(shapes, value(&body), true)),
        answers: vec![(200, shown(shapes))],
        refusals: &[Code::Unavailable],
    }
}

pub(super) fn limits(shapes: &mut Shapes) -> Description {
    let body = PartnerLimitsRequest {
        name: None,
        limits: LimitFields {
            rate_per_sec: Some(100),
            queue_length_max: Some(50_000),
            ..LimitFields::default()
        },
        reason: "summer festival".to_owned(),
    };
    Description {
        id: "limitPartner",
        tag: PARTNERS,
        summary: "Change name, limits or venues of a partner",
        text: "What is left out stays. Connections stay open.",
        parameters: vec![partner()],
        body: Some(json_request::<PartnerLimitsRequest>(
            shapes,
            value(&body),
            true,
        )),
        answers: vec![(200, shown(shapes))],
        refusals: OF_CHANGES,
    }
}

fn change(
    shapes: &mut Shapes,
    id: &'static str,
    summary: &'static str,
    text: &'static str,
) -> Description {
    let body = PartnerReason {
        reason: "floods us with garbage".to_owned(),
    };
    Description {
        id,
        tag: PARTNERS,
        summary,
        text,
        parameters: vec![partner()],
        body: Some(json_request::<PartnerReason>(shapes, value(&body), true)),
        answers: vec![(200, shown(shapes))],
        refusals: OF_CHANGES,
    }
}

fn shown(shapes: &mut Shapes) -> utoipa::openapi::Response {
    let body = json_body(shapes.answer::<PartnerView>(), example());
    with(answer("The partner.", &[]), "application/json", body)
}

fn with_secret(shapes: &mut Shapes) -> utoipa::openapi::Response {
    let mut added = json!({"partner": example()});
    added["credential"] = value(&Secret {
        serial: 1,
        user: "acme.1".to_owned(),
        password: "mZ0vJ0b5sWmH1t0sQ4Gv0H3zqg5u2mV2y4JmN1bXo7E".to_owned(),
    });
    let body = json_body(shapes.answer::<AddedPartner>(), added);
    let text = "The partner, and a credential with its secret.";
    with(answer(text, &[]), "application/json", body)
}

const ID: &str = "acme";
const NAME: &str = "Acme Tickets";

fn partner() -> Parameter {
    parameter(
        "id",
        ParameterIn::Path,
        true,
        string(),
        "The partner.",
        json!(ID),
    )
}

/// 2026-11-21T18:30:00Z.
fn now() -> Instant {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_285_800)
}

fn example() -> Value {
    #[allow(clippy::expect_used, reason = "a constant that a test reads")]
    let id: PartnerId = ID.parse().expect("an id");
    let usual = Limits::default();
    let partner = Partner {
        id,
        name: NAME.to_owned(),
        state: PartnerState::Active,
        state_reason: None,
        rate_per_sec: 50,
        burst: usual.burst,
        queue_length_max: usual.queue_length_max,
        connections_max: usual.connections_max,
        channels_max: usual.channels_max,
        version: 1,
        applied_version: 1,
        apply_error: None,
    };
    let record = Record {
        partner,
        discard_unread: false,
        created_at: now(),
        updated_at: now(),
    };
    let credential = Credential {
        serial: 1,
        password_hash: String::new(),
        created_at: now(),
        expires_at: None,
        ended_at: None,
    };
    let venues = vec!["astor".to_owned()];
    let view = PartnerView::of(
        record,
        vec![credential],
        venues,
        now() + TimeDelta::hours(1),
    );
    value(&view)
}

fn value(of: &impl Serialize) -> Value {
    #[allow(clippy::expect_used, reason = "plain values that a test reads")]
    serde_json::to_value(of).expect("plain values")
}
