//! Refunding: money is on its way back. What is left of the booking stays valid meanwhile.

use super::{
    give_back, mend, money, settled,
    step::{
        Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken,
        refund_overtaken, reject,
    },
};
use crate::{
    Booking, Decision, Effect, Input, Policy, Status, Why,
    booking::{Attention, RefundState},
};
use boxoffice_contracts::message::booking::MendAction::{
    Acknowledge, Cancel, MailTickets, Nudge, RenderTickets, RetryRefund,
};
use boxoffice_contracts::{Code, Instant, Money, RefundId};

pub(super) fn decide(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } => {
            let code = if booking.positions_live() > 0 {
                Code::AlreadyPaid
            } else {
                Code::BookingEnded
            };
            reject(booking, *operation, code, now)
        }
        // Not put off: refunds are lines of their own, and a ticket that waits to be void could be scanned.
        Input::Cancel {
            operation,
            positions,
            by,
            deadline,
            scanned,
        } => {
            if booking.positions_live() == 0 {
                return reject(booking, *operation, Code::CancelInProgress, now);
            }
            let wanted = positions.as_deref();
            match settled::may_cancel(booking, wanted, *by, *deadline, scanned, now) {
                Ok(targets) => settled::cancel(booking, *operation, &targets, *by, now),
                Err(code) => reject(booking, *operation, code, now),
            }
        }
        Input::Refunded { refund, amount } => refunded(booking, *refund, *amount, now),
        Input::RefundFailed { refund, .. } => failed(booking, *refund, now),
        Input::Rendered { revision } => {
            let live = booking.positions_live() > 0;
            if *revision != booking.ticket_revision || !live {
                return document_overtaken(booking, *revision);
            }
            let step = Step::of(booking, now).rendered(*revision);
            if booking.mailed_revision < *revision {
                settled::mail_tickets(step).done()
            } else if booking.lacks_document() {
                step.done()
            } else {
                document_overtaken(booking, *revision)
            }
        }
        Input::Captured { generation, .. } | Input::CaptureFailed { generation, .. } => {
            overtaken(age_of_generation(booking, *generation))
        }
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Former => Decision::Stay(Why::Stale),
            Age::Present | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        Input::Authorized { attempt, .. }
        | Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        Input::RefundedOutside { amount } => give_back::refunded_outside(booking, *amount, now),
        Input::Mend(order) => mend::decide(
            booking,
            order,
            now,
            policy,
            &[
                Nudge,
                Cancel,
                RetryRefund,
                RenderTickets,
                MailTickets,
                Acknowledge,
            ],
        ),
        Input::Disputed => money::disputed(booking, now),
        Input::Tick => order_again(booking, now),
    }
}

/// The gateway says that a line went back.
pub(super) fn refunded(
    booking: &Booking,
    refund: RefundId,
    amount: Money,
    now: Instant,
) -> Decision {
    let mut step = Step::of(booking, now);
    let line = step.next.refunds.iter_mut().find(|line| line.id == refund);
    let Some(line) = line else {
        return refund_overtaken(booking, refund);
    };
    // Settled already, or given back outside instead.
    if line.state == RefundState::Succeeded || line.amount_minor == 0 {
        return Decision::Stay(Why::AlreadyDone);
    }
    if amount != Money::new(line.amount_minor, booking.currency) {
        return Decision::Refuse(Why::Impossible);
    }
    line.state = RefundState::Succeeded;
    let failed = |line: &crate::booking::Refund| line.state == RefundState::Failed;
    if !step.next.refunds.iter().any(failed) {
        step = step.calm(Attention::RefundFailed);
    }
    let open = |line: &crate::booking::Refund| line.state != RefundState::Succeeded;
    if step.next.refunds.iter().any(open) {
        return step.done();
    }
    give_back::land(step).done()
}

/// The gateway refused a line for good, or took back what it said. A person must look; we try again daily.
pub(super) fn failed(booking: &Booking, refund: RefundId, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    let line = step.next.refunds.iter_mut().find(|line| line.id == refund);
    let Some(line) = line else {
        return refund_overtaken(booking, refund);
    };
    match line.state {
        RefundState::Failed => Decision::Stay(Why::AlreadyDone),
        RefundState::Requested => {
            line.state = RefundState::Failed;
            step.to(Status::Refunding)
                .attention(Attention::RefundFailed)
                .done()
        }
        // Banks return money days later. The news may also be old: asking again tells.
        RefundState::Succeeded => {
            line.state = RefundState::Requested;
            let order = give_back::refund_order(line);
            step.to(Status::Refunding)
                .and(order)
                .attention(Attention::RefundFailed)
                .done()
        }
    }
}

/// No answer yet, or a refusal a day ago: the same lines under the same ids.
fn order_again(booking: &Booking, now: Instant) -> Decision {
    let waits = |state| booking.refunds.iter().any(|line| line.state == state);
    let state = if waits(RefundState::Requested) {
        RefundState::Requested
    } else {
        RefundState::Failed
    };
    let mut step = Step::of(booking, now).resent();
    let mut orders: Vec<Effect> = Vec::new();
    for line in &mut step.next.refunds {
        if line.state == state && line.amount_minor > 0 {
            line.state = RefundState::Requested;
            orders.push(give_back::refund_order(line));
        }
    }
    step.and_all(orders).done()
}
