//! One look put together: rows for the tables, and what the rules want to know. Pure but for the memory of the
//! last minute.

use super::{
    exporter::{Depth, Seen},
    rules::{self, Observation, Standing, Step},
    series::{Bounds, Counters, Sample, Series},
};
use boxoffice_contracts::{Instant, topology};
use boxoffice_runtime::{
    beats::{Beat, Work},
    critical::Times,
};
use boxoffice_store::mysql::{
    alerts::{self, row},
    queues::{Backlog, Finished, minute, now as seen_now},
};
use chrono::{DurationRound, TimeDelta};
use std::collections::{BTreeMap, BTreeSet};

/// What a watcher remembers between looks. A new one begins with nothing and knows rates after two.
#[derive(Debug, Default)]
pub(super) struct Memory {
    fresh: Option<Seen>,
    /// Looks without an answer in a row.
    blind_looks: u32,
    blind_from: Option<Instant>,
    looks: u32,
    series: BTreeMap<String, Series>,
    delivered: Counters<String>,
    handled: Counters<String>,
    minute: Option<Instant>,
    within: BTreeMap<String, Within>,
}

/// Workers tell of the end of a minute with their next beat; four of them.
const TOLD_LATE: TimeDelta = TimeDelta::seconds(15);

/// What happened to a queue since the minute began.
#[derive(Debug, Clone, Copy, Default)]
struct Within {
    arrived: f64,
    delivered: u64,
    peak: u64,
    oldest_secs: Option<f64>,
}

/// What a look has found.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) rows: Vec<seen_now::Model>,
    pub(super) minutes: Vec<minute::Model>,
    /// Of the minute before, while workers may still tell of it.
    pub(super) finished: Vec<Finished>,
    pub(super) depths: BTreeMap<String, Depth>,
    pub(super) ages_secs: BTreeMap<String, f64>,
    pub(super) consumed_at: BTreeMap<String, Instant>,
}

impl Memory {
    pub(super) fn seen(&mut self, seen: Seen) {
        self.fresh = Some(seen);
        self.blind_looks = 0;
        self.blind_from = None;
    }

    /// No answer. `true` for the first of a row.
    pub(super) fn blind(&mut self) -> bool {
        self.fresh = None;
        self.blind_looks += 1;
        self.blind_looks == 1
    }

    pub(super) fn blind_since(&mut self, now: Instant) -> Option<Instant> {
        (self.blind_looks > 0).then(|| *self.blind_from.get_or_insert(now))
    }

    pub(super) const fn count(&self) -> u32 {
        self.looks
    }

    pub(super) fn look(
        &mut self,
        now: Instant,
        beats: &[Beat],
        work: &[Work],
        backlog: &Backlog,
        before: Vec<seen_now::Model>,
    ) -> Look {
        self.looks = self.looks.wrapping_add(1);
        let fresh = self.fresh.take();
        let depths = fresh.as_ref().map(|seen| seen.queues.clone());
        let depths = depths.unwrap_or_default();
        if let Some(seen) = &fresh {
            self.delivered.look(&seen.delivered);
        }
        let handled = beats.iter().filter(|beat| !beat.queue.is_empty());
        let handled = handled.map(|beat| {
            let key = (beat.queue.clone(), beat.process.clone());
            (key, beat.handled_total)
        });
        self.handled.look(&handled.collect());
        let this_minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        if self.minute != Some(this_minute) {
            self.minute = Some(this_minute);
            self.within.clear();
        }

        let mut before: BTreeMap<String, seen_now::Model> = before
            .into_iter()
            .map(|row| (row.queue.clone(), row))
            .collect();
        let mut names: BTreeSet<String> = depths.keys().cloned().collect();
        names.extend(topology::QUEUES.iter().map(|queue| queue.name.to_owned()));
        let mut look = Look {
            rows: Vec::new(),
            minutes: Vec::new(),
            finished: Vec::new(),
            depths: BTreeMap::new(),
            ages_secs: BTreeMap::new(),
            consumed_at: BTreeMap::new(),
        };
        for name in names {
            let at = Looked {
                now,
                minute: this_minute,
                depth: depths.get(&name).copied(),
                beats: beats.iter().filter(|beat| beat.queue == name).collect(),
                work: work.iter().filter(|work| work.queue == name).collect(),
                parked: parked(backlog, &name),
                before: before.remove(&name),
            };
            self.queue(name, &at, &mut look);
        }
        look.depths = depths;
        look
    }

    fn queue(&mut self, name: String, at: &Looked<'_>, look: &mut Look) {
        let row = at.before.as_ref();
        let total = at.depth.map(|depth| depth.total());
        let mut bounds = Bounds {
            empty_at: row.and_then(|row| row.empty_at),
            floor_at: row.and_then(|row| row.floor_at),
        };
        bounds.learn(at.now, total, &at.beats);
        let oldest = bounds.oldest_at(total, &at.beats);
        let age_secs = oldest.map(|oldest| (at.now - oldest).as_seconds_f64().max(0.0));
        let series = self.series.entry(name.clone()).or_default();
        let previous = series.last().copied();
        let sample = total.map(|depth| Sample {
            at: at.now,
            depth,
            settled: self.handled.total(&name),
            delivered: self.delivered.total(&name),
            age_secs: Some(age_secs.unwrap_or_default()),
        });
        if let Some(sample) = sample {
            series.push(sample);
        }
        let ours = topology::queue(&name);
        let rates = series.rates().filter(|_| sample.is_some());
        let breach_secs =
            ours.and_then(|queue| sample.and_then(|_| series.breach_secs(&queue.alert)));

        let within = self.within.entry(name.clone()).or_default();
        within.peak = within.peak.max(total.unwrap_or_default());
        within.oldest_secs = later(within.oldest_secs, age_secs);
        if let (Some(previous), Some(sample)) = (previous, sample) {
            let grown = sample.depth as f64 - previous.depth as f64;
            within.arrived += grown + (sample.settled - previous.settled) as f64;
            within.delivered += sample.delivered - previous.delivered;
        }

        let (mut times, mut of_minute) = (Times::default(), Times::default());
        let (mut of_last, mut last_settled) = (Times::default(), 0);
        let last_minute = at.minute - TimeDelta::minutes(1);
        let mut settled = 0;
        for work in &at.work {
            times.merge(&work.times);
            if work.minute == at.minute {
                of_minute.merge(&work.times);
                settled += work.handled;
            } else if work.minute == last_minute {
                of_last.merge(&work.times);
                last_settled += work.handled;
            }
        }
        let millis = |times: &Times, share: f64| {
            let took = times.quantile(share)?;
            u64::try_from(took.as_millis()).ok()
        };
        if last_settled > 0 && at.now - at.minute < TOLD_LATE {
            look.finished.push(Finished {
                queue: name.clone(),
                minute: last_minute,
                settled: last_settled,
                critical_p50_ms: millis(&of_last, 0.5),
                critical_p99_ms: millis(&of_last, 0.99),
            });
        }
        let known = at.depth.unwrap_or_default();
        let consumed_at = match (row, at.depth) {
            (_, Some(depth)) if depth.consumers > 0 => at.now,
            (Some(row), _) => row.consumed_at,
            (None, _) => at.now,
        };
        look.consumed_at.insert(name.clone(), consumed_at);
        if let Some(age_secs) = age_secs {
            look.ages_secs.insert(name.clone(), age_secs);
        }
        if at.depth.is_some() || !at.work.is_empty() {
            look.minutes.push(minute::Model {
                queue: name.clone(),
                minute: at.minute,
                ready: known.ready,
                unacked: known.unacked,
                depth_peak: within.peak,
                consumers: known.consumers,
                arrived: within.arrived.max(0.0).round() as u64,
                delivered: within.delivered,
                settled,
                utilisation: known.utilisation,
                oldest_secs: within.oldest_secs,
                critical_p50_ms: millis(&of_minute, 0.5),
                critical_p99_ms: millis(&of_minute, 0.99),
                parked: at.parked,
            });
        }
        // What the broker doesn't tell now is shown as it was, with the time that it was told.
        let last = |told: u64, before: fn(&seen_now::Model) -> u64| match at.depth {
            Some(_) => told,
            None => row.map_or(0, before),
        };
        let consumers = match at.depth {
            Some(depth) => depth.consumers,
            None => row.map_or(0, |row| row.consumers),
        };
        look.rows.push(seen_now::Model {
            queue: name,
            at: at.now,
            seen_at: at
                .depth
                .map(|_| at.now)
                .or_else(|| row.and_then(|row| row.seen_at)),
            ready: last(known.ready, |row| row.ready),
            unacked: last(known.unacked, |row| row.unacked),
            consumers,
            utilisation: known.utilisation,
            arrived_per_sec: rates.filter(|_| ours.is_some()).map(|rates| rates.arrived),
            delivered_per_sec: rates.map(|rates| rates.delivered),
            settled_per_sec: rates.filter(|_| ours.is_some()).map(|rates| rates.settled),
            oldest_secs: age_secs,
            breach_secs,
            critical_messages: times.count(),
            critical_p50_ms: millis(&times, 0.5),
            critical_p95_ms: millis(&times, 0.95),
            critical_p99_ms: millis(&times, 0.99),
            parked: at.parked,
            empty_at: bounds.empty_at,
            floor_at: bounds.floor_at,
            consumed_at,
        });
    }
}

/// One queue in a look.
struct Looked<'a> {
    now: Instant,
    minute: Instant,
    depth: Option<Depth>,
    beats: Vec<&'a Beat>,
    work: Vec<&'a Work>,
    parked: u64,
    before: Option<seen_now::Model>,
}

fn parked(backlog: &Backlog, name: &str) -> u64 {
    let found = backlog.parked.iter().find(|(queue, _)| queue == name);
    found.map_or(0, |(_, count)| *count)
}

fn later(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// What becomes of the alerts' rows.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Rules of the alerts that are raised now, each as often as it is.
    pub(super) raised: Vec<String>,
    /// Whether it is new.
    pub(super) written: Vec<(row::Model, bool)>,
    pub(super) forgotten: Vec<String>,
    /// `raised` or `cleared`.
    pub(super) told: Vec<(&'static str, row::Model)>,
}

/// Takes every alert a step on.
pub(super) fn judge(
    mut known: BTreeMap<String, row::Model>,
    seen: Vec<Observation>,
    now: Instant,
) -> Judged {
    let mut judged = Judged::default();
    for observation in seen {
        let row = known.remove(&observation.key());
        settle(&mut judged, row, observation, now);
    }
    // What is no longer among the findings is fine.
    for row in known.into_values() {
        let Some(rule) = rules::Rule::ALL
            .into_iter()
            .find(|rule| rule.as_str() == row.rule)
        else {
            continue;
        };
        let gone = Observation {
            rule,
            target: row.target.clone(),
            verdict: rules::Verdict::Fine,
            value: None,
            limit: row.limit_value,
            since: None,
            summary: row.summary.clone(),
        };
        settle(&mut judged, Some(row), gone, now);
    }
    judged
}

fn settle(judged: &mut Judged, row: Option<row::Model>, seen: Observation, now: Instant) {
    let standing = row.as_ref().and_then(|row| match row.state.as_str() {
        alerts::PENDING => Some(Standing::Pending(row.since)),
        alerts::RAISED => Some(Standing::Raised(row.fine_since)),
        _ => None,
    });
    let step = rules::step(seen.rule, standing, seen.verdict, seen.since, now);
    let is_new = row.is_none();
    let mut next = row.unwrap_or_else(|| fresh(&seen, now));
    if seen.verdict == rules::Verdict::Beyond {
        next.summary.clone_from(&seen.summary);
        next.value = seen.value;
        next.limit_value = seen.limit;
        next.last_seen = now;
    }
    match step {
        Step::Quiet => {
            if next.state == alerts::PENDING && !is_new {
                // One that was raised before keeps its past.
                if next.episode == 0 {
                    judged.forgotten.push(next.alert_key);
                } else {
                    alerts::CLEARED.clone_into(&mut next.state);
                    judged.written.push((next, false));
                }
            }
            return;
        }
        Step::Keep(Standing::Pending(since)) => {
            alerts::PENDING.clone_into(&mut next.state);
            next.since = since;
        }
        Step::Keep(Standing::Raised(fine_since)) => next.fine_since = fine_since,
        Step::Raise => {
            let began = match standing {
                Some(Standing::Pending(since)) => since,
                _ => now,
            };
            next.since = seen.since.map_or(began, |since| since.min(began));
            alerts::RAISED.clone_into(&mut next.state);
            next.episode += 1;
            next.raised_at = Some(now);
            next.fine_since = None;
            next.cleared_at = None;
            next.acknowledged_by = None;
            next.acknowledged_at = None;
            next.acknowledged_reason = None;
            judged.told.push((alerts::RAISED, next.clone()));
        }
        Step::Clear => {
            alerts::CLEARED.clone_into(&mut next.state);
            next.fine_since = None;
            next.cleared_at = Some(now);
            judged.told.push((alerts::CLEARED, next.clone()));
        }
    }
    if next.state == alerts::RAISED {
        judged.raised.push(next.rule.clone());
    }
    judged.written.push((next, is_new));
}

fn fresh(seen: &Observation, now: Instant) -> row::Model {
    row::Model {
        alert_key: seen.key(),
        rule: seen.rule.as_str().to_owned(),
        target: seen.target.clone(),
        state: alerts::PENDING.to_owned(),
        severity: seen.rule.severity().to_owned(),
        summary: seen.summary.clone(),
        value: seen.value,
        limit_value: seen.limit,
        episode: 0,
        since: now,
        raised_at: None,
        last_seen: now,
        fine_since: None,
        cleared_at: None,
        acknowledged_by: None,
        acknowledged_at: None,
        acknowledged_reason: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use rules::{Rule, Verdict};

    fn at(secs: i64) -> Instant {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_000_020 + secs)
    }

    fn seen(ready: u64, consumers: u32) -> Seen {
        let depth = Depth {
            ready,
            consumers,
            ..Depth::default()
        };
        Seen {
            queues: BTreeMap::from([("mail".to_owned(), depth)]),
            delivered: BTreeMap::new(),
        }
    }

    fn mail(look: &Look) -> &seen_now::Model {
        look.rows.iter().find(|row| row.queue == "mail").unwrap()
    }

    #[test]
    fn a_queue_without_a_consumer_grows_older_and_a_blind_look_keeps_what_was_seen() {
        let mut memory = Memory::default();
        let mut rows = Vec::new();
        for (secs, ready, consumers) in [(0, 0, 1), (5, 0, 1), (10, 4, 0), (15, 8, 0)] {
            memory.seen(seen(ready, consumers));
            let look = memory.look(at(secs), &[], &[], &Backlog::default(), rows);
            rows = look.rows;
        }
        let look = memory.look(at(20), &[], &[], &Backlog::default(), rows);
        let row = mail(&look);
        assert_eq!((row.ready, row.seen_at), (8, Some(at(15))), "as it was");
        assert_eq!(row.consumed_at, at(5));
        assert_eq!(row.empty_at, Some(at(5)));
        assert!(look.depths.is_empty());
        memory.seen(seen(9, 0));
        let look = memory.look(at(25), &[], &[], &Backlog::default(), look.rows);
        let row = mail(&look);
        assert_eq!(row.oldest_secs, Some(20.0));
        assert_eq!(row.arrived_per_sec, Some(9.0 / 25.0));
        let minute = look.minutes.iter().find(|row| row.queue == "mail").unwrap();
        assert_eq!((minute.arrived, minute.depth_peak), (9, 9));
    }

    #[test]
    fn what_is_told_after_a_minute_has_ended_still_counts_for_it() {
        let minute = at(0).duration_trunc(TimeDelta::minutes(1)).unwrap();
        let mut times = Times::default();
        times.add(std::time::Duration::from_millis(100));
        let work = Work {
            queue: "mail".to_owned(),
            minute: minute - TimeDelta::minutes(1),
            handled: 7,
            times,
        };
        let finished = |secs| {
            let now = minute + TimeDelta::seconds(secs);
            let work = std::slice::from_ref(&work);
            let look = Memory::default().look(now, &[], work, &Backlog::default(), Vec::new());
            look.finished
        };
        let told = finished(4);
        assert_eq!((told[0].settled, told[0].minute), (7, work.minute));
        assert!(told[0].critical_p99_ms.is_some());
        assert_eq!(finished(30), [], "nobody tells any more");
    }

    fn observation(verdict: Verdict) -> Observation {
        Observation {
            rule: Rule::Parked,
            target: "mail".to_owned(),
            verdict,
            value: Some(1.0),
            limit: Some(0.0),
            since: None,
            summary: "mail: 1 messages failed".to_owned(),
        }
    }

    fn rows(judged: &Judged) -> BTreeMap<String, row::Model> {
        let written = judged.written.iter().map(|(row, _)| row.clone());
        written.map(|row| (row.alert_key.clone(), row)).collect()
    }

    #[test]
    fn an_alert_is_told_once_when_it_begins_and_once_when_it_ends() {
        let raised = judge(BTreeMap::new(), vec![observation(Verdict::Beyond)], at(0));
        assert_eq!(raised.told.len(), 1);
        assert_eq!(raised.told[0].0, alerts::RAISED);
        let mut known = rows(&raised);
        known.get_mut("parked:mail").unwrap().acknowledged_by = Some("ada".to_owned());
        let lasts = judge(known, vec![observation(Verdict::Beyond)], at(5));
        assert!(lasts.told.is_empty());
        assert_eq!(lasts.raised, ["parked"]);
        // Gone from the findings: nothing is parked any more.
        let cleared = judge(rows(&lasts), Vec::new(), at(10));
        assert_eq!(cleared.told[0].0, alerts::CLEARED);
        assert!(cleared.raised.is_empty());
        let again = judge(rows(&cleared), vec![observation(Verdict::Beyond)], at(15));
        let (row, is_new) = &again.written[0];
        assert_eq!((row.episode, *is_new), (2, false));
        assert_eq!(row.acknowledged_by, None, "it is another trouble");
    }

    #[test]
    fn a_trouble_that_passes_leaves_nothing() {
        let begins = Observation {
            rule: Rule::Depth,
            ..observation(Verdict::Beyond)
        };
        let pending = judge(BTreeMap::new(), vec![begins], at(0));
        assert!(pending.told.is_empty());
        let over = judge(rows(&pending), Vec::new(), at(5));
        assert_eq!(over.forgotten, ["depth:mail"]);
    }
}
