//! Seats and who has them.

use super::Say;
use crate::books::{Entry, holds_seats, is_sold};
use boxoffice_store::mysql::claims::row::Model as Claim;
use std::collections::BTreeSet;

/// C5: a claim is of a live position of its booking, sold when that is sold, and of its epoch.
pub(super) fn have_bookings(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C5");
    for claim in &entry.claims {
        if let Some(why) = misfit(entry, claim) {
            say.wrong("C5", format!("has a claim on {} {why}", claim.seat_id));
        }
    }
}

fn misfit(entry: &Entry, claim: &Claim) -> Option<String> {
    let status = entry.status();
    let fits = entry.live().any(|position| {
        position.no == claim.position
            && position.show_id == claim.show_id
            && position.seat_id.as_deref() == Some(&claim.seat_id)
    });
    let state = if is_sold(status) { "sold" } else { "held" };
    if !holds_seats(status) {
        Some(format!("and is {status}"))
    } else if !fits {
        let no = claim.position;
        Some(format!(
            "as position {no}, which is another seat or not live"
        ))
    } else if claim.state != state || claim.epoch != entry.saga.epoch {
        let (epoch, wanted) = (claim.epoch, entry.saga.epoch);
        Some(format!(
            "that is {} of epoch {epoch}, and is {status} of epoch {wanted}",
            claim.state
        ))
    } else {
        None
    }
}

/// C7: all or nothing. Whoever has seats has a claim on each.
pub(super) fn bookings_have(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C7");
    if !holds_seats(entry.status()) {
        return;
    }
    let claimed: BTreeSet<_> = entry
        .claims
        .iter()
        .map(|claim| (claim.show_id, claim.seat_id.as_str()))
        .collect();
    for position in entry.live() {
        let Some(seat) = position.seat_id.as_deref() else {
            continue;
        };
        if !claimed.contains(&(position.show_id, seat)) {
            say.wrong(
                "C7",
                format!("is {} without a claim on {seat}", entry.status()),
            );
        }
    }
}
