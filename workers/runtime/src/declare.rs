//! The topology table, declared at the broker; and the check whether what is there is what we need.
//!
//! Every declaration runs on a channel of its own: one that differs from what exists closes it.

use crate::broker::{Broker, BrokerError};
use crate::config::BrokerConfig;
use boxoffice_contracts::topology::{
    ExchangeType, Queue,
    declared::{self, Argument, Arguments, DeclaredExchange, DeclaredQueue},
    lines,
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
    for exchange in declared::exchanges() {
        on_channel(broker, |channel| declare_exchange(exchange, channel, false)).await?;
    }
    for queue in queues(broker.config()) {
        on_channel(broker, |channel| declare_queue(queue, channel, false)).await?;
    }
    on_channel(broker, bind_all).await
}

/// What these queues' workers need and don't find as they need it. Changes nothing.
///
/// # Errors
/// When the broker can't be asked.
pub async fn drift(broker: &Broker, needed: &[&Queue]) -> Result<Vec<Difference>, BrokerError> {
    let mut found = Vec::new();
    for exchange in declared::exchanges() {
        let what = format!("exchange {}", exchange.name);
        let (looked_for, same) = (exchange.clone(), exchange);
        let there = on_channel(broker, |channel| {
            declare_exchange(looked_for, channel, true)
        })
        .await;
        let same = match there {
            Ok(()) => on_channel(broker, |channel| declare_exchange(same, channel, false)).await,
            absent => absent,
        };
        judge(what, same, &mut found)?;
    }
    for queue in queues(broker.config()) {
        let ours = needed.iter().any(|needed| needed.name == queue.name);
        if !ours && !queue.for_all {
            continue;
        }
        let what = format!("queue {}", queue.name);
        let (looked_for, same) = (queue.clone(), queue);
        let there = on_channel(broker, |channel| declare_queue(looked_for, channel, true)).await;
        let same = match there {
            Ok(()) => on_channel(broker, |channel| declare_queue(same, channel, false)).await,
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

async fn declare_exchange(
    exchange: DeclaredExchange,
    channel: Channel,
    passive: bool,
) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions {
        durable: true,
        passive,
        ..ExchangeDeclareOptions::default()
    };
    let kind = match exchange.kind {
        ExchangeType::Direct => ExchangeKind::Direct,
        ExchangeType::Fanout => ExchangeKind::Fanout,
        ExchangeType::Topic => ExchangeKind::Topic,
    };
    let arguments = table(&exchange.arguments);
    channel
        .exchange_declare(exchange.name.into(), kind, options, arguments)
        .await
}

async fn declare_queue(queue: DeclaredQueue, channel: Channel, passive: bool) -> lapin::Result<()> {
    let options = QueueDeclareOptions {
        durable: true,
        passive,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.name.into(), options, table(&queue.arguments))
        .await?;
    Ok(())
}

/// What the table asks for, with the delays and the bound that are configured.
fn queues(config: &BrokerConfig) -> Vec<DeclaredQueue> {
    let mut queues = declared::queues(|tier| config.retry_delay(tier));
    for queue in &mut queues {
        if lines::SUBMITS.iter().any(|line| line.name == queue.name) {
            queue.bound(config.submits_max);
        }
    }
    queues
}

async fn bind_all(channel: Channel) -> lapin::Result<()> {
    for binding in declared::bindings() {
        channel
            .queue_bind(
                binding.queue.into(),
                binding.exchange.into(),
                binding.key.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(())
}

fn table(arguments: &Arguments) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match *value {
            Argument::Text(text) => AMQPValue::LongString(text.into()),
            Argument::Number(number) => {
                AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX))
            }
        };
        table.insert((*name).into(), value);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_new_submits_is_the_configured_one_and_nobody_elses() {
        let config = BrokerConfig {
            submits_max: 7,
            ..BrokerConfig::default()
        };
        let bounded: Vec<_> = queues(&config)
            .into_iter()
            .filter(|queue| table(&queue.arguments).inner().contains_key("x-max-length"))
            .collect();
        let names: Vec<_> = bounded.iter().map(|queue| queue.name).collect();
        assert_eq!(names, lines::SUBMITS.map(|line| line.name));
        for submits in &bounded {
            let arguments = table(&submits.arguments);
            let bound = arguments.inner().get("x-max-length").cloned();
            assert_eq!(bound, Some(AMQPValue::LongLongInt(7)));
        }
    }
}
