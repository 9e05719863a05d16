//! What must hold when everything has come to rest, whatever happened before. Every check says what is wrong;
//! nothing said is well. The numbers are those of the design's list of invariants.

mod claims;
mod credit;
mod history;
mod money;
mod papers;

use crate::books::Books;

/// What a test expects to be left behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// Messages that wait for a person.
    pub parked: usize,
    /// A mail may come more than once, under one id: a process was killed, or an answer was lost.
    pub mail_copies: bool,
    /// The gateway was told to lose webhooks.
    pub lost_webhooks: bool,
}

type Check = fn(&Books) -> Vec<String>;

const CHECKS: &[(&str, Check)] = &[
    ("C1 a seat is sold once", claims::no_seat_twice),
    ("C5 a claim has its booking", claims::claims_have_bookings),
    ("C7 a booking has its claims", claims::bookings_have_claims),
    (
        "C24 a counter is the sum of its live places",
        claims::counters_are_sums,
    ),
    ("C8 what was taken equals what is valid", money::balanced),
    ("C9 nothing is captured twice", money::captured_once),
    (
        "C10 the ledger sums to zero and to the bookings",
        money::posted,
    ),
    ("C16 every version is decided once", history::gapless),
    ("C18 a booking is at rest", history::at_rest),
    ("C20 the gateway's ledger equals ours", money::judged),
    (
        "C20 a partner's credit is the sum of its bookings",
        credit::sums,
    ),
    ("C20 credit asks nobody outside", credit::inside),
    (
        "I2 every command has its outcome",
        history::commands_have_outcomes,
    ),
    ("C12 every valid ticket has its document", papers::documents),
    (
        "C12 tickets are those of the live positions",
        papers::tickets,
    ),
    ("C13 mails say what is true", papers::mails),
    ("C13 mails arrive", papers::arrived),
    ("timelines tell every event", papers::timelines),
];

/// Everything that is wrong.
#[must_use]
pub fn violations(books: &Books, allowed: Allowed) -> Vec<String> {
    let mut found: Vec<String> = CHECKS
        .iter()
        .flat_map(|(name, check)| {
            check(books)
                .into_iter()
                .map(move |wrong| format!("{name}: {wrong}"))
        })
        .collect();
    if books.outbox > 0 {
        found.push(format!(
            "C14 {} messages never left the outbox",
            books.outbox
        ));
    }
    if books.parked.len() != allowed.parked {
        let (parked, expected) = (books.parked.len(), allowed.parked);
        found.push(format!(
            "C15 {parked} messages are parked, expected {expected}: {:#?}",
            books.parked
        ));
    }
    if books.parked_and_handled > 0 {
        found.push(format!(
            "{} parked messages have an inbox row",
            books.parked_and_handled
        ));
    }
    if books.webhooks_undelivered > 0 && !allowed.lost_webhooks {
        found.push(format!(
            "{} webhooks were never taken",
            books.webhooks_undelivered
        ));
    }
    if !allowed.mail_copies {
        let copies = books.arrived.iter().filter(|(_, (_, copies))| *copies > 1);
        found.extend(copies.map(|(id, (_, copies))| format!("mail {id} came {copies} times")));
    }
    found
}

/// States in which seats are taken.
fn holds_seats(status: &str) -> bool {
    is_reserved(status) || is_sold(status)
}

fn is_reserved(status: &str) -> bool {
    matches!(status, "held" | "authorizing")
}

fn is_sold(status: &str) -> bool {
    matches!(status, "confirmed" | "paid" | "completed" | "refunding")
}

/// States with tickets that admit, if a position is live.
fn is_ticketed(status: &str) -> bool {
    matches!(status, "paid" | "completed" | "refunding")
}
