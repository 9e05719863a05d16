//! Which charts there are, and the numbers that each is drawn of.

#[cfg(test)]
mod tests;

use super::{
    Trials,
    chart::{Bar, Dots, Point, Scale, Stack, bars, dots, line, stacks},
    names::{count_in, title},
};
use std::collections::BTreeSet;

/// A chart of some measurements.
pub(crate) struct Figure {
    pub(crate) title: &'static str,
    /// What to know when looking at it.
    pub(crate) about: &'static str,
    /// Measurements, in the order of the rows.
    pub(crate) of: &'static [&'static str],
    draw: fn(&Figure, &Trials) -> Option<String>,
}

const GROUPS: &[(&str, &str)] = &[
    ("app", "app"),
    ("broker", "broker"),
    ("database", "database"),
    ("documents", "documents (MongoDB)"),
];
const QUANTILES: &[(&str, &str)] = &[("p50", "p50"), ("p95", "p95"), ("p99", "p99")];
const LATENCY: &str =
    "Dots: half, 95 % and 99 % of the bookings took at most this. The scale is logarithmic.";

pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        title: "Bookings per second: the peers' work",
        about: "Held, captured at an in-process stub, two ticket pages stored. \
                Whiskers: smallest and largest repetition.",
        of: &["core", "node", "celery"],
        draw: rates,
    },
    Figure {
        title: "Bookings per second: the whole house",
        about: "Everything is also mail, timeline and the gateway over HTTP; the bare driver makes the calls of the \
                row above it and nothing else.",
        of: &["full", "burst", "full-150ms", "lean", "bare"],
        draw: rates,
    },
    Figure {
        title: "CPU time per booking",
        about: "Of all processes that work for it. Load generator, sandbox and mail catcher are not counted.",
        of: &["core", "node", "celery", "full", "burst", "lean"],
        draw: cpu,
    },
    Figure {
        title: "Hot show: until 10,000 customers are answered",
        about: "One seat each, of 100 seats.",
        of: &["hot", "hot-node", "hot-celery"],
        draw: hot,
    },
    Figure {
        title: "What a customer waits: everything",
        about: LATENCY,
        of: &["full"],
        draw: latency,
    },
    Figure {
        title: "What a customer waits: a gateway of 150 ms",
        about: LATENCY,
        of: &["full-150ms"],
        draw: latency,
    },
    Figure {
        title: "What a customer waits: the peers' work",
        about: LATENCY,
        of: &["core"],
        draw: latency,
    },
    Figure {
        title: "Messages, statements, syncs and bytes per booking",
        about: "As broker, database and kernel count them. Written bytes are of processes that \
                tell: another user's don't.",
        of: &["core", "node", "celery", "full", "burst", "lean"],
        draw: counters,
    },
    Figure {
        title: "CPU time per booking while a backlog is worked off",
        about: "A queue's length should not matter.",
        of: &["drain"],
        draw: drain,
    },
    Figure {
        title: "Memory of the whole app",
        about: "Resident, all processes of ours or of the peer; servers are not counted. What processes share, such as one \
                program's code, counts in each.",
        of: &["core", "node", "celery"],
        draw: memory_of_apps,
    },
    Figure {
        title: "Memory of each process: everything",
        about: "Resident.",
        of: &["full"],
        draw: memory,
    },
    Figure {
        title: "Memory of each process: the peers' work",
        about: "Resident.",
        of: &["core"],
        draw: memory,
    },
    Figure {
        title: "Memory of each process: a backlog is worked off",
        about: "Resident.",
        of: &["drain"],
        draw: memory,
    },
    Figure {
        title: "Scaling out",
        about: "Bookings per second by number of processes of each worker.",
        of: &["scale"],
        draw: scale,
    },
];

impl Figure {
    /// None: nothing of it was measured.
    pub(crate) fn draw(&self, trials: &Trials) -> Option<String> {
        (self.draw)(self, trials)
    }

    /// Measurements that would add to it.
    pub(crate) fn missing(&self, trials: &Trials) -> BTreeSet<&'static str> {
        let all = self.of.iter().copied();
        all.filter(|trial| !trials.contains_key(*trial)).collect()
    }

    /// The same number of each measurement that has it.
    fn bars(&self, trials: &Trials, number: &str, about: &str, unit: &str) -> Option<String> {
        let rows: Vec<Bar> = self
            .of
            .iter()
            .filter_map(|trial| {
                Some(Bar {
                    name: title(trial).to_owned(),
                    class: side(trial),
                    value: trials.get(*trial)?.get(number)?,
                })
            })
            .collect();
        (!rows.is_empty()).then(|| bars(about, unit, &rows))
    }
}

fn rates(figure: &Figure, trials: &Trials) -> Option<String> {
    figure.bars(trials, "bookings_per_s", figure.title, "per s")
}

fn hot(figure: &Figure, trials: &Trials) -> Option<String> {
    figure.bars(trials, "answered_s", figure.title, "s")
}

/// Ours stand out.
fn side(trial: &str) -> &'static str {
    let peers = ["node", "celery", "bare", "hot-node", "hot-celery"];
    if peers.contains(&trial) {
        "theirs"
    } else {
        "ours"
    }
}

fn cpu(figure: &Figure, trials: &Trials) -> Option<String> {
    let row = |trial: &&str| {
        let numbers = trials.get(*trial)?;
        let part = |(group, _): &(&str, &str)| {
            let number = numbers.get(&format!("cpu.group.{group}_ms"));
            number.map_or(0.0, |number| number.median)
        };
        let parts: Vec<f64> = GROUPS.iter().map(part).collect();
        let counted = parts.iter().sum::<f64>() > 0.0;
        counted.then(|| Stack {
            name: title(trial).to_owned(),
            parts,
        })
    };
    let rows: Vec<Stack> = figure.of.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| stacks(figure.title, "ms", GROUPS, &rows))
}

fn latency(figure: &Figure, trials: &Trials) -> Option<String> {
    let numbers = trials.get(*figure.of.first()?)?;
    let mut rows = Vec::new();
    for step in ["held", "confirmed", "paid", "completed"] {
        for (load, name) in [
            ("load_50", "at 50 % load"),
            ("load_80", "at 80 % load"),
            ("full_load", "at full load"),
        ] {
            let value = |(quantile, _): &(&str, &str)| {
                let number = numbers.get(&format!("latency.{load}.{step}.{quantile}_ms"))?;
                Some(number.median)
            };
            let values: Vec<Option<f64>> = QUANTILES.iter().map(value).collect();
            if values.iter().any(Option::is_some) {
                let name = format!("{step}, {name}");
                rows.push(Dots { name, values });
            }
        }
    }
    (!rows.is_empty()).then(|| dots(figure.title, "ms", Scale::Logarithmic, QUANTILES, &rows))
}

/// One chart for each: their sizes have nothing to do with each other.
fn counters(figure: &Figure, trials: &Trials) -> Option<String> {
    let all = [
        ("broker.published", "messages"),
        ("sql.questions", "statements"),
        ("sql.commits", "commits"),
        ("sql.data_fsyncs", "syncs of data files"),
        ("sql.log_fsyncs", "syncs of the log"),
        ("sql.received_bytes", "bytes to the database"),
        ("sql.sent_bytes", "bytes from the database"),
        ("disk.written_bytes", "bytes written to disk"),
    ];
    let charts: String = all
        .iter()
        .filter_map(|(number, name)| {
            let chart = figure.bars(trials, number, name, "")?;
            Some(format!("<h3>{name}</h3>{chart}"))
        })
        .collect();
    (!charts.is_empty()).then_some(charts)
}

fn drain(figure: &Figure, trials: &Trials) -> Option<String> {
    let name = ("backlog_", ".cpu_ms");
    by_count(figure, trials, name, ("bookings waiting", "ms"))
}

fn scale(figure: &Figure, trials: &Trials) -> Option<String> {
    let name = ("processes_", ".bookings_per_s");
    by_count(figure, trials, name, ("processes", "bookings per second"))
}

/// Numbers that have a count in their names.
fn by_count(
    figure: &Figure,
    trials: &Trials,
    (before, after): (&str, &str),
    axes: (&str, &str),
) -> Option<String> {
    let numbers = trials.get(*figure.of.first()?)?.iter();
    let mut points: Vec<Point> = numbers
        .filter_map(|(name, value)| {
            let at = count_in(name, before, after)?;
            Some(Point { at, value })
        })
        .collect();
    points.sort_by(|one, other| one.at.total_cmp(&other.at));
    (!points.is_empty()).then(|| line(figure.title, axes, &points))
}

/// Moments at which memory was looked at, by what stands before `memory.`.
const MOMENTS: [(&str, &str, &str); 3] = [
    ("idle.", "idle", "idle"),
    ("", "loaded", "loaded"),
    ("deep.", "deep", "with a deep backlog"),
];

fn memory_of_apps(figure: &Figure, trials: &Trials) -> Option<String> {
    let all = figure.of.iter().copied();
    let rows = all.map(|trial| (title(trial).to_owned(), trial, "group.app"));
    at_moments(figure, trials, rows.collect())
}

fn memory(figure: &Figure, trials: &Trials) -> Option<String> {
    let trial = *figure.of.first()?;
    let names = trials.get(trial)?.keys();
    let process = |name: &'_ String| -> Option<String> {
        let all = MOMENTS.iter();
        let rest = all
            .filter_map(|(before, ..)| name.strip_prefix(before)?.strip_prefix("memory."))
            .find_map(|rest| rest.strip_suffix(".resident_mib"))?;
        (!rest.starts_with("group.")).then(|| rest.to_owned())
    };
    let processes: BTreeSet<String> = names.filter_map(process).collect();
    let rows = processes.iter();
    let rows = rows.map(|process| (process.clone(), trial, process.as_str()));
    at_moments(figure, trials, rows.collect())
}

/// Of each row's name: the memory that this part of this measurement had.
fn at_moments(figure: &Figure, trials: &Trials, rows: Vec<(String, &str, &str)>) -> Option<String> {
    let value = |trial: &str, part: &str, before: &str| {
        let number = format!("{before}memory.{part}.resident_mib");
        Some(trials.get(trial)?.get(&number)?.median)
    };
    let seen: Vec<_> = MOMENTS
        .into_iter()
        .filter(|(before, ..)| {
            let mut all = rows.iter();
            all.any(|(_, trial, part)| value(trial, part, before).is_some())
        })
        .collect();
    let row = |(name, trial, part): &(String, &str, &str)| {
        let values = seen.iter().map(|(before, ..)| value(trial, part, before));
        let values: Vec<Option<f64>> = values.collect();
        values.iter().any(Option::is_some).then(|| Dots {
            name: name.clone(),
            values,
        })
    };
    let rows: Vec<Dots> = rows.iter().filter_map(row).collect();
    let legend: Vec<(&str, &str)> = seen
        .iter()
        .map(|(_, class, name)| (*class, *name))
        .collect();
    (!rows.is_empty()).then(|| dots(figure.title, "MiB", Scale::Linear, &legend, &rows))
}
