//! Numbers for tests.

use super::{Median, Report, Trials, goals, machine::Machine};

/// Of measurement, number and value; with nothing beside.
pub(crate) fn trials(numbers: &[(&str, &str, f64)]) -> Trials {
    with(Trials::new(), numbers)
}

/// Some more, or others in place of those that are there. Repetitions were a tenth more and less.
pub(crate) fn with(mut trials: Trials, numbers: &[(&str, &str, f64)]) -> Trials {
    for (trial, name, value) in numbers {
        let median = Median {
            median: *value,
            min: value * 0.9,
            max: value * 1.1,
            repetitions: 3,
        };
        let numbers = trials.entry((*trial).to_owned()).or_default();
        numbers.insert((*name).to_owned(), median);
    }
    trials
}

pub(crate) fn machine() -> Machine {
    Machine {
        date: "2026-11-22 10:00 UTC".to_owned(),
        commit: "abc1234".to_owned(),
        cores: 2,
        processor: "Abacus <5>".to_owned(),
        memory_gib: 24.0,
        system: "Debian & Sons".to_owned(),
        servers: vec!["RabbitMQ 3.10.8".to_owned()],
        peers: vec!["node: pdfkit 0.17".to_owned()],
    }
}

pub(crate) fn report(trials: Trials) -> Report {
    Report {
        command: "cargo xtask bench".to_owned(),
        machine: machine(),
        goals: goals::of(&trials),
        trials,
    }
}
