//! Envelope to AMQP properties and back. Nothing else knows which field travels where.

use boxoffice_contracts::{
    BookingId, Envelope, Instant, MessageId, envelope::header, principal::TENANT_HOUSE,
    trace::TraceParent,
};
use chrono::SecondsFormat;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use std::str::FromStr;

/// Survives a restart of the broker.
pub(crate) const PERSISTENT: u8 = 2;

/// The broker's own count of deliveries on quorum queues.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// What the broker writes when it dead-letters: a list, the latest death first. A message that came back from
/// a wait has died before, so its *first* death tells nothing.
const DEATHS: &str = "x-death";

/// Longest cause that travels in a header; the whole table must fit into one frame.
const CAUSE_CHARS_MAX: usize = 1_000;

/// The properties of an outgoing message.
pub(crate) fn properties(envelope: &Envelope) -> BasicProperties {
    build(envelope, headers(envelope))
}

/// The same with headers of the failed delivery beside: where it failed, and why.
pub(crate) fn failed_properties(
    envelope: &Envelope,
    queue: &str,
    cause: &str,
    deferred: u32,
) -> BasicProperties {
    let mut headers = headers(envelope);
    let cause: String = cause.chars().take(CAUSE_CHARS_MAX).collect();
    text(&mut headers, header::FAILED_QUEUE, queue);
    text(&mut headers, header::CAUSE, &cause);
    if deferred > 0 {
        number(&mut headers, header::DEFERRED, deferred);
    }
    build(envelope, headers)
}

/// The properties of a message that must be handled alone.
pub(crate) fn alone_properties(envelope: &Envelope) -> BasicProperties {
    let mut headers = headers(envelope);
    headers.insert(header::ALONE.into(), AMQPValue::Boolean(true));
    build(envelope, headers)
}

fn build(envelope: &Envelope, headers: FieldTable) -> BasicProperties {
    let mut properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short(&envelope.message_id.to_string()))
        .with_type(short(&envelope.kind))
        .with_headers(headers);
    if let Some(booking) = envelope.correlation_id {
        properties = properties.with_correlation_id(short(&booking.to_string()));
    }
    if let Some(sent_at) = envelope.sent_at {
        properties =
            properties.with_timestamp(u64::try_from(sent_at.timestamp()).unwrap_or_default());
    }
    properties
}

fn headers(envelope: &Envelope) -> FieldTable {
    let mut table = FieldTable::default();
    text(&mut table, header::TRACEPARENT, &envelope.trace.to_string());
    text(&mut table, header::TENANT, &envelope.tenant);
    if let Some(id) = envelope.causation_id {
        text(&mut table, header::CAUSATION, &id.to_string());
    }
    if let Some(id) = envelope.replay_of {
        text(&mut table, header::REPLAY_OF, &id.to_string());
    }
    if let Some(at) = envelope.sent_at {
        text(&mut table, header::SENT_AT, &instant(at));
    }
    if let Some(at) = envelope.deadline {
        text(&mut table, header::DEADLINE, &instant(at));
    }
    if envelope.attempt > 0 {
        number(&mut table, header::ATTEMPT, envelope.attempt);
    }
    table
}

/// RFC 3339 with microseconds.
pub(crate) fn instant(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A delivery as far as it could be read.
#[derive(Debug, Clone)]
pub struct Read {
    pub envelope: Envelope,
    pub deferred: u32,
    /// How often the broker handed it out before.
    pub deliveries: u32,
    pub alone: bool,
    /// Why it can't be trusted. Its id is that of its content then.
    pub fault: Option<String>,
    /// Where and why it failed before, as told by us or by the broker.
    pub failed_queue: Option<String>,
    pub cause: Option<String>,
    pub death_reason: Option<String>,
}

/// Reads what came. Never fails: a message without a usable id gets the one of its content, and a fault.
pub(crate) fn read(queue: &str, properties: &BasicProperties, body: &[u8]) -> Read {
    let mut fault = None;
    let table = properties.headers().as_ref();
    let get = |name: &str| {
        table
            .and_then(|table| table.inner().get(name))
            .and_then(as_text)
    };
    let count = |name: &str| table.and_then(|t| t.inner().get(name)).and_then(as_count);

    let id = properties.message_id().as_ref().map(ShortString::as_str);
    let message_id = id.and_then(|id| MessageId::from_str(id).ok());
    if message_id.is_none() {
        fault = Some(match id {
            None => "message id is missing".to_owned(),
            Some(_) => "message id is not a UUID".to_owned(),
        });
    }
    let message_id = message_id.unwrap_or_else(|| MessageId::of_content(queue, body));
    let kind = properties
        .kind()
        .as_ref()
        .map(ShortString::as_str)
        .unwrap_or_default();
    if kind.is_empty() {
        fault.get_or_insert_with(|| "type is missing".to_owned());
    }
    let correlation = properties
        .correlation_id()
        .as_ref()
        .map(ShortString::as_str);
    let correlation_id = correlation.and_then(|id| BookingId::from_str(id).ok());
    if correlation.is_some() && correlation_id.is_none() {
        fault.get_or_insert_with(|| "correlation id is not a UUID".to_owned());
    }
    let deadline = get(header::DEADLINE);
    let deadline_at = deadline.as_deref().and_then(parse_instant);
    if deadline.is_some() && deadline_at.is_none() {
        // Dropping it would let a command from outside live for ever.
        fault.get_or_insert_with(|| "deadline is not RFC 3339".to_owned());
    }
    let trace = get(header::TRACEPARENT).and_then(|text| TraceParent::from_str(&text).ok());
    let envelope = Envelope {
        message_id,
        kind: kind.to_owned(),
        correlation_id,
        causation_id: get(header::CAUSATION).and_then(|id| id.parse().ok()),
        sent_at: get(header::SENT_AT).as_deref().and_then(parse_instant),
        trace: trace.unwrap_or_else(|| TraceParent::root(message_id.0)),
        tenant: get(header::TENANT).unwrap_or_else(|| TENANT_HOUSE.to_owned()),
        deadline: deadline_at,
        attempt: count(header::ATTEMPT).unwrap_or_default(),
        replay_of: get(header::REPLAY_OF).and_then(|id| id.parse().ok()),
    };
    Read {
        envelope,
        deferred: count(header::DEFERRED).unwrap_or_default(),
        deliveries: count(DELIVERY_COUNT).unwrap_or_default(),
        alone: table.is_some_and(|table| table.contains_key(header::ALONE)),
        fault,
        failed_queue: get(header::FAILED_QUEUE).or_else(|| death(table, "queue")),
        cause: get(header::CAUSE),
        death_reason: death(table, "reason"),
    }
}

/// A field of the latest death.
fn death(headers: Option<&FieldTable>, field: &str) -> Option<String> {
    let deaths = headers?.inner().get(DEATHS)?;
    let AMQPValue::FieldArray(deaths) = deaths else {
        return None;
    };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else {
        return None;
    };
    latest.inner().get(field).and_then(as_text)
}

pub(crate) fn parse_instant(text: &str) -> Option<Instant> {
    Some(Instant::from(
        chrono::DateTime::parse_from_rfc3339(text).ok()?,
    ))
}

/// AMQP short strings end at 255 bytes; lapin panics beyond.
pub(crate) fn short(text: &str) -> ShortString {
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ShortString::try_new(&text[..end]).unwrap_or_default()
}

fn text(table: &mut FieldTable, name: &'static str, value: &str) {
    table.insert(name.into(), AMQPValue::LongString(value.into()));
}

fn number(table: &mut FieldTable, name: &'static str, value: u32) {
    table.insert(name.into(), AMQPValue::LongLongInt(i64::from(value)));
}

fn as_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// Other clients pick other widths for the same number.
fn as_count(value: &AMQPValue) -> Option<u32> {
    match *value {
        AMQPValue::ShortShortInt(n) => u32::try_from(n).ok(),
        AMQPValue::ShortShortUInt(n) => Some(u32::from(n)),
        AMQPValue::ShortInt(n) => u32::try_from(n).ok(),
        AMQPValue::ShortUInt(n) => Some(u32::from(n)),
        AMQPValue::LongInt(n) => u32::try_from(n).ok(),
        AMQPValue::LongUInt(n) => Some(n),
        AMQPValue::LongLongInt(n) => u32::try_from(n).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        let id = MessageId::of_outside_event("evt");
        Envelope {
            message_id: id,
            kind: "tickets.render.v1".to_owned(),
            correlation_id: Some(BookingId::derive("t", "s", "k")),
            causation_id: Some(MessageId::of_outside_event("cause")),
            sent_at: parse_instant("2026-11-20T10:00:00.123456Z"),
            trace: TraceParent::root(id.0),
            tenant: "house".to_owned(),
            deadline: parse_instant("2026-11-20T10:10:00Z"),
            attempt: 3,
            replay_of: Some(id),
        }
    }

    #[test]
    fn an_envelope_survives_the_wire() {
        let sent = envelope();
        let read = read("q", &properties(&sent), b"{}");
        assert_eq!(read.envelope, sent);
        assert_eq!(read.fault, None);
    }

    #[test]
    fn a_message_without_a_usable_id_is_named_by_its_content() {
        let bare = read("q", &BasicProperties::default(), b"rubbish");
        assert!(bare.fault.is_some());
        assert_eq!(
            bare.envelope.message_id,
            MessageId::of_content("q", b"rubbish")
        );
        let broken = properties(&envelope()).with_message_id("seventeen".into());
        assert!(read("q", &broken, b"{}").fault.is_some());
    }

    #[test]
    fn long_foreign_text_is_cut_instead_of_panicking() {
        assert_eq!(short(&"é".repeat(200)).as_str().len(), 254);
    }
}
