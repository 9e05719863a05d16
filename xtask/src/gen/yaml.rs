//! JSON values as YAML that a person likes to read. Everything doubtful is quoted.

use serde_json::Value;
use std::fmt::Write as _;

/// Keys that come first, in this order; the others follow by name.
const FIRST: &[&str] = &[
    "asyncapi",
    "groups",
    "alert",
    "name",
    "info",
    "title",
    "version",
    "action",
    "address",
    "summary",
    "description",
    "type",
    "expr",
    "for",
    "$ref",
];

/// The value as a document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| (rank(key), key.as_str()));
            for (key, value) in entries {
                indent(out, depth);
                scalar(out, key, depth);
                out.push(':');
                nested(out, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(out, depth);
                out.push('-');
                match item {
                    // The first line of a block stands beside its dash.
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(&mut inner, item, depth + 1);
                        let _ = write!(out, " {}", inner.trim_start());
                    }
                    other => nested(out, other, depth),
                }
            }
        }
        other => {
            indent(out, depth);
            plain(out, other, depth);
            out.push('\n');
        }
    }
}

fn nested(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            block(out, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            block(out, value, depth + 1);
        }
        other => {
            out.push(' ');
            plain(out, other, depth);
            out.push('\n');
        }
    }
}

fn plain(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::String(text) => scalar(out, text, depth),
        other => out.push_str(&other.to_string()),
    }
}

fn rank(key: &str) -> usize {
    FIRST.iter().position(|k| *k == key).unwrap_or(FIRST.len())
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(out: &mut String, text: &str, depth: usize) {
    let lines_are_whole = || {
        text.lines()
            .all(|line| !line.starts_with(' ') && line.trim_end() == line)
    };
    if text.contains('\n') && !text.ends_with('\n') && lines_are_whole() {
        out.push_str("|-");
        for line in text.lines() {
            out.push('\n');
            if !line.is_empty() {
                indent(out, depth + 1);
                out.push_str(line);
            }
        }
    } else if is_plain(text) {
        out.push_str(text);
    } else if text.contains('"') && text.chars().all(|c| c != '\'' && !c.is_control()) {
        // Nothing is escaped between single quotes.
        out.push_str(&format!("'{text}'"));
    } else {
        // A JSON string is a YAML string.
        out.push_str(&Value::from(text).to_string());
    }
}

/// Words that some reader of YAML takes for something else.
const TAKEN: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

fn is_plain(text: &str) -> bool {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b" _-./,;()$=".contains(&b);
    text.bytes().all(safe)
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && !text.ends_with(' ')
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({
            "empty": {"map": {}, "list": []},
            "text": ["plain", "true", "No", "1.0", "0x1f", "a: b", "# no", "- x", "", " lead", "é", "*a", "a #b",
                     "two\nlines", "two\n\nthree", "ends\n", "tab\there", "quote\"d", "both \" and '", "{\"a\": 1}", "~", "@x", "%x", "2026-11-21"],
            "numbers": [0, -1, 1.5, true, null],
            "deep": [{"a": [{"b": [1, [2, 3]]}]}, {}],
            "#/ref": {"$ref": "#/components/schemas/booking.held.v1"},
        });
        let text = document(&value);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}
