//! The tables that page and text share, as rows of text.

use super::{
    Report,
    goals::Goal,
    names::{important, in_order, title},
    text::{measured, range, short},
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Table {
    pub(crate) heads: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

fn heads(heads: &[&str]) -> Vec<String> {
    heads.iter().map(|head| (*head).to_owned()).collect()
}

pub(crate) fn goals(report: &Report) -> Table {
    let row = |goal: &Goal| {
        let limit = |limit: f64| format!("{} {}", goal.bound.sign(), short(limit));
        let value = goal.value.map(|value| measured(value, goal.unit));
        vec![
            goal.id.to_owned(),
            goal.what.to_owned(),
            value.unwrap_or_else(|| "not measured".to_owned()),
            limit(goal.must),
            goal.stretch.map_or_else(String::new, limit),
            met(goal).to_owned(),
        ]
    };
    Table {
        heads: heads(&["", "goal", "value", "must", "stretch", "met"]),
        rows: report.goals.iter().map(row).collect(),
    }
}

fn met(goal: &Goal) -> &'static str {
    match goal.met {
        Some(true) if goal.reaches_stretch() => "yes, and the stretch",
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}

/// What each measurement is told by.
pub(crate) fn important_numbers(report: &Report) -> Table {
    let mut rows = Vec::new();
    for (trial, numbers) in in_order(&report.trials) {
        for (place, told) in important(numbers).into_iter().enumerate() {
            let name = if place == 0 { title(trial) } else { "" };
            rows.push(vec![
                name.to_owned(),
                told.what,
                measured(told.value.median, told.unit),
                range(told.value),
            ]);
        }
    }
    Table {
        heads: heads(&["measurement", "number", "median", "min–max"]),
        rows,
    }
}

/// A row for each process, a column for each measurement; the dearest process first, those that don't count last.
pub(crate) fn cpu_by_process(report: &Report) -> Table {
    /// Measurements whose bookings go the whole way.
    const WHOLE: [&str; 7] = [
        "core",
        "full",
        "burst",
        "full-150ms",
        "lean",
        "node",
        "celery",
    ];
    let has_cpu = |trial: &&str| {
        let numbers = report.trials.get(*trial);
        numbers.is_some_and(|numbers| numbers.contains_key("cpu.all_ms"))
    };
    let trials: Vec<&str> = WHOLE.into_iter().filter(has_cpu).collect();
    let value = |trial: &str, name: &str| Some(report.trials.get(trial)?.get(name)?.median);
    let row = |what: &str, name: &str| {
        let cell = |trial: &&str| value(trial, name).map_or_else(String::new, short);
        let cells = trials.iter().map(cell);
        std::iter::once(what.to_owned()).chain(cells).collect()
    };
    let mut rows = Vec::new();
    for (kind, beside) in [("cpu.process.", ""), ("cpu.aside.", " (not counted)")] {
        let mut dearest: BTreeMap<&str, f64> = BTreeMap::new();
        let names = trials.iter().filter_map(|trial| report.trials.get(*trial));
        for (name, value) in names.flatten() {
            if let Some(process) = process(name, kind) {
                let most = dearest.entry(process).or_default();
                *most = most.max(value.median);
            }
        }
        let mut all: Vec<(&str, f64)> = dearest.into_iter().collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        for (process, _) in all {
            let name = format!("{kind}{process}_ms");
            rows.push(row(&format!("{process}{beside}"), &name));
        }
        if beside.is_empty() && !rows.is_empty() {
            rows.push(row("all that count", "cpu.all_ms"));
        }
    }
    let columns = trials.iter().map(|trial| title(trial));
    let all: Vec<&str> = std::iter::once("process").chain(columns).collect();
    Table {
        heads: heads(&all),
        rows,
    }
}

fn process<'a>(name: &'a str, kind: &str) -> Option<&'a str> {
    name.strip_prefix(kind)?.strip_suffix("_ms")
}

/// Every number of one measurement.
pub(crate) fn all_numbers(report: &Report, trial: &str) -> Table {
    let numbers = report.trials.get(trial).into_iter().flatten();
    let row = |(name, of): (&String, &super::Median)| {
        vec![name.clone(), short(of.median), short(of.min), short(of.max)]
    };
    Table {
        heads: heads(&["number", "median", "min", "max"]),
        rows: numbers.map(row).collect(),
    }
}

/// How to measure these.
pub(crate) fn command(trials: &BTreeSet<&str>) -> String {
    let only = trials.iter().map(|trial| format!(" --only {trial}"));
    format!("cargo xtask bench{}", only.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up::{report, trials};

    #[test]
    fn a_goal_shows_its_limits_even_when_it_was_not_measured() {
        let report = report(trials(&[("papers", "pages_per_cpu_s", 6_000.0)]));
        let rows = goals(&report).rows;
        let of = |what: &str| rows.iter().find(|row| row[1].starts_with(what)).unwrap();
        let pages = of("ticket pages");
        assert_eq!(
            pages[2..],
            ["6,000", "≥ 1,500", "≥ 5,000", "yes, and the stretch"]
        );
        let idle = of("memory of an idle worker");
        assert_eq!(idle[2..], ["not measured", "≤ 25.0", "", ""]);
    }

    #[test]
    fn the_dearest_process_comes_first_and_those_beside_last() {
        let report = report(trials(&[
            ("core", "cpu.all_ms", 5.0),
            ("core", "cpu.aside.load_ms", 9.0),
            ("core", "cpu.process.api_ms", 1.0),
            ("core", "cpu.process.tickets_ms", 4.0),
            ("node", "cpu.all_ms", 7.0),
            ("node", "cpu.process.intake_ms", 7.0),
            ("parts", "cpu.process.intake_ms", 7.0),
        ]));
        let table = cpu_by_process(&report);
        assert_eq!(
            table.heads,
            ["process", "Boxoffice, the peers' work", "Node"]
        );
        let first: Vec<&str> = table.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(
            first,
            [
                "intake",
                "tickets",
                "api",
                "all that count",
                "load (not counted)"
            ]
        );
        assert_eq!(table.rows[3][1..], ["5.00", "7.00"]);
        assert_eq!(table.rows[0][1..], ["", "7.00"]);
    }

    #[test]
    fn a_measurement_is_named_once() {
        let report = report(trials(&[
            ("node", "bookings_per_s", 70.0),
            ("core", "cpu.all_ms", 2.0),
            ("core", "bookings_per_s", 270.0),
        ]));
        let table = important_numbers(&report);
        let told: Vec<(&str, &str)> = table
            .rows
            .iter()
            .map(|row| (row[0].as_str(), row[2].as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("Boxoffice, the peers' work", "270"),
                ("", "2.00 ms"),
                ("Node", "70.0")
            ]
        );
        assert_eq!(table.rows[0][3], "243–297");
    }

    #[test]
    fn a_command_names_each_measurement() {
        let names = ["core", "node"].into();
        assert_eq!(command(&names), "cargo xtask bench --only core --only node");
    }
}
