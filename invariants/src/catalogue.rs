//! The list of all checks. docs/invariants.md says more of each.

/// A promise that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    pub id: &'static str,
    /// What is promised.
    pub name: &'static str,
    /// What is compared with what.
    pub compares: &'static str,
    /// Who is asked beside the database.
    pub asks: Asks,
}

/// Whom a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Database,
    Documents,
    Gateway,
    Mails,
    Queues,
    History,
}

const fn check(id: &'static str, name: &'static str, asks: Asks, compares: &'static str) -> Check {
    Check {
        id,
        name,
        compares,
        asks,
    }
}

use Asks::{Database, Documents, Gateway, History, Mails, Queues};

/// Every check, in the order of reports.
pub const CATALOGUE: &[Check] = &[
    check(
        "C1",
        "an accepted command has its outcome",
        Database,
        "202s of the clients, operations, bookings",
    ),
    check(
        "C2",
        "a booking was submitted once",
        Database,
        "submits of a booking, its status",
    ),
    check(
        "C3",
        "nothing is stuck",
        Database,
        "bookings, the limits of their states",
    ),
    check(
        "C4",
        "a seat is sold once",
        Database,
        "live positions of all bookings of a show",
    ),
    check(
        "C5",
        "a claim has its booking",
        Database,
        "claims, live positions, epochs",
    ),
    check(
        "C6",
        "no hold is leaked",
        Database,
        "held claims, bookings that reserve, their deadlines",
    ),
    check(
        "C7",
        "a booking has its claims",
        Database,
        "live positions, claims",
    ),
    check(
        "C8",
        "what was taken equals what is valid",
        Database,
        "captured − refunded, valid positions + retained",
    ),
    check(
        "C9",
        "nothing is captured twice",
        Database,
        "captured intents of a booking, captures at the gateway",
    ),
    check(
        "C10",
        "the ledger sums to zero and to the bookings",
        Database,
        "ledger lines, intents, refunds, bookings",
    ),
    check(
        "C11",
        "no money is left unresolved",
        Database,
        "attempts, intents and refunds of bookings at rest",
    ),
    check(
        "C12",
        "valid tickets have their document",
        Documents,
        "documents: revision, hash, codes by the public keys",
    ),
    check(
        "C12b",
        "tickets are those of the live positions",
        Database,
        "tickets, live positions",
    ),
    check(
        "C13",
        "mails say what is true",
        Database,
        "mails, what the booking was, what its end owes",
    ),
    check(
        "C13b",
        "mails arrive",
        Mails,
        "mails sent, mails that the server took",
    ),
    check("C14", "the outbox drains", Database, "age of outbox rows"),
    check(
        "C15",
        "nothing waits for a person",
        Database,
        "parked messages, inbox rows",
    ),
    check(
        "C16",
        "every version is decided once",
        Database,
        "decisions of a booking, its version and status",
    ),
    check(
        "C17",
        "only legal steps were taken",
        Database,
        "decisions, the saga's own table",
    ),
    check(
        "C18",
        "what expired was not paid",
        Database,
        "what a booking was before it expired, the saga's own table",
    ),
    check(
        "C19",
        "what is confirmed was being paid",
        Database,
        "what a booking was before it was confirmed, the saga's own table",
    ),
    check(
        "C20",
        "the gateway's books equal ours",
        Gateway,
        "intents, captures and refunds there and here",
    ),
    check("C21", "queues are empty", Queues, "depths of queues"),
    check(
        "C22",
        "a ticket admits once",
        Database,
        "scans of tickets, live positions",
    ),
    check(
        "C23",
        "clients saw one owner of a seat at a time",
        History,
        "the clients' history, seat by seat",
    ),
    check(
        "C24",
        "a counter is the sum of its live places",
        Database,
        "counters, live positions without a seat",
    ),
    check(
        "C25",
        "a partner's credit is the sum of its bookings",
        Database,
        "credit, intents and refunds that it pays",
    ),
    check(
        "C26",
        "timelines tell every event",
        Documents,
        "decisions, documents and mails, lines of the timeline",
    ),
    check(
        "C27",
        "the gateway's webhooks were taken",
        Gateway,
        "events that no receiver took",
    ),
    check(
        "C28",
        "decisions have the database's time",
        Database,
        "decisions, the moments when their causes were handled",
    ),
];
