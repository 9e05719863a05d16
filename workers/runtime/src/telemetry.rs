//! What the runtime counts, and the span of a message. Never a body, an address or a secret.

use crate::broker::BrokerState;
pub(crate) use boxoffice_contracts::metric::{
    BATCH_MESSAGES, BROKER_STATE, CALL_SECONDS, CONFIRM_SECONDS, CONFLICTS_TOTAL,
    CONSUMERS_OPENED_TOTAL, HELD, MESSAGE_WAIT_SECONDS, MESSAGES_HANDLED_TOTAL,
    OUTBOX_OLDEST_PENDING_SECONDS, OUTBOX_SWEPT_TOTAL, PARKED_OPEN_MESSAGES, PAUSED, PAUSES_TOTAL,
    SPANS_DROPPED_TOTAL, STALE_ACKS_TOTAL, TRANSACTION_SECONDS, UNCONFIRMED_TOTAL,
};
use boxoffice_contracts::{Envelope, Instant};
use std::time::Duration;

pub(crate) fn handled(queue: &'static str, outcome: &'static str, count: usize) {
    if count > 0 {
        metrics::counter!(MESSAGES_HANDLED_TOTAL, "queue" => queue, "outcome" => outcome)
            .increment(count as u64);
    }
}

pub(crate) fn transaction(queue: &'static str, messages: usize, took: Duration) {
    metrics::histogram!(BATCH_MESSAGES, "queue" => queue).record(messages as f64);
    metrics::histogram!(TRANSACTION_SECONDS, "queue" => queue).record(took.as_secs_f64());
}

/// How old a message is when it is taken the first time; clocks of two machines may differ a little.
pub(crate) fn waited(queue: &'static str, sent_at: Instant, now: Instant) {
    let wait = (now - sent_at).to_std().unwrap_or_default();
    metrics::histogram!(MESSAGE_WAIT_SECONDS, "queue" => queue).record(wait.as_secs_f64());
}

pub(crate) fn broker_state(link: &'static str, state: BrokerState) {
    for each in [BrokerState::Down, BrokerState::Up, BrokerState::Blocked] {
        let is = if each == state { 1.0 } else { 0.0 };
        metrics::gauge!(BROKER_STATE, "link" => link, "state" => each.as_str()).set(is);
    }
}

/// The span in which a message is handled alone: a call, a settlement.
pub(crate) fn span(queue: &'static str, envelope: &Envelope) -> tracing::Span {
    let booking = envelope.correlation_id.map(|id| id.to_string());
    tracing::info_span!(
        "message",
        queue,
        message.kind = %envelope.kind,
        message.id = %envelope.message_id,
        booking.id = booking.as_deref(),
        trace.id = %format_args!("{:032x}", envelope.trace.trace_id),
        attempt = envelope.attempt,
    )
}
