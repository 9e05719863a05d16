//! How often a worker begins a transaction: what arrives meanwhile shares it.
//!
//! A transaction costs the database, the broker and us about as much for ten messages as for one. A worker that has been
//! idle begins at once; one that is busy begins at most once in its pace, unless there is a whole batch. For what nobody waits for
//! it waits longer: see [`crate::hand::Hand`].

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Of one worker.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) const fn new(every: Duration) -> Self {
        Self {
            every,
            last: Mutex::new(None),
        }
    }

    /// Until when more may be waited for.
    pub(crate) fn due(&self) -> Option<Instant> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|last| last + self.every)
    }

    /// A transaction begins now.
    pub(crate) fn begin(&self, now: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_idle_begins_at_once_and_saves_nothing_up() {
        const EVERY: Duration = Duration::from_millis(10);
        let (pace, begun) = (Pace::new(EVERY), Instant::now());
        assert_eq!(pace.due(), None);
        pace.begin(begun);
        assert_eq!(pace.due(), Some(begun + EVERY));
        // Counted from the last begin: a second without work does not make a hundred begins in a row.
        let later = begun + Duration::from_secs(1);
        pace.begin(later);
        assert_eq!(pace.due(), Some(later + EVERY));
    }
}
