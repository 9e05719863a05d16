//! What is asked of us from outside, read field by field: the same for every door.
//!
//! Only the shape is judged here, and every mistake is told with its place. How a refusal is worded is the door's.

pub mod card;
pub mod fields;
pub mod submission;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a canonical request.
pub type RequestHash = [u8; 32];

/// Hash of a request by its meaning: order of fields and white space do not count.
#[must_use]
pub fn request_hash(request: &Value) -> RequestHash {
    let mut bytes = Vec::new();
    canonical(request, &mut bytes);
    Sha256::digest(&bytes).into()
}

fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            out.push(b'{');
            for (name, field) in names {
                canonical(&Value::String(name.clone()), out);
                out.push(b':');
                canonical(field, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                canonical(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_and_white_space_do_not_make_another_request_and_anything_else_does() {
        let parse = |text: &str| request_hash(&serde_json::from_str(text).unwrap());
        let one = parse(r#"{"a":1,"b":{"c":[1,2],"d":null}}"#);
        assert_eq!(one, parse(r#" {"b": {"d": null, "c": [1, 2]}, "a": 1} "#));
        for other in [
            r#"{"a":1,"b":{"c":[2,1],"d":null}}"#,
            r#"{"a":1,"b":{"c":[1,2]}}"#,
            r#"{"a":"1","b":{"c":[1,2],"d":null}}"#,
            r#"{"a":1,"b":{"c":[12],"d":null}}"#,
        ] {
            assert_ne!(one, parse(other), "{other}");
        }
        // A text that looks like structure stays a text.
        assert_ne!(
            request_hash(&json!({"a": "1,\"b\":2"})),
            request_hash(&json!({"a": "1", "b": 2}))
        );
    }
}
