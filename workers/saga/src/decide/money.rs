//! Money arrives, or is said to: what several states answer alike.

use super::{give_back, release, step::Step};
use crate::{
    Booking, Capture, Decision, Effect, Fact, IntentState, Phase, Status, Why,
    booking::{Attention, PendingCancel},
};
use boxoffice_contracts::{
    Code, Instant, Money,
    message::booking::{CancelledBy, Tender},
};

/// Begins the next attempt: on the open intent, or on a new one when there is none that can be used. A partner's
/// credit has no methods: it is asked again.
pub(super) fn begin_attempt(mut step: Step, method: Option<String>) -> Step {
    let payment = &mut step.next.payment;
    payment.attempt = payment.attempt.saturating_add(1);
    payment.attempts_in_hold = payment.attempts_in_hold.saturating_add(1);
    if payment.intent != IntentState::Open {
        payment.generation = payment.generation.saturating_add(1);
        payment.first_attempt = payment.attempt;
        payment.intent = IntentState::Open;
    }
    let (attempt, generation) = (payment.attempt, payment.generation);
    let method = match step.next.tender {
        Tender::Card => method,
        Tender::PartnerCredit => None,
    };
    let status = match step.next.status {
        Status::Confirmed(
            Capture::Failed { pay_again_until }
            | Capture::Repaying {
                pay_again_until, ..
            },
        ) => Status::Confirmed(Capture::Repaying {
            pay_again_until,
            phase: Phase::InFlight,
        }),
        Status::Confirmed(Capture::InFlight)
        | Status::Waiting
        | Status::Held
        | Status::Authorizing(_)
        | Status::Paid
        | Status::Completed
        | Status::Cancelling
        | Status::Refunding
        | Status::Rejected
        | Status::PaymentFailed
        | Status::Expired
        | Status::Cancelled
        | Status::Refunded => Status::Authorizing(Phase::InFlight),
    };
    step.next.code = None;
    step.to(status)
        .and(Effect::Authorize {
            attempt,
            generation,
            method,
        })
        .tell(Fact::PaymentStarted)
}

/// Nothing to pay: the seats are sold and the tickets made at once.
pub(super) fn free_of_charge(step: Step) -> Step {
    let epoch = step.next.epoch;
    issue(
        step.and(Effect::Sell { epoch }).tell(Fact::Confirmed),
        Status::Paid,
    )
}

/// Funds are reserved for seats that are ours.
pub(super) fn authorized(booking: &Booking, amount: Money, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    let total = booking.total_minor();
    let pending = step.take_pending();
    let equal = amount == Money::new(total, booking.currency);
    if !equal {
        step = step.attention(Attention::AmountMismatch);
    }
    if let Some(cancel) = pending {
        return release::cancel_unpaid(step, Some(cancel.operation_id)).done();
    }
    if !equal {
        return release::fail(step, Code::AmountMismatch).done();
    }
    confirm(step).done()
}

/// The pivot. From here forward: the capture is repeated until it is done or refused for good.
pub(super) fn confirm(mut step: Step) -> Step {
    let (epoch, amount_minor) = (step.next.epoch, step.next.total_minor());
    // Paying again finds the seats sold already.
    if !matches!(step.next.status, Status::Confirmed(_)) {
        step = step.and(Effect::Sell { epoch });
    }
    step.next.code = None;
    step.calm(Attention::CaptureFailed)
        .to(Status::Confirmed(Capture::InFlight))
        .and(Effect::Capture { amount_minor })
        .tell(Fact::Confirmed)
}

/// The money is taken while the seats are ours: tickets, and then what a waiting cancellation asks for.
pub(super) fn captured(booking: &Booking, amount: Money, now: Instant) -> Decision {
    if amount.currency != booking.currency {
        return Decision::Refuse(Why::Impossible);
    }
    let before_pivot = !matches!(booking.status, Status::Confirmed(_));
    let mut step = take(booking, amount, now).calm(Attention::CaptureFailed);
    step.next.code = None;
    let mut pending = step.take_pending();
    if amount.minor != booking.total_minor() {
        step = step.attention(Attention::AmountMismatch);
        if before_pivot {
            // Never agreed to and nothing sold: all of it goes back.
            let operation = pending.map(|cancel| cancel.operation_id);
            return give_back::give_all_back(step, operation).done();
        }
    }
    if before_pivot {
        let epoch = step.next.epoch;
        step = step.and(Effect::Sell { epoch }).tell(Fact::Confirmed);
        // Cancelled before anything was to be taken: no fee is due.
        if let Some(cancel) = &mut pending {
            cancel.by = CancelledBy::Staff;
        }
    }
    let Some(cancel) = pending else {
        return if give_back::everything_went_back(&step.next) {
            give_back::went_back_outside(step).done()
        } else {
            issue(step, Status::Paid).done()
        };
    };
    let PendingCancel {
        operation_id,
        positions,
        by,
    } = cancel;
    let live = step.next.live_positions();
    let targets = positions.map_or_else(
        || live.clone(),
        |named| {
            live.iter()
                .copied()
                .filter(|no| named.contains(no))
                .collect()
        },
    );
    let step = give_back::take_back(step, &targets, Some(operation_id), by);
    if step.next.positions_live() == 0 {
        give_back::land(step).done()
    } else {
        give_back::land(issue(step, Status::Paid)).done()
    }
}

/// An intent that closed while a booking could still use one.
pub(super) fn intent_closed(booking: &Booking, now: Instant) -> Decision {
    if booking.payment.intent == IntentState::Closed {
        return Decision::Stay(Why::AlreadyDone);
    }
    if booking.payment.intent == IntentState::Captured {
        return Decision::Refuse(Why::Impossible);
    }
    let mut step = Step::of(booking, now);
    step.next.payment.intent = IntentState::Closed;
    step.done()
}

/// The gateway gave the attempt up on its own; nothing is left to void.
pub(super) fn voided_by_gateway(booking: &Booking, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    step.next.payment.intent = IntentState::Closed;
    match step.take_pending() {
        Some(cancel) => release::cancel_unpaid(step, Some(cancel.operation_id)).done(),
        None => release::fail(step, Code::CardDeclined).done(),
    }
}

/// The cardholder disputes the charge: a flag, for a person and for the gate.
pub(super) fn disputed(booking: &Booking, now: Instant) -> Decision {
    if booking.payment.intent == IntentState::None {
        return Decision::Refuse(Why::Impossible);
    }
    if booking.disputed {
        return Decision::Stay(Why::AlreadyDone);
    }
    let mut step = Step::of(booking, now);
    step.next.disputed = true;
    step.tell(Fact::AttentionNeeded).done()
}

/// Inserts the tickets of what is live and orders their document.
fn issue(mut step: Step, status: Status) -> Step {
    step.next.ticket_revision = step.next.ticket_revision.saturating_add(1);
    let revision = step.next.ticket_revision;
    step.to(status)
        .and(Effect::IssueTickets { revision })
        .and(Effect::Render { revision })
        .tell(Fact::Paid)
}

pub(super) fn take(booking: &Booking, amount: Money, now: Instant) -> Step {
    let mut step = Step::of(booking, now);
    step.next.payment.intent = IntentState::Captured;
    step.next.payment.captured_minor = amount.minor;
    step
}
