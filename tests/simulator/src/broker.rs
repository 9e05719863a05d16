//! A broker in memory: queues, confirms, redelivery with a count, waits of a fixed time, and what goes wrong with them.

use crate::{
    Planted,
    sim::{Port, Sim, State, short},
};
use boxoffice_contracts::{
    MessageId,
    topology::{
        Exchange, MAIL, PAYMENTS, Queue, RESERVATIONS, RESERVATIONS_SUBMIT, RetryTier, TICKETS,
    },
};
use boxoffice_runtime::{PublishError, Wire, simulation::Publish};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;

/// Queues that somebody is simulated for.
const QUEUES: [&Queue; 5] = [
    &RESERVATIONS,
    &RESERVATIONS_SUBMIT,
    &PAYMENTS,
    &TICKETS,
    &MAIL,
];

#[derive(Debug, Default)]
pub struct Broker {
    pub(crate) queues: BTreeMap<&'static str, VecDeque<Message>>,
    pub(crate) unacked: Vec<Unacked>,
    /// By the queue that they come back to.
    waiting: Vec<(String, Message)>,
    pub(crate) tags: BTreeMap<(usize, u32, &'static str), u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) wire: Arc<Wire>,
    pub(crate) deliveries: u32,
}

#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) process: usize,
    pub(crate) queue: &'static str,
    pub(crate) tag: u64,
    pub(crate) message: Message,
}

impl Broker {
    /// What this process had in hand is there again, in its order, before all others.
    pub fn give_back(&mut self, process: usize, lost: bool) {
        let (own, others) = std::mem::take(&mut self.unacked)
            .into_iter()
            .partition::<Vec<_>, _>(|each| each.process == process);
        self.unacked = others;
        for each in own.into_iter().rev().filter(|_| !lost) {
            let mut message = each.message;
            message.deliveries += 1;
            self.queues
                .entry(each.queue)
                .or_default()
                .push_front(message);
        }
    }

    /// Whether a copy of the message is anywhere here.
    #[must_use]
    pub fn has(&self, id: MessageId) -> bool {
        self.queues
            .values()
            .flatten()
            .any(|message| message.id == id)
            || self.unacked.iter().any(|each| each.message.id == id)
            || self.waiting.iter().any(|(_, message)| message.id == id)
    }

    /// A queue in which something is, if any.
    #[must_use]
    pub fn busy(&self) -> Option<&str> {
        let queued = self
            .queues
            .iter()
            .find(|(name, queue)| **name != "parked" && !queue.is_empty());
        queued
            .map(|(name, _)| *name)
            .or_else(|| self.unacked.first().map(|each| each.queue))
            .or_else(|| self.waiting.first().map(|(queue, _)| queue.as_str()))
    }

    pub fn parked(&self) -> impl Iterator<Item = MessageId> {
        self.queues
            .get("parked")
            .into_iter()
            .flatten()
            .map(|message| message.id)
    }
}

fn route(exchange: &str, key: &str) -> Option<&'static str> {
    if exchange == Exchange::Parked.name() {
        return Some("parked");
    }
    let bound = |queue: &&&Queue| {
        let mut bindings = queue.bindings.iter();
        bindings.any(|b| b.exchange.name() == exchange && b.pattern == key)
    };
    let to = |queue: &&&Queue| exchange == Exchange::Return.name() && queue.name == key;
    let found = QUEUES.iter().find(|queue| bound(queue) || to(queue));
    found.map(|queue| queue.name)
}

impl Sim {
    /// Takes a message in.
    pub fn arrive(self: &Arc<Self>, state: &mut State, wire: &Wire) {
        let id = wire.properties.message_id().as_ref();
        let id = id
            .and_then(|id| id.as_str().parse().ok())
            .unwrap_or(MessageId(uuid::Uuid::nil()));
        state.ledger.arrived.insert(id);
        let message = Message {
            id,
            wire: Arc::new(wire.clone()),
            deliveries: 0,
        };
        if let Some(tier) = RetryTier::ALL
            .into_iter()
            .find(|t| t.exchange() == wire.exchange)
        {
            let queue = wire.routing_key.clone();
            state.broker.waiting.push((queue.clone(), message));
            let sim = Arc::clone(self);
            tokio::spawn(async move {
                sleep(tier.delay()).await;
                sim.returns(id, &queue);
            });
        } else if let Some(queue) = route(&wire.exchange, &wire.routing_key) {
            let copies = if state.fault(40) { 2 } else { 1 };
            for _ in 0..copies {
                let there = state.broker.queues.get(queue).map_or(0, VecDeque::len) as u64;
                // A requeue or another consumer brings messages out of their order.
                let back = if state.fault(10) {
                    state.chance.below(there + 1)
                } else {
                    0
                };
                let at = (there - back) as usize;
                state
                    .broker
                    .queues
                    .entry(queue)
                    .or_default()
                    .insert(at, message.clone());
            }
            self.arrived.notify_waiters();
        } else if wire.exchange != Exchange::Events.name() {
            state.broke(format!(
                "no queue is bound for {} {}",
                wire.exchange, wire.routing_key
            ));
        }
    }

    fn returns(&self, id: MessageId, queue: &str) {
        let mut state = self.state();
        let place = state
            .broker
            .waiting
            .iter()
            .position(|(to, m)| m.id == id && to == queue);
        if let (Some(place), Some(queue)) = (place, route(Exchange::Return.name(), queue)) {
            let (_, message) = state.broker.waiting.remove(place);
            state.note("broker", "comes back from its wait", short(id));
            state
                .broker
                .queues
                .entry(queue)
                .or_default()
                .push_back(message);
            self.arrived.notify_waiters();
        }
    }

    /// What becomes of messages on their way to the broker; one answer each.
    pub fn publish(
        self: &Arc<Self>,
        wires: &[Wire],
        process: Option<usize>,
    ) -> Vec<Result<(), PublishError>> {
        let mut state = self.state();
        let mut results = Vec::with_capacity(wires.len());
        if state.fault(60) {
            state.note("broker", "takes nothing", wires.len() as u64);
            return vec![Err(PublishError::Blocked); wires.len()];
        }
        for wire in wires {
            if results.last().is_some_and(Result::is_err) && state.chance.one_in(2) {
                results.push(Err(PublishError::Down));
                continue;
            }
            let result = match state.chance.below(3) {
                _ if !state.fault(30) => {
                    self.arrive(&mut state, wire);
                    Ok(())
                }
                0 => {
                    self.arrive(&mut state, wire);
                    Err(PublishError::TimedOut)
                }
                1 => Err(PublishError::Refused),
                _ => Err(PublishError::Failed("channel closed".to_owned())),
            };
            if result.is_err() {
                state.note("broker", "no confirm", 0);
            }
            results.push(result);
            if let Some(process) = process
                && state.fault(300)
            {
                // Part of it is out.
                self.crash(&mut state, process);
                break;
            }
        }
        results.resize(wires.len(), Err(PublishError::Down));
        if state.settings.is(Planted::SilenceConfirms) {
            results.fill(Ok(()));
        }
        results
    }
}

/// A publisher of one process.
#[derive(Debug)]
pub struct SimPublisher(pub Port);

impl Publish for SimPublisher {
    async fn publish(&self, messages: &[Wire]) -> Vec<Result<(), PublishError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        self.0.step("publishes", messages.len() as u64).await;
        for wire in messages {
            let id = wire.properties.message_id().as_ref();
            let id: Option<MessageId> = id.and_then(|id| id.as_str().parse().ok());
            let mut state = self.0.sim.state();
            if wire.exchange == Exchange::Commands.name()
                && id.is_some_and(|id| !state.ledger.written.contains(&id))
            {
                state.broke("nothing is published that was not committed");
            }
        }
        let results = self.0.sim.publish(messages, Some(self.0.process));
        self.0.step("hears of its confirms", 0).await;
        results
    }

    fn jitter(&self, ceiling: Duration) -> Duration {
        self.0
            .sim
            .state()
            .chance
            .millis(0, ceiling.as_millis() as u64)
    }
}
