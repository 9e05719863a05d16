//! What the broker is asked for: the table as exchanges, queues with their arguments, and bindings.
//!
//! The declaration over AMQP, the definitions file and the comparison with released contracts read this,
//! so that they can't tell different stories.

use super::{DELIVERY_LIMIT, Exchange, ExchangeType, QUEUES, Queue, RetryTier, UNROUTABLE};
use std::time::Duration;

/// Value of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Argument {
    Text(&'static str),
    Number(u64),
}

const LENGTH_MAX: &str = "x-max-length";

/// Name and value, in the order of their names.
pub type Arguments = Vec<(&'static str, Argument)>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredExchange {
    pub name: &'static str,
    pub kind: ExchangeType,
    pub arguments: Arguments,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredQueue {
    pub name: &'static str,
    pub arguments: Arguments,
    /// Needed by every worker: where failed messages wait, and where lost ones are caught.
    pub for_all: bool,
}

impl DeclaredQueue {
    /// Takes at most so many messages; publishers of more are refused.
    pub fn bound(&mut self, length_max: u32) {
        let arguments = self.arguments.iter_mut();
        for (_, value) in arguments.filter(|(name, _)| *name == LENGTH_MAX) {
            *value = Argument::Number(length_max.into());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeclaredBinding {
    pub exchange: &'static str,
    pub queue: &'static str,
    pub key: &'static str,
}

/// Every exchange; all are durable.
#[must_use]
pub fn exchanges() -> Vec<DeclaredExchange> {
    let named = Exchange::ALL.iter().map(|exchange| DeclaredExchange {
        name: exchange.name(),
        kind: exchange.kind(),
        arguments: if exchange.has_alternate() {
            alternate()
        } else {
            Vec::new()
        },
    });
    let waits = RetryTier::ALL.iter().map(|tier| DeclaredExchange {
        name: tier.exchange(),
        kind: ExchangeType::Fanout,
        arguments: alternate(),
    });
    named.chain(waits).collect()
}

fn alternate() -> Arguments {
    vec![(
        "alternate-exchange",
        Argument::Text(Exchange::Unroutable.name()),
    )]
}

/// Every queue; all are durable. `delay` is how long a tier waits: [`RetryTier::delay`], unless a test is
/// in a hurry.
#[must_use]
pub fn queues(delay: impl Fn(RetryTier) -> Duration) -> Vec<DeclaredQueue> {
    let mut all: Vec<DeclaredQueue> = QUEUES.iter().map(of_worker).collect();
    for tier in RetryTier::ALL {
        let millis = u64::try_from(delay(tier).as_millis()).unwrap_or(u64::MAX);
        let mut arguments = dead_lettering(Exchange::Return.name());
        // Per queue: the broker lets a message's own TTL lapse only at the head of its queue.
        arguments.push(("x-message-ttl", Argument::Number(millis)));
        all.push(DeclaredQueue {
            name: tier.queue(),
            arguments,
            for_all: true,
        });
    }
    all.push(DeclaredQueue {
        name: UNROUTABLE,
        arguments: vec![("x-queue-type", Argument::Text("quorum"))],
        for_all: true,
    });
    for queue in &mut all {
        queue.arguments.sort_by_key(|(name, _)| *name);
    }
    all
}

fn of_worker(queue: &Queue) -> DeclaredQueue {
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
    arguments.push(("x-delivery-limit", Argument::Number(DELIVERY_LIMIT.into())));
    if let Some(length) = queue.length_max {
        arguments.push((LENGTH_MAX, Argument::Number(length.into())));
    }
    DeclaredQueue {
        name: queue.name,
        arguments,
        for_all: false,
    }
}

/// At-least-once dead-lettering. It exists on quorum queues only, and only with `reject-publish`; otherwise
/// the broker falls back to at-most-once without a word.
fn dead_lettering(exchange: &'static str) -> Arguments {
    vec![
        ("x-queue-type", Argument::Text("quorum")),
        ("x-overflow", Argument::Text("reject-publish")),
        ("x-dead-letter-exchange", Argument::Text(exchange)),
        ("x-dead-letter-strategy", Argument::Text("at-least-once")),
    ]
}

/// Every binding from an exchange to a queue.
#[must_use]
pub fn bindings() -> Vec<DeclaredBinding> {
    let bind = |exchange, queue, key| DeclaredBinding {
        exchange,
        queue,
        key,
    };
    let mut all = Vec::new();
    for queue in QUEUES {
        for binding in queue.bindings {
            all.push(bind(binding.exchange.name(), queue.name, binding.pattern));
        }
        // Back from a wait, by its own name.
        all.push(bind(Exchange::Return.name(), queue.name, queue.name));
    }
    for tier in RetryTier::ALL {
        all.push(bind(tier.exchange(), tier.queue(), ""));
    }
    all.push(bind(Exchange::Unroutable.name(), UNROUTABLE, ""));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// At-least-once dead-lettering needs all three together; the broker says nothing when one lacks.
    #[test]
    fn what_dead_letters_does_so_at_least_once() {
        for queue in queues(RetryTier::delay) {
            let get = |name: &str| {
                let found = queue.arguments.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| *value)
            };
            assert_eq!(get("x-queue-type"), Some(Argument::Text("quorum")));
            if get("x-dead-letter-exchange").is_some() {
                assert_eq!(get("x-overflow"), Some(Argument::Text("reject-publish")));
                let strategy = get("x-dead-letter-strategy");
                assert_eq!(strategy, Some(Argument::Text("at-least-once")));
            }
        }
    }

    #[test]
    fn bindings_join_what_is_declared() {
        let exchanges: BTreeSet<_> = exchanges().iter().map(|e| e.name).collect();
        let queues: BTreeSet<_> = queues(RetryTier::delay).iter().map(|q| q.name).collect();
        for binding in bindings() {
            assert!(exchanges.contains(binding.exchange), "{binding:?}");
            assert!(queues.contains(binding.queue), "{binding:?}");
        }
        assert!(
            queues
                .iter()
                .all(|queue| bindings().iter().any(|b| b.queue == *queue))
        );
    }
}
