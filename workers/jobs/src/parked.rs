//! The parked worker: files what could not be decoded, could not be parked in its own transaction, or was
//! dead-lettered by the broker.
//!
//! It is the one worker whose messages have no kind that anybody vouches for and no body that must decode, so
//! it sees deliveries as they came: the runtime reads them (`filing.rs`) and this is its line in the registry.

use boxoffice_runtime::Workers;

/// Adds the worker that files parked messages, under the name of its queue.
///
/// Safe to run twice: a row is keyed by the queue in which the message failed and its id (or that of its
/// content, where it has none), and the message is acknowledged only when its row has committed.
#[must_use]
pub fn register(workers: Workers) -> Workers {
    workers.file_parked()
}
