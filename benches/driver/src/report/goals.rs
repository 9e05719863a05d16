//! What must be reached, as ratios within one run.

use super::Trials;
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// None: not measured in this run.
    pub(crate) value: Option<f64>,
    pub(crate) must: f64,
    pub(crate) stretch: f64,
    /// Whether smaller is better.
    pub(crate) at_most: bool,
    pub(crate) met: Option<bool>,
}

/// A goal before it is measured.
struct Line {
    id: &'static str,
    what: &'static str,
    unit: &'static str,
    must: f64,
    stretch: f64,
    at_most: bool,
    value: fn(&Trials) -> Option<f64>,
}

const LINES: &[Line] = &[
    Line {
        id: "N4",
        what: "submit to held at 80 % load, p99",
        unit: "ms",
        must: 50.0,
        stretch: 25.0,
        at_most: true,
        value: |trials| number(trials, "full", "latency.load_80.held.p99_ms"),
    },
    Line {
        id: "N4",
        what: "submit to confirmed at 80 % load, p99",
        unit: "ms",
        must: 150.0,
        stretch: 100.0,
        at_most: true,
        value: |trials| number(trials, "full", "latency.load_80.confirmed.p99_ms"),
    },
    Line {
        id: "N5",
        what: "hot show: CPU per attempt",
        unit: "ms",
        must: 0.4,
        stretch: 0.2,
        at_most: true,
        value: |trials| number(trials, "hot", "cpu.all_ms"),
    },
    Line {
        id: "N5",
        what: "hot show: the last winner knows",
        unit: "s",
        must: 2.0,
        stretch: 2.0,
        at_most: true,
        value: |trials| number(trials, "hot", "last_winner_s"),
    },
];

pub(crate) fn of(trials: &Trials) -> Vec<Goal> {
    let goal = |line: &Line| {
        let value = (line.value)(trials);
        Goal {
            id: line.id,
            what: line.what,
            unit: line.unit,
            value,
            must: line.must,
            stretch: line.stretch,
            at_most: line.at_most,
            met: value.map(|value| {
                if line.at_most {
                    value <= line.must
                } else {
                    value >= line.must
                }
            }),
        }
    };
    LINES.iter().map(goal).collect()
}

fn number(trials: &Trials, trial: &str, name: &str) -> Option<f64> {
    Some(trials.get(trial)?.get(name)?.median)
}
