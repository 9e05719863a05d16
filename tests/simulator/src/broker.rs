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
use boxoffice_runtime::{
    PublishError, Wire,
    simulation::{Acker, Delivered, Hand, Publish, Window, suspect},
};
use futures::future::BoxFuture;
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

/// Deliveries in hand of one consumer.
const PREFETCH: usize = 20;

#[derive(Debug, Default)]
pub struct Broker {
    queues: BTreeMap<&'static str, VecDeque<Message>>,
    unacked: Vec<Unacked>,
    /// By the queue that they come back to.
    waiting: Vec<(String, Message)>,
    tags: BTreeMap<(usize, u32, &'static str), u64>,
}

#[derive(Debug, Clone)]
struct Message {
    id: MessageId,
    wire: Arc<Wire>,
    deliveries: u32,
}

#[derive(Debug)]
struct Unacked {
    process: usize,
    queue: &'static str,
    tag: u64,
    message: Message,
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

/// One queue's consumer.
struct Consumer {
    port: Port,
    queue: &'static Queue,
    slot: usize,
    hand: Arc<Hand>,
    connection: u32,
    window: Arc<Window>,
}

/// Consumes a queue until the process ends.
pub async fn consume(port: Port, queue: &'static Queue, slot: usize, hand: Arc<Hand>) {
    let mut consumer = Consumer {
        queue,
        slot,
        hand,
        connection: u32::MAX,
        window: Window::new(queue.name, None),
        port,
    };
    loop {
        if !consumer.port.is_alive() {
            return;
        }
        if consumer.room() > 0 && consumer.is_something_there() {
            consumer.port.step("looks into a queue", slot as u64).await;
            consumer.hand_out();
        } else {
            // Nothing runs between the look and this wait: what arrives meanwhile is not missed.
            consumer.port.sim.arrived.notified().await;
        }
    }
}

impl Consumer {
    fn is_something_there(&self) -> bool {
        let state = self.port.sim.state();
        let queue = state.broker.queues.get(self.queue.name);
        queue.is_some_and(|queue| !queue.is_empty())
    }

    /// How many more it may have in hand.
    fn room(&self) -> usize {
        let (process, queue) = (self.port.process, self.queue.name);
        let state = self.port.sim.state();
        let own = |each: &&Unacked| each.process == process && each.queue == queue;
        PREFETCH.saturating_sub(state.broker.unacked.iter().filter(own).count())
    }

    /// Takes what is there and may be taken.
    fn hand_out(&mut self) {
        let room = self.room();
        let (process, queue) = (self.port.process, self.queue.name);
        let mut state = self.port.sim.state();
        if state.connections[process] != self.connection {
            self.connection = state.connections[process];
            self.window = Window::new(queue, None);
        }
        let room = room.min(1 + state.chance.below(8) as usize);
        let mut taken = 0;
        while taken < room
            && let Some(message) = state
                .broker
                .queues
                .get_mut(queue)
                .and_then(VecDeque::pop_front)
        {
            taken += 1;
            let delivered = self.deliver(&mut state, &message);
            if state.settings.is(Planted::AckOnDelivery) {
                state.acknowledged(queue, message.id);
            } else {
                let tag = state
                    .broker
                    .tags
                    .get(&(process, self.connection, queue))
                    .copied();
                state.broker.unacked.push(Unacked {
                    process,
                    queue,
                    tag: tag.unwrap_or_default(),
                    message,
                });
            }
            self.hand.put(delivered);
        }
        if state.fault(120) {
            self.port.sim.cut(&mut state, process);
        }
    }

    fn deliver(&self, state: &mut State, message: &Message) -> Delivered {
        let key = (self.port.process, self.connection, self.queue.name);
        let tag = state.broker.tags.entry(key).or_default();
        *tag += 1;
        let tag = *tag;
        state.note(self.port.name(), "is handed", short(message.id));
        let acker = SimAcker {
            port: self.port.clone(),
            connection: self.connection,
            queue: self.queue.name,
            tag,
        };
        let tally = &self.hand.tallies()[self.slot];
        let (properties, body) = (&message.wire.properties, message.wire.body.clone());
        let ticket = self.window.ticket(tag, acker);
        let mut delivered = Delivered::new(self.queue, self.slot, tally, properties, body, ticket);
        delivered.read.deliveries = message.deliveries;
        delivered.alone = suspect(&delivered);
        delivered
    }
}

#[derive(Debug)]
struct SimAcker {
    port: Port,
    connection: u32,
    queue: &'static str,
    tag: u64,
}

impl Acker for SimAcker {
    fn ack(&self, multiple: bool) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            self.port.step("acknowledges", self.tag).await;
            let mut state = self.port.sim.state();
            let process = self.port.process;
            if state.connections[process] != self.connection {
                return false;
            }
            if state.fault(80) {
                // Written, and never read: nobody tells the worker.
                self.port.sim.cut(&mut state, process);
                return true;
            }
            let mine = |each: &Unacked| each.process == process && each.queue == self.queue;
            let meant = |each: &Unacked| {
                mine(each) && (each.tag == self.tag || (multiple && each.tag <= self.tag))
            };
            let (acked, rest) = std::mem::take(&mut state.broker.unacked)
                .into_iter()
                .partition::<Vec<_>, _>(meant);
            state.broker.unacked = rest;
            if acked.is_empty() && !state.settings.is(Planted::AckOnDelivery) {
                state.broke("an ack names a tag that the broker knows");
            }
            for each in acked {
                state.acknowledged(self.queue, each.message.id);
            }
            // There is room for more.
            self.port.sim.arrived.notify_waiters();
            true
        })
    }

    fn usable(&self) -> bool {
        let state = self.port.sim.state();
        state.connections[self.port.process] == self.connection
    }
}
