//! The door for commands from outside: the publisher is told whether anybody takes the message.
//!
//! The intake has no alternate exchange, so an unroutable message comes back. lapin attaches a return to whichever
//! confirm of the channel completes next. The broker returns a message before it confirms it, so what comes back of a
//! portion has come back with the portion's last confirm; which message it is, its id tells. Therefore a channel has one
//! portion in flight, and its messages are judged when all of them are confirmed.

use crate::{
    amqp,
    broker::{Broker, BrokerError, BrokerState},
    clock,
    link::Opened,
    publish::confirmed_channel,
    spans, telemetry,
    together::{Carry, Together},
};
use boxoffice_contracts::{
    Envelope,
    planted::{self, Bug},
    topology::Exchange,
};
use futures::future::join_all;
use lapin::{
    BasicProperties, Confirmation, PublisherConfirm, options::BasicPublishOptions,
    types::ShortString,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// Messages of one portion.
const PORTION_MAX: usize = 64;

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
pub struct IntakePublisher {
    door: Together<Door>,
    exchange: Arc<str>,
    deadline: Duration,
}

/// A command on its way.
struct Command {
    id: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
    body: Vec<u8>,
    /// Nobody waits for it any more.
    deadline: Instant,
}

/// Channels to the intake, each with one portion in flight.
#[derive(Debug)]
struct Door {
    broker: Broker,
    exchange: String,
    idle: Mutex<Vec<Opened>>,
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
        let door = Door {
            broker: broker.clone(),
            exchange: exchange.to_owned(),
            idle: Mutex::new(Vec::new()),
            heard: Mutex::new(Instant::now()),
        };
        let channels = usize::from(broker.config().intake_channels);
        Self {
            door: Together::new(door, channels, PORTION_MAX),
            exchange: exchange.into(),
            deadline: broker.config().intake_confirm_timeout(),
        }
    }

    /// Publishes a command; `Ok` means that a queue has it on disk on a majority of nodes.
    ///
    /// # Errors
    /// Why it isn't known to be accepted. Repeat it under the same message id.
    pub async fn publish(&self, envelope: &Envelope, body: &[u8]) -> Result<(), IntakeError> {
        self.publish_to(&envelope.kind, envelope, body).await
    }

    /// The same under another routing key than the kind: that of a line.
    ///
    /// # Errors
    /// The same.
    pub async fn publish_to(
        &self,
        routing_key: &str,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<(), IntakeError> {
        let (since, began) = (Instant::now(), clock::now());
        let command = Command {
            id: amqp::short(&envelope.message_id.to_string()),
            routing_key: amqp::short(routing_key),
            properties: amqp::properties(envelope),
            body: body.to_vec(),
            deadline: since + self.deadline,
        };
        let result = self.attempt(command).await;
        metrics::histogram!(telemetry::CONFIRM_SECONDS, "by" => "intake")
            .record(since.elapsed().as_secs_f64());
        let error = result.err().map(IntakeError::as_str);
        spans::sent(&self.exchange, envelope, spans::current(), began, error);
        if let Err(error) = result {
            metrics::counter!(telemetry::UNCONFIRMED_TOTAL, "by" => "intake", "why" => error.as_str())
                .increment(1);
        }
        result
    }

    async fn attempt(&self, command: Command) -> Result<(), IntakeError> {
        self.door.carrier().usable()?;
        let deadline = command.deadline;
        match timeout_at(deadline, self.door.ask(command)).await {
            Ok(Some(result)) => result,
            // Waiting for a channel sent nothing; saying "timed out" is the cautious side.
            Ok(None) | Err(_) => Err(self.door.carrier().silent()),
        }
    }
}

type Told = Result<(), IntakeError>;

impl Carry for Door {
    type Ask = Command;
    type Answer = Told;

    /// Ends with the last deadline.
    async fn carry(&self, commands: Vec<Command>) -> Vec<Told> {
        let asked = commands.len();
        let last = commands.iter().map(|command| command.deadline).max();
        let deadline = last.unwrap_or_else(Instant::now);
        match self.channel(deadline).await {
            Ok(opened) => self.publish(opened, commands, deadline).await,
            Err(error) => vec![Err(error); asked],
        }
    }
}

impl Door {
    async fn publish(
        &self,
        opened: Opened,
        commands: Vec<Command>,
        deadline: Instant,
    ) -> Vec<Told> {
        let ids: Vec<ShortString> = commands.iter().map(|command| command.id.clone()).collect();
        let exchange = amqp::short(&self.exchange);
        let writes = commands.into_iter().map(|command| {
            let Command {
                routing_key,
                properties,
                body,
                ..
            } = command;
            let options = BasicPublishOptions {
                mandatory: !planted::is(Bug::NoMandatory),
                immediate: false,
            };
            let (channel, exchange) = (&opened.channel, exchange.clone());
            async move {
                channel
                    .basic_publish(exchange, routing_key, options, &body, properties)
                    .await
            }
        });
        let portion = match timeout_at(deadline, join_all(writes)).await {
            Ok(written) => Portion::confirmed(written, deadline).await,
            Err(_) => Portion::unwritten(ids.len()),
        };
        if portion.answered {
            self.heard();
        }
        if portion.late {
            self.late(&opened);
        }
        let told = portion.judged(&ids, |failed| match failed {
            Unconfirmed::Late => self.silent(),
            Unconfirmed::Broken => self.usable().err().unwrap_or(IntakeError::TimedOut),
        });
        let refused = told.contains(&Err(IntakeError::Refused));
        // What isn't told to its end takes its channel with it: nobody inherits its open confirms.
        if portion.is_whole && !(refused && opened.outlived_refusal()) {
            self.lock().push(opened);
        }
        told
    }

    /// A slow broker isn't a dead one: giving the connection up would hit everybody on it.
    fn late(&self, opened: &Opened) {
        let link = self.broker.publishing_link();
        if link.state() != BrokerState::Blocked
            && self.silent_for() > self.broker.config().confirm_timeout()
        {
            link.mark_broken(opened.generation);
            self.heard();
        }
    }

    /// Why no confirm came in time.
    fn silent(&self) -> IntakeError {
        match self.broker.publishing_link().state() {
            BrokerState::Blocked => IntakeError::Blocked,
            BrokerState::Up | BrokerState::Down => IntakeError::TimedOut,
        }
    }

    fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silent_for(&self) -> Duration {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    fn usable(&self) -> Result<(), IntakeError> {
        match self.broker.publishing_link().state() {
            BrokerState::Up => Ok(()),
            BrokerState::Down => Err(IntakeError::Down),
            BrokerState::Blocked => Err(IntakeError::Blocked),
        }
    }

    /// An idle channel of the present connection, or a new one.
    async fn channel(&self, deadline: Instant) -> Result<Opened, IntakeError> {
        self.usable()?;
        let generation = self.broker.publishing_link().generation();
        while let Some(opened) = self.pop() {
            if opened.generation == generation && opened.channel.status().connected() {
                return Ok(opened);
            }
        }
        match timeout_at(deadline, confirmed_channel(&self.broker)).await {
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
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the messages of one portion.
struct Portion {
    /// In their order: confirmed, refused, or why neither.
    outcomes: Vec<Result<Confirmed, Unconfirmed>>,
    /// Ids of what came back.
    returned: HashSet<ShortString>,
    /// Every message has its confirm.
    is_whole: bool,
    /// The broker said something.
    answered: bool,
    late: bool,
}

#[derive(Clone, Copy)]
enum Confirmed {
    Yes,
    Refused,
}

#[derive(Clone, Copy)]
enum Unconfirmed {
    Late,
    Broken,
}

impl Portion {
    fn unwritten(messages: usize) -> Self {
        Self {
            outcomes: vec![Err(Unconfirmed::Late); messages],
            returned: HashSet::new(),
            is_whole: false,
            answered: false,
            late: true,
        }
    }

    /// Waits for the confirms of what was written.
    async fn confirmed(written: Vec<lapin::Result<PublisherConfirm>>, deadline: Instant) -> Self {
        let mut portion = Self {
            outcomes: Vec::with_capacity(written.len()),
            returned: HashSet::new(),
            is_whole: true,
            answered: false,
            late: false,
        };
        for confirm in written {
            let confirmation = match confirm {
                Ok(confirm) => timeout_at(deadline, confirm).await,
                Err(error) => Ok(Err(error)),
            };
            let outcome = match confirmation {
                Ok(Ok(confirmation)) => portion.took(confirmation),
                Ok(Err(error)) => {
                    // What broke the channel is told to all of the portion: one line.
                    if portion.is_whole {
                        tracing::warn!(%error, "intake publish failed");
                    }
                    Err(Unconfirmed::Broken)
                }
                Err(_) => {
                    portion.late = true;
                    Err(Unconfirmed::Late)
                }
            };
            portion.is_whole &= outcome.is_ok();
            portion.outcomes.push(outcome);
        }
        portion
    }

    fn took(&mut self, confirmation: Confirmation) -> Result<Confirmed, Unconfirmed> {
        let (confirmed, returned) = match confirmation {
            Confirmation::Ack(returned) => (Confirmed::Yes, returned),
            Confirmation::Nack(returned) => (Confirmed::Refused, returned),
            Confirmation::NotRequested if planted::is(Bug::LaxConfirm) => (Confirmed::Yes, None),
            Confirmation::NotRequested => return Err(Unconfirmed::Broken),
        };
        self.answered = true;
        let id = returned.and_then(|message| message.delivery.properties.message_id().clone());
        self.returned.extend(id);
        Ok(confirmed)
    }

    /// By its own confirm and by what came back.
    fn judged(&self, ids: &[ShortString], why: impl Fn(Unconfirmed) -> IntakeError) -> Vec<Told> {
        let lax = planted::is(Bug::LaxConfirm);
        let judge = |(id, outcome): (&ShortString, &Result<Confirmed, Unconfirmed>)| match outcome {
            Err(unconfirmed) => Err(why(*unconfirmed)),
            Ok(Confirmed::Yes) if lax => Ok(()),
            Ok(_) if self.returned.contains(id) => Err(IntakeError::Unroutable),
            // Of a portion that isn't told to its end, a return may be missing.
            Ok(Confirmed::Yes) if !self.is_whole => Err(IntakeError::TimedOut),
            Ok(Confirmed::Yes) => Ok(()),
            Ok(Confirmed::Refused) => Err(IntakeError::Refused),
        };
        ids.iter().zip(&self.outcomes).map(judge).collect()
    }
}
