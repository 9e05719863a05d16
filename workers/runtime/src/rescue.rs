//! What found no queue is sent again, until it finds one; beside the role that files parked messages.
//!
//! A binding that is missing for a moment sends messages to the alternate exchange, and putting the topology right
//! brings none of them back. So each goes once more to the exchange that it was meant for, with its own properties;
//! while the binding is still missing it only goes to the end of the same queue. What no queue is ever bound for,
//! by the topology that this version knows, is parked: a person must look at it.
//!
//! Safe to run twice: ids stay as they are, and a message is acknowledged only when its copy is confirmed.

use crate::{
    Publisher, Wire, amqp,
    backoff::Backoff,
    foreign::{self, ForeignQueue, Incoming},
    relay::OUTBOX_QUEUE,
    role::Env,
};
use boxoffice_contracts::topology::{self, Exchange, RetryTier, UNROUTABLE};
use std::time::Duration;

/// Messages of one pass.
const PASS_MAX: u16 = 500;
/// Between two passes: what comes back at once is not sent at once again.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(env: Env) {
    let publisher = Publisher::new(&env.broker);
    let mut backoff = Backoff::connection();
    while !env.stop.is_cancelled() {
        let opened = ForeignQueue::open(&env.broker, UNROUTABLE, PASS_MAX, UNROUTABLE);
        tokio::select! {
            opened = opened => match opened {
                Ok(queue) => {
                    backoff.reset();
                    passes(&env, &publisher, queue).await;
                }
                Err(error) => tracing::debug!(%error, "the queue of the unroutable can't be read"),
            },
            () = env.stop.cancelled() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = env.stop.cancelled() => {}
        }
    }
}

/// Pass after pass, until the consumer ends or a message can't be moved.
async fn passes(env: &Env, publisher: &Publisher, mut queue: ForeignQueue) {
    loop {
        let found = tokio::select! {
            found = queue.batch(PASS_MAX.into()) => found,
            () = env.stop.cancelled() => None,
        };
        let Some(found) = found else { return };
        let wires: Vec<Wire> = found.iter().map(forward).collect();
        let results = publisher.publish(&wires).await;
        let (mut moved, mut refused) = (Vec::new(), None);
        for (message, result) in found.into_iter().zip(results) {
            match result {
                Ok(()) => moved.push(message),
                Err(error) => refused = Some(error),
            }
        }
        foreign::acknowledge(&moved).await;
        tracing::warn!(messages = moved.len(), "what found no queue was sent again");
        let is_refused = refused.is_some();
        if let Some(error) = refused {
            tracing::warn!(%error, "what found no queue can't be sent again yet");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = env.stop.cancelled() => return,
        }
        if is_refused {
            // Not acknowledged: it comes again with the next consumer.
            return;
        }
    }
}

/// To where it was meant to go, or to the parked ones.
fn forward(message: &Incoming) -> Wire {
    let (exchange, key) = (&message.exchange, &message.routing_key);
    if is_bound(exchange, key) {
        return Wire {
            exchange: exchange.clone(),
            routing_key: key.clone(),
            properties: message.properties.clone(),
            body: message.body.clone(),
            mandatory: true,
        };
    }
    let read = amqp::read(UNROUTABLE, &message.properties, &message.body);
    let cause = format!("unroutable: no queue is bound to {exchange:?} for {key:?}");
    Wire {
        exchange: Exchange::Parked.name().to_owned(),
        routing_key: key.clone(),
        // As what could not be sent: a retry publishes it anew.
        properties: amqp::failed_properties(&read.envelope, OUTBOX_QUEUE, &cause, read.deferred),
        body: message.body.clone(),
        mandatory: true,
    }
}

/// Whether the topology has a queue for it.
fn is_bound(exchange: &str, key: &str) -> bool {
    if RetryTier::ALL
        .iter()
        .any(|tier| tier.exchange() == exchange)
    {
        return true;
    }
    match Exchange::ALL
        .into_iter()
        .find(|known| known.name() == exchange)
    {
        Some(Exchange::Return) => topology::queue(key).is_some(),
        Some(Exchange::Parked) => true,
        Some(topic @ (Exchange::Intake | Exchange::Commands | Exchange::Events)) => {
            topology::queues_of(topic, key).next().is_some()
        }
        // Put there by hand.
        Some(Exchange::Unroutable) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_topology_has_a_queue_for_goes_back_and_nothing_else() {
        assert!(is_bound("boxoffice.commands", "tickets.render.v1"));
        assert!(is_bound("boxoffice.return", "payments"));
        assert!(is_bound("boxoffice.retry.1m", "payments"));
        assert!(is_bound("boxoffice.parked", "anything"));
        assert!(!is_bound("boxoffice.commands", "nobody.binds.v1"));
        assert!(!is_bound("boxoffice.return", "nowhere"));
        assert!(!is_bound("boxoffice.unroutable", "tickets.render.v1"));
        assert!(!is_bound("", "tickets"));
    }
}
