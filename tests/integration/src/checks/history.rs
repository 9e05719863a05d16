//! Decisions and commands.

use crate::books::{Books, Entry};
use boxoffice_saga::booking::RefundState;

/// Versions 1, 2, 3 …, each beginning where the former ended, the last one being the booking's.
pub(super) fn gapless(books: &Books) -> Vec<String> {
    let wrong = |entry: &Entry| {
        let mut status = "none";
        for (expected, event) in (1..).zip(&entry.events) {
            if event.version != expected || event.from_status != status {
                let (version, from) = (event.version, &event.from_status);
                return Some(format!(
                    "version {version} from {from} where {expected} from {status} was due"
                ));
            }
            status = &event.to_status;
        }
        let (decided, version) = (entry.events.len(), entry.row.version);
        let whole = decided == version as usize
            && status == entry.status()
            && version == entry.saga.version;
        (!whole).then(|| {
            format!(
                "{decided} decisions lead to {status}, it is {} of version {version}",
                entry.status()
            )
        })
    };
    let bookings = books.bookings.iter();
    bookings
        .filter_map(|(id, entry)| Some(format!("{id}: {}", wrong(entry)?)))
        .collect()
}

/// Nothing is due any more. The exception waits for a person: a refund that the gateway refused.
pub(super) fn at_rest(books: &Books) -> Vec<String> {
    let bookings = books
        .bookings
        .iter()
        .filter(|(_, entry)| !is_at_rest(entry));
    bookings
        .map(|(id, entry)| format!("{id} is {} and due", described(entry)))
        .collect()
}

pub(crate) fn is_at_rest(entry: &Entry) -> bool {
    let lines = &entry.saga.refunds;
    let refused = lines.iter().any(|line| line.state == RefundState::Failed)
        && lines
            .iter()
            .all(|line| line.state != RefundState::Requested);
    entry.row.wake_at.is_none() || (entry.status() == "refunding" && refused)
}

pub(crate) fn described(entry: &Entry) -> String {
    let words = [
        Some(entry.row.status.as_str()),
        entry.row.phase.as_deref(),
        entry.row.code.as_deref(),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// Whatever was answered with 202 is in the list of outcomes, and none of them is open.
pub(super) fn commands_have_outcomes(books: &Books) -> Vec<String> {
    let mut wrong = Vec::new();
    for accepted in &books.accepted {
        match books
            .operations
            .iter()
            .find(|row| row.id == accepted.operation.0)
        {
            None => wrong.push(format!(
                "{} of {} was accepted and is lost",
                accepted.kind, accepted.booking
            )),
            Some(row) if row.kind != accepted.kind => {
                wrong.push(format!(
                    "{} of {} is kept as {}",
                    accepted.kind, accepted.booking, row.kind
                ));
            }
            Some(_) => {}
        }
    }
    let pending = books
        .operations
        .iter()
        .filter(|row| row.outcome == "pending");
    wrong.extend(pending.map(|row| format!("{} of {} is pending", row.kind, row.booking_id)));
    wrong
}
