//! Money. The gateway's ledger is the judge; of what partners' credit pays, see `credit`.

use super::is_ticketed;
use crate::books::{Books, Entry};
use boxoffice_contracts::{BookingId, message::booking::Tender};
use boxoffice_saga::{IntentState, booking::RefundState};
use std::collections::BTreeMap;

/// captured − refunded − what is ordered back = valid tickets + retained.
pub(super) fn balanced(books: &Books) -> Vec<String> {
    let wrong = |entry: &Entry| {
        let (row, saga) = (&entry.row, &entry.saga);
        let open = saga
            .refunds
            .iter()
            .filter(|line| line.state != RefundState::Succeeded);
        let ordered: i64 = open.map(|line| line.amount_minor).sum();
        let outside = saga.payment.refunded_outside_minor;
        let kept = row.captured_minor - row.refunded_minor - outside - ordered;
        let valid: i64 = if is_ticketed(entry.status()) {
            entry.live().map(|position| position.price_minor).sum()
        } else {
            0
        };
        let retained: i64 = entry
            .positions
            .iter()
            .map(|position| position.retained_minor)
            .sum();
        // Somebody gave a part back by hand: a person is told, and the tickets stand.
        let by_hand = outside > 0 && row.attention.as_deref() == Some("refunded_outside");
        (kept != valid + retained && !by_hand).then(|| {
            format!(
                "is {}: {} taken, {} back, {outside} back by hand, {ordered} on the way, {valid} valid, {retained} retained",
                row.status, row.captured_minor, row.refunded_minor
            )
        })
    };
    let bookings = books.bookings.iter();
    bookings
        .filter_map(|(id, entry)| Some(format!("{id} {}", wrong(entry)?)))
        .collect()
}

pub(super) fn captured_once(books: &Books) -> Vec<String> {
    let mut captures: BTreeMap<Option<BookingId>, u32> = BTreeMap::new();
    for judged in &books.judged {
        *captures.entry(judged.booking()).or_default() += judged.captures;
    }
    let twice = captures.into_iter().filter(|(_, count)| *count > 1);
    twice
        .map(|(booking, count)| format!("{booking:?} was captured {count} times"))
        .collect()
}

/// Intent by intent and to the cent.
pub(super) fn judged(books: &Books) -> Vec<String> {
    let mut wrong = Vec::new();
    for judged in &books.judged {
        let Some(entry) = judged.booking().and_then(|id| books.bookings.get(&id)) else {
            wrong.push(format!("{} belongs to no booking", judged.id));
            continue;
        };
        let known = |row: &boxoffice_store::mysql::intents::row::Model| {
            row.intent_id.as_deref() == Some(&judged.id) && row.booking_id == entry.saga.id.0
        };
        if !books.intents.iter().any(known) {
            wrong.push(format!(
                "{} of {} is unknown to us",
                judged.id, entry.saga.id
            ));
        }
        if judged.captured > 0 && judged.currency != entry.row.currency.to_lowercase() {
            wrong.push(format!("{} is in {}", judged.id, judged.currency));
        }
    }
    for row in books.intents.iter().filter(|row| row.intent_id.is_some()) {
        if !books
            .judged
            .iter()
            .any(|judged| row.intent_id.as_deref() == Some(&judged.id))
        {
            wrong.push(format!("{:?} is unknown to the gateway", row.intent_id));
        }
    }
    for (id, entry) in &books.bookings {
        wrong.extend(
            judged_booking(books, *id, entry)
                .map(|why| format!("{id} is {} and {why}", entry.row.status)),
        );
    }
    wrong
}

fn judged_booking(books: &Books, id: BookingId, entry: &Entry) -> Option<String> {
    if entry.saga.tender == Tender::PartnerCredit {
        return None;
    }
    let captured: i64 = books.judged_of(id).map(|judged| judged.captured).sum();
    let refunded: i64 = books.judged_of(id).map(|judged| judged.refunded).sum();
    let payment = &entry.saga.payment;
    let ours = (
        entry.row.captured_minor,
        entry.row.refunded_minor + payment.refunded_outside_minor,
    );
    if (captured, refunded) != ours {
        return Some(format!(
            "the gateway took and gave back {captured}, {refunded}; we say {ours:?}"
        ));
    }
    let open = |status: &str| !matches!(status, "succeeded" | "canceled");
    let reserved: Vec<&str> = books
        .judged_of(id)
        .map(|judged| judged.status.as_str())
        .filter(|status| open(status))
        .collect();
    let may = matches!(payment.intent, IntentState::Open);
    if !reserved.is_empty() && !may {
        return Some(format!(
            "its intent is {:?} here and {reserved:?} there",
            payment.intent
        ));
    }
    None
}

/// Double entry: an operation's lines sum to zero, a booking's lines of what pays to what it took and gave back.
pub(super) fn posted(books: &Books) -> Vec<String> {
    let (mut operations, mut bookings) = (BTreeMap::new(), BTreeMap::new());
    for line in &books.ledger {
        *operations.entry(line.operation_key.as_str()).or_insert(0) += line.amount_minor;
        if matches!(line.account.as_str(), "gateway" | "partner_credit") {
            let key = (BookingId(line.booking_id), line.account.as_str());
            *bookings.entry(key).or_insert(0) += line.amount_minor;
        }
    }
    let uneven = operations.into_iter().filter(|(_, sum)| *sum != 0);
    let mut wrong: Vec<String> = uneven
        .map(|(key, sum)| format!("{key} sums to {sum}"))
        .collect();
    for (id, entry) in &books.bookings {
        let posted = |account| bookings.get(&(*id, account)).copied().unwrap_or(0);
        let (pays, pays_not) = match entry.saga.tender {
            Tender::Card => ("gateway", "partner_credit"),
            Tender::PartnerCredit => ("partner_credit", "gateway"),
        };
        let outside = entry.saga.payment.refunded_outside_minor;
        let moved = entry.row.captured_minor - entry.row.refunded_minor - outside;
        if (posted(pays), posted(pays_not)) != (moved, 0) {
            let (posted, other) = (posted(pays), posted(pays_not));
            wrong.push(format!(
                "{id}: {posted} posted as {pays} and {other} as {pays_not}, {moved} moved"
            ));
        }
    }
    wrong
}
