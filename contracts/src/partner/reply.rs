//! What the gate answers to every message of a partner, and what it tells unasked.

use crate::{BookingId, Code, Instant, ShowId, request::fields::FieldError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stands for the kind in the routing key of a reply to a message whose kind is not known.
pub const UNKNOWN: &str = "unknown";

/// Routing key of a reply: `reply.<kind>.<outcome>`.
#[must_use]
pub fn routing_key(kind: Option<&str>, outcome: Outcome) -> String {
    format!("reply.{}.{}", kind.unwrap_or(UNKNOWN), outcome.as_str())
}

/// The answer to one message. The same message is answered the same again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    pub outcome: Outcome,
    /// Of the message that is answered, where it is a known one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its `id`, where one could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The booking that was ordered or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<BookingId>,
    /// Of the booking, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Where the booking can be read over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_link: Option<String>,
    /// The house's id of the show that was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_id: Option<ShowId>,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<PartnerProblem>,
    /// Names the message in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_id: Option<String>,
    /// Until when it can be mended and released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Instant>,
    /// Who repaired the message, when it was released from quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_by: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is kept for certain and carried out; what becomes of a booking is told by its events.
    Accepted,
    /// Understood and refused; a repetition is refused too.
    Rejected,
    /// Not understood: kept for a while, to be mended and released.
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

/// Why a message was not accepted: the problem object of HTTP (RFC 9457), without what only a request has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerProblem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    pub kind: String,
    /// The same for every problem of this code.
    pub title: String,
    /// The status that the same request has over HTTP.
    pub status: u16,
    pub code: Code,
    /// Whether the same message may succeed later.
    pub retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Seconds after which it is worth to come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// What is wrong, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PartnerFieldError>,
}

/// What is wrong with one field. Never holds the value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerFieldError {
    /// RFC 6901 pointer into the message.
    pub pointer: String,
    /// A word for programs, such as `required` or `malformed`.
    pub code: String,
    /// The same for people.
    pub detail: String,
}

impl From<FieldError> for PartnerFieldError {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: error.pointer,
            code: error.code.to_owned(),
            detail: error.detail.to_string(),
        }
    }
}

/// Sent every few seconds: silence means that something between us is broken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alive {
    pub at: Instant,
    /// Number of the last message to this partner; whoever has a lower one missed something.
    pub last_sequence: u64,
    /// The next one follows within so many seconds.
    #[schemars(range(min = 1))]
    pub next_within_secs: u32,
}

/// The partner comes near a limit, or passed one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warned {
    pub code: Code,
    /// What was seen, in words.
    pub detail: String,
    /// How much of it there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<u64>,
    /// How much there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    pub at: Instant,
}
