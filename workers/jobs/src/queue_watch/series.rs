//! A minute of looks at one queue, and what follows from them: rates, growth, the time until a limit is passed.

use boxoffice_contracts::{Instant, topology::Alert};
use boxoffice_runtime::beats::Beat;
use std::{
    collections::{BTreeMap, VecDeque},
    hash::Hash,
    time::Duration,
};

/// What rates are measured over.
const WINDOW: Duration = Duration::from_secs(60);
/// Two looks that are nearer tell the clock's jitter.
const APART_MIN_SECS: f64 = 2.0;
/// A breach that is further away is no news.
const BREACH_SECS_MAX: f64 = 24.0 * 3_600.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Ready and in hand.
    pub(super) depth: u64,
    /// Counters that only grow.
    pub(super) settled: u64,
    pub(super) delivered: u64,
    pub(super) age_secs: Option<f64>,
}

/// Looks of the last minute.
#[derive(Debug, Default)]
pub(super) struct Series(VecDeque<Sample>);

/// Per second, over the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// What was settled, and what the queue has grown by: retries that return are in it.
    pub(super) arrived: f64,
    pub(super) delivered: f64,
    pub(super) settled: f64,
    pub(super) growth: f64,
    /// Of the age, in seconds per second.
    pub(super) ageing: Option<f64>,
}

impl Series {
    pub(super) fn push(&mut self, sample: Sample) {
        // After a step of the clock the past means nothing.
        if self.0.back().is_some_and(|last| last.at >= sample.at) {
            self.0.clear();
        }
        self.0.push_back(sample);
        let begins = |first: &Sample| (sample.at - first.at).to_std().unwrap_or_default() > WINDOW;
        while self.0.front().is_some_and(begins) {
            self.0.pop_front();
        }
    }

    pub(super) fn last(&self) -> Option<&Sample> {
        self.0.back()
    }

    pub(super) fn rates(&self) -> Option<Rates> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let secs = (last.at - first.at).as_seconds_f64();
        if secs < APART_MIN_SECS {
            return None;
        }
        let per_sec = |from: u64, to: u64| (to as f64 - from as f64) / secs;
        let settled = per_sec(first.settled, last.settled);
        let growth = per_sec(first.depth, last.depth);
        let ageing = first.age_secs.zip(last.age_secs);
        Some(Rates {
            arrived: (settled + growth).max(0.0),
            delivered: per_sec(first.delivered, last.delivered),
            settled,
            growth,
            ageing: ageing.map(|(first, last)| (last - first) / secs),
        })
    }

    /// Seconds until depth or age pass their limit if it goes on like this: 0 when one has, none when neither
    /// grows.
    pub(super) fn breach_secs(&self, limits: &Alert) -> Option<f64> {
        let last = self.last()?;
        let rates = self.rates();
        let until = |value: f64, limit: f64, slope: Option<f64>, slope_min: f64| {
            if value > limit {
                return Some(0.0);
            }
            let slope = slope.filter(|slope| *slope >= slope_min)?;
            Some((limit - value) / slope)
        };
        let depth = until(
            last.depth as f64,
            f64::from(limits.depth_max),
            rates.map(|rates| rates.growth),
            0.01,
        );
        let age = last.age_secs.and_then(|age| {
            let ageing = rates.and_then(|rates| rates.ageing);
            until(age, limits.age_max.as_secs_f64(), ageing, 0.05)
        });
        let nearest = match (depth, age) {
            (Some(depth), Some(age)) => Some(depth.min(age)),
            (depth, age) => depth.or(age),
        };
        nearest.filter(|secs| *secs <= BREACH_SECS_MAX)
    }
}

/// Sums of counters that come and go with their owner: a channel, a process.
#[derive(Debug)]
pub(super) struct Counters<K> {
    last: BTreeMap<(String, K), u64>,
    totals: BTreeMap<String, u64>,
    began: bool,
}

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self {
            last: BTreeMap::new(),
            totals: BTreeMap::new(),
            began: false,
        }
    }
}

impl<K: Ord + Hash + Clone> Counters<K> {
    /// Takes a look. What an owner counted between the last look and its end is lost: seconds of it.
    pub(super) fn look(&mut self, counters: &BTreeMap<(String, K), u64>) {
        for (key, value) in counters {
            let more = match self.last.get(key) {
                Some(before) if before <= value => value - before,
                Some(_) => *value,
                // Unknown at the first look; afterwards an owner begins with nothing.
                None if !self.began => 0,
                None => *value,
            };
            *self.totals.entry(key.0.clone()).or_default() += more;
        }
        self.last = counters.clone();
        self.began = true;
    }

    pub(super) fn total(&self, queue: &str) -> u64 {
        self.totals.get(queue).copied().unwrap_or_default()
    }
}

/// What is known of the age of a queue's oldest message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bounds {
    /// When the queue was empty the last time.
    pub(super) empty_at: Option<Instant>,
    /// What is in the queue was not sent before this.
    pub(super) floor_at: Option<Instant>,
}

impl Bounds {
    /// Learns from a look. Queues are first in, first out: what is ready is younger than what is in hand, and
    /// what is in hand when a process dies goes back to the head.
    pub(super) fn learn(&mut self, now: Instant, depth: Option<u64>, beats: &[&Beat]) {
        let in_hand = oldest_in_hand(beats);
        if depth == Some(0) && in_hand.is_none() {
            self.empty_at = Some(now);
        }
        let live = beats.iter().filter(|beat| beat.is_live());
        let taken = live.filter_map(|beat| beat.taken_at).max();
        if let Some(floor) = in_hand.or(taken) {
            self.floor_at = Some(floor);
        }
        // Found with messages, and nobody to ask: they count from this look.
        if depth > Some(0) && self.empty_at.is_none() && self.floor_at.is_none() {
            self.floor_at = Some(now);
        }
    }

    /// When the oldest message was sent: told by who has it in hand, else the latest time that it can't be older
    /// than.
    pub(super) fn oldest_at(&self, depth: Option<u64>, beats: &[&Beat]) -> Option<Instant> {
        match oldest_in_hand(beats) {
            Some(oldest) => Some(oldest),
            None if depth.is_none_or(|depth| depth == 0) => None,
            None => self.empty_at.max(self.floor_at),
        }
    }
}

fn oldest_in_hand(beats: &[&Beat]) -> Option<Instant> {
    let holding = beats
        .iter()
        .filter(|beat| beat.is_live() && beat.in_hand > 0);
    holding.filter_map(|beat| beat.oldest_at).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    fn at(secs: i64) -> Instant {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_000_000 + secs)
    }

    fn sample(secs: i64, depth: u64, settled: u64, age_secs: Option<f64>) -> Sample {
        Sample {
            at: at(secs),
            depth,
            settled,
            delivered: settled,
            age_secs,
        }
    }

    fn series(samples: &[Sample]) -> Series {
        let mut series = Series::default();
        samples.iter().for_each(|sample| series.push(*sample));
        series
    }

    const LIMITS: Alert = Alert {
        depth_max: 1_000,
        age_max: Duration::from_secs(100),
        critical_p99: Duration::from_secs(1),
    };

    #[test]
    fn what_arrives_is_what_was_settled_and_what_the_queue_grew_by() {
        let grows = series(&[sample(0, 100, 5_000, None), sample(50, 200, 5_500, None)]);
        let rates = grows.rates().unwrap();
        assert_eq!(
            (rates.settled, rates.growth, rates.arrived),
            (10.0, 2.0, 12.0)
        );
        let shrinks = series(&[sample(0, 500, 0, None), sample(50, 0, 500, None)]);
        assert_eq!(shrinks.rates().unwrap().arrived, 0.0);
        assert_eq!(series(&[sample(0, 1, 1, None)]).rates(), None);
        let old = series(&[
            sample(0, 900, 0, None),
            sample(100, 0, 0, None),
            sample(110, 10, 0, None),
        ]);
        assert_eq!(old.rates().unwrap().growth, 1.0, "a minute is all it knows");
        let stepped = series(&[sample(60, 0, 0, None), sample(0, 10, 0, None)]);
        assert_eq!(stepped.rates(), None, "the clock went back");
    }

    #[test]
    fn the_time_to_a_breach_is_the_nearer_of_depth_and_age() {
        let grows = series(&[sample(0, 100, 0, None), sample(10, 200, 0, None)]);
        assert_eq!(grows.breach_secs(&LIMITS), Some(80.0));
        let ages = series(&[sample(0, 5, 0, Some(40.0)), sample(10, 5, 0, Some(50.0))]);
        assert_eq!(ages.breach_secs(&LIMITS), Some(50.0));
        let both = series(&[
            sample(0, 100, 0, Some(40.0)),
            sample(10, 900, 0, Some(50.0)),
        ]);
        assert_eq!(both.breach_secs(&LIMITS), Some(1.25));
        let beyond = series(&[sample(0, 2_000, 0, None)]);
        assert_eq!(beyond.breach_secs(&LIMITS), Some(0.0));
        let shrinks = series(&[sample(0, 500, 0, Some(9.0)), sample(10, 400, 0, Some(5.0))]);
        assert_eq!(shrinks.breach_secs(&LIMITS), None);
        let slowly = series(&[sample(0, 1, 0, None), sample(50, 2, 0, None)]);
        assert_eq!(slowly.breach_secs(&LIMITS), Some(998.0 * 50.0));
    }

    #[test]
    fn a_counter_that_begins_anew_or_disappears_takes_nothing_back() {
        let mut counters = Counters::default();
        let mut look = |values: &[(&str, u64)]| {
            let look = values
                .iter()
                .map(|(channel, value)| (("q".to_owned(), (*channel).to_owned()), *value))
                .collect();
            counters.look(&look);
            counters.total("q")
        };
        assert_eq!(look(&[("a", 500)]), 0, "what was before is not ours");
        assert_eq!(look(&[("a", 510)]), 10);
        assert_eq!(look(&[("a", 4), ("b", 3)]), 17);
        assert_eq!(look(&[]), 17);
        assert_eq!(look(&[("b", 2)]), 19);
    }

    fn beat(age_secs: u64, in_hand: u32, oldest: Option<i64>, taken: Option<i64>) -> Beat {
        Beat {
            process: "p".to_owned(),
            role: "mail".to_owned(),
            queue: "mail".to_owned(),
            at: at(0),
            age: Duration::from_secs(age_secs),
            state: "running".to_owned(),
            service: None,
            in_hand,
            handled_total: 0,
            oldest_at: oldest.map(at),
            taken_at: taken.map(at),
        }
    }

    #[test]
    fn the_oldest_message_is_told_by_who_has_it_and_bounded_when_nobody_has() {
        let mut bounds = Bounds::default();
        bounds.learn(at(0), Some(0), &[&beat(1, 0, None, None)]);
        assert_eq!(bounds.oldest_at(Some(0), &[]), None, "nothing, no age");
        // In hand: the consumer knows.
        let holding = beat(1, 3, Some(10), Some(14));
        bounds.learn(at(20), Some(50), &[&holding]);
        assert_eq!(bounds.oldest_at(Some(50), &[&holding]), Some(at(10)));
        // Killed: what it had went back, so the oldest is what it was.
        let dead = beat(60, 3, Some(10), Some(14));
        bounds.learn(at(80), Some(50), &[&dead]);
        assert_eq!(bounds.oldest_at(Some(50), &[&dead]), Some(at(10)));
        // Held after it had finished what it had: what is left came after the newest that it took.
        let held = beat(1, 0, None, Some(14));
        bounds.learn(at(90), Some(47), &[&held]);
        assert_eq!(bounds.oldest_at(Some(47), &[&held]), Some(at(14)));
        // Empty, and then nobody: not older than the last look that found nothing.
        bounds.learn(at(200), Some(0), &[]);
        bounds.learn(at(205), Some(4), &[]);
        assert_eq!(bounds.oldest_at(Some(4), &[]), Some(at(200)));
        // Never seen otherwise: they count from the first look.
        let mut found = Bounds::default();
        found.learn(at(300), Some(4), &[]);
        found.learn(at(305), Some(4), &[]);
        assert_eq!(found.oldest_at(Some(4), &[]), Some(at(300)));
    }
}
