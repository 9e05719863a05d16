//! Which steps the saga's own table knows. Nobody writes them down: they are asked of `decide`.

use boxoffice_saga::{Booking, Decision, Policy, decide, samples};
use std::{collections::BTreeSet, sync::LazyLock};

/// Whether a decision may lead from one status to another; a command that is turned down leads nowhere.
pub(crate) fn is_step(from: &str, to: &str) -> bool {
    from == to || STEPS.contains(&(from, to))
}

type Step = (&'static str, &'static str);

/// Steps after which no new kind of booking appears; the samples reach every state, this reaches their neighbours.
const ROUNDS: usize = 4;

static STEPS: LazyLock<BTreeSet<Step>> = LazyLock::new(|| {
    let policy = Policy::default();
    let inputs = samples::inputs();
    let mut steps = BTreeSet::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut met: Vec<Option<Booking>> = samples::states()
        .into_iter()
        .map(|(_, booking)| booking)
        .collect();
    for _ in 0..ROUNDS {
        let mut next_round = Vec::new();
        for booking in &met {
            let from = booking
                .as_ref()
                .map_or("none", |booking| booking.status.as_str());
            for (_, input) in &inputs {
                let now = samples::meets(booking.as_ref(), input, &policy);
                if let Decision::Advance { next, .. } | Decision::Reject { next, .. } =
                    decide(booking.as_ref(), input, now, &policy)
                {
                    steps.insert((from, next.status.as_str()));
                    if seen.insert(kind(&next)) {
                        next_round.push(Some(*next));
                    }
                }
            }
        }
        met = next_round;
    }
    steps
});

/// Bookings of one kind have the same neighbours: what decisions depend on, without times and counters.
fn kind(booking: &Booking) -> String {
    let refunds: Vec<_> = booking.refunds.iter().map(|line| line.state).collect();
    let live = booking.positions.iter().filter(|p| p.live).count();
    format!(
        "{} {:?} {:?} {refunds:?} {live} {:?} {:?}",
        booking.status.as_str(),
        booking.status.phase(),
        booking.payment.intent,
        booking.pending_cancel.is_some(),
        booking.attention,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_of_a_booking_is_legal_and_leaps_are_not() {
        for (from, to) in [
            ("none", "held"),
            ("none", "authorizing"),
            ("none", "rejected"),
            ("held", "authorizing"),
            ("held", "expired"),
            ("authorizing", "confirmed"),
            ("expired", "confirmed"),
            ("confirmed", "paid"),
            ("paid", "completed"),
            ("completed", "refunding"),
            ("refunding", "refunded"),
            ("completed", "completed"),
        ] {
            assert!(is_step(from, to), "{from} to {to}");
        }
        for (from, to) in [
            ("none", "confirmed"),
            ("held", "completed"),
            ("confirmed", "expired"),
            ("completed", "expired"),
            ("completed", "held"),
            ("refunded", "completed"),
            ("rejected", "held"),
        ] {
            assert!(!is_step(from, to), "{from} to {to}: {STEPS:?}");
        }
    }
}
