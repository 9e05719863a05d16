//! Medians of all repetitions, and what they say of the goals: `report.json`, `report.md`.

mod goals;
mod machine;
mod markdown;

use anyhow::{Context as _, ensure};
use goals::Goal;
use machine::Machine;
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path};

/// By measurement and number.
pub(crate) type Trials = BTreeMap<String, BTreeMap<String, Median>>;

/// Of the repetitions of one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Median {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) repetitions: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    goals: Vec<Goal>,
    trials: Trials,
}

/// Of what lies in `raw` below the folder.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let trials = read(&folder.join("raw"))?;
    let report = Report {
        machine: Machine::look(&folder.join("raw")),
        goals: goals::of(&trials),
        trials,
    };
    let put = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    put("report.json", serde_json::to_string_pretty(&report)?)?;
    put("report.md", markdown::of(&report))
}

/// Files are `name.repetition.json`.
fn read(folder: &Path) -> anyhow::Result<Trials> {
    let mut values: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((trial, rest)) = name.split_once('.') else {
            continue;
        };
        if rest == "versions" {
            continue;
        }
        let numbers: BTreeMap<String, f64> = serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        let trial = values.entry(trial.to_owned()).or_default();
        for (number, value) in numbers {
            trial.entry(number).or_default().push(value);
        }
    }
    ensure!(!values.is_empty(), "nothing was measured");
    let medians = |numbers: BTreeMap<String, Vec<f64>>| {
        let each = numbers.into_iter();
        each.map(|(name, values)| (name, median(values))).collect()
    };
    let trials = values.into_iter();
    Ok(trials
        .map(|(trial, numbers)| (trial, medians(numbers)))
        .collect())
}

fn median(mut values: Vec<f64>) -> Median {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    Median {
        median: if values.len() % 2 == 1 {
            at(middle)
        } else {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        },
        min: at(0),
        max: at(values.len().saturating_sub(1)),
        repetitions: values.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let of = |values: &[f64]| median(values.to_vec()).median;
        assert_eq!(of(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        let all = median(vec![5.0, 9.0, 7.0]);
        assert_eq!((all.min, all.max, all.repetitions), (5.0, 9.0, 3));
    }
}
