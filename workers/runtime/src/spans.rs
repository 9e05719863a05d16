//! Spans: what one step of a trace did, when, and because of which other step.
//!
//! Ids are not drawn but follow from messages, so a trace needs nothing beside the `traceparent` that every
//! message carries: the span that created a message is named by the message (see
//! [`TraceParent::child`]), and the span that handles it by message, queue and attempt. Names and attributes follow
//! OpenTelemetry's conventions for messaging: <https://opentelemetry.io/docs/specs/semconv/messaging/>.
//!
//! Nothing is built unless somebody has subscribed; what a subscriber can't take is dropped and counted.

use crate::{Cause, Outgoing, clock, telemetry};
use boxoffice_contracts::{Envelope, Instant, trace::TraceParent};
use std::{borrow::Cow, sync::OnceLock};
use tokio::sync::mpsc;
use uuid::Uuid;

/// What a span is to those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Answers a request.
    Server,
    /// Asks another service.
    Client,
    /// Creates or sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Number(i64),
}

/// A step that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its trace, and its own id.
    pub at: TraceParent,
    pub parent: Option<u64>,
    pub kind: SpanKind,
    pub name: Cow<'static, str>,
    pub began: Instant,
    pub ended: Instant,
    pub attributes: Vec<(&'static str, Value)>,
    /// A code, never a text that may quote what was handled.
    pub error: Option<Cow<'static, str>>,
}

static SUBSCRIBER: OnceLock<Subscriber> = OnceLock::new();

struct Subscriber {
    sender: mpsc::Sender<Span>,
    share: f64,
}

tokio::task_local! {
    /// The step that this task works for.
    static CURRENT: TraceParent;
}

/// Whoever exports spans takes them here; at most `capacity` wait. `share` of all traces are told, chosen by
/// their ids, so that every process chooses the same. `None` when somebody has subscribed before.
#[must_use]
pub fn subscribe(capacity: usize, share: f64) -> Option<mpsc::Receiver<Span>> {
    let (sender, receiver) = mpsc::channel(capacity);
    SUBSCRIBER.set(Subscriber { sender, share }).ok()?;
    Some(receiver)
}

/// Whether spans of this trace are wanted.
#[must_use]
pub fn wanted(trace: TraceParent) -> bool {
    let Some(subscriber) = SUBSCRIBER.get() else {
        return false;
    };
    trace.sampled && lot(trace.trace_id) < subscriber.share
}

/// Draws for a trace, from 0 up to 1. Ids are UUIDs of several versions: their bits are mixed first.
fn lot(trace_id: u128) -> f64 {
    let mixed = trace_id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 96;
    mixed as f64 / 2f64.powi(32)
}

/// Hands a span to the subscriber.
pub fn emit(span: Span) {
    if let Some(subscriber) = SUBSCRIBER.get()
        && wanted(span.at)
        && subscriber.sender.try_send(span).is_err()
    {
        metrics::counter!(telemetry::SPANS_DROPPED_TOTAL).increment(1);
    }
}

/// Runs `work` as part of a step: what it asks others is told below that.
pub async fn within<F: Future>(step: TraceParent, work: F) -> F::Output {
    CURRENT.scope(step, work).await
}

/// A request to another service, from now until [`Asking::ended`].
#[derive(Debug)]
pub struct Asking {
    of: TraceParent,
    name: Cow<'static, str>,
    began: Instant,
    attributes: Vec<(&'static str, Value)>,
}

impl Asking {
    /// `None` when nobody wants to know, or no step is known that asks.
    #[must_use]
    pub fn begin(
        name: impl Into<Cow<'static, str>>,
        attributes: impl FnOnce() -> Vec<(&'static str, Value)>,
    ) -> Option<Self> {
        let of = CURRENT.try_with(|step| *step).ok()?;
        wanted(of).then(|| Self {
            of,
            name: name.into(),
            began: clock::now(),
            attributes: attributes(),
        })
    }

    pub fn set(&mut self, name: &'static str, value: Value) {
        self.attributes.push((name, value));
    }

    pub fn ended(self, error: Option<Cow<'static, str>>) {
        emit(Span {
            at: self.of.child(Uuid::new_v4()),
            parent: Some(self.of.span_id),
            kind: SpanKind::Client,
            name: self.name,
            began: self.began,
            ended: clock::now(),
            attributes: self.attributes,
            error,
        });
    }
}

/// The step that handles a message from a queue.
pub(crate) fn handling(queue: &str, envelope: &Envelope) -> TraceParent {
    let name = format!("{queue}:{}", envelope.attempt);
    envelope
        .trace
        .child(Uuid::new_v5(&envelope.message_id.0, name.as_bytes()))
}

/// Tells how handling a message went.
pub(crate) fn handled(
    queue: &'static str,
    envelope: &Envelope,
    began: Instant,
    messages: usize,
    failed: Option<&Cause>,
) {
    if !wanted(envelope.trace) {
        return;
    }
    let mut attributes = about(queue.into(), "process", envelope);
    attributes.push(("messaging.batch.message_count", number(messages)));
    emit(Span {
        at: handling(queue, envelope),
        parent: Some(envelope.trace.span_id),
        kind: SpanKind::Consumer,
        name: format!("process {queue}").into(),
        began,
        ended: clock::now(),
        attributes,
        error: failed.map(|cause| cause.code.into()),
    });
}

/// Which messages a transaction creates, each below the step that handles its cause. To be told when it has
/// committed.
pub(crate) fn created(causes: &[(&str, &Envelope)], outgoing: &[Outgoing]) -> Vec<Span> {
    let wanted = outgoing.iter().filter(|new| wanted(new.envelope.trace));
    let now = clock::now();
    wanted
        .map(|new| {
            let mut causes = causes.iter();
            let cause = causes.find(|(_, cause)| Some(cause.message_id) == new.cause);
            let parent = cause.map(|(queue, cause)| handling(queue, cause));
            let exchange = new.exchange.name();
            Span {
                at: new.envelope.trace,
                parent: parent.map(|step| step.span_id),
                kind: SpanKind::Producer,
                name: format!("create {exchange}").into(),
                began: now,
                ended: now,
                attributes: about(exchange.into(), "create", &new.envelope),
                error: None,
            }
        })
        .collect()
}

/// Tells that a command from outside was sent, below the request that brought it.
pub(crate) fn sent(
    exchange: &str,
    envelope: &Envelope,
    parent: Option<u64>,
    began: Instant,
    error: Option<&'static str>,
) {
    if !wanted(envelope.trace) {
        return;
    }
    emit(Span {
        at: envelope.trace,
        parent,
        kind: SpanKind::Producer,
        name: format!("send {exchange}").into(),
        began,
        ended: clock::now(),
        attributes: about(exchange.to_owned().into(), "send", envelope),
        error: error.map(Cow::Borrowed),
    });
}

/// The id of the step that this task works for.
pub(crate) fn current() -> Option<u64> {
    CURRENT.try_with(|step| step.span_id).ok()
}

fn about(
    destination: Cow<'static, str>,
    operation: &'static str,
    envelope: &Envelope,
) -> Vec<(&'static str, Value)> {
    let text = |text: String| Value::Text(text.into());
    let mut attributes = vec![
        ("messaging.system", Value::Text("rabbitmq".into())),
        ("messaging.operation.type", Value::Text(operation.into())),
        ("messaging.operation.name", Value::Text(operation.into())),
        ("messaging.destination.name", Value::Text(destination)),
        (
            "messaging.rabbitmq.destination.routing_key",
            text(envelope.kind.clone()),
        ),
        (
            "messaging.message.id",
            text(envelope.message_id.to_string()),
        ),
    ];
    if let Some(booking) = envelope.correlation_id {
        attributes.push((
            "messaging.message.conversation_id",
            text(booking.to_string()),
        ));
    }
    if envelope.attempt > 0 {
        attributes.push(("boxoffice.attempt", number(envelope.attempt as usize)));
    }
    attributes
}

fn number(count: usize) -> Value {
    Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_a_share_of_the_traces() {
        let drawn = (0..10_000)
            .filter(|_| lot(Uuid::new_v4().as_u128()) < 0.25)
            .count();
        assert!(
            (2_200..2_800).contains(&drawn),
            "{drawn} of 10,000 for a quarter"
        );
        let derived = (0..10_000u32)
            .map(|n| Uuid::new_v5(&Uuid::NAMESPACE_OID, &n.to_be_bytes()))
            .filter(|id| lot(id.as_u128()) < 0.25)
            .count();
        assert!(
            (2_200..2_800).contains(&derived),
            "{derived} of 10,000 for a quarter"
        );
        assert!(lot(u128::MAX) < 1.0 && lot(0) < f64::EPSILON);
    }
}
