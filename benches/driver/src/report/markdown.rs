//! The report as a page of text; `docs/performance.md` has a copy of its first tables.

use super::{
    Report,
    goals::verdict,
    names::{in_order, title},
    tables::{self, Table},
};
use std::fmt::Write as _;

pub(crate) fn of(report: &Report) -> String {
    let mut text = format!("# Bench\n\n{}.\n\n", verdict(&report.goals));
    text += &part(report);
    text += "\n## CPU milliseconds per booking, by process\n\n";
    table(&mut text, &tables::cpu_by_process(report));
    text += "\n## All numbers\n";
    for (trial, _) in in_order(&report.trials) {
        let _ = write!(text, "\n### {trial}: {}\n\n", title(trial));
        table(&mut text, &tables::all_numbers(report, trial));
    }
    text
}

/// What `docs/performance.md` shows: command, machine, goals, and the numbers that matter.
fn part(report: &Report) -> String {
    let mut text = format!(
        "```sh\n{}\n```\n\n{}\n\n",
        report.command,
        report.machine.sentence()
    );
    table(&mut text, &tables::goals(report));
    text += "\nMedians with minimum and maximum of all repetitions:\n\n";
    table(&mut text, &tables::important_numbers(report));
    text
}

fn table(text: &mut String, table: &Table) {
    let mut line = |cells: &[String]| {
        // What is wrong is to be seen.
        let cell = |cell: &String| match cell.as_str() {
            "no" => "**no**".to_owned(),
            text => text.replace('|', "\\|"),
        };
        let cells: Vec<String> = cells.iter().map(cell).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(&table.heads);
    line(&vec!["---".to_owned(); table.heads.len()]);
    for row in &table.rows {
        line(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up::{report, trials};

    #[test]
    fn the_part_for_the_page_has_command_machine_goals_and_numbers() {
        let report = report(trials(&[
            ("core", "bookings_per_s", 270.0),
            ("core", "seconds", 15.0),
            ("hot", "last_winner_s", 2.5),
        ]));
        let text = part(&report);
        assert!(text.starts_with("```sh\ncargo xtask bench\n```\n"));
        assert!(text.contains("2026-11-22 10:00 UTC"));
        assert!(
            text.contains("| Boxoffice, the peers' work | bookings per second | 270 | 243–297 |")
        );
        assert!(text.contains("| hot show: the last winner knows | 2.50 s | ≤ 2.00 |  | **no** |"));
        assert!(text.contains("not measured"));
        assert!(!text.contains("| seconds |"));
        let all = of(&report);
        assert!(all.contains(&text) && all.contains("| seconds | 15.0 | 13.5 | 16.5 |"));
    }
}
