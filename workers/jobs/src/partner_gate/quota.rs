//! How much a partner may send: a bucket of messages that fills with time.

use boxoffice_contracts::Instant;

/// A full bucket holds a burst; it fills at the partner's rate.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    left: f64,
    at: Instant,
}

/// Limits of a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub rate_per_sec: u32,
    pub burst: u32,
}

impl Bucket {
    pub(super) fn full(quota: Quota, now: Instant) -> Self {
        Self {
            left: f64::from(quota.burst.max(1)),
            at: now,
        }
    }

    /// Takes one out.
    ///
    /// # Errors
    /// Seconds until there is one again.
    pub(super) fn take(&mut self, quota: Quota, now: Instant) -> Result<(), u32> {
        let rate = f64::from(quota.rate_per_sec);
        // A clock that went back fills nothing.
        let passed = (now - self.at).as_seconds_f64().max(0.0);
        self.left = (self.left + passed * rate).min(f64::from(quota.burst.max(1)));
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        if quota.rate_per_sec == 0 {
            return Err(NEVER_SECS);
        }
        let secs = ((1.0 - self.left) / rate).ceil();
        Err((secs as u32).max(1))
    }
}

/// What a partner without a rate is told: come back when that has changed.
const NEVER_SECS: u32 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let quota = Quota {
            rate_per_sec: 2,
            burst: 5,
        };
        let start: Instant = "2026-11-21T12:00:00Z".parse().unwrap();
        let after = |millis| start + TimeDelta::milliseconds(millis);
        let mut bucket = Bucket::full(quota, start);
        for _ in 0..5 {
            assert_eq!(bucket.take(quota, start), Ok(()));
        }
        assert_eq!(bucket.take(quota, start), Err(1));
        assert_eq!(bucket.take(quota, after(499)), Err(1));
        assert_eq!(bucket.take(quota, after(500)), Ok(()));
        assert_eq!(bucket.take(quota, after(600)), Err(1));
        // A long silence fills no more than the burst.
        let passed = (0..20)
            .filter(|_| bucket.take(quota, after(3_600_000)).is_ok())
            .count();
        assert_eq!(passed, 5);
        assert_eq!(bucket.take(quota, start), Err(1), "the clock went back");
    }

    #[test]
    fn a_slow_rate_says_how_long_it_takes() {
        let quota = Quota {
            rate_per_sec: 0,
            burst: 1,
        };
        let now: Instant = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut bucket = Bucket::full(quota, now);
        assert_eq!(bucket.take(quota, now), Ok(()));
        assert_eq!(bucket.take(quota, now), Err(NEVER_SECS));
    }
}
