//! The envelope of partner messages: `CloudEvents` 1.0 in structured JSON
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).

use crate::Instant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message, with its payload under `data`. `type` is the kind and equals the AMQP `type`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// The sender's id of this message; the same id is the same message.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// Who says it: any URI reference of the sender's.
    #[schemars(length(min = 1, max = 255))]
    pub source: String,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: String,
    pub time: Instant,
    /// What it is about: a booking, or the sender's id of a show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// Where the schema of `data` is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataschema: Option<String>,
    /// Ties answers and events to the command that began them; chosen by the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub correlationid: Option<String>,
    /// Names the wish, as the HTTP header `Idempotency-Key` does; `id` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub idempotencykey: Option<String>,
    /// From a partner: number of this state of the entity. To a partner: number of the message to this partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Not carried out after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expirytime: Option<Instant>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default)]
    pub data: Value,
}
