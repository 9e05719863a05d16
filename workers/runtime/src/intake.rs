//! The door for commands from outside: the publisher is told whether anybody takes the message.
//!
//! The intake has no alternate exchange, so an unroutable message comes back. lapin attaches a return to
//! whichever confirm of the channel completes next; therefore each channel has one publish in flight, and
//! the return is judged by its message id besides. Sixteen channels confirm about 2,300 messages a second.

use crate::{
    amqp,
    broker::{Broker, BrokerError, BrokerState},
    clock,
    link::Opened,
    publish::confirmed_channel,
    spans, telemetry,
};
use boxoffice_contracts::{
    Envelope, MessageId,
    planted::{self, Bug},
    topology::Exchange,
};
use lapin::{Confirmation, options::BasicPublishOptions, types::ShortString};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// Why a command was not accepted. Only after [`IntakeError::TimedOut`] it may have arrived all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// No queue is bound for the kind: the worker's topology is missing.
    #[error("no queue takes this kind of command")]
    Unroutable,
    /// The queue is full.
    #[error("the queue is full")]
    Refused,
    #[error("no confirm in time")]
    TimedOut,
    #[error("the broker takes no messages: memory or disk alarm")]
    Blocked,
    #[error("not connected to the broker")]
    Down,
    /// It must be written down before it is published, and can't be. Told by whoever writes it down.
    #[error("the command can't be kept")]
    Journal,
}

impl IntakeError {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unroutable => "unroutable",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Blocked => "blocked",
            Self::Down => "down",
            Self::Journal => "journal",
        }
    }
}

/// Publishes commands to the intake. Cheap to clone; clones share the channels.
#[derive(Clone, Debug)]
pub struct IntakePublisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    broker: Broker,
    exchange: String,
    /// As many permits as channels: whoever holds one has a channel for itself.
    permits: Semaphore,
    idle: Mutex<Vec<Opened>>,
    deadline: Duration,
    /// When the broker answered last.
    heard: Mutex<Instant>,
}

impl IntakePublisher {
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self::to(broker, Exchange::Intake.name())
    }

    /// The same for another exchange without an alternate.
    #[must_use]
    pub fn to(broker: &Broker, exchange: &str) -> Self {
        Self(Arc::new(Inner {
            broker: broker.clone(),
            exchange: exchange.to_owned(),
            permits: Semaphore::new(usize::from(broker.config().intake_channels.max(1))),
            idle: Mutex::new(Vec::new()),
            deadline: broker.config().intake_confirm_timeout(),
            heard: Mutex::new(Instant::now()),
        }))
    }

    /// Publishes a command; `Ok` means that a queue has it on disk on a majority of nodes.
    ///
    /// # Errors
    /// Why it isn't known to be accepted. Repeat it under the same message id.
    pub async fn publish(&self, envelope: &Envelope, body: &[u8]) -> Result<(), IntakeError> {
        let (since, began) = (Instant::now(), clock::now());
        let result = self.attempt(envelope, body, since + self.0.deadline).await;
        metrics::histogram!(telemetry::CONFIRM_SECONDS, "by" => "intake")
            .record(since.elapsed().as_secs_f64());
        let error = result.err().map(IntakeError::as_str);
        spans::sent(&self.0.exchange, envelope, spans::current(), began, error);
        if let Err(error) = result {
            metrics::counter!(telemetry::UNCONFIRMED_TOTAL, "by" => "intake", "why" => error.as_str())
                .increment(1);
        }
        result
    }

    async fn attempt(
        &self,
        envelope: &Envelope,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(), IntakeError> {
        let link = self.0.broker.publishing_link();
        self.usable()?;
        let permit = timeout_at(deadline, self.0.permits.acquire()).await;
        // Waiting for a channel sent nothing; saying "timed out" is the cautious side.
        let Ok(Ok(_permit)) = permit else {
            return Err(IntakeError::TimedOut);
        };
        self.usable()?;
        let opened = self.channel(deadline).await?;
        let id = amqp::short(&envelope.message_id.to_string());
        let publish = async {
            let options = BasicPublishOptions {
                mandatory: !planted::is(Bug::NoMandatory),
                immediate: false,
            };
            let exchange = amqp::short(&self.0.exchange);
            let properties = amqp::properties(envelope);
            let kind = amqp::short(&envelope.kind);
            opened
                .channel
                .basic_publish(exchange, kind, options, body, properties)
                .await?
                .await
        };
        // When this future is dropped here, the channel drops with it: nobody inherits its open confirm.
        match timeout_at(deadline, publish).await {
            Err(_) if link.state() == BrokerState::Blocked => Err(IntakeError::Blocked),
            Err(_) => {
                // A slow broker isn't a dead one: giving the connection up would hit everybody on it.
                if self.silent_for() > self.0.broker.config().confirm_timeout() {
                    link.mark_broken(opened.generation);
                    self.heard();
                }
                Err(IntakeError::TimedOut)
            }
            Ok(Err(error)) => {
                tracing::warn!(message.id = %MessageId(envelope.message_id.0), %error, "intake publish failed");
                self.usable()?;
                Err(IntakeError::TimedOut)
            }
            Ok(Ok(confirmation)) => {
                self.heard();
                let verdict = judge(&confirmation, &id);
                let refused = verdict == Some(Err(IntakeError::Refused));
                if verdict.is_some() && !(refused && opened.outlived_refusal()) {
                    self.lock().push(opened);
                }
                // A foreign return: this channel's story can't be told any more.
                verdict.unwrap_or(Err(IntakeError::TimedOut))
            }
        }
    }

    fn heard(&self) {
        *self.0.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silent_for(&self) -> Duration {
        self.0
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    fn usable(&self) -> Result<(), IntakeError> {
        match self.0.broker.publishing_link().state() {
            BrokerState::Up => Ok(()),
            BrokerState::Down => Err(IntakeError::Down),
            BrokerState::Blocked => Err(IntakeError::Blocked),
        }
    }

    /// An idle channel of the present connection, or a new one.
    async fn channel(&self, deadline: Instant) -> Result<Opened, IntakeError> {
        let generation = self.0.broker.publishing_link().generation();
        while let Some(opened) = self.pop() {
            if opened.generation == generation && opened.channel.status().connected() {
                return Ok(opened);
            }
        }
        match timeout_at(deadline, confirmed_channel(&self.0.broker)).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(BrokerError::Blocked)) => Err(IntakeError::Blocked),
            Ok(Err(_)) => Err(IntakeError::Down),
            Err(_) => Err(IntakeError::TimedOut),
        }
    }

    fn pop(&self) -> Option<Opened> {
        self.lock().pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Opened>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` when the return belongs to another message.
fn judge(confirmation: &Confirmation, id: &ShortString) -> Option<Result<(), IntakeError>> {
    match confirmation {
        Confirmation::Ack(_) | Confirmation::NotRequested if planted::is(Bug::LaxConfirm) => {
            Some(Ok(()))
        }
        Confirmation::Ack(None) => Some(Ok(())),
        Confirmation::Nack(None) => Some(Err(IntakeError::Refused)),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            let own = returned.delivery.properties.message_id().as_ref() == Some(id);
            own.then_some(Err(IntakeError::Unroutable))
        }
        Confirmation::NotRequested => None,
    }
}
