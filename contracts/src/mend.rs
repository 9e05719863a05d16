//! What a person needs to mend a message that failed: its cause in words, its body without personal data, what is
//! wrong with it by its schema, and what an edit changed. Pure, like everything here.

pub mod cause;
pub mod diff;
pub mod redact;
pub mod schema_check;

pub use cause::{Explained, explain};
pub use diff::{Change, changes, identity_broken, restore};
pub use redact::{REDACTED, redacted};
pub use schema_check::mistakes;

use crate::{message::entry, request::fields::FieldError};
use serde_json::Value;

/// Reads a body as its kind: everything that its schema misses, or the decoder's own word.
///
/// # Errors
/// What is wrong, with pointers into the body; a kind that nobody knows is one mistake at the root.
pub fn check(kind: &str, body: &Value) -> Result<(), Vec<FieldError>> {
    let Some(line) = entry(kind) else {
        return Err(vec![FieldError::new("", "unknown_kind", "no kind of ours")]);
    };
    let schema = line.document();
    let mut found = mistakes(&schema, body);
    if found.is_empty()
        && let Err(error) = (line.roundtrip)(body.to_string().as_bytes())
    {
        let detail = format!("{:?} error in the body as a whole", error.classify());
        found.push(FieldError::new("", "undecodable", detail));
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Whether a body is what its kind promises, as a worker would read it.
#[must_use]
pub fn decodes(kind: &str, body: &[u8]) -> bool {
    entry(kind).is_some_and(|line| (line.roundtrip)(body).is_ok())
}

/// Whether a message of this kind moves money: nobody changes one alone.
#[must_use]
pub fn moves_money(kind: &str) -> bool {
    kind.starts_with("payment.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::CATALOGUE;
    use serde_json::json;

    fn sample(kind: &str) -> Value {
        let path = format!("{}/samples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn every_sample_passes_and_every_missing_field_is_pointed_at() {
        for line in CATALOGUE {
            let kind = line.kind.as_str();
            let body = sample(kind);
            assert_eq!(check(kind, &body), Ok(()), "{kind}");
            let mut less = body.clone();
            if less.as_object_mut().unwrap().remove("booking_id").is_some() {
                let told = check(kind, &less).unwrap_err();
                assert_eq!(told[0].pointer, "/booking_id", "{kind}: {told:?}");
                assert_eq!(told[0].code, "required");
            }
        }
    }

    #[test]
    fn mistakes_are_told_all_at_once_with_their_place() {
        let mut body = sample("booking.submit.v1");
        body["customer"]["email"] = json!(7);
        body["positions"] = json!([]);
        body["moon"] = json!(1);
        let told = check("booking.submit.v1", &body).unwrap_err();
        let places: Vec<&str> = told.iter().map(|m| m.pointer.as_str()).collect();
        assert_eq!(places, ["/customer/email", "/moon", "/positions"]);
        let unknown = check("booking.moonrise.v7", &json!({})).unwrap_err();
        assert_eq!(unknown[0].code, "unknown_kind");
    }

    #[test]
    fn only_payments_move_money() {
        assert!(moves_money("payment.refund.v1") && moves_money("payment.captured.v1"));
        assert!(!moves_money("mail.send.v1") && !moves_money("booking.pay.v1"));
    }
}
