//! Publishing with confirms, pipelined: for exchanges with an alternate.
//!
//! lapin hands a returned message to whichever confirm completes next, so with several publishes in flight
//! an unroutable one may look delivered. On an exchange with an alternate nothing is ever returned, and
//! there — only there — many may be in flight. The intake has its own publisher, [`crate::intake`].

use crate::{
    amqp,
    broker::{Broker, BrokerError, BrokerState},
    link::Opened,
    telemetry,
};
use boxoffice_contracts::{Envelope, topology::Exchange};
use futures::future::join_all;
use lapin::{
    BasicProperties, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

/// A message ready for the wire.
#[derive(Debug, Clone)]
pub struct Wire {
    pub exchange: String,
    pub routing_key: String,
    pub properties: BasicProperties,
    pub body: Vec<u8>,
    /// Comes back when no queue is bound.
    pub mandatory: bool,
}

impl Wire {
    /// A message on its ordinary route: its kind is the routing key.
    #[must_use]
    pub fn new(exchange: Exchange, envelope: &Envelope, body: Vec<u8>) -> Self {
        Self {
            exchange: exchange.name().to_owned(),
            routing_key: envelope.kind.clone(),
            properties: amqp::properties(envelope),
            body,
            mandatory: true,
        }
    }

    /// A message straight back to the queue of this name.
    #[must_use]
    pub fn to_queue(queue: &str, envelope: &Envelope, body: Vec<u8>) -> Self {
        Self {
            exchange: Exchange::Return.name().to_owned(),
            routing_key: queue.to_owned(),
            properties: amqp::properties(envelope),
            body,
            mandatory: true,
        }
    }
}

/// Why a message is not known to be in the broker's hands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("not connected to the broker")]
    Down,
    #[error("the broker takes no messages: memory or disk alarm")]
    Blocked,
    /// The queue is full, or the broker could not store it.
    #[error("the broker refused the message")]
    Refused,
    /// Nobody is bound. With an alternate exchange in place this can't be; something is misdeclared.
    #[error("the broker returned a message: an exchange has lost its alternate")]
    Returned,
    /// The outcome is unknown: send it again under the same id.
    #[error("no confirm in time")]
    TimedOut,
    /// The outcome is unknown: send it again under the same id.
    #[error("{0}")]
    Failed(String),
}

impl PublishError {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Returned => "returned",
            Self::TimedOut => "timed_out",
            Self::Failed(_) => "failed",
        }
    }
}

/// A channel in confirm mode for one user. Cheap to clone; clones share the channel.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    broker: Broker,
    /// Held while frames are written, not while confirms are awaited. lapin counts tags and writes frames in
    /// two steps: without the lock two tasks could do them in different orders.
    channel: Mutex<Option<Opened>>,
    deadline: Duration,
}

impl Publisher {
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self(Arc::new(Inner {
            broker: broker.clone(),
            channel: Mutex::new(None),
            deadline: broker.config().confirm_timeout(),
        }))
    }

    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.0.broker
    }

    /// Publishes all and waits for their confirms, at most for the configured deadline.
    /// One result per message, in their order. What failed may have arrived: keep its id when repeating.
    pub async fn publish(&self, messages: &[Wire]) -> Vec<Result<(), PublishError>> {
        self.publish_within(messages, self.0.deadline).await
    }

    /// Publishes one message.
    ///
    /// # Errors
    /// When it isn't confirmed.
    pub async fn publish_one(&self, message: Wire) -> Result<(), PublishError> {
        let mut results = self.publish(&[message]).await;
        results.pop().unwrap_or(Err(PublishError::Down))
    }

    /// The same with a deadline of its own.
    pub async fn publish_within(
        &self,
        messages: &[Wire],
        within: Duration,
    ) -> Vec<Result<(), PublishError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let since = Instant::now();
        let deadline = since + within;
        let results = match self.write(messages, deadline).await {
            Err(error) => vec![Err(error); messages.len()],
            Ok((opened, written)) => self.confirm(&opened, written, deadline).await,
        };
        metrics::histogram!(telemetry::CONFIRM_SECONDS, "by" => "relay")
            .record(since.elapsed().as_secs_f64());
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            metrics::counter!(telemetry::UNCONFIRMED_TOTAL, "by" => "relay", "why" => error.as_str())
                .increment(1);
        }
        results
    }

    /// Writes the frames of all messages, in order, and returns their confirms to be awaited.
    async fn write(
        &self,
        messages: &[Wire],
        deadline: Instant,
    ) -> Result<(Opened, Vec<lapin::Result<PublisherConfirm>>), PublishError> {
        let Ok(mut slot) = timeout_at(deadline, self.0.channel.lock()).await else {
            return Err(PublishError::TimedOut);
        };
        let opened = self.opened(&mut slot).await?;
        // Each future hands its frames over when it is polled first, and join_all polls in order.
        let writes = messages.iter().map(|message| {
            opened.channel.basic_publish(
                amqp::short(&message.exchange),
                amqp::short(&message.routing_key),
                BasicPublishOptions {
                    mandatory: message.mandatory,
                    immediate: false,
                },
                &message.body,
                message.properties.clone(),
            )
        });
        match timeout_at(deadline, join_all(writes)).await {
            Ok(written) => Ok((opened, written)),
            Err(_) => {
                *slot = None;
                drop(slot);
                Err(self.silent(&opened))
            }
        }
    }

    async fn opened(&self, slot: &mut Option<Opened>) -> Result<Opened, PublishError> {
        let link = self.0.broker.publishing_link();
        match link.state() {
            BrokerState::Up => {}
            BrokerState::Down => return Err(PublishError::Down),
            BrokerState::Blocked => return Err(PublishError::Blocked),
        }
        if let Some(opened) = slot.as_ref()
            && opened.generation == link.generation()
            && opened.channel.status().connected()
        {
            return Ok(opened.clone());
        }
        let opened = confirmed_channel(&self.0.broker)
            .await
            .map_err(|error| match error {
                BrokerError::Blocked => PublishError::Blocked,
                BrokerError::Down => PublishError::Down,
                other => PublishError::Failed(other.to_string()),
            })?;
        *slot = Some(opened.clone());
        Ok(opened)
    }

    async fn confirm(
        &self,
        opened: &Opened,
        written: Vec<lapin::Result<PublisherConfirm>>,
        deadline: Instant,
    ) -> Vec<Result<(), PublishError>> {
        let (mut late, mut returned) = (false, false);
        let mut results = Vec::with_capacity(written.len());
        // Every confirm is awaited: a dropped one is forgotten by lapin on a channel error.
        for confirm in written {
            let result = match confirm {
                Err(error) => Err(PublishError::Failed(error.to_string())),
                Ok(confirm) => match timeout_at(deadline, confirm).await {
                    Ok(Ok(Confirmation::Ack(None))) => Ok(()),
                    Ok(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)))) => {
                        returned = true;
                        Err(PublishError::Returned)
                    }
                    Ok(Ok(Confirmation::Nack(None))) => Err(PublishError::Refused),
                    Ok(Ok(Confirmation::NotRequested)) => Err(PublishError::Failed(
                        "channel not in confirm mode".to_owned(),
                    )),
                    Ok(Err(error)) => Err(PublishError::Failed(error.to_string())),
                    Err(_) => {
                        late = true;
                        Err(PublishError::TimedOut)
                    }
                },
            };
            results.push(result);
        }
        if results.contains(&Err(PublishError::Refused)) && opened.outlived_refusal() {
            self.forget(opened).await;
        }
        if returned {
            // Which message it was can't be told: none of the neighbours counts as delivered.
            for result in &mut results {
                if result.is_ok() {
                    *result = Err(PublishError::Returned);
                }
            }
        }
        if late {
            // Silence has a reason that is told once for all: an alarm, or a dead connection.
            let reason = self.silent(opened);
            for result in &mut results {
                if *result == Err(PublishError::TimedOut) {
                    *result = Err(reason.clone());
                }
            }
        }
        results
    }

    /// The next message gets a channel of its own making. Whoever waits for confirms on this one keeps it so long.
    async fn forget(&self, opened: &Opened) {
        let mut slot = self.0.channel.lock().await;
        let is_this = |kept: &Opened| kept.channel.id() == opened.channel.id();
        if slot
            .as_ref()
            .is_some_and(|kept| kept.generation == opened.generation && is_this(kept))
        {
            *slot = None;
        }
    }

    /// The broker fell silent on this channel: blocked, or broken.
    fn silent(&self, opened: &Opened) -> PublishError {
        let link = self.0.broker.publishing_link();
        if link.state() == BrokerState::Blocked {
            return PublishError::Blocked;
        }
        link.mark_broken(opened.generation);
        PublishError::TimedOut
    }
}

/// A new channel in confirm mode on the publishing connection.
pub(crate) async fn confirmed_channel(broker: &Broker) -> Result<Opened, BrokerError> {
    let opened = broker.publishing_link().channel().await?;
    let select = opened
        .channel
        .confirm_select(ConfirmSelectOptions::default());
    match tokio::time::timeout(SELECT_TIMEOUT, select).await {
        Ok(result) => result?,
        Err(_) => return Err(BrokerError::TimedOut("confirm.select")),
    }
    Ok(opened)
}

const SELECT_TIMEOUT: Duration = Duration::from_secs(5);
