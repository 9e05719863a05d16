//! Literals for statements with many rows.
//!
//! Rows vary in number, so prepared statements would each be prepared once and thrown out of the cache:
//! two more round trips. As text one round trip does. Nothing but hexadecimal digits, numbers and names
//! from the topology table gets into it.

use boxoffice_contracts::MessageId;
use std::fmt::Write;

/// Sixteen bytes.
pub(crate) fn id(id: MessageId) -> String {
    format!("x'{}'", id.0.simple())
}

/// Any bytes.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "''".to_owned();
    }
    format!("x'{}'", hex::encode(bytes))
}

/// Any text, as hexadecimal too: nothing in it can end the literal.
pub(crate) fn text(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    format!("_utf8mb4 x'{}'", hex::encode(text))
}

/// `item, item, …`
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, literal: impl Fn(T) -> String) -> String {
    let mut out = String::new();
    for (n, item) in items.into_iter().enumerate() {
        // Writing to a String can't fail.
        let _ = write!(out, "{}{}", if n == 0 { "" } else { "," }, literal(item));
    }
    out
}
