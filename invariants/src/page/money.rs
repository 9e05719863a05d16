//! Money, in our own books.

use super::{Beside, Say};
use crate::books::{Entry, is_ticketed};
use boxoffice_contracts::message::booking::Tender;
use boxoffice_saga::booking::RefundState;
use std::collections::BTreeMap;

/// C8: captured − refunded − what is ordered back = valid tickets + retained.
pub(super) fn balanced(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C8");
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
    if kept != valid + retained && !by_hand {
        let (taken, back) = (row.captured_minor, row.refunded_minor);
        say.wrong(
            "C8",
            format!(
                "is {}: {taken} taken, {back} back, {outside} back by hand, {ordered} on the way, {valid} valid, \
                 {retained} retained",
                row.status
            ),
        );
    }
}

/// C9: one intent of a booking is captured, and the gateway took the money once.
pub(super) fn captured_once(entry: &Entry, beside: &Beside, say: &mut Say<'_>) {
    say.looked("C9");
    let captured =
        |intent: &&boxoffice_store::mysql::intents::row::Model| intent.captured_minor > 0;
    let ours = entry.intents.iter().filter(captured).count();
    let judged = beside.judged.iter().flatten();
    let theirs: u32 = judged.map(|judged| judged.captures).sum();
    if ours > 1 || theirs > 1 {
        say.wrong(
            "C9",
            format!("has {ours} captured intents, and the gateway captured {theirs} times"),
        );
    }
}

/// C10: an operation's lines sum to zero, a booking's lines of what pays to what it took and gave back.
pub(super) fn posted(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C10");
    let mut operations: BTreeMap<&str, i64> = BTreeMap::new();
    let (mut gateway, mut credit) = (0, 0);
    for line in &entry.ledger {
        *operations.entry(&line.operation_key).or_default() += line.amount_minor;
        match line.account.as_str() {
            "gateway" => gateway += line.amount_minor,
            "partner_credit" => credit += line.amount_minor,
            _ => {}
        }
    }
    for (key, sum) in operations.into_iter().filter(|(_, sum)| *sum != 0) {
        say.wrong("C10", format!("has {key}, which sums to {sum}"));
    }
    let (pays, pays_not) = match entry.saga.tender {
        Tender::Card => (gateway, credit),
        Tender::PartnerCredit => (credit, gateway),
    };
    let row = &entry.row;
    let outside = entry.saga.payment.refunded_outside_minor;
    let moved = row.captured_minor - row.refunded_minor - outside;
    if (pays, pays_not) != (moved, 0) {
        let tender = entry.saga.tender.as_str();
        say.wrong(
            "C10",
            format!("has {pays} posted as {tender} and {pays_not} as the other, and {moved} moved"),
        );
    }
    let captured: i64 = entry
        .intents
        .iter()
        .map(|intent| intent.captured_minor)
        .sum();
    let succeeded = entry
        .refunds
        .iter()
        .filter(|refund| refund.state == "succeeded");
    let refunded: i64 = succeeded.map(|refund| refund.amount_minor).sum();
    if (captured, refunded) != (row.captured_minor, row.refunded_minor) {
        let (took, gave) = (row.captured_minor, row.refunded_minor);
        say.wrong(
            "C10",
            format!("took {took} and gave back {gave}; its intents and refunds say {captured} and {refunded}"),
        );
    }
}

/// C11: of a booking at rest nothing is asked for that was not answered.
pub(super) fn resolved(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C11");
    for attempt in &entry.attempts {
        if matches!(
            attempt.state.as_str(),
            "ordered" | "unknown" | "action_required"
        ) {
            say.wrong(
                "C11",
                format!(
                    "is {}, and its attempt {} is {}",
                    entry.status(),
                    attempt.attempt,
                    attempt.state
                ),
            );
        }
    }
    for intent in &entry.intents {
        if matches!(intent.state.as_str(), "open" | "closing") {
            say.wrong(
                "C11",
                format!(
                    "is {}, and its intent {} is {}",
                    entry.status(),
                    intent.generation,
                    intent.state
                ),
            );
        }
        if intent.tender != entry.saga.tender.as_str() {
            let tender = entry.saga.tender.as_str();
            say.wrong(
                "C11",
                format!(
                    "is paid by {tender}, and an intent of it by {}",
                    intent.tender
                ),
            );
        }
    }
    for refund in &entry.refunds {
        if matches!(refund.state.as_str(), "requested" | "pending") {
            say.wrong(
                "C11",
                format!(
                    "is {}, and its refund {} is {}",
                    entry.status(),
                    refund.id,
                    refund.state
                ),
            );
        }
    }
}
