//! Facts as they happen, for those who watch: a queue of this process's own that ends with it.
//!
//! It promises nothing: it is bounded, drops its oldest, and is empty after each reconnect. Whoever waits
//! for a state reads it from the database, at first, after [`Happened::Rebound`], and now and then.

use crate::{
    amqp,
    backoff::Backoff,
    broker::{Broker, BrokerError},
};
use boxoffice_contracts::{Envelope, topology::Exchange};
use futures::StreamExt;
use lapin::{
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::broadcast, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Facts that wait in the broker's queue, and for a slow watcher in memory.
const WAITING_MAX: u16 = 10_000;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Happened {
    Event(Arc<Event>),
    /// From now on facts are missed, until [`Happened::Rebound`]; before the first of those, too.
    Lost,
    /// Facts may have been missed: read what is watched again.
    Rebound,
}

/// A fact.
#[derive(Debug)]
pub struct Event {
    pub envelope: Envelope,
    pub body: Vec<u8>,
}

/// The stream of all facts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventStream {
    sender: broadcast::Sender<Happened>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl EventStream {
    /// Begins to listen; reconnects for ever until [`EventStream::close`].
    #[must_use]
    pub fn start(broker: &Broker) -> Self {
        let stream = Self {
            sender: broadcast::Sender::new(usize::from(WAITING_MAX)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let listener = Listener {
            broker: broker.clone(),
            sender: stream.sender.clone(),
            stop: stream.stop.clone(),
        };
        stream.tasks.spawn(listener.run());
        stream
    }

    /// Facts from now on. A receiver that lags must treat it as [`Happened::Rebound`].
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Happened> {
        self.sender.subscribe()
    }

    /// Stops listening.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Listener {
    broker: Broker,
    sender: broadcast::Sender<Happened>,
    stop: CancellationToken,
}

impl Listener {
    async fn run(self) {
        let mut backoff = Backoff::connection();
        loop {
            let listened = tokio::select! {
                listened = self.listen(&mut backoff) => listened,
                () = self.stop.cancelled() => return,
            };
            let _ = self.sender.send(Happened::Lost);
            if let Err(error) = listened {
                tracing::warn!(%error, "events can't be followed");
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn listen(&self, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let link = self.broker.consuming_link();
        link.up().await;
        let opened = link.channel().await?;
        let channel = &opened.channel;
        let subscribe = async {
            let options = QueueDeclareOptions {
                exclusive: true,
                auto_delete: true,
                ..QueueDeclareOptions::default()
            };
            let mut arguments = FieldTable::default();
            arguments.insert(
                "x-max-length".into(),
                AMQPValue::LongLongInt(i64::from(WAITING_MAX)),
            );
            arguments.insert(
                "x-overflow".into(),
                AMQPValue::LongString("drop-head".into()),
            );
            let declared = channel.queue_declare("".into(), options, arguments).await?;
            let queue = declared.name().clone();
            let exchange = amqp::short(Exchange::Events.name());
            let binding = QueueBindOptions::default();
            channel
                .queue_bind(
                    queue.clone(),
                    exchange,
                    "#".into(),
                    binding,
                    FieldTable::default(),
                )
                .await?;
            let options = BasicConsumeOptions {
                // What is lost here is read again.
                no_ack: true,
                exclusive: true,
                ..BasicConsumeOptions::default()
            };
            channel
                .basic_consume(queue, "".into(), options, FieldTable::default())
                .await
        };
        let mut consumer = match timeout(BROKER_TIMEOUT, subscribe).await {
            Ok(consumer) => consumer?,
            Err(_) => return Err(BrokerError::TimedOut("following events")),
        };
        backoff.reset();
        // Nobody listening is no error.
        let _ = self.sender.send(Happened::Rebound);
        loop {
            let delivery = tokio::select! {
                delivery = consumer.next() => delivery,
                () = link.gone(opened.generation) => return Ok(()),
            };
            let Some(delivery) = delivery else {
                return Ok(());
            };
            let delivery = delivery?;
            let read = amqp::read("events", &delivery.properties, &delivery.data);
            if read.fault.is_none() && self.sender.receiver_count() > 0 {
                let event = Event {
                    envelope: read.envelope,
                    body: delivery.data,
                };
                let _ = self.sender.send(Happened::Event(Arc::new(event)));
            }
        }
    }
}
