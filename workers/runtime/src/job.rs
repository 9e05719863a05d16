//! One delivery, decoded.

use boxoffice_contracts::{Envelope, MessageId};

/// A message in the hands of a worker.
#[derive(Debug, Clone)]
pub struct Job<M> {
    pub message: M,
    pub envelope: Envelope,
    /// Name of the queue that it was delivered from.
    pub queue: &'static str,
    /// Somebody may have handled it before, wholly or in part: delivered again, tried again, or sent back by a person.
    pub again: bool,
}

impl<M> Job<M> {
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.envelope.message_id
    }
}
