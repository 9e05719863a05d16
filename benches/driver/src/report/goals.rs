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
    /// At most.
    pub(crate) must: f64,
    pub(crate) stretch: f64,
    pub(crate) met: Option<bool>,
}

/// A goal before it is measured.
struct Line {
    id: &'static str,
    what: &'static str,
    unit: &'static str,
    must: f64,
    stretch: f64,
    value: fn(&Trials) -> Option<f64>,
}

/// Of CPU time per booking, over all processes that are counted.
const CPU: &str = "cpu.all_ms";

const LINES: &[Line] = &[
    at_most(
        "N1",
        "CPU per booking of the peers' work, as a share of Node's",
        "",
        (1.0 / 10.0, 1.0 / 15.0),
        |trials| share(trials, ("core", CPU), ("node", CPU)),
    ),
    at_most(
        "N1",
        "the same, as a share of Celery's",
        "",
        (1.0 / 14.0, 1.0 / 20.0),
        |trials| share(trials, ("core", CPU), ("celery", CPU)),
    ),
    at_most(
        "N2",
        "CPU per booking with everything, as a share of Node's for the peers' work",
        "",
        (1.0 / 6.0, 1.0 / 10.0),
        |trials| share(trials, ("full", CPU), ("node", CPU)),
    ),
    at_most(
        "N4",
        "submit to held at 80 % load, p99",
        "ms",
        (50.0, 25.0),
        |trials| number(trials, "full", "latency.load_80.held.p99_ms"),
    ),
    at_most(
        "N4",
        "submit to confirmed at 80 % load, p99",
        "ms",
        (150.0, 100.0),
        |trials| number(trials, "full", "latency.load_80.confirmed.p99_ms"),
    ),
    at_most(
        "N5",
        "hot show: all 10,000 are answered, as a share of Node's time",
        "",
        (1.0 / 4.0, 1.0 / 8.0),
        |trials| share(trials, ("hot", "answered_s"), ("hot-node", "answered_s")),
    ),
    at_most(
        "N5",
        "hot show: CPU per attempt",
        "ms",
        (0.4, 0.2),
        |trials| number(trials, "hot", CPU),
    ),
    at_most(
        "N5",
        "hot show: the last winner knows",
        "s",
        (2.0, 2.0),
        |trials| number(trials, "hot", "last_winner_s"),
    ),
];

const fn at_most(
    id: &'static str,
    what: &'static str,
    unit: &'static str,
    (must, stretch): (f64, f64),
    value: fn(&Trials) -> Option<f64>,
) -> Line {
    Line {
        id,
        what,
        unit,
        must,
        stretch,
        value,
    }
}

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
            met: value.map(|value| value <= line.must),
        }
    };
    LINES.iter().map(goal).collect()
}

fn number(trials: &Trials, trial: &str, name: &str) -> Option<f64> {
    Some(trials.get(trial)?.get(name)?.median)
}

/// One number as a share of another of the same run.
fn share(trials: &Trials, ours: (&str, &str), theirs: (&str, &str)) -> Option<f64> {
    let theirs = number(trials, theirs.0, theirs.1)?;
    Some(number(trials, ours.0, ours.1)? / theirs).filter(|share| share.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Median;

    #[test]
    fn a_ratio_needs_both_and_is_judged_by_its_must() {
        let mut trials = Trials::new();
        let mut put = |trial: &str, value: f64| {
            let median = Median {
                median: value,
                min: value,
                max: value,
                repetitions: 1,
            };
            let numbers = trials.entry(trial.to_owned()).or_default();
            numbers.insert(CPU.to_owned(), median);
        };
        put("core", 2.0);
        put("node", 30.0);
        let goals = of(&trials);
        let first = &goals[0];
        assert_eq!((first.id, first.met), ("N1", Some(true)));
        assert!(
            first
                .value
                .is_some_and(|share| (share - 1.0 / 15.0).abs() < 1e-9)
        );
        assert_eq!(goals[1].met, None);
        trials.get_mut("core").unwrap().get_mut(CPU).unwrap().median = 4.0;
        assert_eq!(of(&trials)[0].met, Some(false));
    }
}
