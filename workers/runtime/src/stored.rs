//! An envelope as the tables keep it: the JSON in `outbox.envelope` and `parked_messages.envelope`.

use boxoffice_contracts::{BookingId, Envelope, Instant, MessageId, trace::TraceParent};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Stored {
    message_id: MessageId,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    correlation_id: Option<BookingId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    causation_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sent_at: Option<Instant>,
    traceparent: TraceParent,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    deadline: Option<Instant>,
    #[serde(default)]
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    replay_of: Option<MessageId>,
}

/// The JSON text of an envelope.
#[must_use]
pub fn envelope_to_json(envelope: &Envelope) -> String {
    let stored = Stored {
        message_id: envelope.message_id,
        kind: envelope.kind.clone(),
        correlation_id: envelope.correlation_id,
        causation_id: envelope.causation_id,
        sent_at: envelope.sent_at,
        traceparent: envelope.trace,
        tenant: envelope.tenant.clone(),
        deadline: envelope.deadline,
        attempt: envelope.attempt,
        replay_of: envelope.replay_of,
    };
    // Strings and numbers only: this can't fail, and an empty object would be found unreadable later.
    serde_json::to_string(&stored).unwrap_or_else(|_| "{}".to_owned())
}

/// # Errors
/// When the text isn't the JSON of an envelope.
pub fn envelope_from_json(text: &str) -> Result<Envelope, serde_json::Error> {
    let stored: Stored = serde_json::from_str(text)?;
    Ok(Envelope {
        message_id: stored.message_id,
        kind: stored.kind,
        correlation_id: stored.correlation_id,
        causation_id: stored.causation_id,
        sent_at: stored.sent_at,
        trace: stored.traceparent,
        tenant: stored.tenant,
        deadline: stored.deadline,
        attempt: stored.attempt,
        replay_of: stored.replay_of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_survives_the_table() {
        let id = MessageId::of_outside_event("evt");
        let envelope = Envelope {
            message_id: id,
            kind: "k".to_owned(),
            correlation_id: None,
            causation_id: Some(id),
            sent_at: chrono::DateTime::from_timestamp_micros(1_763_632_800_123_456),
            trace: TraceParent::root(id.0),
            tenant: "house".to_owned(),
            deadline: None,
            attempt: 2,
            replay_of: None,
        };
        assert_eq!(
            envelope_from_json(&envelope_to_json(&envelope)).unwrap(),
            envelope
        );
    }
}
