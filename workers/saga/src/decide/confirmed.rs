//! Confirmed: seats are sold and funds reserved. Only the gateway's answer to the capture leads on.

use super::{
    authorizing::of_current,
    give_back, mend, money, release, settled,
    step::{
        Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken,
        refund_overtaken, reject,
    },
};
use crate::{
    Booking, Capture, Decision, Effect, Fact, Input, IntentState, Outcome, Policy, Status, Why,
    booking::Attention, wake::after,
};
use boxoffice_contracts::message::booking::MendAction::{Acknowledge, Cancel, Nudge, Reconcile};
use boxoffice_contracts::{Code, Instant, message::mail::Template};

/// The capture is on its way.
pub(super) fn in_flight(
    booking: &Booking,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } => reject(booking, *operation, Code::AlreadyPaid, now),
        Input::Cancel {
            operation,
            positions,
            by,
            deadline,
            scanned: _,
        } => {
            let checked = release::targets(booking, positions.as_deref(), *deadline, now)
                .and_then(|targets| settled::in_time(booking, *by, now).map(|()| targets));
            match checked {
                Ok(targets) => {
                    let some = (targets.len() < booking.positions_live()).then_some(targets);
                    release::remember_cancel(booking, *operation, some, *by, now)
                }
                Err(code) => reject(booking, *operation, code, now),
            }
        }
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present => money::captured(booking, *amount, now),
            // The former intent was closed by a GET before this one began.
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        Input::CaptureFailed {
            generation,
            code: _,
        } => match age_of_generation(booking, *generation) {
            Age::Present => capture_failed(booking, booking.payment.intent, now, policy),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        // The authorisation lapsed or was withdrawn: the same, with nothing left to void.
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => capture_failed(booking, IntentState::Closed, now, policy),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::Authorized { attempt, .. }
        | Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
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
        Input::Tick => Step::of(booking, now)
            .resent()
            .and(Effect::Capture {
                amount_minor: booking.total_minor(),
            })
            .done(),
    }
}

/// The authorisation is gone; the seats wait for another payment.
pub(super) fn failed(
    booking: &Booking,
    pay_again_until: Instant,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay {
            operation,
            method,
            accepted_at: _,
            deadline,
        } => match may_pay_again(booking, pay_again_until, *deadline, now, policy) {
            Ok(()) => {
                let step = Step::of(booking, now).settle(*operation, Outcome::Done);
                money::begin_attempt(step, method.clone()).done()
            }
            Err(code) => reject(booking, *operation, code, now),
        },
        Input::Cancel {
            operation,
            positions,
            deadline,
            by: _,
            scanned: _,
        } => match release::targets(booking, positions.as_deref(), *deadline, now) {
            Ok(targets) if targets.len() < booking.positions_live() => {
                reject(booking, *operation, Code::CaptureFailed, now)
            }
            Ok(_) => {
                let step = Step::of(booking, now).calm(Attention::CaptureFailed);
                release::cancel_unpaid(step, Some(*operation)).done()
            }
            Err(code) => reject(booking, *operation, code, now),
        },
        // The client may confirm an intent that is open again with the gateway itself.
        Input::Authorized {
            attempt, amount, ..
        } => match age_of_attempt(booking, *attempt) {
            Age::Present if booking.payment.intent == IntentState::Open => {
                money::authorized(booking, *amount, now)
            }
            age @ (Age::Former | Age::Present | Age::Unheard) => overtaken(age),
        },
        Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        // The refusal was wrong, the money is taken: the seats are still ours, so forward.
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present => money::captured(booking, *amount, now),
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        Input::CaptureFailed { generation, .. } => {
            overtaken(age_of_generation(booking, *generation))
        }
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => money::intent_closed(booking, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::Refunded { refund, .. } | Input::RefundFailed { refund, .. } => {
            refund_overtaken(booking, *refund)
        }
        Input::RefundedOutside { amount } => give_back::refunded_outside(booking, *amount, now),
        Input::Mend(order) => {
            mend::decide(booking, order, now, policy, &[Nudge, Cancel, Acknowledge])
        }
        Input::Disputed => money::disputed(booking, now),
        Input::Rendered { revision } => document_overtaken(booking, *revision),
        Input::Tick if now >= pay_again_until => give_up(booking, now),
        Input::Tick => Step::of(booking, now)
            .resent()
            .and(Effect::CloseIntent)
            .done(),
    }
}

/// Nobody paid again in time.
pub(super) fn give_up(booking: &Booking, now: Instant) -> Decision {
    let mut step = Step::of(booking, now).calm(Attention::CaptureFailed);
    match step.take_pending() {
        Some(cancel) => release::cancel_unpaid(step, Some(cancel.operation_id)).done(),
        None => release::fail(step, Code::CaptureFailed).done(),
    }
}

/// The capture was refused for good. Seats stay sold while the customer may pay again.
fn capture_failed(
    booking: &Booking,
    intent: IntentState,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let mut step = Step::of(booking, now);
    step.next.payment.intent = intent;
    if let Some(cancel) = step.take_pending() {
        // Some positions of a booking that is not paid: as the whole is open again, so is this wish.
        match cancel.positions {
            None => return release::cancel_unpaid(step, Some(cancel.operation_id)).done(),
            Some(_) => {
                step = step
                    .settle(cancel.operation_id, Outcome::Refused(Code::CaptureFailed))
                    .tell(Fact::OperationRefused);
            }
        }
    }
    // Each window is as long as a hold: without a limit a bad card would keep seats for ever.
    if booking.payment.generation >= policy.attempts_max {
        return release::fail(step, Code::CaptureFailed).done();
    }
    step.next.payment.attempts_in_hold = 0;
    step.next.code = Some(Code::CaptureFailed);
    let pay_again_until = after(now, policy.pay_again_secs);
    let step = step.to(Status::Confirmed(Capture::Failed { pay_again_until }));
    release::close_intent(step)
        .and(Effect::Mail {
            template: Template::PayAgain,
            revision: booking.payment.generation.max(1),
        })
        .attention(Attention::CaptureFailed)
        .done()
}

fn may_pay_again(
    booking: &Booking,
    pay_again_until: Instant,
    deadline: Instant,
    now: Instant,
    policy: &Policy,
) -> Result<(), Code> {
    if now > deadline {
        Err(Code::DeadlineExceeded)
    } else if now > pay_again_until {
        Err(Code::HoldExpired)
    } else if booking.payment.attempts_in_hold >= policy.attempts_max {
        Err(Code::AttemptsExhausted)
    } else if booking.payment.intent == IntentState::Closing {
        // Two intents that can both take money: never.
        Err(Code::PaymentInProgress)
    } else {
        Ok(())
    }
}

/// An attempt of the pay-again window ended without money.
pub(super) fn pay_again_declined(
    booking: &Booking,
    pay_again_until: Instant,
    attempt: u16,
    now: Instant,
    policy: &Policy,
) -> Decision {
    if let Err(decision) = of_current(booking, attempt) {
        return decision;
    }
    let mut step = Step::of(booking, now);
    if let Some(cancel) = step.take_pending() {
        let step = step.calm(Attention::CaptureFailed);
        return release::cancel_unpaid(step, Some(cancel.operation_id)).done();
    }
    let exhausted = booking.payment.attempts_in_hold >= policy.attempts_max;
    if exhausted || now >= pay_again_until {
        return give_up(booking, now);
    }
    step.next.code = Some(Code::CaptureFailed);
    step.to(Status::Confirmed(Capture::Failed { pay_again_until }))
        .tell(Fact::Declined)
        .done()
}
