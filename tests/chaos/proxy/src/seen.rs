//! What a proxy saw, for those who must not assume.

use crate::mode::Flow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Since the proxy started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Accepted, whatever became of them.
    pub connections: u64,
    /// Forwarded from clients to the server.
    pub bytes_up: u64,
    /// Forwarded from the server to clients.
    pub bytes_down: u64,
    /// Bytes that a mode or a hold kept back for a while, counted when they began to wait.
    pub bytes_held: u64,
    /// Bytes that were swallowed: dropped messages and lost answers.
    pub bytes_swallowed: u64,
    /// Connections that the proxy itself reset or half-closed.
    pub cut: u64,
    /// Messages to which a rule did something.
    pub hits: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) swallowed: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) hits: AtomicU64,
}

impl Counters {
    pub(crate) fn forwarded(&self, flow: Flow, bytes: usize) {
        let counter = if flow == Flow::Up {
            &self.up
        } else {
            &self.down
        };
        counter.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn read(&self) -> Seen {
        Seen {
            connections: self.connections.load(Relaxed),
            bytes_up: self.up.load(Relaxed),
            bytes_down: self.down.load(Relaxed),
            bytes_held: self.held.load(Relaxed),
            bytes_swallowed: self.swallowed.load(Relaxed),
            cut: self.cut.load(Relaxed),
            hits: self.hits.load(Relaxed),
        }
    }
}
