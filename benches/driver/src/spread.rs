//! Many durations as the few numbers that are told of them.

use std::time::Duration;

/// Durations, in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread(Vec<Duration>);

impl Spread {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest that at least this share of all does not exceed, in milliseconds; 0 without any.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let mut all = self.0.clone();
        all.sort_unstable();
        let rank = (share * all.len() as f64).ceil() as usize;
        let found = all.get(rank.saturating_sub(1)).copied();
        found.unwrap_or_default().as_secs_f64() * 1_000.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.quantile_ms(1.0)
    }
}

impl FromIterator<Duration> for Spread {
    fn from_iter<T: IntoIterator<Item = Duration>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_seen() {
        let spread: Spread = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(spread.quantile_ms(0.5), 50.0);
        assert_eq!(spread.quantile_ms(0.99), 99.0);
        assert_eq!(spread.quantile_ms(0.991), 100.0);
        assert_eq!(spread.max_ms(), 100.0);
        assert_eq!(Spread::default().quantile_ms(0.99), 0.0);
        let one: Spread = [Duration::from_millis(7)].into_iter().collect();
        assert_eq!((one.quantile_ms(0.01), one.quantile_ms(1.0)), (7.0, 7.0));
    }
}
