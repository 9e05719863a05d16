//! Reads a `CloudEvent` field by field, so that every mistake is told with its place.

use boxoffice_contracts::{
    partner::event::CloudEvent,
    request::{
        card::holds_card_number,
        fields::{Fields, Mistakes, Wrong, text, whole},
    },
    rules::instant,
    trace::TraceParent,
};
use serde_json::Value;

const NAME_LEN_MAX: usize = 128;
const SOURCE_CHARS_MAX: usize = 255;

/// What a reply echoes, as far as it could be read: also of an event that is otherwise broken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub event_id: Option<String>,
    pub correlation_id: Option<String>,
    pub kind: Option<String>,
}

impl Label {
    pub(super) fn of(event: &Value) -> Self {
        let name = |field: &str| {
            let text = event.get(field)?.as_str()?;
            name(text.to_owned()).ok()
        };
        Self {
            event_id: name("id"),
            correlation_id: name("correlationid"),
            kind: name("type"),
        }
    }

    /// Of a message whose body isn't read: AMQP's own properties stand in.
    pub(super) fn of_properties(message_id: Option<&str>, correlation_id: Option<&str>) -> Self {
        let echoed = |text: &str| {
            let fits = name(text.to_owned()).ok()?;
            (!holds_card_number(&fits)).then_some(fits)
        };
        Self {
            event_id: message_id.and_then(echoed),
            correlation_id: correlation_id.and_then(echoed),
            kind: None,
        }
    }
}

/// Reads the envelope; `data` stays as it is, an object.
pub(super) fn read(
    event: Value,
    routing_key: Option<&str>,
    mistakes: &mut Mistakes,
) -> Option<CloudEvent> {
    let mut fields = Fields::of(event, String::new(), mistakes)?;
    let specversion = fields.required("specversion", mistakes, text(specversion));
    let id = fields.required("id", mistakes, text(name));
    let source = fields.required("source", mistakes, text(uri_reference));
    let kind = fields.required("type", mistakes, text(|kind| routed(kind, routing_key)));
    let time = fields.required("time", mistakes, text(instant));
    let subject = fields.optional("subject", mistakes, text(plain));
    let datacontenttype = fields.optional("datacontenttype", mistakes, text(json));
    let dataschema = fields.optional("dataschema", mistakes, text(uri_reference));
    let correlationid = fields.optional("correlationid", mistakes, text(name));
    let idempotencykey = fields.optional("idempotencykey", mistakes, text(name));
    let sequence = fields.optional("sequence", mistakes, whole(1..=i64::MAX.unsigned_abs()));
    let expirytime = fields.optional("expirytime", mistakes, text(instant));
    let traceparent = fields.optional("traceparent", mistakes, text(trace));
    let data = fields.required("data", mistakes, |data, at, mistakes| {
        if data.is_object() {
            return Some(data);
        }
        mistakes.add(at, ("wrong_type", "must be an object"));
        None
    });
    fields.finish(mistakes);
    Some(CloudEvent {
        specversion: specversion?,
        id: id?,
        source: source?,
        kind: kind?,
        time: time?,
        subject,
        datacontenttype,
        dataschema,
        correlationid,
        idempotencykey,
        sequence,
        expirytime,
        traceparent,
        data: data?,
    })
}

fn specversion(text: String) -> Result<String, Wrong> {
    if text == "1.0" {
        Ok(text)
    } else {
        Err(("malformed", "must be 1.0"))
    }
}

/// Names go into headers and keys: visible ASCII.
fn name(text: String) -> Result<String, Wrong> {
    if (1..=NAME_LEN_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(("malformed", "has 1 to 128 visible ASCII characters"))
    }
}

/// The broker's permissions went by the routing key: the event must not be something else.
fn routed(kind: String, routing_key: Option<&str>) -> Result<String, Wrong> {
    let kind = name(kind)?;
    if routing_key.is_none_or(|key| key == kind) {
        Ok(kind)
    } else {
        Err((
            "mismatch",
            "must be the routing key that it was published with",
        ))
    }
}

fn uri_reference(text: String) -> Result<String, Wrong> {
    let fits = (1..=SOURCE_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if fits {
        Ok(text)
    } else {
        Err((
            "malformed",
            "must be a URI reference of at most 255 characters",
        ))
    }
}

fn plain(text: String) -> Result<String, Wrong> {
    let fits = (1..=SOURCE_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(char::is_control);
    if fits {
        Ok(text)
    } else {
        Err((
            "malformed",
            "has 1 to 255 characters and no control characters",
        ))
    }
}

fn json(text: String) -> Result<String, Wrong> {
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(text)
    } else {
        Err(("malformed", "must be application/json"))
    }
}

fn trace(text: String) -> Result<String, Wrong> {
    match text.parse::<TraceParent>() {
        Ok(_) => Ok(text),
        Err(_) => Err(("malformed", "must be a W3C traceparent of version 00")),
    }
}
