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
