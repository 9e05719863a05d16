//! Has a booking become dearer? A report's measurement `guard` against what was recorded before, by numbers that depend
//! on the house and little on the machine. `benches/README.md` says how to run and renew it.

#[cfg(test)]
mod tests;

use crate::report::{Median, Trials, short};
use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

const TRIAL: &str = "guard";
/// CPU time of a fixed piece of work, measured in the same run: how fast this machine is.
const CALIBRATION: &str = "calibration.cpu_ms";
/// Worse by more than a fifth.
const LIMIT: f64 = 1.2;
/// Throughput sees waiting that no counter sees, but also whatever else the machine does.
const LIMIT_OF_RATE: f64 = 1.6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

/// A number that is compared.
struct Chosen {
    /// In the file of what was recorded.
    name: &'static str,
    what: &'static str,
    better: Better,
    /// How many times worse it may be.
    limit: f64,
    value: fn(&Numbers) -> Option<f64>,
}

type Numbers = BTreeMap<String, Median>;

const CHOSEN: &[Chosen] = &[
    less("statements", "statements per booking", |numbers| {
        of(numbers, "sql.questions")
    }),
    less("commits", "commits per booking", |numbers| {
        of(numbers, "sql.commits")
    }),
    less(
        "data_fsyncs",
        "syncs of data files per booking",
        |numbers| of(numbers, "sql.data_fsyncs"),
    ),
    less(
        "received_bytes",
        "bytes to the database per booking",
        |numbers| of(numbers, "sql.received_bytes"),
    ),
    less(
        "sent_bytes",
        "bytes from the database per booking",
        |numbers| of(numbers, "sql.sent_bytes"),
    ),
    less("messages", "messages per booking", |numbers| {
        of(numbers, "broker.published")
    }),
    less("cpu", "CPU per booking, in calibrations", |numbers| {
        Some(of(numbers, "cpu.all_ms")? / of(numbers, CALIBRATION)?)
    }),
    Chosen {
        name: "rate",
        what: "bookings in the time of a calibration",
        better: Better::More,
        limit: LIMIT_OF_RATE,
        value: |numbers| Some(of(numbers, "bookings_per_s")? * of(numbers, CALIBRATION)? / 1_000.0),
    },
];

const fn less(
    name: &'static str,
    what: &'static str,
    value: fn(&Numbers) -> Option<f64>,
) -> Chosen {
    Chosen {
        name,
        what,
        better: Better::Less,
        limit: LIMIT,
        value,
    }
}

fn of(numbers: &Numbers, name: &str) -> Option<f64> {
    Some(numbers.get(name)?.median)
}

/// `benches/guard.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    measured: Measured,
    numbers: BTreeMap<String, f64>,
}

/// Where they come from: told, not compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measured {
    date: String,
    commit: String,
    cores: usize,
    processor: String,
}

/// What is read of `report.json`.
#[derive(Debug, Deserialize)]
struct Report {
    machine: Measured,
    trials: Trials,
}

#[derive(Debug)]
pub(crate) struct Comparison(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    recorded: Option<f64>,
    now: Option<f64>,
    /// 1: as it was.
    times_worse: Option<f64>,
    limit: f64,
    judgement: Judgement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Fine,
    Worse,
    /// It was recorded, and is not measured any more: nobody would see it become worse.
    Lost,
    /// It is measured, and was not recorded yet.
    New,
}

impl Judgement {
    const fn text(self) -> &'static str {
        match self {
            Self::Fine => "",
            Self::Worse => "WORSE",
            Self::Lost => "NOT MEASURED",
            Self::New => "not recorded",
        }
    }
}

/// # Errors
/// A file can't be read, or the report has no measurement `guard`.
pub(crate) fn compare(recorded: &Path, report: &Path) -> anyhow::Result<Comparison> {
    let (_, now) = measured(report)?;
    let text = fs::read(recorded).with_context(|| {
        let path = recorded.display();
        format!("{path}: nothing is recorded yet? --renew does it")
    })?;
    let recorded: Recorded =
        serde_json::from_slice(&text).with_context(|| recorded.display().to_string())?;
    Ok(Comparison::of(&recorded.numbers, &now))
}

/// Writes down what the report has; directions and limits are not in the file.
///
/// # Errors
/// A file can't be read or written, or the report has not every number.
pub(crate) fn renew(recorded: &Path, report: &Path) -> anyhow::Result<()> {
    let (measured, numbers) = measured(report)?;
    let missing = CHOSEN.iter().filter(|one| !numbers.contains_key(one.name));
    let missing: Vec<&str> = missing.map(|one| one.what).collect();
    ensure!(missing.is_empty(), "not measured: {}", missing.join(", "));
    let recorded_now = Recorded { measured, numbers };
    let text = serde_json::to_string_pretty(&recorded_now)? + "\n";
    fs::write(recorded, text).with_context(|| recorded.display().to_string())
}

/// The chosen numbers of a report.
fn measured(report: &Path) -> anyhow::Result<(Measured, BTreeMap<String, f64>)> {
    let path = || report.display().to_string();
    let text = fs::read(report).with_context(path)?;
    let report: Report = serde_json::from_slice(&text).with_context(path)?;
    let numbers = report.trials.get(TRIAL).with_context(|| {
        format!("the report has no measurement {TRIAL}: cargo xtask bench --guard")
    })?;
    let value = |one: &Chosen| Some((one.name.to_owned(), (one.value)(numbers)?));
    let values = CHOSEN.iter().filter_map(value);
    let values = values.filter(|(_, value)| value.is_finite()).collect();
    Ok((report.machine, values))
}

impl Comparison {
    fn of(recorded: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> Self {
        let mut rows: Vec<Row> = CHOSEN
            .iter()
            .filter_map(|one| one.row(recorded.get(one.name).copied(), now.get(one.name).copied()))
            .collect();
        let unknown = recorded
            .iter()
            .filter(|(name, _)| !CHOSEN.iter().any(|one| one.name == *name));
        rows.extend(unknown.map(|(name, value)| Row {
            what: name.clone(),
            recorded: Some(*value),
            now: None,
            times_worse: None,
            limit: LIMIT,
            judgement: Judgement::Lost,
        }));
        Self(rows)
    }

    /// Aligned columns.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![["", "recorded", "now", "change", "limit", ""].map(str::to_owned)];
        rows.extend(self.0.iter().map(Row::cells));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &rows {
            let mut line = format!("{:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1).take(4) {
                let _ = write!(line, "  {cell:>width$}");
            }
            let _ = writeln!(text, "{}", format!("{line}  {}", row[5]).trim_end());
        }
        text.trim_end().to_owned()
    }

    /// # Errors
    /// Something has become worse, or is not looked at any more.
    pub(crate) fn judge(&self) -> anyhow::Result<()> {
        let bad = self
            .0
            .iter()
            .filter(|row| matches!(row.judgement, Judgement::Worse | Judgement::Lost));
        let bad: Vec<&str> = bad.map(|row| row.what.as_str()).collect();
        ensure!(
            bad.is_empty(),
            "worse than recorded, or not measured any more: {}; benches/README.md says what to do",
            bad.join(", ")
        );
        Ok(())
    }
}

impl Chosen {
    /// None: neither recorded nor measured.
    fn row(&self, recorded: Option<f64>, now: Option<f64>) -> Option<Row> {
        let times_worse = recorded.zip(now).map(|(recorded, now)| {
            let (better, worse) = match self.better {
                Better::Less => (recorded, now),
                Better::More => (now, recorded),
            };
            // From nothing to nothing is no change; from nothing to something is one without a measure.
            if better == worse { 1.0 } else { worse / better }
        });
        let judgement = match (recorded, times_worse) {
            (_, Some(times)) if times > self.limit => Judgement::Worse,
            (_, Some(_)) => Judgement::Fine,
            (Some(_), None) => Judgement::Lost,
            (None, None) => Judgement::New,
        };
        (recorded.is_some() || now.is_some()).then(|| Row {
            what: self.what.to_owned(),
            recorded,
            now,
            times_worse,
            limit: self.limit,
            judgement,
        })
    }
}

impl Row {
    fn cells(&self) -> [String; 6] {
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
        let change = |times: f64| match (times - 1.0) * 100.0 {
            percent if percent.abs() < 0.5 => "same".to_owned(),
            percent if percent > 0.0 => format!("{percent:.0} % worse"),
            _ => format!("{:.0} % better", (1.0 - times) * 100.0),
        };
        [
            self.what.clone(),
            number(self.recorded),
            number(self.now),
            self.times_worse.map_or_else(String::new, change),
            format!("{:.0} %", (self.limit - 1.0) * 100.0),
            self.judgement.text().to_owned(),
        ]
    }
}
