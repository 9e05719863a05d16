//! Money goes back: tickets are void first, then seats free, then refunds ordered.

use super::{money, step::Step};
use crate::{
    Booking, Decision, Effect, Fact, IntentState, Outcome, Status, Why,
    booking::{Attention, Refund, RefundState},
};
use boxoffice_contracts::{
    Instant, Money, OperationId, RefundId,
    message::{booking::CancelledBy, mail::Template},
};

/// Money was taken although the seats are gone: all of it goes back, exempt from fees.
pub(super) fn captured_without_seats(booking: &Booking, amount: Money, now: Instant) -> Decision {
    if amount.currency != booking.currency {
        return Decision::Refuse(Why::Impossible);
    }
    let step = money::take(booking, amount, now).attention(Attention::CapturedWithoutSeats);
    let step = refund_rest(step, None);
    land(step).done()
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

/// Frees the seats and gives everything back.
pub(super) fn give_all_back(step: Step, operation: Option<OperationId>) -> Step {
    let positions = step.next.live_positions();
    land(refund_rest(step.and(Effect::Free { positions }), operation))
}

pub(super) fn refund_order(line: &Refund) -> Effect {
    Effect::Refund {
        refund: line.id,
        operation: line.operation_id,
        amount_minor: line.amount_minor,
        positions: line.positions.clone(),
    }
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

pub(super) fn everything_went_back(booking: &Booking) -> bool {
    let payment = &booking.payment;
    let back = booking
        .refunded_minor()
        .saturating_add(payment.refunded_outside_minor);
    payment.captured_minor > 0
        && payment.refunded_outside_minor > 0
        && back >= payment.captured_minor
}

/// Nothing of the money is left here, fees included: neither are tickets or seats.
pub(super) fn went_back_outside(mut step: Step) -> Step {
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
