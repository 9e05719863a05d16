//! C20: the gateway's books beside ours, booking by booking and to the cent.

use super::Say;
use crate::{books::Entry, sources::Judged};
use boxoffice_contracts::message::booking::Tender;
use boxoffice_saga::IntentState;

pub(super) fn judged(entry: &Entry, judged: &[Judged], lists_open: bool, say: &mut Say<'_>) {
    say.looked("C20");
    if entry.saga.tender == Tender::PartnerCredit {
        return inside(entry, judged, say);
    }
    for intent in judged {
        let ours = |id: Option<&str>| id == Some(intent.id.as_str());
        if !entry
            .intents
            .iter()
            .any(|row| ours(row.intent_id.as_deref()))
        {
            say.wrong(
                "C20",
                format!("has {} there, which is unknown to us", intent.id),
            );
        }
        if intent.captured > 0 && intent.currency != entry.row.currency.to_lowercase() {
            let (here, there) = (&entry.row.currency, &intent.currency);
            say.wrong("C20", format!("is in {here}, and {} in {there}", intent.id));
        }
    }
    let known = |id: &str| judged.iter().any(|intent| intent.id == id);
    for id in entry
        .intents
        .iter()
        .filter_map(|row| row.intent_id.as_deref())
    {
        if lists_open && !known(id) {
            say.wrong(
                "C20",
                format!("has {id} here, which is unknown to the gateway"),
            );
        }
    }
    let there: (i64, i64) = (
        judged.iter().map(|intent| intent.captured).sum(),
        judged.iter().map(|intent| intent.refunded).sum(),
    );
    let payment = &entry.saga.payment;
    let here = (
        entry.row.captured_minor,
        entry.row.refunded_minor + payment.refunded_outside_minor,
    );
    if there != here {
        let status = entry.status();
        say.wrong(
            "C20",
            format!("is {status}: the gateway took and gave back {there:?}, we say {here:?}"),
        );
    }
    let open = |status: &str| !matches!(status, "" | "succeeded" | "canceled");
    let reserved: Vec<&str> = judged
        .iter()
        .map(|intent| intent.status.as_str())
        .filter(|status| open(status))
        .collect();
    if !reserved.is_empty() && payment.intent != IntentState::Open {
        let state = payment.intent;
        say.wrong(
            "C20",
            format!("has an intent that is {state:?} here and {reserved:?} there"),
        );
    }
}

/// The gateway never heard of a booking that credit pays.
fn inside(entry: &Entry, judged: &[Judged], say: &mut Say<'_>) {
    for id in entry
        .intents
        .iter()
        .filter_map(|row| row.intent_id.as_deref())
    {
        say.wrong(
            "C20",
            format!("is paid by credit, and is at the gateway as {id}"),
        );
    }
    for intent in judged {
        let id = &intent.id;
        say.wrong(
            "C20",
            format!("is paid by credit, and {id} is in the gateway's books"),
        );
    }
}
