//! Medians of all repetitions, and what they say of the goals: `report.json`, `report.md`, `report.html`.

mod chart;
mod figures;
mod goals;
mod html;
mod machine;
#[cfg(test)]
pub(crate) mod made_up;
mod markdown;
mod names;
mod tables;
mod text;

use anyhow::{Context as _, ensure};
use goals::Goal;
use machine::Machine;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};
pub(crate) use text::short;

/// By measurement and number.
pub(crate) type Trials = BTreeMap<String, BTreeMap<String, Median>>;

/// Of the repetitions of one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Median {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) repetitions: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// That it came from.
    command: String,
    machine: Machine,
    goals: Vec<Goal>,
    trials: Trials,
}

/// Of what lies in `raw` below the folder; says in one line what came out. Without a command it is told which one
/// measures the same.
pub(crate) fn write(folder: &Path, command: Option<String>) -> anyhow::Result<String> {
    let trials = read(&folder.join("raw"))?;
    let report = Report {
        command: command.unwrap_or_else(|| command_for(&trials)),
        machine: Machine::look(&folder.join("raw")),
        goals: goals::of(&trials),
        trials,
    };
    let put = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    put("report.json", serde_json::to_string_pretty(&report)?)?;
    put("report.md", markdown::of(&report))?;
    put("report.html", html::page(&report))?;
    let page = folder.join("report.html");
    Ok(format!(
        "{}: {}",
        goals::verdict(&report.goals),
        page.display()
    ))
}

fn command_for(trials: &Trials) -> String {
    let names = trials.keys().map(String::as_str).collect();
    let all = trials.values().flat_map(BTreeMap::values);
    let repetitions = all.map(|median| median.repetitions).max();
    let repetitions = repetitions.unwrap_or_default();
    format!("{} --repetitions {repetitions}", tables::command(&names))
}

/// Files are `name.repetition.json`; others lie beside them.
fn read(folder: &Path) -> anyhow::Result<Trials> {
    let mut values: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((trial, repetition)) = name
            .strip_suffix(".json")
            .and_then(|name| name.split_once('.'))
        else {
            continue;
        };
        if repetition.parse::<u32>().is_err() {
            continue;
        }
        let numbers: BTreeMap<String, Option<f64>> = serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        let trial = values.entry(trial.to_owned()).or_default();
        for (number, value) in numbers {
            // What is no number is written as null: as good as not measured.
            let value = value.filter(|value| value.is_finite());
            trial.entry(number).or_default().extend(value);
        }
    }
    for numbers in values.values_mut() {
        numbers.retain(|_, values| !values.is_empty());
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
    fn repetitions_come_together_and_other_files_are_left_alone() {
        let folder = std::env::temp_dir().join(format!("bench-report-{}", std::process::id()));
        let raw = folder.join("raw");
        fs::create_dir_all(&raw).unwrap();
        for (name, text) in [
            ("core.1.json", r#"{"cpu.all_ms": 3, "x": null}"#),
            ("core.2.json", r#"{"cpu.all_ms": 1, "x": 7}"#),
            ("full-150ms.1.json", r#"{"nothing": null}"#),
            ("node.versions", "amqplib 0.10\npdfkit 0.17\n"),
            ("core.1.json.tmp", "{"),
            ("notes.json", "[]"),
        ] {
            fs::write(raw.join(name), text).unwrap();
        }
        let trials = read(&raw).unwrap();
        let line = write(&folder, None).unwrap();
        let html = fs::read_to_string(folder.join("report.html")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let names: Vec<&str> = trials.keys().map(String::as_str).collect();
        assert_eq!(names, ["core", "full-150ms"]);
        assert_eq!(trials["core"]["cpu.all_ms"].median, 2.0);
        assert_eq!(trials["core"]["x"].repetitions, 1);
        assert!(trials["full-150ms"].is_empty());
        assert!(line.starts_with("0 of ") && line.ends_with("report.html"));
        assert!(html.contains("node: amqplib 0.10, pdfkit 0.17"));
        assert!(html.contains("--only core --only full-150ms --repetitions 2"));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let of = |values: &[f64]| median(values.to_vec()).median;
        assert_eq!(of(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        let all = median(vec![5.0, 9.0, 7.0]);
        assert_eq!((all.min, all.max, all.repetitions), (5.0, 9.0, 3));
    }
}
