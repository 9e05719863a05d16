//! When each booking was submitted and how far it has come, as those see it who wait for it.

use crate::spread::Spread;
use boxoffice_contracts::message::event::BookingFact;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

/// A step that a booking takes, by the event that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Held,
    Confirmed,
    Paid,
    Completed,
    Rejected,
}

impl Step {
    pub(crate) const ALL: [Self; 5] = [
        Self::Held,
        Self::Confirmed,
        Self::Paid,
        Self::Completed,
        Self::Rejected,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Paid => "paid",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
        }
    }

    /// The kind of message that tells of it.
    pub(crate) fn kind(self) -> String {
        format!("booking.{}.v1", self.name())
    }
}

/// All bookings of a run.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: Mutex<HashMap<Uuid, Entry>>,
    counts: Mutex<BTreeMap<Step, usize>>,
    /// Why the last one was rejected.
    why: Mutex<String>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    /// When it was to be submitted: a load that is late is no excuse for the house.
    meant_at: Option<Instant>,
    steps: Vec<(Step, Instant)>,
}

impl Book {
    /// It was accepted; its events may have come before the answer.
    pub(crate) fn submitted(&self, id: Uuid, meant_at: Instant) {
        self.entries().entry(id).or_default().meant_at = Some(meant_at);
    }

    /// Events may come twice, after a kill above all: the first one counts.
    pub(crate) fn reached(&self, id: Uuid, step: Step, at: Instant) {
        let mut entries = self.entries();
        let steps = &mut entries.entry(id).or_default().steps;
        if steps.iter().any(|(reached, _)| *reached == step) {
            return;
        }
        steps.push((step, at));
        drop(entries);
        *self.counts().entry(step).or_default() += 1;
        self.moved.notify_waiters();
    }

    /// An event came.
    pub(crate) fn told(&self, fact: &BookingFact, step: Step, at: Instant) {
        if let Some(code) = fact.code.as_ref().filter(|_| step == Step::Rejected) {
            self.rejected_for(code.as_str());
        }
        self.reached(fact.booking_id.0, step, at);
    }

    fn rejected_for(&self, code: &str) {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        code.clone_into(&mut why);
    }

    pub(crate) fn count(&self, step: Step) -> usize {
        self.counts().get(&step).copied().unwrap_or_default()
    }

    /// Waits until so many have come so far, or nobody has moved for a while.
    ///
    /// # Errors
    /// Nobody moves any more.
    pub(crate) async fn until(
        &self,
        step: Step,
        count: usize,
        stuck_max: Duration,
    ) -> anyhow::Result<()> {
        loop {
            let moved = self.moved.notified();
            let now = self.count(step);
            if now >= count {
                return Ok(());
            }
            let waited = timeout_at(Instant::now() + stuck_max, moved).await;
            anyhow::ensure!(
                waited.is_ok() || self.count(step) > now,
                "{now} of {count} bookings are {}, and then nothing happened for {} s: {}",
                step.name(),
                stuck_max.as_secs(),
                self.how_far()
            );
        }
    }

    /// How many came to each step.
    fn how_far(&self) -> String {
        let counts = self.counts();
        let told = Step::ALL.map(|step| {
            let count = counts.get(&step).copied().unwrap_or_default();
            format!("{count} {}", step.name())
        });
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} {why}", told.join(", "))
    }

    /// From when they were to be submitted, of those that were meant within this time.
    pub(crate) fn spread(&self, step: Step, from: Instant, until: Instant) -> Spread {
        let entries = self.entries();
        let took = entries.values().filter_map(|entry| {
            let meant_at = entry.meant_at.filter(|at| (from..until).contains(at))?;
            let (_, at) = entry.steps.iter().find(|(reached, _)| *reached == step)?;
            Some(at.saturating_duration_since(meant_at))
        });
        took.collect()
    }

    /// When each came to this step, in order.
    pub(crate) fn arrivals(&self, step: Step) -> Vec<Instant> {
        let entries = self.entries();
        let steps = entries.values().flat_map(|entry| &entry.steps);
        let mut all: Vec<Instant> = steps
            .filter(|(reached, _)| *reached == step)
            .map(|(_, at)| *at)
            .collect();
        all.sort_unstable();
        all
    }

    /// The place of each booking in the order in which they came to one of these steps.
    pub(crate) fn order_of(&self, steps: &[Step]) -> HashMap<Uuid, usize> {
        let entries = self.entries();
        let mut all: Vec<(Instant, Uuid)> = entries
            .iter()
            .filter_map(|(id, entry)| {
                let (_, at) = entry.steps.iter().find(|(step, _)| steps.contains(step))?;
                Some((*at, *id))
            })
            .collect();
        all.sort_unstable();
        let ids = all.into_iter().map(|(_, id)| id);
        ids.zip(0..).collect()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Step, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_comes_twice_counts_once() {
        let (book, at) = (Book::default(), Instant::now());
        for id in [1, 2, 1] {
            book.reached(Uuid::from_u128(id), Step::Held, at);
        }
        assert_eq!(book.count(Step::Held), 2);
        assert_eq!(book.arrivals(Step::Held).len(), 2);
    }

    #[tokio::test]
    async fn an_event_may_come_before_the_answer() {
        let (book, id, begun) = (Book::default(), Uuid::from_u128(1), Instant::now());
        book.reached(id, Step::Held, begun + Duration::from_millis(9));
        book.submitted(id, begun);
        let later = begun + Duration::from_secs(1);
        assert_eq!(book.spread(Step::Held, begun, later).quantile_ms(0.5), 9.0);
        assert_eq!(book.spread(Step::Held, later, later).len(), 0);
        assert_eq!(book.spread(Step::Paid, begun, later).len(), 0);
        let soon = Duration::from_millis(10);
        book.until(Step::Held, 1, soon).await.unwrap();
        let stuck = book.until(Step::Held, 2, soon).await;
        assert!(stuck.is_err());
    }
}
