//! Names of metrics, with their units, and the span of a message. Never a body, an address or a secret.

use crate::broker::BrokerState;
use boxoffice_contracts::Envelope;
use std::time::Duration;

/// Messages settled. Labels: `queue`, `outcome` (done, repeated, retried, deferred, parked, undecodable).
pub const MESSAGES_HANDLED_TOTAL: &str = "boxoffice_messages_handled_total";
/// Messages per transaction. Label: `queue`.
pub const BATCH_MESSAGES: &str = "boxoffice_batch_messages";
/// From `BEGIN` to the answer to `COMMIT`. Label: `queue`.
pub const TRANSACTION_SECONDS: &str = "boxoffice_transaction_seconds";
/// Transactions that lost against another and ran again. Label: `queue`.
pub const CONFLICTS_TOTAL: &str = "boxoffice_conflicts_total";
/// Outside calls. Label: `queue`.
pub const CALL_SECONDS: &str = "boxoffice_call_seconds";
/// From publish to confirm of a batch. Label: `by` (relay, intake).
pub const CONFIRM_SECONDS: &str = "boxoffice_confirm_seconds";
/// Publishes that were not confirmed. Labels: `by`, `why`.
pub const UNCONFIRMED_TOTAL: &str = "boxoffice_unconfirmed_total";
/// Age of the oldest message that waits in the outbox; 0 when there is none. Above 30 something is stuck.
pub const OUTBOX_OLDEST_PENDING_SECONDS: &str = "boxoffice_outbox_oldest_pending_seconds";
/// Messages that the sweeper had to send because their own process did not.
pub const OUTBOX_SWEPT_TOTAL: &str = "boxoffice_outbox_swept_total";
/// Pauses of a consumer. Labels: `role`, `service`.
pub const PAUSES_TOTAL: &str = "boxoffice_pauses_total";
/// 1 while a consumer is paused. Label: `role`.
pub const PAUSED: &str = "boxoffice_paused";
/// Channels opened to consume. Label: `queue`.
pub const CONSUMERS_OPENED_TOTAL: &str = "boxoffice_consumers_opened_total";
/// Acks that came too late because their channel was gone; the messages come again. Label: `queue`.
pub const STALE_ACKS_TOTAL: &str = "boxoffice_stale_acks_total";
/// Spans that nobody took in time: the collector is slow or away.
pub const SPANS_DROPPED_TOTAL: &str = "boxoffice_spans_dropped_total";
/// 1 for the state that a broker connection is in. Labels: `link`, `state`.
pub const BROKER_STATE: &str = "boxoffice_broker_state";

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
