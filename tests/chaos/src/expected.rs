//! Messages that were sent in bad faith: each must wait for a person, and nothing else may.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use uuid::Uuid;

/// By message id, the queue that it was put into.
#[derive(Debug, Default)]
pub struct Expected(Mutex<BTreeMap<Uuid, &'static str>>);

impl Expected {
    /// Before it is sent: it may be parked before the sender knows that it arrived.
    pub fn add(&self, id: Uuid, queue: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, queue);
    }

    #[must_use]
    pub fn all(&self) -> BTreeMap<Uuid, &'static str> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
