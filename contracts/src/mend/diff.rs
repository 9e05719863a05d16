//! What an edit of a message changed, and what it must not change.

use super::redact::{REDACTED, redacted};
use crate::{BookingId, request::fields::FieldError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One value that differs, as staff may see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// RFC 6901 pointer into the body.
    pub pointer: String,
    /// Absent when there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// Absent when there is nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
}

/// Fields by which others know what a message is about. At the root of a body.
const IDENTITY: &[&str] = &[
    "booking_id",
    "operation_id",
    "refund_id",
    "owner",
    "show_id",
];

/// Puts back what the editor could not see: a value that is still [`REDACTED`] stays as it was.
pub fn restore(edited: &mut Value, original: &Value) {
    match (edited, original) {
        (edited @ Value::String(_), _) if *edited == REDACTED => *edited = original.clone(),
        (Value::Object(edited), Value::Object(original)) => {
            for (name, value) in edited {
                if let Some(was) = original.get(name) {
                    restore(value, was);
                }
            }
        }
        (Value::Array(edited), Value::Array(original)) => {
            for (value, was) in edited.iter_mut().zip(original) {
                restore(value, was);
            }
        }
        _ => {}
    }
}

/// Everything that differs, redacted. `original`: `None` when its bytes were no JSON.
#[must_use]
pub fn changes(original: Option<&Value>, original_is_sound: bool, edited: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    let shown = original.map(|body| redacted(body, original_is_sound));
    let (was, shown_was) = (original, shown.as_ref());
    compare(
        "",
        was,
        shown_was,
        Some(edited),
        Some(&redacted(edited, true)),
        &mut found,
    );
    found
}

fn compare(
    at: &str,
    was: Option<&Value>,
    shown_was: Option<&Value>,
    is: Option<&Value>,
    shown_is: Option<&Value>,
    found: &mut Vec<Change>,
) {
    if was == is {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (was, is) {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            let part = |whole: Option<&Value>| whole.and_then(|v| v.get(name)).cloned();
            let (shown_before, shown_after) = (part(shown_was), part(shown_is));
            // A name that was hidden itself is not repeated here either.
            let at = if before.contains_key(name) && shown_before.is_none() && shown_was.is_some() {
                format!(
                    "{}/{REDACTED}",
                    at.rsplit_once('/').map_or("", |(up, _)| up)
                )
            } else {
                at
            };
            compare(
                &at,
                before.get(name),
                shown_before.as_ref(),
                after.get(name),
                shown_after.as_ref(),
                found,
            );
        }
        return;
    }
    let shown = |real: Option<&Value>, shown: Option<&Value>| {
        real.map(|_| {
            shown
                .cloned()
                .unwrap_or_else(|| Value::String(REDACTED.to_owned()))
        })
    };
    found.push(Change {
        pointer: at.to_owned(),
        was: shown(was, shown_was),
        is: shown(is, shown_is),
    });
}

/// Compares who a message is about before and after an edit.
///
/// Everything that the original said of its identity must stay, and its booking is that of its envelope. Returns
/// whether nothing of the kind is left unproven: where neither the original nor its envelope says, a second person
/// must look.
///
/// # Errors
/// Which fields of the identity were changed.
pub fn identity_broken(
    original: Option<&Value>,
    correlation: Option<BookingId>,
    edited: &Value,
) -> Result<bool, Vec<FieldError>> {
    let (mut broken, mut proven) = (Vec::new(), true);
    for name in IDENTITY {
        let before = original.and_then(|body| body.get(name));
        let after = edited.get(name);
        let by_envelope = correlation.filter(|_| *name == "booking_id");
        let known = before
            .cloned()
            .filter(is_meant)
            .or_else(|| by_envelope.map(|booking| Value::String(booking.to_string())));
        match (known, after) {
            (Some(known), after) if after != Some(&known) => {
                let detail = "names what the message is about and can't be changed";
                broken.push(FieldError::new(format!("/{name}"), "locked", detail));
            }
            (None, Some(_)) => proven = false,
            _ => {}
        }
    }
    if broken.is_empty() {
        Ok(proven)
    } else {
        Err(broken)
    }
}

/// An id that is none, or an owner that is none, was the fault itself.
fn is_meant(value: &Value) -> bool {
    match value {
        Value::String(text) => uuid::Uuid::try_parse(text).is_ok(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ONE: &str = "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11";
    const OTHER: &str = "00000000-9a55-5a0e-8a51-0d3f1f6c7a11";

    #[test]
    fn what_was_hidden_stays_and_the_rest_is_told_without_it() {
        let original = json!({"booking_id": ONE, "customer": {"email": "ada@x.org", "name": "Ada"},
            "generation": 0});
        let mut edited = redacted(&original, true);
        edited["generation"] = json!(1);
        edited["customer"]["name"] = json!("Ada Byron");
        restore(&mut edited, &original);
        assert_eq!(edited["customer"]["email"], "ada@x.org");
        let told = changes(Some(&original), true, &edited);
        let expected = [
            ("/customer/name", json!(REDACTED), json!(REDACTED)),
            ("/generation", json!(0), json!(1)),
        ];
        assert_eq!(told.len(), 2, "{told:?}");
        for (change, (pointer, was, is)) in told.iter().zip(expected) {
            assert_eq!(
                (change.pointer.as_str(), &change.was, &change.is),
                (pointer, &Some(was), &Some(is))
            );
        }
        assert!(changes(Some(&original), true, &original).is_empty());
        let from_nothing = changes(None, false, &original);
        assert_eq!(from_nothing[0].pointer, "");
        assert!(!format!("{from_nothing:?}").contains("ada@"));
    }

    #[test]
    fn identity_is_locked_and_what_nobody_proves_needs_a_second_person() {
        let body = json!({"booking_id": ONE, "amount": 1});
        let booking: BookingId = ONE.parse().unwrap();
        assert_eq!(identity_broken(Some(&body), None, &body), Ok(true));
        let moved = json!({"booking_id": OTHER});
        let broken = identity_broken(Some(&body), None, &moved).unwrap_err();
        assert_eq!(
            (broken[0].pointer.as_str(), broken[0].code),
            ("/booking_id", "locked")
        );
        // No JSON before: the envelope speaks for the booking, nobody for the rest.
        assert_eq!(identity_broken(None, Some(booking), &body), Ok(true));
        assert!(identity_broken(None, Some(booking), &moved).is_err());
        assert_eq!(identity_broken(None, None, &body), Ok(false));
        let with_owner = json!({"booking_id": ONE, "owner": {"tenant": "house", "subject": "eve"}});
        assert_eq!(
            identity_broken(Some(&body), Some(booking), &with_owner),
            Ok(false)
        );
        assert!(identity_broken(Some(&body), None, &json!({})).is_err());
    }
}
