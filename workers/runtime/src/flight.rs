//! Messages that are under way through a [`crate::Call`], each once.
//!
//! The inbox row comes only with the answer, so until then it can't tell a second delivery of a message from
//! a first: without this the outside would be called twice side by side.

use crate::{
    hand::{Delivered, Hand},
    inbox::Key,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OwnedSemaphorePermit;

/// Which messages are under way, and which deliveries wait for one of them to end.
#[derive(Debug)]
pub(crate) struct Flights {
    hand: Arc<Hand>,
    waiting: Mutex<HashMap<Key, Vec<Arc<Delivered>>>>,
}

/// One message under way. When it ends, further deliveries of it are taken again.
#[derive(Debug)]
pub(crate) struct Flight {
    key: Key,
    flights: Arc<Flights>,
    /// Bounds how many there are.
    _permit: OwnedSemaphorePermit,
}

impl Flights {
    pub(crate) fn new(hand: &Arc<Hand>) -> Arc<Self> {
        Arc::new(Self {
            hand: Arc::clone(hand),
            waiting: Mutex::default(),
        })
    }

    /// Messages that are under way.
    pub(crate) fn len(&self) -> usize {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.len()
    }

    /// Begins a message; `None` when it is under way already and this delivery has to wait.
    pub(crate) fn begin(
        self: &Arc<Self>,
        delivered: &Arc<Delivered>,
        permit: OwnedSemaphorePermit,
    ) -> Option<Flight> {
        let key = delivered.key();
        delivered.began();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(others) = waiting.get_mut(&key) {
            others.push(Arc::clone(delivered));
            return None;
        }
        waiting.insert(key, Vec::new());
        drop(waiting);
        Some(Flight {
            key,
            flights: Arc::clone(self),
            _permit: permit,
        })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut waiting = self
            .flights
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let others = waiting.remove(&self.key).unwrap_or_default();
        drop(waiting);
        if !others.is_empty() {
            self.flights.hand.put_back(others);
        }
    }
}
