//! The words that answers use for states: closed lists, for clients that branch on them.

/// Statuses of a booking. `queued` is a booking that the broker has and nobody decided yet.
pub(crate) const STATUSES: [&str; 14] = [
    "queued",
    "waiting",
    "held",
    "authorizing",
    "confirmed",
    "paid",
    "completed",
    "cancelling",
    "refunding",
    "rejected",
    "payment_failed",
    "expired",
    "cancelled",
    "refunded",
];

/// What a status waits for. `needs_attention` is a queued booking that a person must look at.
pub(crate) const PHASES: [&str; 5] = [
    "action_required",
    "unknown",
    "capture_failed",
    "repaying",
    "needs_attention",
];

/// Commands on a booking.
pub(crate) const OPERATIONS: [&str; 4] = ["submit", "pay", "cancel", "mend"];

/// What becomes of a command.
pub(crate) const OUTCOMES: [&str; 3] = ["done", "pending", "refused"];

/// States of a seat.
pub(crate) const SEATS: [&str; 3] = ["free", "held", "sold"];

/// The list of a field that may be null.
pub(crate) fn or_null(words: &[&'static str]) -> Vec<Option<&'static str>> {
    words.iter().copied().map(Some).chain([None]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_words_are_those_of_the_saga() {
        let samples = boxoffice_saga::samples::states();
        let of_saga = |word: fn(boxoffice_saga::Status) -> Option<&'static str>| {
            samples
                .iter()
                .filter_map(|(_, booking)| word(booking.as_ref()?.status))
                .collect::<BTreeSet<_>>()
        };
        // What is decided nowhere but here, or not yet.
        let ours = |words: &[&'static str], own: &[&str]| {
            words
                .iter()
                .copied()
                .filter(|word| !own.contains(word))
                .collect::<BTreeSet<_>>()
        };
        let statuses = of_saga(|status| Some(status.as_str()));
        assert_eq!(statuses, ours(&STATUSES, &["queued", "waiting"]));
        let phases = of_saga(boxoffice_saga::Status::phase);
        assert_eq!(phases, ours(&PHASES, &["needs_attention"]));
    }
}
