//! The way to the broker, as far as the API needs one: publish a command and know that it is kept.

use crate::{Problem, backlog::Backlog};
use async_trait::async_trait;
use boxoffice_contracts::{Code, Envelope, Message, metric, topology::lines};
use boxoffice_runtime::{Broker, BrokerState, IntakeError, IntakePublisher};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};
use tokio::sync::watch;

/// Publishes to the intake exchange with `mandatory` and a confirm.
///
/// A second implementation stands in the tests.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Returns when the broker has confirmed, within two seconds. Safe to drop while it waits.
    ///
    /// # Errors
    /// Why the command can't be called accepted.
    async fn publish(
        &self,
        routing_key: &str,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<(), IntakeError>;

    /// Whether publishing makes sense now. Costs nothing.
    fn broker(&self) -> BrokerState;

    /// When it is worth to come again after [`IntakeError::Refused`], in seconds, if that can be reckoned.
    fn refused(&self, _routing_key: &str) -> Option<u32> {
        None
    }
}

/// The broker behind the trait: the runtime's channels, one portion of commands in flight on each.
pub struct BrokerIntake {
    publisher: IntakePublisher,
    state: watch::Receiver<BrokerState>,
    /// Of each line of new submits: no other queue can be full.
    lines: BTreeMap<&'static str, Mutex<Backlog>>,
    /// As many may wait in a line.
    submits_max: u32,
    began: Instant,
}

impl BrokerIntake {
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self {
            publisher: IntakePublisher::new(broker),
            state: broker.state(),
            lines: lines::keys()
                .iter()
                .map(|key| (*key, Mutex::default()))
                .collect(),
            submits_max: broker.config().submits_max,
            began: Instant::now(),
        }
    }
}

#[async_trait]
impl Intake for BrokerIntake {
    async fn publish(
        &self,
        routing_key: &str,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<(), IntakeError> {
        let published = self.publisher.publish_to(routing_key, envelope, body);
        let result = published.await;
        if result.is_ok() {
            self.line(routing_key, Backlog::accepted);
        }
        result
    }

    fn broker(&self) -> BrokerState {
        *self.state.borrow()
    }

    fn refused(&self, routing_key: &str) -> Option<u32> {
        let length = u64::from(self.submits_max);
        self.line(routing_key, |line, now| line.refused(now, length))
    }
}

impl BrokerIntake {
    /// Does something with the line of this key, if it is one, now.
    fn line<T>(
        &self,
        routing_key: &str,
        happens: impl FnOnce(&mut Backlog, u64) -> T,
    ) -> Option<T> {
        let line = self.lines.get(routing_key)?;
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        Some(happens(&mut line, self.began.elapsed().as_secs()))
    }
}

/// When it is worth to come again.
const fn retry_after_secs(error: IntakeError) -> u32 {
    match error {
        IntakeError::TimedOut => 2,
        IntakeError::Down
        | IntakeError::Unroutable
        | IntakeError::Blocked
        | IntakeError::Refused
        | IntakeError::Journal => 5,
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let problem = Self::overloaded(retry_after_secs(error));
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
            | IntakeError::Down
            | IntakeError::Journal => problem,
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
        metrics::counter!(metric::INTAKE_REFUSED_TOTAL, "reason" => error.as_str()).increment(1);
        tracing::warn!(
            message.kind = M::KIND.as_str(),
            reason = error.as_str(),
            "not accepted"
        );
        let problem = Problem::from(error);
        match error {
            IntakeError::Refused => match intake.refused(message.routing_key()) {
                Some(secs) => problem.retry_after(secs),
                None => problem,
            },
            IntakeError::Unroutable
            | IntakeError::TimedOut
            | IntakeError::Blocked
            | IntakeError::Down
            | IntakeError::Journal => problem,
        }
    };
    match intake.broker() {
        BrokerState::Up => {}
        BrokerState::Blocked => return Err(refused(IntakeError::Blocked)),
        BrokerState::Down => return Err(refused(IntakeError::Down)),
    }
    let body = serde_json::to_vec(message).map_err(|error| {
        tracing::error!(message.kind = M::KIND.as_str(), %error, "a command can't be encoded");
        Problem::new(Code::InternalError)
    })?;
    let published = intake.publish(message.routing_key(), &envelope, &body);
    published.await.map_err(refused)
}
