//! Seats, and places without numbers.

use super::{holds_seats, is_sold};
use crate::books::Books;
use boxoffice_contracts::{BookingId, ShowId};
use std::collections::{BTreeMap, BTreeSet};

/// By the bookings, not by the claims: those have a primary key.
pub(super) fn no_seat_twice(books: &Books) -> Vec<String> {
    let mut owners: BTreeMap<_, Vec<BookingId>> = BTreeMap::new();
    for (id, entry) in &books.bookings {
        if holds_seats(entry.status()) {
            for position in entry.live().filter(|position| position.seat_id.is_some()) {
                owners
                    .entry((position.show_id, position.seat_id.clone()))
                    .or_default()
                    .push(*id);
            }
        }
    }
    let twice = owners.into_iter().filter(|(_, ids)| ids.len() > 1);
    twice
        .map(|((show, seat), ids)| format!("{seat:?} of {show}: {ids:?}"))
        .collect()
}

pub(super) fn claims_have_bookings(books: &Books) -> Vec<String> {
    let wrong = |claim: &boxoffice_store::mysql::claims::row::Model| {
        let Some(entry) = books.bookings.get(&BookingId(claim.booking_id)) else {
            return Some("of a booking that isn't there".to_owned());
        };
        let status = entry.status();
        let fits = entry.live().any(|position| {
            position.no == claim.position && position.seat_id.as_deref() == Some(&claim.seat_id)
        });
        let state = if is_sold(status) { "sold" } else { "held" };
        if !holds_seats(status) {
            Some(format!("of a booking that is {status}"))
        } else if !fits {
            Some(format!(
                "of position {}, which is another seat or not live",
                claim.position
            ))
        } else if claim.state != state || claim.epoch != entry.saga.epoch {
            let (epoch, wanted) = (claim.epoch, entry.saga.epoch);
            Some(format!(
                "is {} of epoch {epoch}, its booking is {status} of epoch {wanted}",
                claim.state
            ))
        } else {
            None
        }
    };
    let claims = books.claims.iter();
    claims
        .filter_map(|claim| {
            Some(format!(
                "{} of {}: {}",
                claim.seat_id,
                claim.booking_id,
                wrong(claim)?
            ))
        })
        .collect()
}

pub(super) fn bookings_have_claims(books: &Books) -> Vec<String> {
    let claimed: BTreeSet<_> = books
        .claims
        .iter()
        .map(|claim| {
            (
                claim.show_id,
                claim.seat_id.as_str(),
                BookingId(claim.booking_id),
            )
        })
        .collect();
    let mut missing = Vec::new();
    for (id, entry) in books
        .bookings
        .iter()
        .filter(|(_, entry)| holds_seats(entry.status()))
    {
        for position in entry.live() {
            let Some(seat) = position.seat_id.as_deref() else {
                continue;
            };
            if !claimed.contains(&(position.show_id, seat, *id)) {
                missing.push(format!(
                    "{id} is {} without a claim on {seat}",
                    entry.status()
                ));
            }
        }
    }
    missing
}

pub(super) fn counters_are_sums(books: &Books) -> Vec<String> {
    let mut live: BTreeMap<(ShowId, String), u32> = BTreeMap::new();
    for entry in books.bookings.values() {
        if holds_seats(entry.status()) {
            for position in entry.live().filter(|position| position.seat_id.is_none()) {
                let key = (ShowId(position.show_id), position.category.clone());
                *live.entry(key).or_default() += 1;
            }
        }
    }
    let mut wrong: Vec<String> = live
        .keys()
        .filter(|key| !books.admissions.contains_key(key))
        .map(|(show, category)| format!("{category:?} of {show} is sold and not counted"))
        .collect();
    for (key, counter) in &books.admissions {
        let (sum, (show, category)) = (live.get(key).copied().unwrap_or_default(), key);
        if counter.taken != sum || sum > counter.capacity {
            wrong.push(format!(
                "{category:?} of {show}: {} of {} taken, the bookings have {sum}",
                counter.taken, counter.capacity
            ));
        }
    }
    wrong
}
