//! The table and the diagram in `docs/sagas/reservation.md`, printed from the function: they cannot lie.

use crate::{Booking, Decision, Effect, Policy, Status, decide, samples};
use std::{collections::BTreeMap, fmt::Write};

/// One row per state and input: where it leads, or why it doesn't.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub from: String,
    pub input: String,
    /// A state, or what was answered instead.
    pub to: String,
    /// In the order in which they are carried out.
    pub effects: Vec<&'static str>,
}

/// Every sample state with every sample input.
#[must_use]
pub fn table() -> Vec<Row> {
    let policy = Policy::default();
    let mut rows = Vec::new();
    for (from, booking) in samples::states() {
        for (name, input) in samples::inputs() {
            let now = samples::meets(booking.as_ref(), &input, &policy);
            let (to, effects) = match decide(booking.as_ref(), &input, now, &policy) {
                Decision::Advance { next, effects } => (label(&next), effects),
                Decision::Reject { code, effects, .. } => (format!("reject {code}"), effects),
                Decision::RejectUnborn { code, .. } => (format!("reject {code}"), Vec::new()),
                Decision::Stay(why) => (format!("stay {}", why.as_str()), Vec::new()),
                Decision::Defer(why) => (format!("defer {}", why.as_str()), Vec::new()),
                Decision::Refuse(why) => (format!("refuse {}", why.as_str()), Vec::new()),
            };
            rows.push(Row {
                from: from.to_owned(),
                input: name.to_owned(),
                to,
                effects: effects.iter().map(Effect::as_str).collect(),
            });
        }
    }
    rows
}

/// The statuses and what moves a booking between them. What leads back to the same status is in the table.
#[must_use]
pub fn mermaid() -> String {
    let policy = Policy::default();
    let mut arrows: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (_, booking) in samples::states() {
        for (_, input) in samples::inputs() {
            let now = samples::meets(booking.as_ref(), &input, &policy);
            if let Decision::Advance { next, .. } = decide(booking.as_ref(), &input, now, &policy) {
                let from = booking.as_ref().map_or("[*]", |b| b.status.as_str());
                let names = arrows.entry((from, next.status.as_str())).or_default();
                if from != next.status.as_str() && !names.contains(&input.as_str()) {
                    names.push(input.as_str());
                }
            }
        }
    }
    let mut out = String::from("stateDiagram-v2\n");
    for ((from, to), inputs) in arrows {
        if !inputs.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "    {from} --> {to}: {}", inputs.join(", "));
        }
    }
    for (_, booking) in samples::states() {
        if let Some(status) = booking.map(|b| b.status).filter(|s| rests(*s)) {
            let line = format!("    {} --> [*]\n", status.as_str());
            if !out.contains(&line) {
                out.push_str(&line);
            }
        }
    }
    out
}

fn rests(status: Status) -> bool {
    status.is_terminal() || status == Status::Completed
}

fn label(booking: &Booking) -> String {
    match booking.status.phase() {
        Some(phase) => format!("{} ({phase})", booking.status.as_str()),
        None => booking.status.as_str().to_owned(),
    }
}
