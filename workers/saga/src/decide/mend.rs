//! What staff may do by hand. Each state's row lists its actions; here stands when they apply and what they do.
//!
//! Nothing here knows more than the rows do: a nudge is the state's own tick, a cancellation its own cancel.

use super::{
    give_back, row,
    step::{Step, reject},
};
use crate::{
    Booking, Capture, Decision, Effect, Input, IntentState, Outcome, Policy, Status,
    booking::RefundState, input::Mend,
};
use boxoffice_contracts::{
    Code, Instant,
    message::{
        booking::{CancelledBy, MendAction},
        mail::Template,
    },
};

/// Copies of the mail with the tickets that staff may order for one booking.
const MAIL_COPIES_MAX: u16 = 20;

/// `rights`: what the state allows at all. What does not apply now is refused, and that is its outcome.
pub(super) fn decide(
    booking: &Booking,
    order: &Mend,
    now: Instant,
    policy: &Policy,
    rights: &[MendAction],
) -> Decision {
    if now > order.deadline {
        return reject(booking, order.operation, Code::DeadlineExceeded, now);
    }
    let step = || Step::of(booking, now).settle(order.operation, Outcome::Done);
    let done = match order.action {
        action if !rights.contains(&action) => None,
        MendAction::Nudge => nudge(booking, order, now, policy),
        MendAction::Reconcile => can_be_asked(booking).then(|| {
            let attempt = booking.payment.attempt;
            step().and(Effect::Reconcile { attempt }).done()
        }),
        // Its own refusals say more than that it is not allowed.
        MendAction::Cancel => {
            let cancel = Input::Cancel {
                operation: order.operation,
                positions: None,
                by: CancelledBy::Staff,
                deadline: order.deadline,
                scanned: order.scanned.clone(),
            };
            return row(booking, &cancel, now, policy);
        }
        MendAction::RetryRefund => retry_refunds(booking, step()),
        MendAction::RenderTickets => admits(booking).then(|| {
            let revision = booking.ticket_revision;
            // Whoever asks says that it is not there: it is ordered until somebody says that it is.
            let mut step = step().rendered(0).and(Effect::Render { revision });
            if booking.status == Status::Completed {
                step = step.to(Status::Completed);
            }
            step.done()
        }),
        MendAction::MailTickets => may_copy(booking).then(|| {
            let mut step = step();
            step.next.mail_copies = step.next.mail_copies.saturating_add(1);
            let revision = step.next.mail_copies;
            let template = Template::ConfirmationAgain;
            step.and(Effect::Mail { template, revision }).done()
        }),
        MendAction::Acknowledge => booking.attention.is_some().then(|| {
            let mut step = step();
            step.next.attention = None;
            step.done()
        }),
    };
    done.unwrap_or_else(|| reject(booking, order.operation, Code::ActionNotAllowed, now))
}

/// The state's own tick: where an order waits for its answer at once, elsewhere only what is due. It never brings
/// an end forward. The waits between re-sends begin anew: whoever nudges believes that the trouble is over.
fn nudge(booking: &Booking, order: &Mend, now: Instant, policy: &Policy) -> Option<Decision> {
    let due = booking.wake_at(policy).is_some_and(|at| at <= now);
    if !due && !waits_for_answer(booking) {
        return None;
    }
    match row(booking, &Input::Tick, now, policy) {
        Decision::Advance {
            mut next,
            mut effects,
        } => {
            if next.status == booking.status {
                next.resends = 0;
            }
            effects.push(Effect::Settle {
                operation: order.operation,
                outcome: Outcome::Done,
            });
            Some(Decision::Advance { next, effects })
        }
        Decision::Reject { .. }
        | Decision::RejectUnborn { .. }
        | Decision::Stay(_)
        | Decision::Defer(_)
        | Decision::Refuse(_) => None,
    }
}

/// Whether the tick of this state sends an order again that is harmless by its key.
fn waits_for_answer(booking: &Booking) -> bool {
    match booking.status {
        Status::Confirmed(Capture::InFlight) | Status::Cancelling => true,
        Status::Refunding => booking
            .refunds
            .iter()
            .any(|line| line.state == RefundState::Requested),
        Status::Confirmed(Capture::Failed { .. })
        | Status::Expired
        | Status::PaymentFailed
        | Status::Cancelled
        | Status::Refunded => booking.payment.intent == IntentState::Closing,
        Status::Waiting
        | Status::Held
        | Status::Authorizing(_)
        | Status::Confirmed(Capture::Repaying { .. })
        | Status::Paid
        | Status::Completed
        | Status::Rejected => false,
    }
}

fn can_be_asked(booking: &Booking) -> bool {
    booking.payment.intent == IntentState::Open && booking.payment.attempt > 0
}

/// Whether there are tickets that open the door.
fn admits(booking: &Booking) -> bool {
    booking.ticket_revision > 0 && booking.positions_live() > 0
}

/// The first mail was ordered: until then it comes by itself.
fn may_copy(booking: &Booking) -> bool {
    admits(booking)
        && booking.mailed_revision >= booking.ticket_revision
        && booking.mail_copies < MAIL_COPIES_MAX
}

/// The refused lines under the same ids; what is on its way already is left alone.
fn retry_refunds(booking: &Booking, mut step: Step) -> Option<Decision> {
    let mut orders = Vec::new();
    for line in &mut step.next.refunds {
        if line.state == RefundState::Failed && line.amount_minor > 0 {
            line.state = RefundState::Requested;
            orders.push(give_back::refund_order(line));
        }
    }
    if orders.is_empty() {
        return None;
    }
    // Entered anew: the wait for this answer begins now.
    Some(step.to(booking.status).and_all(orders).done())
}
