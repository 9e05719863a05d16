//! Authorizing: an attempt to pay is in progress. Nothing is compensated on a guess.

use super::{
    give_back, mend, money, release,
    step::{
        Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken,
        refund_overtaken, reject,
    },
};
use crate::{Booking, Decision, Effect, Fact, Input, Phase, Policy, Status, Why};
use boxoffice_contracts::message::booking::MendAction::{Acknowledge, Cancel, Nudge, Reconcile};
use boxoffice_contracts::{Code, Instant};

pub(super) fn decide(
    booking: &Booking,
    phase: Phase,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay {
            operation,
            deadline,
            method: _,
            accepted_at: _,
        } => {
            let code = if now > *deadline {
                Code::DeadlineExceeded
            } else {
                Code::PaymentInProgress
            };
            reject(booking, *operation, code, now)
        }
        Input::Cancel {
            operation,
            positions,
            by,
            deadline,
            scanned: _,
        } => match release::targets(booking, positions.as_deref(), *deadline, now) {
            Err(code) => reject(booking, *operation, code, now),
            Ok(targets) if targets.len() < booking.positions_live() => {
                reject(booking, *operation, Code::PaymentInProgress, now)
            }
            Ok(_) => match phase {
                // Nobody is calling the gateway now: what the customer does there is closed behind them.
                Phase::ActionRequired => {
                    release::cancel_unpaid(Step::of(booking, now), Some(*operation)).done()
                }
                Phase::InFlight | Phase::Unknown => {
                    release::remember_cancel(booking, *operation, None, *by, now)
                }
            },
        },
        Input::Authorized {
            attempt, amount, ..
        } => match age_of_attempt(booking, *attempt) {
            Age::Present => money::authorized(booking, *amount, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::ActionRequired { attempt } => match (of_current(booking, *attempt), phase) {
            (Ok(()), Phase::InFlight | Phase::Unknown) => action_required(booking, now),
            (Ok(()), Phase::ActionRequired) => Decision::Stay(Why::AlreadyDone),
            (Err(decision), _) => decision,
        },
        Input::Declined { attempt, code } => match of_current(booking, *attempt) {
            Ok(()) => declined(booking, *code, now, policy),
            Err(decision) => decision,
        },
        // The worker has just asked in vain: asking again is for the next tick.
        Input::Unknown { attempt } => match (of_current(booking, *attempt), phase) {
            (Ok(()), Phase::InFlight) => Step::of(booking, now)
                .to(Status::Authorizing(Phase::Unknown))
                .done(),
            (Ok(()), Phase::Unknown) => Decision::Stay(Why::AlreadyDone),
            (Ok(()), Phase::ActionRequired) => Decision::Stay(Why::Overtaken),
            (Err(decision), _) => decision,
        },
        // Captured implies authorised.
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present => money::captured(booking, *amount, now),
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => money::voided_by_gateway(booking, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::CaptureFailed { .. } => Decision::Refuse(Why::Impossible),
        Input::Refunded { refund, .. } | Input::RefundFailed { refund, .. } => {
            refund_overtaken(booking, *refund)
        }
        Input::RefundedOutside { amount } => give_back::refunded_outside(booking, *amount, now),
        Input::Mend(order) => mend::decide(
            booking,
            order,
            now,
            policy,
            &[Nudge, Reconcile, Cancel, Acknowledge],
        ),
        Input::Disputed => money::disputed(booking, now),
        Input::Rendered { revision } => document_overtaken(booking, *revision),
        Input::Tick => tick(booking, phase, now),
    }
}

/// Only the current attempt's answer moves the booking; an authorisation is the exception, see above.
pub(super) fn of_current(booking: &Booking, attempt: u16) -> Result<(), Decision> {
    match age_of_attempt(booking, attempt) {
        Age::Present if attempt == booking.payment.attempt => Ok(()),
        Age::Present | Age::Former => Err(Decision::Stay(Why::Stale)),
        Age::Unheard => Err(Decision::Refuse(Why::Impossible)),
    }
}

/// A cancellation does not wait for a customer who may never come back from 3-D Secure.
fn action_required(booking: &Booking, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    match step.take_pending() {
        Some(cancel) => release::cancel_unpaid(step, Some(cancel.operation_id)).done(),
        None => step
            .to(Status::Authorizing(Phase::ActionRequired))
            .tell(Fact::ActionRequired)
            .done(),
    }
}

fn declined(booking: &Booking, code: Code, now: Instant, policy: &Policy) -> Decision {
    let mut step = Step::of(booking, now);
    if let Some(cancel) = step.take_pending() {
        return release::cancel_unpaid(step, Some(cancel.operation_id)).done();
    }
    // After the shown end nobody may begin another attempt, so going back to held would be a dead end.
    let alive = booking.hold.as_ref().is_some_and(|h| now <= h.expires_at);
    if alive && booking.payment.attempts_in_hold < policy.attempts_max {
        step.next.code = Some(code);
        step.to(Status::Held).tell(Fact::Declined).done()
    } else {
        release::fail(step, code).done()
    }
}

fn tick(booking: &Booking, phase: Phase, now: Instant) -> Decision {
    if now >= booking.cap_at() {
        return release::expire(booking, now);
    }
    let ask = Effect::Reconcile {
        attempt: booking.payment.attempt,
    };
    match phase {
        Phase::InFlight => Step::of(booking, now)
            .to(Status::Authorizing(Phase::Unknown))
            .and(ask)
            .done(),
        Phase::Unknown => Step::of(booking, now).resent().and(ask).done(),
        Phase::ActionRequired => release::expire(booking, now),
    }
}
