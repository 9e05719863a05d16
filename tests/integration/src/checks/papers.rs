//! Tickets, documents, mails, timelines: what customers and staff get to see.

use super::is_ticketed;
use crate::books::{Books, Entry};
use boxoffice_contracts::BookingId;
use std::collections::BTreeSet;

pub(super) fn tickets(books: &Books) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, entry) in &books.bookings {
        let mut admitting: Vec<u16> = books
            .tickets
            .iter()
            .filter(|ticket| BookingId(ticket.booking_id) == *id && ticket.state != "void")
            .map(|ticket| ticket.position)
            .collect();
        admitting.sort_unstable();
        let mut live: Vec<u16> = entry.live().map(|position| position.no).collect();
        live.sort_unstable();
        if !is_ticketed(entry.status()) {
            live.clear();
        }
        if admitting != live {
            wrong.push(format!(
                "{id} is {}: positions {live:?}, tickets {admitting:?}",
                entry.status()
            ));
        }
    }
    wrong
}

pub(super) fn documents(books: &Books) -> Vec<String> {
    let broken = books.documents.iter().filter(|document| !document.sound);
    let mut wrong: Vec<String> = broken
        .map(|document| format!("{}: the hash differs", document.booking))
        .collect();
    for (id, entry) in &books.bookings {
        let revisions: Vec<i32> = books
            .documents
            .iter()
            .filter(|document| document.booking == id.to_string())
            .map(|document| document.revision)
            .collect();
        let newest = i32::from(entry.saga.ticket_revision);
        let wanted = is_ticketed(entry.status()) && entry.live().next().is_some();
        if wanted
            && revisions
                .iter()
                .filter(|revision| **revision == newest)
                .count()
                != 1
        {
            wrong.push(format!(
                "{id} has documents {revisions:?}, its tickets are of revision {newest}"
            ));
        }
        if revisions.iter().any(|revision| *revision > newest) {
            wrong.push(format!(
                "{id} has a document of tickets that never were: {revisions:?}"
            ));
        }
    }
    wrong
}

/// The mail that the end of a booking owes its customer.
fn owed(entry: &Entry) -> Option<(&'static str, u16)> {
    match entry.status() {
        "completed" => Some(("confirmation", entry.saga.ticket_revision)),
        "expired" => Some(("expired", 1)),
        "payment_failed" => Some(("payment_failed", 1)),
        "cancelled" => Some(("cancelled", 1)),
        "refunded" => Some(("refunded", 1)),
        _ => None,
    }
}

/// Whether the booking was ever as this mail says.
fn was_true(entry: &Entry, template: &str) -> bool {
    match template {
        "confirmation" | "confirmation_again" => entry.was("paid"),
        "apology" => entry.was("expired"),
        "pay_again" => entry
            .events
            .iter()
            .any(|event| event.to_phase.as_deref() == Some("capture_failed")),
        status => entry.was(status),
    }
}

pub(super) fn mails(books: &Books) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, entry) in &books.bookings {
        let mails: Vec<_> = books
            .mails
            .iter()
            .filter(|mail| BookingId(mail.booking_id) == *id)
            .collect();
        for mail in &mails {
            let name = format!("{} {} of {id}", mail.template, mail.revision);
            if mail.state == "sending" {
                wrong.push(format!("{name} is still being sent"));
            }
            if mail.state == "sent" && !was_true(entry, &mail.template) {
                wrong.push(format!("{name} was sent, and the booking was never that"));
            }
        }
        if let Some((template, revision)) = owed(entry) {
            let told = mails.iter().any(|mail| {
                let right = mail.template == template && mail.revision == revision;
                right && matches!(mail.state.as_str(), "sent" | "undeliverable")
            });
            if !told {
                wrong.push(format!("{id} is {} and nobody was told", entry.status()));
            }
        }
    }
    wrong
}

/// What we call sent was received, and nothing else was; each by whoever booked.
pub(super) fn arrived(books: &Books) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut sent = BTreeSet::new();
    for mail in books.mails.iter().filter(|mail| mail.state == "sent") {
        sent.insert(mail.message_id.as_str());
        let id = BookingId(mail.booking_id);
        let email = books
            .bookings
            .get(&id)
            .map(|entry| entry.row.customer_email.as_str());
        match books.arrived.get(&mail.message_id) {
            None => wrong.push(format!("{} was sent and never came", mail.message_id)),
            Some((to, _)) if Some(to.as_str()) != email => {
                wrong.push(format!("{} went to {to}", mail.message_id));
            }
            Some(_) => {}
        }
    }
    // Whoever was killed between the server's 250 and the record left a mail that is no longer true, and came.
    let maybe = |mail: &&boxoffice_store::mysql::mails::row::Model| {
        let detail = mail.detail.as_deref().unwrap_or_default();
        mail.state == "superseded" && detail.ends_with(boxoffice_store::mysql::mails::MAYBE_SENT)
    };
    sent.extend(
        books
            .mails
            .iter()
            .filter(maybe)
            .map(|mail| mail.message_id.as_str()),
    );
    let strays = books
        .arrived
        .keys()
        .filter(|id| !sent.contains(id.as_str()));
    wrong.extend(strays.map(|id| format!("{id} came and nobody sent it")));
    wrong
}

/// Lines that the stories compare.
const OF_STORIES: [&str; 4] = ["call:", "look:", "parked:", "receipt:"];

/// Every decision, document and mail has its line. Calls are compared by the stories: what a call came to is on
/// record before anybody is told; and what no event tells of is there when somebody has looked.
pub(super) fn timelines(books: &Books) -> Vec<String> {
    let mut happened = BTreeSet::new();
    for (id, entry) in &books.bookings {
        let decisions = entry.events.iter();
        happened.extend(decisions.map(|e| (id.to_string(), format!("decision:{:010}", e.version))));
    }
    for document in &books.documents {
        let key = format!("document:{:05}", document.revision);
        happened.insert((document.booking.clone(), key));
    }
    for mail in &books.mails {
        let key = format!("mail:{}:{:05}", mail.template, mail.revision);
        happened.insert((BookingId(mail.booking_id).to_string(), key));
    }
    let missing = happened
        .difference(&books.timelines)
        .map(|line| format!("{line:?} is missing"));
    let made_up = books
        .timelines
        .difference(&happened)
        .filter(|(_, key)| !OF_STORIES.iter().any(|kind| key.starts_with(kind)))
        .map(|line| format!("{line:?} never happened"));
    missing.chain(made_up).collect()
}
