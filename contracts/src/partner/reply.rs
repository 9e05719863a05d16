//! What the gate answers to every message of a partner, and what else it says of its own accord.

use crate::{BookingId, Code, Instant, request::fields::FieldError};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// Kind of every reply.
pub const REPLY: &str = "partner.reply.v1";
/// Kind, and routing key, of the sign of life.
pub const ALIVE: &str = "partner.alive.v1";
/// Kind, and routing key, of the warning before a partner is suspended.
pub const WARNED: &str = "partner.warned.v1";

/// Stands for the kind in the routing key of a reply to a message whose kind is not known.
pub const UNKNOWN: &str = "unknown";

/// `source` of everything that the gate says.
pub const SOURCE: &str = "urn:boxoffice:partner-gate";

/// How the gate judged a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is carried out; what becomes of it is told by events.
    Accepted,
    /// It was understood, and refused.
    Rejected,
    /// It could not be understood or believed; it is kept for a while to be repaired.
    Quarantined,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Rejected, Self::Quarantined];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Quarantined => "quarantined",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

/// Routing key of a reply: `reply.<kind>.<outcome>`.
#[must_use]
pub fn routing_key(kind: Option<&str>, outcome: Outcome) -> String {
    format!("reply.{}.{}", kind.unwrap_or(UNKNOWN), outcome.as_str())
}

/// `data` of a reply.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerReply")]
pub struct Reply {
    pub outcome: Outcome,
    /// Kind of the message that is answered, where it is a known one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The `id` of the message that is answered, where one could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<BookingId>,
    /// Version of the booking now; absent while nothing is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Where the booking can be followed over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_link: Option<String>,
    /// What else an accepted message led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<PartnerProblem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine_id: Option<Uuid>,
    /// Until when the quarantined message can be repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Instant>,
    /// Who repaired the message, when it was released from quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired_by: Option<String>,
}

/// Why a message was not accepted: the problem object of HTTP (RFC 9457), without what only a request has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct PartnerProblem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    pub kind: String,
    pub title: &'static str,
    /// The status that the same request has over HTTP.
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub code: Code,
    /// Whether the same message may succeed later.
    pub retryable: bool,
    /// Seconds after which it is worth to come again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// What is wrong, field by field; pointers into the whole event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// `data` of the sign of life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerAlive")]
pub struct Alive {
    /// Sequence of the last message to this partner; 0 before the first.
    pub last_sequence: u64,
    pub at: Instant,
}

/// `data` of the warning.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartnerWarned")]
pub struct Warned {
    /// Messages quarantined within the window.
    pub quarantined: u64,
    pub window_secs: u32,
    /// So many, and the partner is suspended.
    pub suspended_at: u64,
}
