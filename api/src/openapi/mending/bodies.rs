//! What staff send to mend, as the document shows it. The judges are in [`crate::backoffice`].

use boxoffice_contracts::{BookingId, Instant, MessageId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Which parked messages are meant. Everything that is given must hold, and something must be given.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedFilter", deny_unknown_fields)]
pub(super) struct FilterRequest {
    /// As lists show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    booking: Option<BookingId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    messages: Option<Vec<MessageId>>,
    /// Part of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    text: Option<String>,
    /// Failed last at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Instant>,
    /// Failed last before.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Instant>,
    /// Sent back at least so often.
    #[serde(skip_serializing_if = "Option::is_none")]
    replays: Option<u32>,
}

/// What is archived or restored, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedChangeRequest", deny_unknown_fields)]
pub(super) struct ChangeRequest {
    filter: FilterRequest,
    #[schemars(length(min = 1, max = 500))]
    reason: String,
    /// Only counts. False when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

/// What is retried, how, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetryRequest", deny_unknown_fields)]
pub(super) struct RetryRequest {
    filter: FilterRequest,
    #[schemars(length(min = 1, max = 500))]
    reason: String,
    /// Messages per second at most; 500 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    rate_per_sec: Option<u32>,
    /// Messages of each stage but the last, which takes the rest; 1 and 10 when left out. A stage begins when every
    /// message of the one before has its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10), inner(range(min = 1, max = 100_000)))]
    stages: Option<Vec<u32>>,
    /// Share of a stage that may fail again before the rest is stopped; 20 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    stop_percent: Option<u32>,
    /// True when left out: plans, and sends nothing until it is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

/// Why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReasonRequest", deny_unknown_fields)]
pub(super) struct ReasonRequest {
    #[schemars(length(min = 1, max = 500))]
    reason: String,
}

/// The message as it should have been.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EditRequest", deny_unknown_fields)]
pub(super) struct EditRequest {
    /// The whole body. What is left `[redacted]` stays as it was.
    body: serde_json::Map<String, Value>,
    #[schemars(length(min = 1, max = 500))]
    reason: String,
    /// Another queue, which must accept the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// What it is, where it came as a kind that nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Only says what would be. False when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}
