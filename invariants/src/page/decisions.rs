//! Decisions and commands.

use super::{Moment, Say};
use crate::{books::Entry, legal};

/// C16: versions 1, 2, 3 …, each beginning where the former ended, the last one being the booking's.
pub(super) fn gapless(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C16");
    let mut status = "none";
    for (expected, event) in (1..).zip(&entry.events) {
        if event.version != expected || event.from_status != status {
            let (version, from) = (event.version, &event.from_status);
            return say.wrong(
                "C16",
                format!("has version {version} from {from} where {expected} from {status} was due"),
            );
        }
        status = &event.to_status;
    }
    let (decided, version) = (entry.events.len(), entry.row.version);
    let whole = u32::try_from(decided) == Ok(version)
        && status == entry.status()
        && version == entry.saga.version
        && entry.status() == entry.saga.status.as_str();
    if !whole {
        let is = entry.status();
        say.wrong(
            "C16",
            format!(
                "has {decided} decisions that lead to {status}, and is {is} of version {version}"
            ),
        );
    }
}

/// C17: the saga's own table knows every step that was taken. C18 and C19: what went before is looked at, not what
/// the step says of it.
pub(super) fn legal(entry: &Entry, say: &mut Say<'_>) {
    for check in ["C17", "C18", "C19"] {
        say.looked(check);
    }
    let mut before = "none";
    for event in &entry.events {
        let (from, to, version) = (&event.from_status, &event.to_status, event.version);
        if !legal::is_step(from, to) {
            let input = &event.input;
            say.wrong(
                "C17",
                format!("went from {from} to {to} by {input} in version {version}"),
            );
        }
        for (check, status) in [("C18", "expired"), ("C19", "confirmed")] {
            if to == status && !legal::is_step(before, status) {
                say.wrong(
                    check,
                    format!("became {status} in version {version}, and was {before} before"),
                );
            }
        }
        before = to;
    }
}

/// C2: one submit was accepted for it, whoever repeated the request.
pub(super) fn submitted_once(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C2");
    let submits = entry
        .operations
        .iter()
        .filter(|row| row.kind == "submit" && row.outcome != "rejected")
        .count();
    let wanted = usize::from(entry.status() != "rejected");
    if submits != wanted {
        say.wrong(
            "C2",
            format!("is {} and was submitted {submits} times", entry.status()),
        );
    }
}

/// C3: nothing stays in its state beyond that state's limit; in a house at rest, nothing is due.
pub(super) fn never_stuck(entry: &Entry, moment: Moment, say: &mut Say<'_>) {
    say.looked("C3");
    let limit = entry.row.stuck_at.filter(|_| entry.row.attention.is_none());
    if let Some(limit) = limit
        && limit < moment.as_of
        && !entry.is_at_rest()
    {
        say.wrong(
            "C3",
            format!(
                "is {} since {}, beyond its limit {limit}",
                entry.described(),
                entry.row.updated_at
            ),
        );
    } else if moment.at_rest && !entry.is_at_rest() {
        say.wrong("C3", format!("is {} and due", entry.described()));
    }
}

/// C1: no command of a booking at rest waits for its outcome.
pub(super) fn commands_have_outcomes(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C1");
    let pending = entry
        .operations
        .iter()
        .filter(|row| row.outcome == "pending");
    for row in pending {
        say.wrong(
            "C1",
            format!("is at rest, and its {} {} is pending", row.kind, row.id),
        );
    }
}
