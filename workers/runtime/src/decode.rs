//! From bytes to a message of one of the kinds that a queue accepts.

use boxoffice_contracts::Kind;

/// A worker's messages: an enum over the kinds that its queues accept. Written by [`accepted!`](crate::accepted).
pub trait Decode: Sized + Send + Sync + 'static {
    /// Kinds that [`Decode::decode`] knows.
    const KINDS: &'static [Kind];

    /// # Errors
    /// When the kind is unknown or the body isn't of that kind.
    fn decode(kind: &str, body: &[u8]) -> Result<Self, DecodeError>;
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("kind {0:?} is not accepted here")]
    UnknownKind(String),
    #[error("{kind}: {}", without_content(.error))]
    Body {
        kind: &'static str,
        error: serde_json::Error,
    },
}

impl DecodeError {
    /// Stable code for the parked message.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKind(_) => "unknown_kind",
            Self::Body { .. } => "undecodable",
        }
    }
}

/// What is wrong with a body, without quoting it: serde writes names and values as they came, and causes are
/// logged and kept where personal data must not be.
fn without_content(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") {
        return text;
    }
    // What is expected is our own text, and comes last.
    let expected = text
        .rsplit_once(", expected ")
        .map(|(_, expected)| expected);
    match expected {
        Some(expected) => format!("not as declared: expected {expected}"),
        None => format!(
            "{:?} error at line {} column {}",
            error.classify(),
            error.line(),
            error.column()
        ),
    }
}

/// Declares the enum of messages that a worker accepts.
///
/// ```
/// use boxoffice_contracts::message::ticket;
/// boxoffice_runtime::accepted! {
///     pub enum Accepted { Render(ticket::Render) }
/// }
/// ```
#[macro_export]
macro_rules! accepted {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($variant:ident($message:ty)),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        $vis enum $name { $($variant($message)),+ }

        impl $crate::Decode for $name {
            const KINDS: &'static [$crate::Kind] = &[$(<$message as $crate::Message>::KIND),+];

            fn decode(kind: &str, body: &[u8]) -> Result<Self, $crate::DecodeError> {
                $(
                    let known = <$message as $crate::Message>::KIND.as_str();
                    if kind == known {
                        return $crate::from_json::<$message>(known, body).map(Self::$variant);
                    }
                )+
                Err($crate::DecodeError::UnknownKind(kind.to_owned()))
            }
        }
    };
}

/// Decodes a JSON body; serde_json's recursion limit bounds its depth.
///
/// # Errors
/// When the body isn't of the kind.
pub fn from_json<M: serde::de::DeserializeOwned>(
    kind: &'static str,
    body: &[u8],
) -> Result<M, DecodeError> {
    serde_json::from_slice(body).map_err(|error| DecodeError::Body { kind, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::message::mail;

    #[test]
    fn a_broken_body_is_described_and_not_quoted() {
        let told = |body: &str| {
            from_json::<mail::Send>("mail.send.v1", body.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(told("{}").contains("missing field `booking_id`"));
        for body in [
            r#"{"Ada Byron, expected ada": 1}"#,
            r#"{"template": "Ada Byron"}"#,
            r#"{"revision": "Ada Byron"}"#,
            r#"{"booking_id": "Ada Byron"}"#,
            "Ada Byron",
        ] {
            let told = told(body);
            assert!(!told.contains("Ada") && !told.contains("ada"), "{told}");
            assert!(told.contains("line") || told.contains("expected"), "{told}");
        }
    }
}
