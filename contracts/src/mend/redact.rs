//! Bodies of messages for the eyes of staff: without whatever could name a person or open a door.
//!
//! Denied by default: a text is shown when its field is listed here as telling nothing about anybody, or when it is
//! an id or an instant by its form. A new field of a message is hidden until somebody has thought about it, and a
//! test asks for that thought.

use serde_json::{Map, Value};

/// Stands where something is hidden. An edit that leaves it there keeps what was hidden.
pub const REDACTED: &str = "[redacted]";

/// Fields whose text tells nothing about a person.
const PLAIN: &[&str] = &[
    "action",
    "by",
    "category",
    "code",
    "currency",
    "event_id",
    "event_type",
    "kind",
    "late_policy",
    "locale",
    "part",
    "partner_id",
    "released_by",
    "request_hash",
    "role",
    "seat_id",
    "sha256",
    "status",
    "template",
    "tenant",
    "tender",
];

/// Fields that are hidden, each for its reason: who, how to reach them, with what they pay, what they wrote.
const PERSONAL: &[&str] = &["email", "event", "method", "name", "reason", "subject"];

/// Longest text that is taken for one of ours in a body that doesn't decode.
const TAME_CHARS_MAX: usize = 64;

/// The body as staff see it. `is_sound`: it decodes as its kind; else names and texts of it may be anything.
#[must_use]
pub fn redacted(body: &Value, is_sound: bool) -> Value {
    hide("", body, is_sound)
}

fn hide(field: &str, value: &Value, is_sound: bool) -> Value {
    match value {
        Value::String(text) if is_shown(field, text, is_sound) => value.clone(),
        Value::String(_) => Value::String(REDACTED.to_owned()),
        Value::Array(items) => {
            Value::Array(items.iter().map(|i| hide(field, i, is_sound)).collect())
        }
        Value::Object(fields) => {
            let mut shown = Map::new();
            for (name, value) in fields {
                if is_sound || is_name(name) {
                    shown.insert(name.clone(), hide(name, value, is_sound));
                } else {
                    shown.insert(REDACTED.to_owned(), Value::String(REDACTED.to_owned()));
                }
            }
            Value::Object(shown)
        }
        // A number under a hidden name may be a telephone.
        Value::Number(_) if PERSONAL.contains(&field) => Value::String(REDACTED.to_owned()),
        Value::Number(number) if !is_sound && number.to_string().len() > 12 => {
            Value::String(REDACTED.to_owned())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn is_shown(field: &str, text: &str, is_sound: bool) -> bool {
    if PERSONAL.contains(&field) {
        return false;
    }
    is_id(text)
        || chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || (PLAIN.contains(&field) && (is_sound || is_tame(text)))
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

fn is_tame(text: &str) -> bool {
    let tame = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
    text.len() <= TAME_CHARS_MAX && text.bytes().all(tame)
}

fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::CATALOGUE;
    use serde_json::json;
    use std::collections::BTreeSet;

    /// Texts of a schema by the names of their fields, ids and instants left out.
    fn texts(name: &str, schema: &Value, root: &Value, found: &mut BTreeSet<String>) {
        if let Some(place) = schema["$ref"].as_str() {
            let target = root.pointer(place.trim_start_matches('#')).unwrap();
            return texts(name, target, root, found);
        }
        let formed = matches!(schema["format"].as_str(), Some("uuid" | "date-time"));
        let is_text = schema["type"] == "string"
            || schema["type"]
                .as_array()
                .is_some_and(|types| types.contains(&json!("string")));
        if is_text && !formed {
            found.insert(name.to_owned());
        }
        for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
            texts(field, inner, root, found);
        }
        for word in ["oneOf", "anyOf", "allOf"] {
            for inner in schema[word].as_array().into_iter().flatten() {
                texts(name, inner, root, found);
            }
        }
        if schema["items"].is_object() {
            texts(name, &schema["items"], root, found);
        }
    }

    #[test]
    fn every_text_of_every_message_was_thought_about() {
        let mut found = BTreeSet::new();
        for line in CATALOGUE {
            let schema = line.document();
            texts("", &schema, &schema, &mut found);
        }
        for name in &found {
            let listed = PLAIN.contains(&name.as_str()) || PERSONAL.contains(&name.as_str());
            assert!(
                listed,
                "{name}: may staff see it? List it in PLAIN or PERSONAL"
            );
        }
        assert!(found.contains("email") && found.contains("seat_id"));
    }

    #[test]
    fn who_and_how_to_reach_them_is_hidden_and_what_was_booked_is_not() {
        let body = json!({
            "booking_id": "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11",
            "owner": {"tenant": "house", "subject": "ada"},
            "positions": [{"seat_id": "A-1"}, {"category": "Gallery left", "count": 2}],
            "customer": {"email": "ada@example.org", "name": "Ada", "locale": "en"},
            "payment": {"method": "pm_card_visa"},
            "deadline": "2026-11-21T18:40:00Z",
        });
        assert_eq!(
            redacted(&body, true),
            json!({
                "booking_id": "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11",
                "owner": {"tenant": "house", "subject": REDACTED},
                "positions": [{"seat_id": "A-1"}, {"category": "Gallery left", "count": 2}],
                "customer": {"email": REDACTED, "name": REDACTED, "locale": "en"},
                "payment": {"method": REDACTED},
                "deadline": "2026-11-21T18:40:00Z",
            })
        );
    }

    #[test]
    fn a_body_that_is_none_of_ours_is_hidden_where_anything_could_stand() {
        let body = json!({
            "Ada Byron": 1, "status": "Ada Byron", "code": "saga_refused",
            "client_secret": "pi_1_secret_2", "phone": 441_234_567_890_123_u64, "email": 7,
            "list": ["ada", {"name": "Ada"}],
        });
        let shown = redacted(&body, false);
        let text = shown.to_string();
        for hidden in ["Ada", "ada", "secret_2", "441234567890123", "\"email\":7"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert_eq!(shown["code"], "saga_refused");
    }
}
