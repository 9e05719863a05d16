//! The checks of one booking: pure, over what one snapshot held and what others say of it.

mod claims;
mod decisions;
mod gateway;
mod money;
mod papers;
mod tickets;

use crate::{books::Entry, sources::Judged, tally::Tally};
use boxoffice_contracts::{BookingId, Instant};
use boxoffice_store::mongo::documents::DocumentFacts;
use std::{collections::BTreeSet, time::Duration};

/// When a booking is looked at, and what is known of it beside its own rows.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// What the gateway's books say of it; none when they were not read, or don't reach back so far.
    pub(crate) judged: Option<Vec<Judged>>,
    /// The gateway lists intents that took nothing, too.
    pub(crate) lists_open: bool,
    pub(crate) documents: Option<Vec<Document>>,
    /// Names of the lines of its timeline.
    pub(crate) timeline: Option<BTreeSet<String>>,
    pub(crate) arrived: Option<crate::sources::Arrived>,
    pub(crate) mail_copies: bool,
}

/// A stored document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) facts: DocumentFacts,
    /// Whether its bytes have the hash that is stored beside them.
    pub(crate) sound: bool,
    /// What its codes say: the tickets, in the order of the pages. None when no keys are at hand.
    pub(crate) tickets: Option<Result<Vec<uuid::Uuid>, String>>,
}

/// The moment of a look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Before anybody else was asked; what is younger than that is not compared with what they said.
    pub(crate) as_of: Instant,
    pub(crate) grace: Duration,
    pub(crate) at_rest: bool,
}

/// Makes every check of this booking.
pub(crate) fn check(
    id: BookingId,
    entry: &Entry,
    beside: &Beside,
    moment: Moment,
    tally: &mut Tally,
) {
    let mut say = Say { id, tally };
    claims::have_bookings(entry, &mut say);
    claims::bookings_have(entry, &mut say);
    money::balanced(entry, &mut say);
    decisions::gapless(entry, &mut say);
    decisions::legal(entry, &mut say);
    decisions::submitted_once(entry, &mut say);
    tickets::of_live_positions(entry, &mut say);
    tickets::admit_once(entry, &mut say);
    decisions::never_stuck(entry, moment, &mut say);
    money::captured_once(entry, beside, &mut say);
    if !entry.is_settled(moment.as_of, moment.grace) {
        return;
    }
    decisions::commands_have_outcomes(entry, &mut say);
    money::posted(entry, &mut say);
    money::resolved(entry, &mut say);
    papers::mails(entry, &mut say);
    if let Some(judged) = &beside.judged {
        gateway::judged(entry, judged, beside.lists_open, &mut say);
    }
    if let Some(documents) = &beside.documents {
        tickets::documents(entry, documents, &mut say);
    }
    if let Some(timeline) = &beside.timeline {
        papers::timeline(entry, timeline, beside.documents.as_deref(), &mut say);
    }
    if let Some(arrived) = &beside.arrived {
        papers::arrived(entry, arrived, beside.mail_copies, &mut say);
    }
}

/// Whose fault is told.
pub(crate) struct Say<'a> {
    pub(crate) id: BookingId,
    tally: &'a mut Tally,
}

impl Say<'_> {
    /// The check has looked at one more booking.
    pub(crate) fn looked(&mut self, check: &'static str) {
        self.tally.looked(check, 1);
    }

    /// `what` goes on after the booking's id.
    pub(crate) fn wrong(&mut self, check: &'static str, what: impl std::fmt::Display) {
        let text = format!("{} {what}", self.id);
        self.tally
            .found(check, Some(self.id), self.id.to_string(), text);
    }
}
