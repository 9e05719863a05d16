//! Queues and exchanges that the topology table doesn't know: of another virtual host, made and taken away while
//! we run.
//!
//! Whoever reads them decides what a message is; here is only what AMQP has to say: one consumer with manual
//! acks, a prefetch, batches of what is there. A queue that vanishes ends its consumer and nothing else.

use crate::{
    amqp,
    broker::{Broker, BrokerError},
    link::Link,
    publish::Wire,
    telemetry,
    window::{self, Ticket, Window},
};
use boxoffice_contracts::Instant;
use futures::{FutureExt, StreamExt};
use lapin::{
    BasicProperties, Consumer,
    message::Delivery,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// A message as it came; unacknowledged until [`acknowledge`].
#[derive(Debug)]
pub struct Incoming {
    pub body: Vec<u8>,
    pub routing_key: String,
    pub content_type: Option<String>,
    /// Proved by the broker when it is there.
    pub user_id: Option<String>,
    pub message_id: Option<String>,
    pub correlation_id: Option<String>,
    /// It was handed out before.
    pub redelivered: bool,
    /// It lay in another queue before, and was dead-lettered from there.
    pub dead_lettered: bool,
    /// Where it was published; an alternate exchange changes nothing of that.
    pub(crate) exchange: String,
    pub(crate) properties: BasicProperties,
    ticket: Ticket,
}

impl Incoming {
    /// Whether it still is ours: it isn't when its channel has gone.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.ticket.usable()
    }
}

/// A consumer of one queue. Dropping it gives back what is unacknowledged.
pub struct ForeignQueue {
    consumer: Consumer,
    window: Arc<Window>,
    link: Arc<Link>,
    generation: u64,
}

impl std::fmt::Debug for ForeignQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForeignQueue").finish_non_exhaustive()
    }
}

impl ForeignQueue {
    /// Begins to consume. `label` stands for all queues of this sort in metrics.
    ///
    /// # Errors
    /// When there is no connection, or no such queue.
    pub async fn open(
        broker: &Broker,
        queue: &str,
        prefetch: u16,
        label: &'static str,
    ) -> Result<Self, BrokerError> {
        let link = Arc::clone(broker.consuming_link());
        let opened = link.channel().await?;
        let channel = opened.channel;
        let qos = channel.basic_qos(prefetch, BasicQosOptions { global: false });
        answer("basic.qos", qos).await?;
        let tag = format!("{label}-{}", uuid::Uuid::new_v4().simple());
        let consume = channel.basic_consume(
            amqp::short(queue),
            amqp::short(&tag),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = answer("basic.consume", consume).await?;
        metrics::counter!(telemetry::CONSUMERS_OPENED_TOTAL, "queue" => label).increment(1);
        Ok(Self {
            consumer,
            window: Window::new(label, channel),
            link,
            generation: opened.generation,
        })
    }

    /// What is there, at least one and at most `max`; `None` when the consumer has ended. Safe to drop while it
    /// waits.
    pub async fn batch(&mut self, max: usize) -> Option<Vec<Incoming>> {
        let first = tokio::select! {
            first = self.consumer.next() => first?,
            () = self.link.gone(self.generation) => return None,
        };
        let mut batch = vec![self.read(first.ok()?)];
        while batch.len() < max {
            match self.consumer.next().now_or_never() {
                Some(Some(Ok(delivery))) => batch.push(self.read(delivery)),
                // The end is met by the next call.
                Some(_) | None => break,
            }
        }
        Some(batch)
    }

    fn read(&self, delivery: Delivery) -> Incoming {
        let text =
            |field: &Option<ShortString>| field.as_ref().map(|text| text.as_str().to_owned());
        Incoming {
            routing_key: delivery.routing_key.as_str().to_owned(),
            content_type: text(delivery.properties.content_type()),
            user_id: text(delivery.properties.user_id()),
            message_id: text(delivery.properties.message_id()),
            correlation_id: text(delivery.properties.correlation_id()),
            redelivered: delivery.redelivered,
            dead_lettered: delivery
                .properties
                .headers()
                .as_ref()
                .is_some_and(|headers| headers.contains_key("x-death")),
            exchange: delivery.exchange.as_str().to_owned(),
            properties: delivery.properties,
            ticket: self.window.ticket(delivery.delivery_tag, delivery.acker),
            body: delivery.data,
        }
    }
}

/// Acknowledges messages whose outcome is committed.
pub async fn acknowledge(messages: &[Incoming]) {
    let tickets: Vec<_> = messages.iter().map(|message| &message.ticket).collect();
    window::ack(&tickets).await;
}

/// A message to an exchange of somebody else.
#[derive(Debug, Clone)]
pub struct Foreign {
    pub exchange: String,
    pub routing_key: String,
    pub content_type: &'static str,
    pub message_id: String,
    pub kind: String,
    pub correlation_id: Option<String>,
    pub at: Instant,
    pub body: Vec<u8>,
}

impl From<Foreign> for Wire {
    /// Persistent. That no queue is bound is the owner's affair, so it doesn't come back.
    fn from(message: Foreign) -> Self {
        let seconds = u64::try_from(message.at.timestamp()).unwrap_or_default();
        let mut properties = BasicProperties::default()
            .with_content_type(message.content_type.into())
            .with_delivery_mode(amqp::PERSISTENT)
            .with_message_id(amqp::short(&message.message_id))
            .with_type(amqp::short(&message.kind))
            .with_timestamp(seconds);
        if let Some(id) = &message.correlation_id {
            properties = properties.with_correlation_id(amqp::short(id));
        }
        Self {
            exchange: message.exchange,
            routing_key: message.routing_key,
            properties,
            body: message.body,
            mandatory: false,
        }
    }
}

async fn answer<T>(
    what: &'static str,
    asked: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(BROKER_TIMEOUT, asked).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(BrokerError::TimedOut(what)),
    }
}
