//! How a decision is put together: the next state and its effects, in the order they are carried out.

use crate::{
    Booking, Decision, Effect, Fact, Outcome, Status, Why,
    booking::{Attention, PendingCancel},
};
use boxoffice_contracts::{Code, Instant, OperationId, message::mail::Template};

/// A step under construction. Making one raises the version: whatever comes of it is committed.
pub(super) struct Step {
    pub(super) next: Booking,
    pub(super) now: Instant,
    effects: Vec<Effect>,
}

impl Step {
    pub(super) fn of(booking: &Booking, now: Instant) -> Self {
        let mut next = booking.clone();
        next.version = next.version.saturating_add(1);
        Self {
            next,
            now,
            effects: Vec::new(),
        }
    }

    /// Enters a status: deadlines and the spacing of re-sends count from here.
    pub(super) fn to(mut self, status: Status) -> Self {
        self.next.status = status;
        self.next.since = self.now;
        self.next.resends = 0;
        self
    }

    /// The current command goes out again; the next time it waits longer.
    pub(super) fn resent(mut self) -> Self {
        self.next.since = self.now;
        self.next.resends = self.next.resends.saturating_add(1);
        self
    }

    /// The document of this revision is stored.
    pub(super) fn rendered(mut self, revision: u16) -> Self {
        self.next.rendered_revision = revision;
        self
    }

    pub(super) fn and(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    pub(super) fn and_all(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.effects.extend(effects);
        self
    }

    pub(super) fn tell(self, fact: Fact) -> Self {
        self.and(Effect::Announce(fact))
    }

    pub(super) fn mail(self, template: Template) -> Self {
        self.and(Effect::Mail {
            template,
            revision: 1,
        })
    }

    pub(super) fn settle(self, operation: OperationId, outcome: Outcome) -> Self {
        self.and(Effect::Settle { operation, outcome })
    }

    /// A person must look. Told once per reason.
    pub(super) fn attention(mut self, reason: Attention) -> Self {
        let known = self.next.attention.replace(reason) == Some(reason);
        if known {
            self
        } else {
            self.tell(Fact::AttentionNeeded)
        }
    }

    /// The reason is gone; other reasons stay.
    pub(super) fn calm(mut self, reason: Attention) -> Self {
        if self.next.attention == Some(reason) {
            self.next.attention = None;
        }
        self
    }

    /// Takes the cancellation that waited, if one did.
    pub(super) fn take_pending(&mut self) -> Option<PendingCancel> {
        self.next.pending_cancel.take()
    }

    pub(super) fn done(self) -> Decision {
        Decision::Advance {
            next: Box::new(self.next),
            effects: self.effects,
        }
    }
}

/// A business "no" to a command: committed as its outcome, and told.
pub(super) fn reject(
    booking: &Booking,
    operation: OperationId,
    code: Code,
    now: Instant,
) -> Decision {
    let step = Step::of(booking, now)
        .settle(operation, Outcome::Refused(code))
        .tell(Fact::OperationRefused);
    Decision::Reject {
        next: Box::new(step.next),
        code,
        effects: step.effects,
    }
}

/// News about an attempt: of an intent long closed, of the present one, or of one never begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Former,
    Present,
    Unheard,
}

pub(super) fn age_of_generation(booking: &Booking, generation: u16) -> Age {
    match generation.cmp(&booking.payment.generation) {
        std::cmp::Ordering::Less => Age::Former,
        std::cmp::Ordering::Equal if generation > 0 => Age::Present,
        std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => Age::Unheard,
    }
}

/// An authorisation is of the intent, whichever of its attempts the answer names.
pub(super) fn age_of_attempt(booking: &Booking, attempt: u16) -> Age {
    let payment = &booking.payment;
    if attempt == 0 || attempt > payment.attempt {
        Age::Unheard
    } else if attempt < payment.first_attempt {
        Age::Former
    } else {
        Age::Present
    }
}

/// News that changes nothing, unless it is about something that never was.
pub(super) fn overtaken(age: Age) -> Decision {
    match age {
        Age::Former => Decision::Stay(Why::Stale),
        Age::Present => Decision::Stay(Why::Overtaken),
        Age::Unheard => Decision::Refuse(Why::Impossible),
    }
}

/// A document for tickets that are gone or were remade.
pub(super) fn document_overtaken(booking: &Booking, revision: u16) -> Decision {
    if revision > booking.ticket_revision {
        Decision::Refuse(Why::Impossible)
    } else {
        Decision::Stay(Why::Stale)
    }
}

/// News about a refund in a state that waits for none.
pub(super) fn refund_overtaken(
    booking: &Booking,
    refund: boxoffice_contracts::RefundId,
) -> Decision {
    if booking.refunds.iter().any(|line| line.id == refund) {
        Decision::Stay(Why::AlreadyDone)
    } else {
        Decision::Refuse(Why::Impossible)
    }
}
