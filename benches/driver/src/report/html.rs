//! `report.html`: one file that opens anywhere, in light and dark.

#[cfg(test)]
mod tests;

use super::{
    Report,
    chart::escape,
    figures::{FIGURES, Figure},
    goals::{Goal, verdict},
    names::{in_order, title},
    tables::{self, Table},
};
use std::{collections::BTreeSet, fmt::Write as _};

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(crate) fn page(report: &Report) -> String {
    let verdict = verdict(&report.goals);
    let mut html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" \
         content=\"width=device-width\"/><title>Bench: {0}</title><style>{STYLE}</style></head><body>\
         <h1>Bench: {0}</h1><pre>{1}</pre><p>{2}</p>",
        escape(&verdict),
        escape(&report.command),
        escape(&report.machine.sentence()),
    );
    for peer in &report.machine.peers {
        let _ = write!(html, "<p>{}.</p>", escape(peer));
    }
    goals(&mut html, report);
    for figure in FIGURES {
        draw(&mut html, figure, report);
    }
    let cpu = tables::cpu_by_process(report);
    if !cpu.rows.is_empty() {
        html += "<h2>CPU seconds per 1,000 bookings, by process</h2>";
        table(&mut html, &cpu, "numbers", |_| "");
    }
    html +=
        "<h2>The numbers that matter</h2><p>Medians, with the smallest and largest repetition.</p>";
    let important = tables::important_numbers(report);
    table(&mut html, &important, "important", |_| "");
    html += "<h2>All numbers</h2>";
    for (trial, _) in in_order(&report.trials) {
        let _ = write!(
            html,
            "<details><summary>{}: {}</summary>",
            escape(trial),
            escape(title(trial))
        );
        let all = tables::all_numbers(report, trial);
        table(&mut html, &all, "numbers", |_| "");
        html += "</details>";
    }
    html + "</body></html>"
}

/// Judged ones by colour and word; below, how to measure the others.
fn goals(html: &mut String, report: &Report) {
    let class = |row: &[String]| match row.last().map(String::as_str) {
        Some("no") => "bad",
        Some("") => "open",
        _ => "good",
    };
    *html += "<h2>Goals</h2>";
    table(html, &tables::goals(report), "goals", class);
    let open = |goal: &&Goal| goal.met.is_none();
    let open: BTreeSet<&str> = report
        .goals
        .iter()
        .filter(open)
        .flat_map(|goal| goal.measured_by.iter().copied())
        .collect();
    if !open.is_empty() {
        let _ = write!(
            html,
            "<p class=\"missing\">Goals that were not measured: <code>{}</code></p>",
            tables::command(&open)
        );
    }
}

fn draw(html: &mut String, figure: &Figure, report: &Report) {
    let _ = write!(html, "<h2>{}</h2>", escape(figure.title));
    let chart = figure.draw(&report.trials);
    if let Some(chart) = &chart {
        let about = escape(figure.about);
        let _ = write!(html, "<figure><p>{about}</p>{chart}</figure>");
    }
    let mut missing = figure.missing(&report.trials);
    if chart.is_none() && missing.is_empty() {
        // They were made, by a bench that didn't look at this.
        missing.extend(figure.of);
    }
    if !missing.is_empty() {
        let what = if chart.is_some() {
            "Not measured here"
        } else {
            "Not measured"
        };
        let _ = write!(
            html,
            "<p class=\"missing\">{what}: <code>{}</code></p>",
            tables::command(&missing)
        );
    }
}

fn table(
    html: &mut String,
    table: &Table,
    class: &str,
    of_row: impl Fn(&[String]) -> &'static str,
) {
    let _ = write!(html, "<div class=\"wide\"><table class=\"{class}\"><tr>");
    for head in &table.heads {
        let _ = write!(html, "<th>{}</th>", escape(head));
    }
    *html += "</tr>";
    for row in &table.rows {
        let _ = write!(html, "<tr class=\"{}\">", of_row(row));
        for cell in row {
            let _ = write!(html, "<td>{}</td>", escape(cell));
        }
        *html += "</tr>";
    }
    *html += "</table></div>";
}
