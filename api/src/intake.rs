//! The way to the broker, as far as the API needs one: publish a command and know that it is kept.

use crate::Problem;
use async_trait::async_trait;
use boxoffice_contracts::{Code, Envelope, Message};

/// Publishes to the intake exchange with `mandatory` and a confirm.
///
/// A second implementation stands in the tests.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Returns when the broker has confirmed, within two seconds. Safe to drop while it waits.
    ///
    /// # Errors
    /// Why the command can't be called accepted.
    async fn publish(&self, envelope: Envelope, body: Vec<u8>) -> Result<(), IntakeError>;

    /// Whether publishing makes sense now. Costs nothing.
    fn broker(&self) -> Broker;
}

/// What the connection knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    Ready,
    /// An alarm of memory or disk: publishers are held back.
    Blocked,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    #[error("no queue is bound for the command")]
    Unroutable,
    #[error("the broker refused it: the queue is full")]
    Refused,
    #[error("no confirm came in time")]
    TimedOut,
    #[error("the broker holds publishers back")]
    Blocked,
    #[error("the broker can't be reached")]
    Down,
}

impl Broker {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Blocked => "blocked",
            Self::Down => "down",
        }
    }
}

impl IntakeError {
    /// For metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unroutable => "unroutable",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Blocked => "blocked",
            Self::Down => "down",
        }
    }

    const fn retry_after_secs(self) -> u32 {
        match self {
            Self::TimedOut => 2,
            Self::Down | Self::Unroutable | Self::Blocked | Self::Refused => 5,
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let problem = Self::overloaded(error.retry_after_secs());
        match error {
            // Without the confirm we can't know: say so, and that the key makes a repetition harmless.
            IntakeError::TimedOut => Self {
                detail: Some(
                    "No confirmation came in time. Retry with the same Idempotency-Key: it is carried out \
                     at most once."
                        .into(),
                ),
                ..problem
            },
            IntakeError::Unroutable
            | IntakeError::Refused
            | IntakeError::Blocked
            | IntakeError::Down => problem,
        }
    }
}

/// Publishes `message`, or says why nothing was accepted.
///
/// # Errors
/// 503 `overloaded` when it isn't confirmed.
pub(crate) async fn send<M: Message>(
    intake: &dyn Intake,
    envelope: Envelope,
    message: &M,
) -> Result<(), Problem> {
    let refused = |error: IntakeError| {
        metrics::counter!("intake_refused_total", "reason" => error.as_str()).increment(1);
        tracing::warn!(message.kind = M::KIND.as_str(), reason = error.as_str(), "not accepted");
        Problem::from(error)
    };
    match intake.broker() {
        Broker::Ready => {}
        Broker::Blocked => return Err(refused(IntakeError::Blocked)),
        Broker::Down => return Err(refused(IntakeError::Down)),
    }
    let body = serde_json::to_vec(message).map_err(|error| {
        tracing::error!(message.kind = M::KIND.as_str(), %error, "a command can't be encoded");
        Problem::new(Code::InternalError)
    })?;
    intake.publish(envelope, body).await.map_err(refused)
}
