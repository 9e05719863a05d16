//! Repaying: after a failed capture the customer pays again, for seats that are sold to them.

use super::{
    authorizing::of_current,
    confirmed, give_back, mend, money, release,
    step::{
        Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken,
        refund_overtaken, reject,
    },
};
use crate::{
    Booking, Capture, Decision, Effect, Fact, Input, IntentState, Phase, Policy, Status, Why,
    booking::Attention, wake::repaid_by,
};
use boxoffice_contracts::message::booking::MendAction::{Acknowledge, Cancel, Nudge, Reconcile};
use boxoffice_contracts::{Code, Instant};

pub(super) fn decide(
    booking: &Booking,
    pay_again_until: Instant,
    phase: Phase,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let repaying = |phase| {
        Status::Confirmed(Capture::Repaying {
            pay_again_until,
            phase,
        })
    };
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } => reject(booking, *operation, Code::PaymentInProgress, now),
        Input::Cancel {
            operation,
            positions,
            by,
            deadline,
            scanned: _,
        } => match release::targets(booking, positions.as_deref(), *deadline, now) {
            Ok(targets) if targets.len() < booking.positions_live() => {
                reject(booking, *operation, Code::PaymentInProgress, now)
            }
            Ok(_) => match phase {
                Phase::ActionRequired => {
                    let step = Step::of(booking, now).calm(Attention::CaptureFailed);
                    release::cancel_unpaid(step, Some(*operation)).done()
                }
                Phase::InFlight | Phase::Unknown => {
                    release::remember_cancel(booking, *operation, None, *by, now)
                }
            },
            Err(code) => reject(booking, *operation, code, now),
        },
        Input::Authorized {
            attempt, amount, ..
        } => match age_of_attempt(booking, *attempt) {
            Age::Present => money::authorized(booking, *amount, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::ActionRequired { attempt } => match (of_current(booking, *attempt), phase) {
            (Ok(()), Phase::InFlight | Phase::Unknown) => {
                let mut step = Step::of(booking, now);
                match step.take_pending() {
                    Some(cancel) => {
                        let step = step.calm(Attention::CaptureFailed);
                        release::cancel_unpaid(step, Some(cancel.operation_id)).done()
                    }
                    None => step
                        .to(repaying(Phase::ActionRequired))
                        .tell(Fact::ActionRequired)
                        .done(),
                }
            }
            (Ok(()), Phase::ActionRequired) => Decision::Stay(Why::AlreadyDone),
            (Err(decision), _) => decision,
        },
        Input::Declined { attempt, .. } => {
            confirmed::pay_again_declined(booking, pay_again_until, *attempt, now, policy)
        }
        // The next tick asks; until then nothing is known, and nothing is done.
        Input::Unknown { attempt } => match (of_current(booking, *attempt), phase) {
            (Ok(()), Phase::InFlight) => Step::of(booking, now).to(repaying(Phase::Unknown)).done(),
            (Ok(()), Phase::Unknown) => Decision::Stay(Why::AlreadyDone),
            (Ok(()), Phase::ActionRequired) => Decision::Stay(Why::Overtaken),
            (Err(decision), _) => decision,
        },
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present => money::captured(booking, *amount, now),
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        // A repetition of what the former capture was answered.
        Input::CaptureFailed { generation, .. } => {
            overtaken(age_of_generation(booking, *generation))
        }
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => withdrawn(booking, pay_again_until, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
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
        // Money that comes after this is refused, so the intent is closed without asking first.
        Input::Tick if now >= repaid_by(pay_again_until, policy) => {
            confirmed::give_up(booking, now)
        }
        Input::Tick => Step::of(booking, now)
            .resent()
            .and(Effect::Reconcile {
                attempt: booking.payment.attempt,
            })
            .done(),
    }
}

/// The gateway gave the intent up on its own: another may be tried while the window is open.
fn withdrawn(booking: &Booking, pay_again_until: Instant, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    step.next.payment.intent = IntentState::Closed;
    match step.take_pending() {
        Some(cancel) => {
            let step = step.calm(Attention::CaptureFailed);
            release::cancel_unpaid(step, Some(cancel.operation_id)).done()
        }
        None => step
            .to(Status::Confirmed(Capture::Failed { pay_again_until }))
            .tell(Fact::Declined)
            .done(),
    }
}
