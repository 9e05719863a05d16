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
    #[error("{kind}: {error}")]
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
