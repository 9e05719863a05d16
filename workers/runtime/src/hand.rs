//! The messages in hand of one worker: delivered, not yet settled.

use crate::{
    amqp::{self, Read},
    clock,
    tally::{Mark, Tally},
    window::Ticket,
};
use boxoffice_contracts::{
    Instant, MessageId,
    topology::{Queue, SUSPECT_DELIVERIES},
};
use lapin::BasicProperties;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::{
    sync::Notify,
    time::{self, timeout_at},
};

/// A delivery, read as far as it could be.
#[derive(Debug)]
pub struct Delivered {
    pub(crate) queue: &'static Queue,
    /// Which of the worker's queues.
    pub(crate) slot: usize,
    pub read: Read,
    pub body: Vec<u8>,
    /// It may have killed its worker before: handled with no neighbour.
    pub alone: bool,
    pub(crate) ticket: Ticket,
    /// Counts it as in hand.
    pub(crate) mark: Mark,
    /// When its handling began.
    pub(crate) began: OnceLock<Instant>,
}

/// Whether a message must be handled with no neighbour.
#[must_use]
pub fn suspect(delivered: &Delivered) -> bool {
    delivered.read.alone || delivered.read.deliveries >= SUSPECT_DELIVERIES
}

impl Delivered {
    /// Reads what came from `queue`, and counts it as in hand.
    #[must_use]
    pub fn new(
        queue: &'static Queue,
        slot: usize,
        tally: &Arc<Tally>,
        properties: &BasicProperties,
        body: Vec<u8>,
        ticket: Ticket,
    ) -> Self {
        let read = amqp::read(queue.name, properties, &body);
        Self {
            queue,
            slot,
            mark: tally.take(&read.envelope, read.deferred),
            read,
            body,
            alone: false,
            ticket,
            began: OnceLock::new(),
        }
    }

    #[must_use]
    pub fn id(&self) -> MessageId {
        self.read.envelope.message_id
    }

    #[must_use]
    pub fn key(&self) -> (&'static str, MessageId) {
        (self.queue.name, self.id())
    }

    /// When its handling began: at the first time that somebody asks.
    pub(crate) fn began(&self) -> Instant {
        *self.began.get_or_init(clock::now)
    }

    /// Whether it still is ours to settle.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.ticket.usable()
    }
}

/// What the readers put in and the engine takes out, one slot per queue in the order of preference.
#[derive(Debug)]
pub struct Hand {
    slots: Vec<Mutex<VecDeque<Arc<Delivered>>>>,
    tallies: Vec<Arc<Tally>>,
    arrived: Notify,
}

impl Hand {
    #[must_use]
    pub fn new(queues: usize) -> Arc<Self> {
        Arc::new(Self {
            slots: (0..queues).map(|_| Mutex::default()).collect(),
            tallies: (0..queues).map(|_| Arc::default()).collect(),
            arrived: Notify::new(),
        })
    }

    /// Counts of each slot.
    #[must_use]
    pub fn tallies(&self) -> &[Arc<Tally>] {
        &self.tallies
    }

    /// Counts of a slot; a role without queues has none.
    pub(crate) fn tally(&self, slot: usize) -> Option<Arc<Tally>> {
        self.tallies.get(slot).map(Arc::clone)
    }

    /// A message that was delivered.
    pub fn put(&self, delivered: Delivered) {
        self.slot(delivered.slot).push_back(Arc::new(delivered));
        self.arrived.notify_one();
    }

    /// Puts messages back to be taken next.
    pub(crate) fn put_back(&self, messages: Vec<Arc<Delivered>>) {
        for message in messages.into_iter().rev() {
            self.slot(message.slot).push_front(message);
        }
        self.arrived.notify_one();
    }

    /// What is there, at most `max`; the first queue's before the second's. Empty if there is nothing.
    ///
    /// A suspect comes alone, and a message never comes twice in a batch.
    pub(crate) fn take_ready(&self, max: usize) -> Vec<Arc<Delivered>> {
        let (mut batch, mut keys) = (Vec::new(), HashSet::new());
        for slot in 0..self.slots.len() {
            let mut waiting = self.slot(slot);
            while batch.len() < max
                && let Some(next) = waiting.front()
            {
                if !next.usable() {
                    waiting.pop_front();
                    continue;
                }
                if (next.alone && !batch.is_empty()) || !keys.insert(next.key()) {
                    return batch;
                }
                let alone = next.alone;
                batch.extend(waiting.pop_front());
                if alone {
                    return batch;
                }
            }
        }
        batch
    }

    /// Waits until there is something, and then until there is a whole batch or it is time. Nobody joins a suspect, so
    /// it is not kept waiting.
    pub(crate) async fn gather(&self, max: usize, until: Option<time::Instant>) {
        loop {
            let (mut waiting, mut alone) = (0, false);
            for slot in 0..self.slots.len() {
                let messages = self.slot(slot);
                waiting += messages.len();
                alone |= messages.front().is_some_and(|first| first.alone);
            }
            let late = until.is_none_or(|until| until <= time::Instant::now());
            if waiting >= max || alone || (waiting > 0 && late) {
                return;
            }
            let arrived = self.arrived.notified();
            match until.filter(|_| waiting > 0) {
                Some(until) => _ = timeout_at(until, arrived).await,
                None => arrived.await,
            }
        }
    }

    /// As [`Self::take_ready`], waiting until there is something.
    pub async fn take(&self, max: usize) -> Vec<Arc<Delivered>> {
        loop {
            let batch = self.take_ready(max);
            if !batch.is_empty() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }

    /// Lets go of everything that waits.
    pub(crate) fn clear(&self) {
        for slot in 0..self.slots.len() {
            self.slot(slot).clear();
        }
    }

    fn slot(&self, slot: usize) -> std::sync::MutexGuard<'_, VecDeque<Arc<Delivered>>> {
        self.slots[slot]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
