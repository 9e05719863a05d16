//! The topology table, declared at the broker; and the check whether what is there is what we need.
//!
//! Every declaration runs on a channel of its own: one that differs from what exists closes it.

use crate::broker::{Broker, BrokerError};
use boxoffice_contracts::topology::{
    DELIVERY_LIMIT, Exchange, ExchangeType, QUEUES, Queue, RetryTier, UNROUTABLE,
};
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use std::{fmt, future::Future, time::Duration};
use tokio::time::timeout;

/// How long the broker may take for one declaration; a quorum queue elects a leader first.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(15);

/// What differs between what is needed and what the broker has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    Missing {
        what: String,
    },
    /// There under this name with other arguments; the text is the broker's.
    Inequivalent {
        what: String,
        text: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what } => write!(f, "{what} is missing"),
            Self::Inequivalent { what, text } => write!(f, "{what} differs: {text}"),
        }
    }
}

/// Declares everything: exchanges, queues, bindings. Idempotent, and restores lost bindings.
///
/// # Errors
/// When the broker can't be reached or has something of that name with other arguments.
pub async fn declare(broker: &Broker) -> Result<(), BrokerError> {
    for exchange in exchanges() {
        on_channel(broker, |channel| exchange.declare(channel, false)).await?;
    }
    for queue in queues(broker) {
        on_channel(broker, |channel| queue.declare(channel, false)).await?;
    }
    on_channel(broker, bind_all).await
}

/// What these queues' workers need and don't find as they need it. Changes nothing.
///
/// # Errors
/// When the broker can't be asked.
pub async fn drift(broker: &Broker, needed: &[&Queue]) -> Result<Vec<Difference>, BrokerError> {
    let mut found = Vec::new();
    for exchange in exchanges() {
        let what = format!("exchange {}", exchange.name);
        let there = on_channel(broker, |channel| exchange.clone().declare(channel, true)).await;
        let same = match there {
            Ok(()) => on_channel(broker, |channel| exchange.declare(channel, false)).await,
            absent => absent,
        };
        judge(what, same, &mut found)?;
    }
    for queue in queues(broker) {
        let ours = needed.iter().any(|needed| needed.name == queue.name);
        if !ours && !queue.for_all {
            continue;
        }
        let what = format!("queue {}", queue.name);
        let there = on_channel(broker, |channel| queue.clone().declare(channel, true)).await;
        let same = match there {
            Ok(()) => on_channel(broker, |channel| queue.declare(channel, false)).await,
            absent => absent,
        };
        judge(what, same, &mut found)?;
    }
    Ok(found)
}

fn judge(
    what: String,
    declared: Result<(), BrokerError>,
    found: &mut Vec<Difference>,
) -> Result<(), BrokerError> {
    let Err(error) = declared else { return Ok(()) };
    match reply(&error) {
        Some((404, _)) => found.push(Difference::Missing { what }),
        Some((406, text)) => found.push(Difference::Inequivalent { what, text }),
        _ => return Err(error),
    }
    Ok(())
}

/// The broker's reply code and text.
fn reply(error: &BrokerError) -> Option<(u16, String)> {
    let BrokerError::Amqp(error) = error else {
        return None;
    };
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => {
            Some((error.get_id(), error.get_message().to_string()))
        }
        _ => None,
    }
}

/// Runs one step on a throw-away channel.
async fn on_channel<F, T>(broker: &Broker, step: F) -> Result<(), BrokerError>
where
    F: FnOnce(Channel) -> T,
    T: Future<Output = lapin::Result<()>>,
{
    let opened = broker.consuming_link().channel().await?;
    let done = timeout(DECLARE_TIMEOUT, step(opened.channel.clone())).await;
    done.map_err(|_elapsed| BrokerError::TimedOut("declaration"))??;
    let closing = opened.channel.close(200, "declared".into());
    // It served its purpose; the connection would close it anyway.
    let _ = timeout(DECLARE_TIMEOUT, closing).await;
    Ok(())
}

#[derive(Clone)]
struct ExchangeSpec {
    name: &'static str,
    kind: ExchangeKind,
    alternate: bool,
}

impl ExchangeSpec {
    async fn declare(self, channel: Channel, passive: bool) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions {
            durable: true,
            passive,
            ..ExchangeDeclareOptions::default()
        };
        let mut arguments = FieldTable::default();
        if self.alternate {
            text(
                &mut arguments,
                "alternate-exchange",
                Exchange::Unroutable.name(),
            );
        }
        channel
            .exchange_declare(self.name.into(), self.kind, options, arguments)
            .await
    }
}

fn exchanges() -> Vec<ExchangeSpec> {
    let mut all: Vec<ExchangeSpec> = Exchange::ALL
        .iter()
        .map(|exchange| ExchangeSpec {
            name: exchange.name(),
            kind: match exchange.kind() {
                ExchangeType::Direct => ExchangeKind::Direct,
                ExchangeType::Fanout => ExchangeKind::Fanout,
                ExchangeType::Topic => ExchangeKind::Topic,
            },
            alternate: exchange.has_alternate(),
        })
        .collect();
    all.extend(RetryTier::ALL.iter().map(|tier| ExchangeSpec {
        name: tier.exchange(),
        kind: ExchangeKind::Fanout,
        alternate: true,
    }));
    all
}

#[derive(Clone)]
struct QueueSpec {
    name: &'static str,
    arguments: FieldTable,
    /// Needed by every worker: where failed messages wait, and where lost ones are caught.
    for_all: bool,
}

impl QueueSpec {
    async fn declare(self, channel: Channel, passive: bool) -> lapin::Result<()> {
        let options = QueueDeclareOptions {
            durable: true,
            passive,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(self.name.into(), options, self.arguments)
            .await?;
        Ok(())
    }
}

fn queues(broker: &Broker) -> Vec<QueueSpec> {
    let mut all: Vec<QueueSpec> = QUEUES.iter().map(worker_queue).collect();
    for tier in RetryTier::ALL {
        let delay = broker.config().retry_delay(tier);
        let mut arguments = dead_lettering(Exchange::Return.name());
        // Per queue: the broker lets a message's own TTL lapse only at the head of its queue.
        number(&mut arguments, "x-message-ttl", delay.as_millis());
        all.push(QueueSpec {
            name: tier.queue(),
            arguments,
            for_all: true,
        });
    }
    let mut arguments = FieldTable::default();
    text(&mut arguments, "x-queue-type", "quorum");
    all.push(QueueSpec {
        name: UNROUTABLE,
        arguments,
        for_all: true,
    });
    all
}

fn worker_queue(queue: &Queue) -> QueueSpec {
    // What kills the filer of parked messages must not come back to it.
    let parked = queue
        .bindings
        .iter()
        .any(|binding| binding.exchange == Exchange::Parked);
    let dead = if parked {
        Exchange::Unroutable
    } else {
        Exchange::Parked
    };
    let mut arguments = dead_lettering(dead.name());
    number(
        &mut arguments,
        "x-delivery-limit",
        u128::from(DELIVERY_LIMIT),
    );
    if let Some(length) = queue.length_max {
        number(&mut arguments, "x-max-length", u128::from(length));
    }
    QueueSpec {
        name: queue.name,
        arguments,
        for_all: false,
    }
}

/// At-least-once dead-lettering. It exists on quorum queues only, and only with `reject-publish`; otherwise
/// the broker falls back to at-most-once without a word.
fn dead_lettering(exchange: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    text(&mut arguments, "x-queue-type", "quorum");
    text(&mut arguments, "x-overflow", "reject-publish");
    text(&mut arguments, "x-dead-letter-exchange", exchange);
    text(&mut arguments, "x-dead-letter-strategy", "at-least-once");
    arguments
}

async fn bind_all(channel: Channel) -> lapin::Result<()> {
    for queue in QUEUES {
        for binding in queue.bindings {
            bind(
                &channel,
                queue.name,
                binding.exchange.name(),
                binding.pattern,
            )
            .await?;
        }
        bind(&channel, queue.name, Exchange::Return.name(), queue.name).await?;
    }
    for tier in RetryTier::ALL {
        bind(&channel, tier.queue(), tier.exchange(), "").await?;
    }
    bind(&channel, UNROUTABLE, Exchange::Unroutable.name(), "").await
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            FieldTable::default(),
        )
        .await
}

fn text(table: &mut FieldTable, name: &'static str, value: &str) {
    table.insert(name.into(), AMQPValue::LongString(value.into()));
}

fn number(table: &mut FieldTable, name: &'static str, value: u128) {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    table.insert(name.into(), AMQPValue::LongLongInt(value));
}
