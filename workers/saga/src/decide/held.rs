//! Held: the seats are claimed and the price is fixed.

use super::{
    give_back, mend, money, release,
    step::{
        Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken,
        refund_overtaken, reject,
    },
};
use crate::{Booking, Decision, Input, IntentState, Policy, Why};
use boxoffice_contracts::message::booking::MendAction::{Acknowledge, Cancel, Nudge};
use boxoffice_contracts::{Code, Instant, OperationId};

pub(super) fn decide(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay {
            operation,
            method,
            accepted_at,
            deadline,
        } => match may_pay(booking, *accepted_at, *deadline, now, policy) {
            Ok(()) => {
                let step = Step::of(booking, now).settle(*operation, crate::Outcome::Done);
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
        } => cancel(booking, *operation, positions.as_deref(), *deadline, now),
        // The client may confirm an open intent with the gateway itself, after a decline too.
        Input::Authorized {
            attempt, amount, ..
        } => match age_of_attempt(booking, *attempt) {
            Age::Present if booking.payment.intent == IntentState::Open => {
                money::authorized(booking, *amount, now)
            }
            age @ (Age::Former | Age::Present | Age::Unheard) => overtaken(age),
        },
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present => money::captured(booking, *amount, now),
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        // The gateway closed it on its own. The hold lives on; the next attempt needs a new intent.
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => money::intent_closed(booking, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        // The attempt was settled by a decline.
        Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        Input::CaptureFailed { .. } => Decision::Refuse(Why::Impossible),
        Input::Refunded { refund, .. } | Input::RefundFailed { refund, .. } => {
            refund_overtaken(booking, *refund)
        }
        Input::RefundedOutside { amount } => give_back::refunded_outside(booking, *amount, now),
        Input::Mend(order) => {
            mend::decide(booking, order, now, policy, &[Nudge, Cancel, Acknowledge])
        }
        Input::Disputed => money::disputed(booking, now),
        Input::Rendered { revision } => document_overtaken(booking, *revision),
        Input::Tick => release::expire(booking, now),
    }
}

/// Nobody begins to pay after the end that is shown; the hidden grace is not theirs to use.
fn may_pay(
    booking: &Booking,
    accepted_at: Instant,
    deadline: Instant,
    now: Instant,
    policy: &Policy,
) -> Result<(), Code> {
    // What was begun in time and queued into the hidden grace is honoured.
    let begun = accepted_at.min(now);
    let over = |hold: &crate::booking::Hold| begun > hold.expires_at || now > hold.grace_until;
    if now > deadline {
        Err(Code::DeadlineExceeded)
    } else if booking.hold.as_ref().is_none_or(over) {
        Err(Code::HoldExpired)
    } else if booking.payment.attempts_in_hold >= policy.attempts_max {
        Err(Code::AttemptsExhausted)
    } else {
        Ok(())
    }
}

fn cancel(
    booking: &Booking,
    operation: OperationId,
    positions: Option<&[u16]>,
    deadline: Instant,
    now: Instant,
) -> Decision {
    let targets = match release::targets(booking, positions, deadline, now) {
        Ok(targets) => targets,
        Err(code) => return reject(booking, operation, code, now),
    };
    let all = targets.len() == booking.live_positions().len();
    match booking.payment.intent {
        // An intent's amount is fixed: with one, it is all or nothing.
        IntentState::Open | IntentState::Closing | IntentState::Closed | IntentState::Captured
            if !all =>
        {
            reject(booking, operation, Code::PaymentInProgress, now)
        }
        IntentState::None if !all => release::cancel_some_unpaid(booking, operation, &targets, now),
        IntentState::None
        | IntentState::Open
        | IntentState::Closing
        | IntentState::Closed
        | IntentState::Captured => {
            release::cancel_unpaid(Step::of(booking, now), Some(operation)).done()
        }
    }
}
