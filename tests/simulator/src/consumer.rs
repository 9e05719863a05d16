//! Consumers, and the acks of what they were handed.

use crate::{
    Planted,
    broker::{Message, Unacked},
    sim::{Port, State, short},
};
use boxoffice_contracts::topology::Queue;
use boxoffice_runtime::simulation::{Acker, Delivered, Hand, Window, suspect};
use futures::future::BoxFuture;
use std::{collections::VecDeque, sync::Arc};

/// Deliveries in hand of one consumer.
const PREFETCH: usize = 20;

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
