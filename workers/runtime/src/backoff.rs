//! Full-jitter backoff: callers that failed together don't come back together.

use rand::Rng;
use std::time::Duration;

/// Grows from `first` to `max`; each wait is a random part of the current ceiling.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            ceiling: first,
        }
    }

    /// For connections: 0.1 s to 10 s.
    pub(crate) const fn connection() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }

    /// The next wait; never zero, so that a loop around it can't spin.
    pub(crate) fn next(&mut self) -> Duration {
        self.next_by(full_jitter)
    }

    /// The same with a chance of the caller's.
    pub(crate) fn next_by(&mut self, jitter: impl FnOnce(Duration) -> Duration) -> Duration {
        let wait = jitter(self.ceiling).max(self.first / 10);
        self.ceiling = (self.ceiling * 2).min(self.max);
        wait
    }

    pub(crate) fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

/// A random part of `ceiling`.
pub(crate) fn full_jitter(ceiling: Duration) -> Duration {
    ceiling.mul_f64(rand::rng().random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F10: a thousand who lost the broker in one moment come back spread over the whole of each wait.
    #[test]
    fn f10_who_failed_together_does_not_come_back_together() {
        const MANY: usize = 1_000;
        let mut all = vec![Backoff::connection(); MANY];
        for round in 0..12 {
            let mut waits: Vec<Duration> = all.iter_mut().map(Backoff::next).collect();
            waits.sort();
            let ceiling = Duration::from_millis(100)
                .saturating_mul(1 << round)
                .min(Duration::from_secs(10));
            assert!(waits[0] >= Duration::from_millis(10));
            assert!(waits[MANY - 1] <= ceiling);
            // No tenth of the time has a fifth of them; in the first two are those of the least wait, too.
            let tenth = ceiling / 10;
            for part in 2..10 {
                let (from, to) = (tenth * part, tenth * (part + 1));
                let there = waits.iter().filter(|wait| **wait >= from && **wait < to);
                assert!(there.count() < MANY / 5, "round {round}, part {part}");
            }
        }
    }
}
