//! How long messages took, in buckets that add up: those of many processes and minutes make one distribution.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// Buckets per doubling of the time. A quantile is the middle of its bucket: at most 9 % off.
const PER_DOUBLING: f64 = 4.0;

/// The last bucket begins at 2^27 ms, one and a half days; whatever took longer is in it.
const LAST: u8 = 27 * 4;

/// Counts of times, by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times(BTreeMap<u8, u64>);

impl Times {
    pub fn add(&mut self, took: Duration) {
        *self.0.entry(bucket(took)).or_default() += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The time that so much of the whole stays within: 0.99 for the 99th percentile. `None` of nothing.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (self.count() as f64 * share).ceil().max(1.0);
        let mut below = 0;
        self.0.iter().find_map(|(bucket, count)| {
            below += count;
            (below as f64 >= rank).then(|| middle(*bucket))
        })
    }

    /// `bucket:count …`, as the table keeps it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (bucket, count) in &self.0 {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a String can't fail.
            let _ = write!(text, "{space}{bucket}:{count}");
        }
        text
    }

    /// What can't be read counts nothing: these are figures for the eye.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let pair = |pair: &str| {
            let (bucket, count) = pair.split_once(':')?;
            let bucket: u8 = bucket.parse().ok()?;
            Some((bucket.min(LAST), count.parse().ok()?))
        };
        Self(text.split(' ').filter_map(pair).collect())
    }
}

fn bucket(took: Duration) -> u8 {
    let millis = took.as_secs_f64() * 1e3;
    if millis <= 1.0 {
        return 0;
    }
    let bucket = (millis.log2() * PER_DOUBLING).floor() + 1.0;
    // Within 1..=LAST after the bound.
    bucket.min(f64::from(LAST)) as u8
}

fn middle(bucket: u8) -> Duration {
    if bucket == 0 {
        return Duration::from_millis(1);
    }
    let exponent = (f64::from(bucket) - 0.5) / PER_DOUBLING;
    Duration::from_secs_f64(exponent.exp2() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn quantiles_are_near_whatever_the_size() {
        for exact in [1, 3, 10, 99, 1_000, 12_345, 3_600_000] {
            let mut times = Times::default();
            times.add(millis(exact));
            let told = times.quantile(0.5).unwrap().as_secs_f64() * 1e3;
            let off = (told / exact as f64 - 1.0).abs();
            assert!(off < 0.095, "{exact} ms is told as {told}");
        }
        assert_eq!(Times::default().quantile(0.99), None);
        let mut times = Times::default();
        times.add(Duration::ZERO);
        times.add(Duration::from_secs(400 * 24 * 3_600));
        assert_eq!(times.count(), 2);
        assert!(times.quantile(1.0).unwrap() > Duration::from_secs(24 * 3_600));
    }

    #[test]
    fn parts_merge_to_the_whole_and_survive_the_table() {
        let (mut whole, mut a, mut b) = (Times::default(), Times::default(), Times::default());
        for n in 0..1_000 {
            whole.add(millis(n));
            if n % 3 == 0 { &mut a } else { &mut b }.add(millis(n));
        }
        let mut merged = Times::from_text(&a.to_text());
        merged.merge(&Times::from_text(&b.to_text()));
        assert_eq!(merged, whole);
        let p99 = merged.quantile(0.99).unwrap();
        assert!((millis(900)..millis(1_100)).contains(&p99), "{p99:?}");
        assert_eq!(Times::from_text("x 1 2:y 7:3").count(), 3);
    }
}
