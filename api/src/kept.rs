//! Statuses that were read a moment ago. Who waits for a booking asks for it every second or two, and mostly nothing has
//! happened: then what was read the last time is told again, until the broker's events say that there is more.
//!
//! Right without any event, too: nothing is kept longer than [`KEPT_MAX`], as late as lost news is noticed elsewhere.

use boxoffice_contracts::BookingId;
use boxoffice_store::mysql::status::{BookingStatus, OperationStatus, PositionStatus, Reach};
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What is read of a booking.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) row: BookingStatus,
    pub(crate) positions: Vec<PositionStatus>,
    pub(crate) operations: Vec<OperationStatus>,
}

#[derive(Clone)]
struct Kept {
    found: Arc<Found>,
    /// When it was asked for: what was heard after that may not be in it.
    asked_at: Instant,
}

/// Statuses by booking, and when something was heard of each.
#[derive(Clone)]
pub(crate) struct KeptStatuses {
    kept: Cache<BookingId, Kept>,
    heard: Cache<BookingId, Instant>,
}

/// As old as a status may be whose event was lost.
const KEPT_MAX: Duration = Duration::from_secs(5);
/// Longer than a status is kept, with the longest time that reading it may take.
const HEARD_KEPT: Duration = Duration::from_secs(30);
/// Bookings, positions and commands that are kept: 20 MB.
const LINES_MAX: u64 = 100_000;
const HEARD_MAX: u64 = 100_000;

impl KeptStatuses {
    pub(crate) fn new() -> Self {
        Self {
            kept: Cache::builder()
                .max_capacity(LINES_MAX)
                .weigher(|_, kept: &Kept| kept.found.lines())
                .time_to_live(KEPT_MAX)
                .build(),
            heard: Cache::builder()
                .max_capacity(HEARD_MAX)
                .time_to_live(HEARD_KEPT)
                .build(),
        }
    }

    /// What is known of the caller's own booking. Of those of others the database is asked who may see them.
    pub(crate) fn find(&self, id: BookingId, reach: &Reach) -> Option<Arc<Found>> {
        let Reach::Owned(owner) = reach else {
            return None;
        };
        let kept = self.kept.get(&id)?;
        let is_newest = self.heard.get(&id).is_none_or(|at| at < kept.asked_at);
        (is_newest && kept.found.row.owner == *owner).then_some(kept.found)
    }

    /// Keeps what was asked for then.
    pub(crate) fn keep(&self, asked_at: Instant, found: &Arc<Found>) {
        let found = Arc::clone(found);
        let id = found.row.id;
        self.kept.insert(id, Kept { found, asked_at });
    }

    /// Something has happened to the booking.
    pub(crate) fn heard(&self, id: BookingId) {
        self.heard.insert(id, Instant::now());
    }

    /// Something may have happened to any of them.
    pub(crate) fn forget_all(&self) {
        self.kept.invalidate_all();
    }
}

impl Found {
    fn lines(&self) -> u32 {
        let lines = 1 + self.positions.len() + self.operations.len();
        u32::try_from(lines).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
