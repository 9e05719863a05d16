//! Money arrives, or is said to: what several states answer alike.

use super::{release, step::Step};
use crate::{
    Booking, Capture, Decision, Effect, Fact, IntentState, Outcome, Phase, Status, Why,
    booking::{Attention, PendingCancel, Refund, RefundState},
};
use boxoffice_contracts::{
    Code, Instant, Money, OperationId, RefundId,
    message::{booking::CancelledBy, mail::Template},
};

/// Begins the next attempt: on the open intent, or on a new one when there is none that can be used.
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
            return give_all_back(step, operation).done();
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
        return if everything_went_back(&step.next) {
            went_back_outside(step).done()
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
    let step = take_back(step, &targets, Some(operation_id), by);
    if step.next.positions_live() == 0 {
        land(step).done()
    } else {
        land(issue(step, Status::Paid)).done()
    }
}

/// Money was taken although the seats are gone: all of it goes back, exempt from fees.
pub(super) fn captured_without_seats(booking: &Booking, amount: Money, now: Instant) -> Decision {
    if amount.currency != booking.currency {
        return Decision::Refuse(Why::Impossible);
    }
    let step = take(booking, amount, now).attention(Attention::CapturedWithoutSeats);
    let step = refund_rest(step, None);
    land(step).done()
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

/// Takes positions back after the capture: 1 void tickets, 2 free seats, 3 give money back.
///
/// The refund's id comes from the operation, so that the order repeated pays once.
pub(super) fn take_back(
    mut step: Step,
    targets: &[u16],
    operation: Option<OperationId>,
    by: CancelledBy,
) -> Step {
    let ticketed = step.next.ticket_revision > 0;
    if ticketed {
        step = step.and(Effect::VoidTickets {
            positions: targets.to_vec(),
        });
    }
    step = step.and(Effect::Free {
        positions: targets.to_vec(),
    });
    let fee = match by {
        CancelledBy::Customer => step.next.refund_policy.fee_minor.max(0),
        CancelledBy::Staff | CancelledBy::Show => 0,
    };
    let paid = step.next.payment.captured_minor > 0;
    let mut due = 0_i64;
    for position in &mut step.next.positions {
        if targets.contains(&position.no) {
            position.live = false;
            if paid {
                position.retained_minor = fee.min(position.price_minor.max(0));
                due = due
                    .saturating_add(position.price_minor.saturating_sub(position.retained_minor));
            }
        }
    }
    step = order_refund(step, due, operation, targets.to_vec());
    if let Some(operation) = operation {
        step = step.settle(operation, Outcome::Done);
    }
    if step.next.positions_live() == 0 {
        return step.tell(Fact::Cancelled);
    }
    step = step.tell(Fact::PositionsCancelled);
    if ticketed {
        step.next.ticket_revision = step.next.ticket_revision.saturating_add(1);
        let revision = step.next.ticket_revision;
        step = step.and(Effect::Render { revision });
    }
    step
}

/// Where a booking comes to stand after money was ordered back, or had not to be.
pub(super) fn land(step: Step) -> Step {
    let open = |line: &Refund| line.state != RefundState::Succeeded && line.amount_minor > 0;
    if step.next.refunds.iter().any(open) {
        return step.to(Status::Refunding);
    }
    if step.next.positions_live() == 0 {
        let gave = step.next.refunded_minor() > 0 || step.next.payment.refunded_outside_minor > 0;
        return if gave { refunded(step) } else { released(step) };
    }
    match step.next.status {
        // Tickets were issued with this step: it still waits for the document.
        Status::Paid => step.to(Status::Paid),
        Status::Waiting
        | Status::Held
        | Status::Authorizing(_)
        | Status::Confirmed(_)
        | Status::Completed
        | Status::Cancelling
        | Status::Refunding
        | Status::Rejected
        | Status::PaymentFailed
        | Status::Expired
        | Status::Cancelled
        | Status::Refunded => step.to(Status::Completed).tell(Fact::Completed),
    }
}

/// Refunded at the gateway without an order of ours. A person must know; if all went back, so do the seats.
pub(super) fn refunded_outside(booking: &Booking, amount: Money, now: Instant) -> Decision {
    if amount.currency != booking.currency || booking.payment.intent == IntentState::None {
        return Decision::Refuse(Why::Impossible);
    }
    // The amount is cumulative: a smaller one is older.
    if amount.minor <= booking.payment.refunded_outside_minor {
        return Decision::Stay(Why::AlreadyDone);
    }
    let mut step = Step::of(booking, now);
    step.next.payment.refunded_outside_minor = amount.minor;
    let step = step.attention(Attention::RefundedOutside);
    let settled = matches!(
        booking.status,
        Status::Paid | Status::Completed | Status::Refunding
    );
    if settled && everything_went_back(&step.next) {
        went_back_outside(step).done()
    } else {
        step.done()
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

fn take(booking: &Booking, amount: Money, now: Instant) -> Step {
    let mut step = Step::of(booking, now);
    step.next.payment.intent = IntentState::Captured;
    step.next.payment.captured_minor = amount.minor;
    step
}

/// Frees the seats and gives everything back.
fn give_all_back(step: Step, operation: Option<OperationId>) -> Step {
    let positions = step.next.live_positions();
    land(refund_rest(step.and(Effect::Free { positions }), operation))
}

/// One line over all that can still go back. Its id is the operation's, or the booking's own: never fresh.
fn refund_rest(mut step: Step, operation: Option<OperationId>) -> Step {
    let positions = step.next.positions.iter().map(|p| p.no).collect();
    for position in &mut step.next.positions {
        position.live = false;
        position.retained_minor = 0;
    }
    let rest = step.next.refundable_minor();
    step = order_refund(step, rest, operation, positions);
    if let Some(operation) = operation {
        step = step.settle(operation, Outcome::Done);
    }
    step
}

/// Adds a line and orders it. Never more goes back than was taken.
fn order_refund(
    mut step: Step,
    due_minor: i64,
    operation: Option<OperationId>,
    positions: Vec<u16>,
) -> Step {
    let amount_minor = due_minor.min(step.next.refundable_minor());
    if amount_minor <= 0 {
        return step;
    }
    let own = OperationId(step.next.id.0);
    let line = Refund {
        id: RefundId::derive(step.next.id, operation.unwrap_or(own)),
        operation_id: operation,
        positions,
        amount_minor,
        state: RefundState::Requested,
    };
    let order = refund_order(&line);
    step.next.refunds.push(line);
    step.and(order)
}

pub(super) fn refund_order(line: &Refund) -> Effect {
    Effect::Refund {
        refund: line.id,
        operation: line.operation_id,
        amount_minor: line.amount_minor,
        positions: line.positions.clone(),
    }
}

fn everything_went_back(booking: &Booking) -> bool {
    let payment = &booking.payment;
    let back = booking
        .refunded_minor()
        .saturating_add(payment.refunded_outside_minor);
    payment.captured_minor > 0
        && payment.refunded_outside_minor > 0
        && back >= payment.captured_minor
}

/// Nothing of the money is left here, fees included: neither are tickets or seats.
fn went_back_outside(mut step: Step) -> Step {
    let positions = step.next.live_positions();
    if !positions.is_empty() {
        if step.next.ticket_revision > 0 {
            step = step.and(Effect::VoidTickets {
                positions: positions.clone(),
            });
        }
        step = step.and(Effect::Free { positions });
    }
    for position in &mut step.next.positions {
        position.live = false;
        position.retained_minor = 0;
    }
    // What was still ordered has nothing left to pay.
    for line in &mut step.next.refunds {
        if line.state != RefundState::Succeeded {
            line.state = RefundState::Failed;
            line.amount_minor = 0;
        }
    }
    refunded(step)
}

fn refunded(step: Step) -> Step {
    step.to(Status::Refunded)
        .mail(Template::Refunded)
        .tell(Fact::Refunded)
}

/// Everything was taken back and nothing is due: free tickets, or a fee as high as the price.
fn released(step: Step) -> Step {
    step.to(Status::Cancelled).mail(Template::Cancelled)
}
