//! Statuses that were read a moment ago. Who waits for a booking asks for it every second or two, and mostly nothing has
//! happened: then what was read the last time is told again, until the broker's events say that there is more.
//!
//! Right without any event, too: nothing is told for longer than [`TOLD_MAX`] after the database said that it is the
//! present version, as late as lost news is noticed elsewhere, and the answer says how old it is. What somebody asks for is
//! asked about again before that, many in one statement; a version says everything, as each decision raises it. While no
//! events arrive nothing is told at all, nor is a hold whose time is up: its seats may be another's.

use boxoffice_contracts::{BookingId, Instant as Date};
use boxoffice_store::mysql::status::{Reach, WholeStatus};
use moka::{ops::compute::Op, sync::Cache};
use std::{
    cmp::Ordering,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

#[derive(Clone)]
struct Kept {
    found: Arc<WholeStatus>,
    read_at: Instant,
    /// When it was the present version: what was heard after that may not be in it.
    asked_at: Instant,
    /// Whether anybody was told since.
    told: Arc<AtomicBool>,
}

/// Statuses by booking, and when something was heard of each.
#[derive(Clone)]
pub(crate) struct KeptStatuses {
    kept: Cache<BookingId, Kept>,
    heard: Cache<BookingId, Instant>,
    /// Since when every event is heard; none while they are not.
    hears_since: Arc<RwLock<Option<Instant>>>,
}

/// What is told again.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub found: Arc<WholeStatus>,
    /// Since the database said that it is the present version.
    pub age: Duration,
}

/// As old as a status may be whose event was lost.
const TOLD_MAX: Duration = Duration::from_secs(5);
/// Long enough that it is asked about again.
const KEPT_MAX: Duration = Duration::from_secs(15);
/// What no version tells of, such as the words of a hall, is as old as that at most.
const READ_MAX: Duration = Duration::from_secs(60);
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
                .weigher(|_, kept: &Kept| lines(&kept.found))
                .time_to_live(KEPT_MAX)
                .build(),
            heard: Cache::builder()
                .max_capacity(HEARD_MAX)
                .time_to_live(HEARD_KEPT)
                .build(),
            hears_since: Arc::default(),
        }
    }

    /// What is known of the caller's own booking. Of those of others the database is asked who may see them.
    pub(crate) fn find(&self, id: BookingId, reach: &Reach, now: Date) -> Option<Told> {
        let Reach::Owned(owner) = reach else {
            return None;
        };
        let kept = self.kept.get(&id)?;
        let age = kept.asked_at.elapsed();
        let booking = &kept.found.booking;
        let is_told = self.is_newest(id, &kept)
            && age < TOLD_MAX
            && booking.hold_expires_at.is_none_or(|until| now < until)
            && booking.owner == *owner;
        is_told.then(|| {
            kept.told.store(true, Relaxed);
            let found = kept.found;
            Told { found, age }
        })
    }

    /// Keeps what was asked for then.
    pub(crate) fn keep(&self, asked_at: Instant, found: &Arc<WholeStatus>) {
        let kept = Kept {
            found: Arc::clone(found),
            read_at: asked_at,
            asked_at,
            told: Arc::default(),
        };
        self.kept.insert(found.booking.id, kept);
    }

    /// Those that somebody asked for since they were asked about the last time.
    pub(crate) fn wanted(&self) -> Vec<BookingId> {
        let wanted = self.kept.iter().filter(|(id, kept)| {
            kept.told.load(Relaxed)
                && self.is_newest(**id, kept)
                && kept.read_at.elapsed() < READ_MAX
        });
        wanted.map(|(id, _)| *id).collect()
    }

    /// The booking's version when it was asked for then. If it is the one that is kept, that may be told for longer; if it is
    /// a later one, no longer.
    pub(crate) fn confirm(&self, id: BookingId, version: u32, asked_at: Instant) {
        self.kept.entry(id).and_compute_with(|entry| {
            let Some(kept) = entry.map(moka::Entry::into_value) else {
                return Op::Nop;
            };
            match version.cmp(&kept.found.booking.version) {
                Ordering::Greater => Op::Remove,
                Ordering::Equal if kept.asked_at < asked_at => Op::Put(Kept {
                    asked_at,
                    told: Arc::default(),
                    ..kept
                }),
                Ordering::Equal | Ordering::Less => Op::Nop,
            }
        });
    }

    /// Whether all that has happened since it was asked for would have been heard, and nothing was.
    fn is_newest(&self, id: BookingId, kept: &Kept) -> bool {
        let hears_since = *self
            .hears_since
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        hears_since.is_some_and(|since| since <= kept.asked_at)
            && self.heard.get(&id).is_none_or(|at| at < kept.asked_at)
    }

    /// Something has happened to the booking.
    pub(crate) fn heard(&self, id: BookingId) {
        self.heard.insert(id, Instant::now());
    }

    /// From now on anything may happen to any of them.
    pub(crate) fn hears_nothing(&self) {
        self.hear_since(None);
    }

    /// From now on what happens is heard; what happened before may not have been.
    pub(crate) fn hears_again(&self) {
        self.hear_since(Some(Instant::now()));
    }

    fn hear_since(&self, since: Option<Instant>) {
        *self
            .hears_since
            .write()
            .unwrap_or_else(PoisonError::into_inner) = since;
    }
}

fn lines(found: &WholeStatus) -> u32 {
    let lines = 1 + found.positions.len() + found.operations.len();
    u32::try_from(lines).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
