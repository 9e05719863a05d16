//! Cancelling: the seats are free, nothing was captured, and the intent is being closed.

use super::{
    give_back, mend, money, release,
    step::{
        Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken,
        refund_overtaken, reject,
    },
};
use crate::{Booking, Decision, Effect, Input, IntentState, Policy, Why};
use boxoffice_contracts::message::booking::MendAction::{Acknowledge, Nudge};
use boxoffice_contracts::{Code, Instant};

pub(super) fn decide(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } => reject(booking, *operation, Code::BookingEnded, now),
        Input::Cancel { operation, .. } => reject(booking, *operation, Code::CancelInProgress, now),
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => {
                let mut step = Step::of(booking, now);
                step.next.payment.intent = IntentState::Closed;
                release::cancelled(step).done()
            }
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present => give_back::captured_without_seats(booking, *amount, now),
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        // The void is ordered: whatever was reserved goes with it.
        Input::Authorized { attempt, .. }
        | Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        Input::CaptureFailed { generation, .. } => {
            overtaken(age_of_generation(booking, *generation))
        }
        Input::Refunded { refund, .. } | Input::RefundFailed { refund, .. } => {
            refund_overtaken(booking, *refund)
        }
        Input::RefundedOutside { amount } => give_back::refunded_outside(booking, *amount, now),
        Input::Mend(order) => mend::decide(booking, order, now, policy, &[Nudge, Acknowledge]),
        Input::Disputed => money::disputed(booking, now),
        Input::Rendered { revision } => document_overtaken(booking, *revision),
        Input::Tick => Step::of(booking, now)
            .resent()
            .and(Effect::CloseIntent)
            .done(),
    }
}
