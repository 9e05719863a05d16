//! `report.md`: the same for whoever reads it in a terminal or a repository.

use super::{Planted, Report};
use std::{collections::BTreeMap, fmt::Write as _};

/// The whole page.
#[must_use]
pub(super) fn page(report: &Report) -> String {
    let mut text = String::new();
    let _ = head(&mut text, report);
    let _ = workload(&mut text, report);
    let _ = checks(&mut text, report);
    let _ = kinds(&mut text, report);
    let _ = timeline(&mut text, report);
    let _ = counts(&mut text, report);
    text
}

/// What is judged, as rows of name and value.
#[must_use]
pub(super) fn figures(report: &Report) -> Vec<(String, String)> {
    let summary = &report.summary;
    let mut rows = vec![
        ("bookings accepted".to_owned(), summary.accepted.to_string()),
        (
            "effective faults".to_owned(),
            format!(
                "{} of {} struck, {} kinds",
                summary.effective_faults,
                report.timeline.len(),
                summary.fault_kinds
            ),
        ),
    ];
    let zeros = summary.zeros().into_iter();
    rows.extend(zeros.map(|(name, count)| (name.replace('_', " "), count.to_string())));
    rows.push((
        "recovery after a heal, p50 / p95 / max".to_owned(),
        format!(
            "{:.1} / {:.1} / {:.1} s",
            summary.recovery_p50_s, summary.recovery_p95_s, summary.recovery_max_s
        ),
    ));
    rows.push((
        "the same by the clock, other faults included, p95 / max".to_owned(),
        format!(
            "{:.1} / {:.1} s",
            summary.well_again_p95_s, summary.well_again_max_s
        ),
    ));
    let met = |name: &str| report.met.get(name).copied().unwrap_or_default();
    rows.push((
        "503 with Retry-After".to_owned(),
        met("503.with").to_string(),
    ));
    rows.push((
        "at rest after the last heal".to_owned(),
        format!("{:.1} s", report.rest_after_s),
    ));
    let counted = |name: &str| report.counted.get(name).copied().unwrap_or_default();
    rows.push((
        "duplicates absorbed by the inbox".to_owned(),
        counted("repeated").to_string(),
    ));
    rows.push((
        "redeliveries".to_owned(),
        counted("redelivered").to_string(),
    ));
    rows.push((
        "bound".to_owned(),
        format!(
            "0 in {} bookings: the true rate is below {:.1e} with 95 % confidence",
            summary.accepted, summary.rate_bound_95
        ),
    ));
    rows
}

fn head(text: &mut String, report: &Report) -> std::fmt::Result {
    let machine = &report.machine;
    let verdict = if report.summary.is_clean() {
        "nothing found"
    } else {
        "VIOLATIONS"
    };
    writeln!(text, "# Chaos run, seed {}: {verdict}\n", report.seed)?;
    writeln!(text, "```sh\n{}\n```\n", report.command)?;
    writeln!(
        text,
        "Commit {}, {} cores, {} MiB, {}.",
        machine.commit, machine.cores, machine.memory_mib, machine.system
    )?;
    let versions: Vec<String> = machine
        .versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    writeln!(text, "Versions: {}.\n", versions.join(", "))?;
    writeln!(text, "| | |\n|---|---|")?;
    for (name, value) in figures(report) {
        writeln!(text, "| {name} | {value} |")?;
    }
    for stuck in &report.stuck {
        writeln!(text, "\nStuck: {stuck}")?;
    }
    for bad in &report.ended_badly {
        writeln!(text, "\nEnded badly: {bad}")?;
    }
    let latency = &report.latency;
    writeln!(text, "\n## From 202 to completed\n")?;
    writeln!(
        text,
        "| | bookings | p50 | p95 | p99 | max |\n|---|---|---|---|---|---|"
    )?;
    for (name, spread) in [("calm", &latency.calm), ("under fire", &latency.under_fire)] {
        writeln!(
            text,
            "| {name} | {} | {:.2} s | {:.2} s | {:.2} s | {:.2} s |",
            spread.count, spread.p50_s, spread.p95_s, spread.p99_s, spread.max_s
        )?;
    }
    Ok(())
}

fn workload(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "\n## Workload\n\n| visit | outcomes |\n|---|---|")?;
    for (course, outcomes) in &report.workload {
        writeln!(text, "| {course} | {} |", listed(outcomes))?;
    }
    if report.turned_away > 0 {
        writeln!(
            text,
            "\n{} visits did not happen: too many were under way.",
            report.turned_away
        )?;
    }
    Ok(())
}

fn checks(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "\n## Checks\n\n| check | promise | looked at | violations |\n|---|---|---|---|"
    )?;
    for check in &report.checks.checks {
        let found = match &check.error {
            Some(error) => format!("not checked: {error}"),
            None => check.violations.to_string(),
        };
        writeln!(
            text,
            "| {} | {} | {} | {found} |",
            check.id, check.name, check.looked_at
        )?;
    }
    for complaint in report.checks.complaints() {
        writeln!(text, "\n- {complaint}")?;
    }
    let heads = Planted::HEADS;
    writeln!(
        text,
        "\n## Planted bugs\n\n| {} |\n|{}",
        heads.join(" | "),
        "---|".repeat(heads.len())
    )?;
    for row in report.planted.rows() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "/")).collect();
        writeln!(text, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn kinds(text: &mut String, report: &Report) -> std::fmt::Result {
    let mut kinds: BTreeMap<&str, (u32, u32, f64)> = BTreeMap::new();
    for struck in &report.timeline {
        let row = kinds.entry(&struck.kind).or_default();
        row.0 += 1;
        if struck.effect.is_some() {
            row.1 += 1;
            row.2 = row.2.max(struck.recovered_after_s.unwrap_or_default());
        }
    }
    writeln!(
        text,
        "\n## Kinds\n\n| kind | struck | effective | worst recovery |\n|---|---|---|---|"
    )?;
    for (kind, (struck, effective, worst)) in kinds {
        writeln!(text, "| {kind} | {struck} | {effective} | {worst:.1} s |")?;
    }
    Ok(())
}

fn timeline(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "\n## Timeline\n\n| from | heal | well | kind | target | effect | recovered after |\n|---|---|---|---|---|---|---|"
    )?;
    for struck in &report.timeline {
        let effect = match (&struck.trouble, &struck.effect) {
            (Some(trouble), _) => format!("trouble of the harness: {trouble}"),
            (None, Some(effect)) => effect.clone(),
            (None, None) => "ineffective".to_owned(),
        };
        let recovered = struck
            .recovered_after_s
            .map_or_else(|| "never seen".to_owned(), |took| format!("{took:.1} s"));
        writeln!(
            text,
            "| {:.1} s | {:.1} s | {:.1} s | {} | {} | {} | {recovered} |",
            struck.struck_at_s,
            struck.heal_at_s,
            struck.healed_at_s,
            struck.kind,
            struck.target,
            effect.replace('|', "/").replace('\n', " "),
        )?;
    }
    Ok(())
}

fn counts(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "\n## Counted\n\n| by | |\n|---|---|")?;
    writeln!(text, "| clients | {} |", listed(&report.met))?;
    writeln!(
        text,
        "| processes and broker | {} |",
        listed(&report.counted)
    )?;
    for replies in &report.partner_replies {
        writeln!(text, "| a partner | {} |", listed(replies))?;
    }
    Ok(())
}

/// `name count, name count`.
#[must_use]
pub(super) fn listed(counts: &BTreeMap<String, u64>) -> String {
    let all: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    all.join(", ")
}
