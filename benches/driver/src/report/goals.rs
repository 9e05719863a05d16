//! What must be reached, as ratios within one run where a machine would decide otherwise.
//!
//! What has to be exact is no goal: a measurement in which a seat is sold twice or a booking is lost fails.

mod table;
#[cfg(test)]
mod tests;

use super::Trials;
use serde::Serialize;
use std::collections::BTreeSet;
use table::LINES;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// None: not measured in this run.
    pub(crate) value: Option<f64>,
    pub(crate) bound: Bound,
    pub(crate) must: f64,
    /// None: there is no more to wish for.
    pub(crate) stretch: Option<f64>,
    /// Judged by its must.
    pub(crate) met: Option<bool>,
    /// Measurements that give it.
    pub(crate) measured_by: BTreeSet<&'static str>,
}

/// On which side of its limits a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtMost,
    AtLeast,
}

impl Bound {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "≤",
            Self::AtLeast => "≥",
        }
    }

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::AtMost => value <= limit,
            Self::AtLeast => value >= limit,
        }
    }
}

impl Goal {
    pub(crate) fn reaches_stretch(&self) -> bool {
        let both = self.value.zip(self.stretch);
        both.is_some_and(|(value, stretch)| self.bound.holds(value, stretch))
    }
}

/// A goal before it is measured.
struct Line {
    id: &'static str,
    what: &'static str,
    unit: &'static str,
    bound: Bound,
    must: f64,
    stretch: Option<f64>,
    value: Value,
}

/// A measurement and the name of one of its numbers.
type Number = (&'static str, &'static str);

/// Where a value comes from; it is there when all of its numbers are.
enum Value {
    Of(Number),
    /// The first as a share of the second.
    Share(Number, Number),
    /// Of one measurement.
    Highest(&'static str, &'static [&'static str]),
}

impl Value {
    fn read(&self, trials: &Trials) -> Option<f64> {
        let number = |(trial, name): Number| Some(trials.get(trial)?.get(name)?.median);
        let value = match *self {
            Self::Of(one) => number(one)?,
            Self::Share(ours, theirs) => number(ours)? / number(theirs)?,
            Self::Highest(trial, names) => {
                let all: Option<Vec<f64>> =
                    names.iter().map(|name| number((trial, name))).collect();
                all?.into_iter().reduce(f64::max)?
            }
        };
        Some(value).filter(|value| value.is_finite())
    }

    fn trials(&self) -> BTreeSet<&'static str> {
        match *self {
            Self::Of((trial, _)) | Self::Highest(trial, _) => [trial].into(),
            Self::Share((ours, _), (theirs, _)) => [ours, theirs].into(),
        }
    }
}

pub(crate) fn of(trials: &Trials) -> Vec<Goal> {
    let goal = |line: &Line| {
        let value = line.value.read(trials);
        Goal {
            id: line.id,
            what: line.what,
            unit: line.unit,
            value,
            bound: line.bound,
            must: line.must,
            stretch: line.stretch,
            met: value.map(|value| line.bound.holds(value, line.must)),
            measured_by: line.value.trials(),
        }
    };
    LINES.iter().map(goal).collect()
}

/// In one line: how many are met, missed, not measured.
pub(crate) fn verdict(goals: &[Goal]) -> String {
    let count = |met| goals.iter().filter(|goal| goal.met == met).count();
    let mut text = format!("{} of {} goals met", count(Some(true)), goals.len());
    for (met, what) in [(Some(false), "missed"), (None, "not measured")] {
        if count(met) > 0 {
            text += &format!(", {} {what}", count(met));
        }
    }
    text
}
