//! Mails and timelines: what customers and staff get to see.

use super::{Document, Say};
use crate::{books::Entry, sources::Arrived};
use boxoffice_store::mysql::mails::{self, MAYBE_SENT};
use std::collections::BTreeSet;

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

/// C13: what was mailed was true, what is owed was mailed, and nothing is still on its way.
pub(super) fn mails(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C13");
    for mail in &entry.mails {
        let (template, revision) = (&mail.template, mail.revision);
        if mail.state == "sending" {
            say.wrong(
                "C13",
                format!("is at rest, and its {template} {revision} is still being sent"),
            );
        }
        if mail.state == "sent" && !was_true(entry, template) {
            say.wrong(
                "C13",
                format!("was sent {template} {revision}, and was never that"),
            );
        }
    }
    if let Some((template, revision)) = owed(entry) {
        let told = entry.mails.iter().any(|mail| {
            let right = mail.template == template && mail.revision == revision;
            right && matches!(mail.state.as_str(), "sent" | "undeliverable")
        });
        if !told {
            let status = entry.status();
            say.wrong(
                "C13",
                format!("is {status}, and its customer was not sent {template} {revision}"),
            );
        }
    }
}

/// C13b: what we call sent was received, once and by whoever booked.
pub(super) fn arrived(entry: &Entry, arrived: &Arrived, copies: bool, say: &mut Say<'_>) {
    say.looked("C13b");
    for mail in entry.mails.iter().filter(|mail| mail.state == "sent") {
        let id = &mail.message_id;
        match arrived.get(id) {
            None => say.wrong("C13b", format!("was sent {id}, and it never came")),
            Some(came) if came.to.len() != 1 || !came.to.contains(&entry.row.customer_email) => {
                say.wrong(
                    "C13b",
                    format!("was sent {id}, and it went to somebody else"),
                );
            }
            Some(_) => {}
        }
    }
    let ours: BTreeSet<&str> = entry
        .mails
        .iter()
        .filter(|mail| may_have_left(mail))
        .map(|mail| mail.message_id.as_str())
        .collect();
    for (id, came) in arrived {
        if !ours.contains(id.as_str()) {
            say.wrong("C13b", format!("received {id}, which nobody sent"));
        }
        if came.copies > 1 && !copies {
            say.wrong("C13b", format!("received {id} {} times", came.copies));
        }
    }
}

/// Whoever was killed between the server's 250 and the record left a mail that came: it is no longer true, or the next
/// attempt was refused.
fn may_have_left(mail: &mails::row::Model) -> bool {
    let detail = mail.detail.as_deref().unwrap_or_default();
    let maybe = matches!(mail.state.as_str(), "superseded" | "undeliverable");
    mail.state == "sent" || (maybe && detail.ends_with(MAYBE_SENT))
}

/// Lines that no event tells of: they are there when somebody has looked, and the stories compare them.
const OF_STORIES: [&str; 4] = ["call:", "look:", "parked:", "receipt:"];

/// C26: every decision, mail and document that the booking knows of has its line, and no line is made up.
pub(super) fn timeline(
    entry: &Entry,
    lines: &BTreeSet<String>,
    documents: Option<&[Document]>,
    say: &mut Say<'_>,
) {
    say.looked("C26");
    let mut happened: BTreeSet<String> = entry
        .events
        .iter()
        .map(|event| format!("decision:{:010}", event.version))
        .collect();
    // One whose answer was lost with its order, and which nobody needs any more, is told when somebody looks.
    let (known, unknown): (Vec<_>, Vec<_>) = documents
        .unwrap_or_default()
        .iter()
        .map(|document| document.facts.revision)
        .partition(|revision| *revision <= entry.saga.rendered_revision);
    let of_document = |revision: &u16| format!("document:{revision:05}");
    happened.extend(known.iter().map(of_document));
    let mails = entry.mails.iter();
    happened.extend(mails.map(|mail| format!("mail:{}:{:05}", mail.template, mail.revision)));
    for missing in happened.difference(lines) {
        say.wrong("C26", format!("has no line {missing}"));
    }
    happened.extend(unknown.iter().map(of_document));
    let told = lines.difference(&happened);
    for made_up in told.filter(|key| !OF_STORIES.iter().any(|kind| key.starts_with(kind))) {
        say.wrong("C26", format!("has a line {made_up} that never happened"));
    }
}
