//! W3C trace context: the two lines of it that travel with every message.
//!
//! Source: <https://www.w3.org/TR/trace-context/>, header `traceparent`, version 00.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// `traceparent`: which trace a message belongs to and which step caused it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    pub trace_id: u128,
    pub span_id: u64,
    pub sampled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent of version 00")]
pub struct TraceParentError;

impl TraceParent {
    /// The trace of a caller that sent none. `seed` is what makes it its own, such as a message id.
    #[must_use]
    pub fn root(seed: uuid::Uuid) -> Self {
        let trace_id = seed.as_u128().max(1);
        Self {
            trace_id,
            span_id: fold(trace_id).max(1),
            sampled: true,
        }
    }

    /// The next step of the same trace, named by the message that makes it.
    #[must_use]
    pub fn child(self, message: uuid::Uuid) -> Self {
        Self {
            span_id: fold(message.as_u128()).max(1),
            ..self
        }
    }
}

/// Upper and lower half mixed, so that ids with a common prefix still differ.
fn fold(id: u128) -> u64 {
    ((id >> 64) as u64).rotate_left(17) ^ (id as u64)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower_hex = |s: &str| {
            s.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, span, flags] = parts[..] else {
            return Err(TraceParentError);
        };
        let shaped = version == "00" && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        if !shaped || !parts.iter().all(|part| lower_hex(part)) {
            return Err(TraceParentError);
        }
        let (Ok(trace_id), Ok(span_id), Ok(flags)) = (
            u128::from_str_radix(trace, 16),
            u64::from_str_radix(span, 16),
            u8::from_str_radix(flags, 16),
        ) else {
            return Err(TraceParentError);
        };
        if trace_id == 0 || span_id == 0 {
            return Err(TraceParentError);
        }
        Ok(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

impl TryFrom<String> for TraceParent {
    type Error = TraceParentError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_the_wire_and_rubbish_does_not() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), text);
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for bad in [
            "",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &zero,
            &text.to_uppercase(),
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }
}
