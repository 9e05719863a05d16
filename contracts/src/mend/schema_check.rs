//! A body against the schema of its kind, told field by field. It knows the words that our own schemas use; what it
//! doesn't know it lets pass, because the decoder has the last word.

use crate::request::fields::FieldError;
use serde_json::Value;

/// Longest field name that is repeated.
const NAME_CHARS_MAX: usize = 64;

/// Everything that a body lacks by its schema, by place.
#[must_use]
pub fn mistakes(schema: &Value, body: &Value) -> Vec<FieldError> {
    let mut found = Vec::new();
    look(schema, schema, body, "", &mut found);
    found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    found
}

fn look(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<FieldError>) {
    if let Some(place) = schema["$ref"].as_str()
        && let Some(target) = root.pointer(place.trim_start_matches('#'))
    {
        look(root, target, value, at, found);
    }
    if !is_of_type(&schema["type"], value) {
        let wanted = words(&schema["type"]);
        found.push(FieldError::new(
            at,
            "wrong_type",
            format!("must be {wanted}"),
        ));
        return;
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        found.push(FieldError::new(
            at,
            "out_of_range",
            format!("must be {constant}"),
        ));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(FieldError::new(
            at,
            "out_of_range",
            "is none of the allowed values",
        ));
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(branches) = schema[word].as_array() {
            one_of(root, branches, value, at, found);
        }
    }
    for branch in schema["allOf"].as_array().into_iter().flatten() {
        look(root, branch, value, at, found);
    }
    match value {
        Value::Object(_) => object(root, schema, value, at, found),
        Value::Array(items) => array(root, schema, items, at, found),
        Value::String(text) => string(schema, text, at, found),
        Value::Number(_) => number(schema, value, at, found),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The branch that comes closest tells what is missing.
fn one_of(root: &Value, branches: &[Value], value: &Value, at: &str, found: &mut Vec<FieldError>) {
    let tries = branches.iter().map(|branch| {
        let mut wrong = Vec::new();
        look(root, branch, value, at, &mut wrong);
        wrong
    });
    let tries: Vec<Vec<FieldError>> = tries.collect();
    if tries.iter().any(Vec::is_empty) {
        return;
    }
    let constants = branches.iter().all(|branch| branch.get("const").is_some());
    if constants {
        found.push(FieldError::new(
            at,
            "out_of_range",
            "is none of the allowed values",
        ));
    } else if let Some(closest) = tries.into_iter().min_by_key(Vec::len) {
        found.extend(closest);
    }
}

fn object(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<FieldError>) {
    let Value::Object(fields) = value else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if !fields.contains_key(name) {
            found.push(FieldError::new(below(at, name), "required", "is missing"));
        }
    }
    for (name, field) in fields {
        match schema["properties"].get(name) {
            Some(inner) => look(root, inner, field, &below(at, name), found),
            None if schema["additionalProperties"] == Value::Bool(false) => {
                let detail = "is not a field of this";
                found.push(FieldError::new(below(at, name), "unknown_field", detail));
            }
            None => {}
        }
    }
}

fn array(root: &Value, schema: &Value, items: &[Value], at: &str, found: &mut Vec<FieldError>) {
    let count = items.len() as u64;
    let few = schema["minItems"].as_u64().is_some_and(|min| count < min);
    let many = schema["maxItems"].as_u64().is_some_and(|max| count > max);
    if few || many {
        let detail = "has too few or too many items";
        found.push(FieldError::new(at, "out_of_range", detail));
    }
    if schema["items"].is_object() {
        for (i, item) in items.iter().enumerate() {
            look(root, &schema["items"], item, &format!("{at}/{i}"), found);
        }
    }
}

fn string(schema: &Value, text: &str, at: &str, found: &mut Vec<FieldError>) {
    let count = text.chars().count() as u64;
    let short = schema["minLength"].as_u64().is_some_and(|min| count < min);
    let long = schema["maxLength"].as_u64().is_some_and(|max| count > max);
    if short || long {
        found.push(FieldError::new(
            at,
            "out_of_range",
            "is too short or too long",
        ));
    }
    let formed = match schema["format"].as_str() {
        Some("uuid") => uuid::Uuid::try_parse(text).is_ok(),
        Some("date-time") => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        _ => true,
    };
    if !formed {
        let format = schema["format"].as_str().unwrap_or_default();
        found.push(FieldError::new(
            at,
            "malformed",
            format!("is not a {format}"),
        ));
    }
}

fn number(schema: &Value, value: &Value, at: &str, found: &mut Vec<FieldError>) {
    let Some(number) = value.as_f64() else {
        return;
    };
    let low = schema["minimum"].as_f64().is_some_and(|min| number < min);
    let high = schema["maximum"].as_f64().is_some_and(|max| number > max);
    if low || high {
        found.push(FieldError::new(at, "out_of_range", "is out of range"));
    }
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::String(word) => has_type(word, value),
        Value::Array(words) => words
            .iter()
            .any(|word| has_type(word.as_str().unwrap_or_default(), value)),
        _ => true,
    }
}

fn has_type(word: &str, value: &Value) -> bool {
    match word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn words(wanted: &Value) -> String {
    match wanted {
        Value::String(word) => format!("of type {word}"),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            format!("of type {}", words.join(" or "))
        }
        _ => "of another type".to_owned(),
    }
}

fn below(at: &str, name: &str) -> String {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
