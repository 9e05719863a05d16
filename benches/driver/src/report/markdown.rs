//! The report as a page of text; `docs/performance.md` has a copy of its tables.

use super::{Report, goals::Goal};
use std::fmt::Write as _;

pub(crate) fn of(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "# Bench\n\n{}, commit {}; {} cores ({}), {} GiB, {}; {}.\n\n## Goals\n\n\
         | | | value | must | stretch | met |\n|---|---|---|---|---|---|\n",
        machine.date,
        machine.commit,
        machine.cores,
        machine.processor,
        machine.memory_gib,
        machine.system,
        machine.servers.join("; ")
    );
    for peer in &machine.peers {
        text = text.replacen("## Goals", &format!("{peer}.\n\n## Goals"), 1);
    }
    for goal in &report.goals {
        text += &line(goal);
    }
    for (trial, numbers) in &report.trials {
        let _ = write!(
            text,
            "\n## {trial}\n\n| number | median | min | max |\n|---|---|---|---|\n"
        );
        for (name, median) in numbers {
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} |",
                short(median.median),
                short(median.min),
                short(median.max)
            );
        }
    }
    text
}

fn line(goal: &Goal) -> String {
    let value = goal.value.map_or_else(|| "not measured".to_owned(), short);
    let met = match goal.met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    format!(
        "| {} | {} | {value} {} | ≤ {} | ≤ {} | {met} |\n",
        goal.id,
        goal.what,
        goal.unit,
        short(goal.must),
        short(goal.stretch)
    )
}

/// Three digits that say something.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}
