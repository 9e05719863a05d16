//! Partners' credit. Nobody outside keeps it, so the bookings are its judge.

use crate::books::Books;
use boxoffice_contracts::{BookingId, message::booking::Tender};
use std::collections::{BTreeMap, BTreeSet};

/// Reserved is what open authorisations hold, used is what was captured and not refunded; booking by booking.
pub(super) fn sums(books: &Books) -> Vec<String> {
    let mut sums: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    let on_credit = |entry: &&crate::books::Entry| entry.saga.tender == Tender::PartnerCredit;
    for entry in books.bookings.values().filter(on_credit) {
        let row = &entry.row;
        let sum = sums.entry((&row.tenant, &row.currency)).or_default();
        sum.1 += row.captured_minor - row.refunded_minor;
        let open = books.intents.iter().filter(|intent| {
            intent.booking_id == row.id && matches!(intent.state.as_str(), "open" | "closing")
        });
        for intent in open {
            let authorized = books.attempts.iter().any(|attempt| {
                attempt.booking_id == row.id
                    && attempt.generation == intent.generation
                    && attempt.state == "authorized"
            });
            if authorized {
                sum.0 += intent.amount_minor;
            }
        }
    }
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for credit in &books.credits {
        let key = (credit.partner_id.as_str(), credit.currency.as_str());
        known.insert(key);
        let sum = sums.get(&key).copied().unwrap_or_default();
        let kept = (credit.reserved_minor, credit.used_minor);
        if kept != sum {
            wrong.push(format!(
                "{key:?} has {kept:?} reserved and used, its bookings {sum:?}"
            ));
        }
    }
    // Whoever has no row was never lent anything.
    let unknown = sums
        .iter()
        .filter(|(key, sum)| !known.contains(*key) && **sum != (0, 0));
    wrong.extend(unknown.map(|(key, sum)| format!("{key:?} has no credit, its bookings {sum:?}")));
    wrong
}

/// The gateway never heard of a booking that credit pays, and each intent is paid as its booking is.
pub(super) fn inside(books: &Books) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, entry) in &books.bookings {
        let tender = entry.saga.tender;
        let own = books
            .intents
            .iter()
            .filter(|intent| BookingId(intent.booking_id) == *id);
        for intent in own {
            if intent.tender != tender.as_str() {
                let other = &intent.tender;
                wrong.push(format!(
                    "{id} is paid by {tender:?} and an intent by {other}"
                ));
            }
            if tender == Tender::PartnerCredit && intent.intent_id.is_some() {
                wrong.push(format!("{id} is at the gateway as {:?}", intent.intent_id));
            }
        }
        if tender == Tender::PartnerCredit && books.judged_of(*id).next().is_some() {
            wrong.push(format!("{id} is in the gateway's ledger"));
        }
    }
    wrong
}
