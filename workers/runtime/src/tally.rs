//! What a role has in hand of one queue, and how long what it finished took.

use crate::{clock, critical::Times};
use boxoffice_contracts::{Envelope, Instant};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Counts of one queue in one process.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    next: u64,
    /// By the instant that its age counts from.
    in_hand: BTreeSet<(Instant, u64)>,
    taken_at: Option<Instant>,
    handled: u64,
    minutes: BTreeMap<i64, Minute>,
}

/// What was finished within a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) handled: u64,
    pub(crate) times: Times,
    /// Not written since it changed.
    changed: bool,
}

/// A tally at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) in_hand: usize,
    pub(crate) handled: u64,
    /// Since when the oldest message in hand waits: from when it was sent, or, if it was tried or deferred
    /// before, from when it came back.
    pub(crate) oldest_at: Option<Instant>,
    /// When the newest message was sent that was ever taken: what is left in the queue is not older.
    pub(crate) taken_at: Option<Instant>,
}

/// One message in hand.
#[derive(Debug)]
pub(crate) struct Mark {
    tally: Arc<Tally>,
    key: (Instant, u64),
    /// When it was accepted; not known of what a person sent again.
    sent_at: Option<Instant>,
    done: AtomicBool,
}

impl Tally {
    /// A message that was delivered; in hand until its mark is dropped.
    pub(crate) fn take(self: &Arc<Self>, envelope: &Envelope, deferred: u32) -> Mark {
        let now = clock::now();
        let sent_at = envelope.sent_at.filter(|_| envelope.replay_of.is_none());
        // Clocks of two machines may differ a little.
        let first = sent_at.filter(|at| envelope.attempt == 0 && deferred == 0 && *at <= now);
        let mut counts = self.counts();
        let key = (first.unwrap_or(now), counts.next);
        counts.next += 1;
        counts.in_hand.insert(key);
        counts.taken_at = counts.taken_at.max(first);
        drop(counts);
        Mark {
            tally: Arc::clone(self),
            key,
            sent_at,
            done: AtomicBool::new(false),
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        let counts = self.counts();
        Standing {
            in_hand: counts.in_hand.len(),
            handled: counts.handled,
            oldest_at: counts.in_hand.first().map(|(at, _)| *at),
            taken_at: counts.taken_at,
        }
    }

    /// Minutes that changed since they were last asked for, by their number since 1970. Older ones than the
    /// last are forgotten when they have been told.
    pub(crate) fn minutes(&self) -> Vec<(i64, Minute)> {
        let mut counts = self.counts();
        let last = counts.minutes.keys().next_back().copied();
        let minutes = counts.minutes.iter_mut().filter_map(|(number, minute)| {
            std::mem::take(&mut minute.changed).then(|| (*number, minute.clone()))
        });
        let told = minutes.collect();
        counts.minutes.retain(|number, _| Some(*number) == last);
        told
    }

    /// These were not written after all.
    pub(crate) fn give_back(&self, untold: &[(i64, Minute)]) {
        let mut counts = self.counts();
        for (number, minute) in untold {
            let kept = counts
                .minutes
                .entry(*number)
                .or_insert_with(|| minute.clone());
            kept.changed = true;
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mark {
    /// Its effects are committed, or are about to be.
    pub(crate) fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// It has left: acknowledged, or handed over.
    pub(crate) fn settled(&self) {
        let now = clock::now();
        let mut counts = self.tally.counts();
        counts.handled += 1;
        let minute = counts
            .minutes
            .entry(now.timestamp().div_euclid(60))
            .or_default();
        minute.handled += 1;
        minute.changed = true;
        if self.done.load(Ordering::Relaxed)
            && let Some(sent_at) = self.sent_at
        {
            minute
                .times
                .add((now - sent_at).to_std().unwrap_or_default());
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.tally.counts().in_hand.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::{MessageId, trace::TraceParent};
    use chrono::TimeDelta;

    fn envelope(sent_at: Instant, attempt: u32) -> Envelope {
        let message_id = MessageId::of_content("q", b"x");
        Envelope {
            message_id,
            kind: "a.b.v1".to_owned(),
            correlation_id: None,
            causation_id: None,
            sent_at: Some(sent_at),
            trace: TraceParent::root(message_id.0),
            tenant: "house".to_owned(),
            deadline: None,
            attempt,
            replay_of: None,
        }
    }

    #[test]
    fn the_oldest_is_the_one_that_waits_longest_and_a_retry_is_as_old_as_its_return() {
        let tally = Arc::new(Tally::default());
        let ago = |secs| clock::now() - TimeDelta::seconds(secs);
        let (old, new) = (ago(50), ago(5));
        let first = tally.take(&envelope(old, 0), 0);
        let second = tally.take(&envelope(new, 0), 0);
        let _retried = tally.take(&envelope(ago(5_000), 3), 0);
        let standing = tally.standing();
        assert_eq!((standing.in_hand, standing.oldest_at), (3, Some(old)));
        assert_eq!(standing.taken_at, Some(new));
        drop(first);
        assert_eq!(tally.standing().oldest_at, Some(new));
        drop(second);
        assert!(tally.standing().oldest_at.unwrap() > new);
        assert_eq!(tally.standing().taken_at, Some(new), "it is remembered");
    }

    #[test]
    fn only_what_is_done_counts_as_time_and_what_was_not_written_is_told_again() {
        let tally = Arc::new(Tally::default());
        let done = tally.take(&envelope(clock::now(), 0), 0);
        let parked = tally.take(&envelope(clock::now(), 0), 0);
        done.done();
        done.settled();
        parked.settled();
        let told = tally.minutes();
        let sum: u64 = told.iter().map(|(_, minute)| minute.handled).sum();
        let timed: u64 = told.iter().map(|(_, minute)| minute.times.count()).sum();
        assert_eq!((sum, timed), (2, 1));
        assert!(tally.minutes().is_empty(), "nothing changed");
        tally.give_back(&told);
        assert_eq!(tally.minutes().len(), told.len());
        assert_eq!(tally.standing().handled, 2);
    }
}
