//! What people call measurements and numbers, in the order in which they are told.

use super::{Median, Trials};
use std::collections::BTreeMap;

/// Measurements that are compared come together.
const TRIALS: &[(&str, &str)] = &[
    ("core", "Boxoffice, the peers' work"),
    ("node", "Node"),
    ("celery", "Python, Celery"),
    ("full", "Boxoffice, everything"),
    ("full-150ms", "Boxoffice, everything, slow gateway"),
    ("burst", "Boxoffice, everything, mails unbound"),
    ("lean", "Boxoffice, no documents, no mail"),
    ("bare", "a bare driver of the same calls"),
    ("intake", "the door alone"),
    ("hot", "Boxoffice, hot show"),
    ("hot-node", "Node, hot show"),
    ("hot-celery", "Python, hot show"),
    ("neighbours", "other shows beside a hot one"),
    ("papers", "ticket documents"),
    ("drain", "a backlog is worked off"),
    ("scale", "more processes"),
    ("reads", "reads while selling"),
    ("start", "start"),
    ("kill", "a worker is killed"),
    ("parts", "broker and database alone"),
    ("guard", "guard"),
];

/// One that is not in the list has its own name.
pub(crate) fn title(trial: &str) -> &str {
    let known = TRIALS.iter().find(|(name, _)| *name == trial);
    known.map_or(trial, |(_, title)| title)
}

/// In the order of the list, then others by name.
pub(crate) fn in_order(trials: &Trials) -> Vec<(&str, &BTreeMap<String, Median>)> {
    let mut all: Vec<_> = trials
        .iter()
        .map(|(name, of)| (name.as_str(), of))
        .collect();
    let place = |trial: &str| {
        let place = TRIALS.iter().position(|(name, _)| *name == trial);
        place.unwrap_or(TRIALS.len())
    };
    all.sort_by_key(|(name, _)| place(name));
    all
}

/// A number by its name, what it says, and its unit. `*` stands for what differs, in both texts.
type Known = (&'static str, &'static str, &'static str);

/// The numbers that a measurement is told by.
const IMPORTANT: &[Known] = &[
    ("bookings_per_s", "bookings per second", ""),
    ("accepted_per_s", "bookings accepted per second", ""),
    ("*_*.bookings_per_s", "bookings per second, * = *", ""),
    ("cpu.all_ms", "CPU per booking", "ms"),
    ("cpu.group.*_ms", "of it *", "ms"),
    ("sql.questions", "statements per booking", ""),
    ("sql.commits", "commits per booking", ""),
    ("broker.published", "messages per booking", ""),
    ("latency.accepted.p99_ms", "submit to accepted, p99", "ms"),
    (
        "latency.load_*.held.p99_ms",
        "submit to held at * % load, p99",
        "ms",
    ),
    (
        "latency.load_*.confirmed.p99_ms",
        "submit to confirmed at * % load, p99",
        "ms",
    ),
    (
        "latency.load_*.completed.p99_ms",
        "submit to completed at * % load, p99",
        "ms",
    ),
    ("answered_s", "until all are answered", "s"),
    ("last_winner_s", "until the last winner knows", "s"),
    (
        "fairness",
        "first come, first served (1) or a lottery (0)",
        "",
    ),
    (
        "calm.*.p99_ms",
        "submit to held without a rush, *, p99",
        "ms",
    ),
    (
        "rush.*.p99_ms",
        "submit to held beside a rush, *, p99",
        "ms",
    ),
    ("pages_per_cpu_s", "pages per CPU second", ""),
    ("bytes_max", "largest document", "bytes"),
    ("verified_share", "share of codes that verify", ""),
    ("backlog_*.cpu_ms", "CPU per booking with * waiting", "ms"),
    (
        "idle.memory.group.app.resident_mib",
        "memory of the app, idle",
        "MiB",
    ),
    (
        "memory.group.app.resident_mib",
        "memory of the app, loaded",
        "MiB",
    ),
    ("status.per_s", "reads of a status per second", ""),
    ("map.per_s", "reads of a seat map per second", ""),
    ("watch.p99_ms", "commit to watcher, p99", "ms"),
    ("api_answers_ms", "exec until the API answers", "ms"),
    (
        "first_confirmed_ms",
        "exec until a booking is confirmed",
        "ms",
    ),
    ("normal_again_s", "until the backlog is as before", "s"),
    ("broker.*.per_s", "broker, *: messages per second", ""),
    (
        "database.*_connections_batch_*.bookings_per_s",
        "bookings written per second, * connections, * a commit",
        "",
    ),
    ("calibration.cpu_ms", "calibration", "ms"),
];

/// One number of a measurement, as a row.
pub(crate) struct Told<'a> {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) value: &'a Median,
}

/// Those of the list that were measured, in its order.
pub(crate) fn important(numbers: &BTreeMap<String, Median>) -> Vec<Told<'_>> {
    let told = |(pattern, what, unit): &Known| {
        let mut all: Vec<_> = numbers
            .iter()
            .filter_map(|(name, value)| Some((differs(pattern, name)?, value)))
            .collect();
        // 80 before 100: names are sorted as text.
        let size = |parts: &[&str]| parts.iter().map(|part| part.parse::<u64>().ok()).collect();
        all.sort_by_key(|(parts, _)| -> Vec<Option<u64>> { size(parts) });
        let row = |(parts, value): (Vec<&str>, _)| Told {
            what: parts.iter().fold((*what).to_owned(), |text, part| {
                text.replacen('*', &part.replace('_', " "), 1)
            }),
            unit,
            value,
        };
        all.into_iter().map(row).collect::<Vec<_>>()
    };
    IMPORTANT.iter().flat_map(told).collect()
}

/// What stands where the pattern has stars, none of which stands for a dot; None if the name is another.
fn differs<'a>(pattern: &str, name: &'a str) -> Option<Vec<&'a str>> {
    let mut fixed = pattern.split('*');
    let mut rest = name.strip_prefix(fixed.next()?)?;
    let mut found = Vec::new();
    for text in fixed {
        let at = if text.is_empty() {
            rest.len()
        } else {
            rest.find(text)?
        };
        let (part, after) = (rest.get(..at)?, rest.get(at + text.len()..)?);
        if part.is_empty() || part.contains('.') {
            return None;
        }
        found.push(part);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// The number in a name such as `backlog_1000.cpu_ms`: what stands between both texts.
pub(crate) fn count_in(name: &str, before: &str, after: &str) -> Option<f64> {
    let count = name.strip_suffix(after)?.strip_prefix(before)?;
    let count: u32 = count.parse().ok()?;
    Some(f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up::trials;

    #[test]
    fn a_star_is_a_part_of_a_name_and_no_more() {
        assert_eq!(
            differs("cpu.group.*_ms", "cpu.group.app_ms"),
            Some(vec!["app"])
        );
        assert_eq!(differs("cpu.group.*_ms", "cpu.group.a.b_ms"), None);
        assert_eq!(
            differs("*_*.per_s", "processes_2.per_s"),
            Some(vec!["processes", "2"])
        );
        assert_eq!(differs("cpu.all_ms", "cpu.all_ms"), Some(vec![]));
        assert_eq!(differs("cpu.all_ms", "cpu.all_ms.more"), None);
        assert_eq!(differs("map.per_s", "per_s"), None);
    }

    #[test]
    fn a_measurement_is_told_in_the_order_of_the_list_and_smaller_counts_first() {
        let all = trials(&[
            ("drain", "backlog_1000000.cpu_ms", 2.0),
            ("drain", "backlog_1000.cpu_ms", 2.0),
            ("drain", "cpu.all_ms", 2.0),
            ("drain", "something.else", 2.0),
        ]);
        let told = important(&all["drain"]);
        let told: Vec<&str> = told.iter().map(|told| told.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "CPU per booking",
                "CPU per booking with 1000 waiting",
                "CPU per booking with 1000000 waiting"
            ]
        );
    }

    #[test]
    fn known_measurements_come_first() {
        let all = trials(&[
            ("another", "x", 1.0),
            ("celery", "x", 1.0),
            ("core", "x", 1.0),
        ]);
        let names: Vec<&str> = in_order(&all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["core", "celery", "another"]);
        assert_eq!((title("node"), title("another")), ("Node", "another"));
    }

    #[test]
    fn the_count_of_a_name() {
        assert_eq!(
            count_in("backlog_1000.cpu_ms", "backlog_", ".cpu_ms"),
            Some(1000.0)
        );
        assert_eq!(count_in("backlog_x.cpu_ms", "backlog_", ".cpu_ms"), None);
    }
}
