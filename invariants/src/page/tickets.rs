//! Tickets and their documents.

use super::{Document, Say};
use crate::books::{Entry, is_ticketed};
use boxoffice_store::mysql::ticket_states::{ISSUED, SCANNED, VOID};
use std::collections::BTreeSet;

/// C12b: who has tickets, has one for each live position and for no other.
pub(super) fn of_live_positions(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C12b");
    let mut admitting: Vec<u16> = entry
        .tickets
        .iter()
        .filter(|ticket| ticket.state != VOID)
        .map(|ticket| ticket.position)
        .collect();
    admitting.sort_unstable();
    let mut live: Vec<u16> = entry.live().map(|position| position.no).collect();
    live.sort_unstable();
    if !is_ticketed(entry.status()) {
        live.clear();
    }
    if admitting != live {
        let status = entry.status();
        say.wrong(
            "C12b",
            format!("is {status}: positions {live:?}, tickets {admitting:?}"),
        );
    }
}

/// C22: a place was entered by one ticket, and a ticket that was scanned was not given back.
pub(super) fn admit_once(entry: &Entry, say: &mut Say<'_>) {
    say.looked("C22");
    let mut entered = BTreeSet::new();
    for ticket in &entry.tickets {
        let (no, state) = (ticket.position, ticket.state.as_str());
        if ![ISSUED, SCANNED, VOID].contains(&state) {
            say.wrong(
                "C22",
                format!("has a ticket of position {no} that is {state:?}"),
            );
        }
        if (state == VOID) != ticket.voided_at.is_some() {
            say.wrong(
                "C22",
                format!(
                    "has a ticket of position {no} that is {state}, void since {:?}",
                    ticket.voided_at
                ),
            );
        }
        if state != SCANNED {
            continue;
        }
        if !entered.insert(no) {
            say.wrong("C22", format!("was admitted twice at position {no}"));
        }
        if !entry.live().any(|position| position.no == no) {
            say.wrong(
                "C22",
                format!("was admitted at position {no}, which was given back"),
            );
        }
    }
}

/// C12: one document of the newest tickets, whose bytes are what was stored and whose codes are its tickets.
pub(super) fn documents(entry: &Entry, documents: &[Document], say: &mut Say<'_>) {
    say.looked("C12");
    for document in documents.iter().filter(|document| !document.sound) {
        let revision = document.facts.revision;
        say.wrong(
            "C12",
            format!("has a document {revision} with another hash"),
        );
    }
    let newest = entry.saga.ticket_revision;
    let revisions: Vec<u16> = documents
        .iter()
        .map(|document| document.facts.revision)
        .collect();
    if revisions.iter().any(|revision| *revision > newest) {
        say.wrong(
            "C12",
            format!("has documents {revisions:?}, and tickets of revision {newest}"),
        );
    }
    if !is_ticketed(entry.status()) || entry.live().next().is_none() {
        return;
    }
    let current: Vec<&Document> = documents
        .iter()
        .filter(|document| document.facts.revision == newest)
        .collect();
    let [document] = current[..] else {
        return say.wrong(
            "C12",
            format!("has documents {revisions:?}, its tickets are of revision {newest}"),
        );
    };
    match &document.tickets {
        None => {}
        Some(Err(why)) => say.wrong(
            "C12",
            format!("has a document {newest} whose codes fail: {why}"),
        ),
        Some(Ok(printed)) => {
            let mut printed = printed.clone();
            printed.sort_unstable();
            let valid = entry.tickets.iter().filter(|ticket| ticket.state != VOID);
            let mut valid: Vec<_> = valid.map(|ticket| ticket.id).collect();
            valid.sort_unstable();
            if printed != valid {
                let (printed, valid) = (printed.len(), valid.len());
                say.wrong(
                    "C12",
                    format!("has {valid} valid tickets, and a document of {printed} others"),
                );
            }
        }
    }
}
