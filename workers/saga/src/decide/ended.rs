//! Ended: nothing happens by itself any more, except to late money.

use super::{
    give_back, mend, money, refunding, release,
    step::{Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken, reject},
};
use crate::{
    Booking, Decision, Effect, Input, IntentState, Policy, Why, booking::Attention,
    input::LateFacts,
};
use boxoffice_contracts::message::booking::MendAction::{Acknowledge, Nudge, Reconcile};
use boxoffice_contracts::{
    Code, Instant, Money,
    message::{booking::LatePolicy, mail::Template},
    planted::{self, Bug},
};

/// Never had seats or money.
pub(super) fn rejected(
    booking: &Booking,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } | Input::Cancel { operation, .. } => {
            reject(booking, *operation, Code::BookingEnded, now)
        }
        Input::Mend(order) => mend::decide(booking, order, now, policy, &[Acknowledge]),
        Input::Tick => Decision::Stay(Why::NotDue),
        Input::Authorized { .. }
        | Input::ActionRequired { .. }
        | Input::Declined { .. }
        | Input::Unknown { .. }
        | Input::Captured { .. }
        | Input::CaptureFailed { .. }
        | Input::Voided { .. }
        | Input::Refunded { .. }
        | Input::RefundFailed { .. }
        | Input::RefundedOutside { .. }
        | Input::Disputed
        | Input::Rendered { .. } => Decision::Refuse(Why::Impossible),
    }
}

/// The hold lapsed while an attempt was under way, or before one: late money is looked at, once.
pub(super) fn expired(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    let open = booking.payment.intent == IntentState::Open;
    match input {
        Input::Authorized {
            attempt,
            amount,
            late,
        } => match age_of_attempt(booking, *attempt) {
            Age::Present if open => late_money(booking, *amount, *late, now),
            age @ (Age::Former | Age::Present | Age::Unheard) => overtaken(age),
        },
        // Nothing is reserved, and nothing shall be any more.
        Input::ActionRequired { attempt } | Input::Declined { attempt, .. } => {
            match age_of_attempt(booking, *attempt) {
                Age::Present if open && *attempt == booking.payment.attempt => {
                    release::close_intent(restarted(booking, now)).done()
                }
                age @ (Age::Former | Age::Present | Age::Unheard) => overtaken(age),
            }
        }
        // Still not known: ticks go on asking.
        Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        Input::Mend(order) => mend::decide(
            booking,
            order,
            now,
            policy,
            &[Nudge, Reconcile, Acknowledge],
        ),
        Input::Tick if open => Step::of(booking, now)
            .resent()
            .and(Effect::Reconcile {
                attempt: booking.payment.attempt,
            })
            .done(),
        Input::Tick
        | Input::Submit(_)
        | Input::Pay { .. }
        | Input::Cancel { .. }
        | Input::Captured { .. }
        | Input::CaptureFailed { .. }
        | Input::Voided { .. }
        | Input::Refunded { .. }
        | Input::RefundFailed { .. }
        | Input::RefundedOutside { .. }
        | Input::Disputed
        | Input::Rendered { .. } => closed(booking, input, now, policy),
    }
}

/// Payment failed, cancelled, refunded: late money only goes back.
pub(super) fn closed(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } | Input::Cancel { operation, .. } => {
            reject(booking, *operation, Code::BookingEnded, now)
        }
        Input::Captured { generation, amount } => match age_of_generation(booking, *generation) {
            Age::Present if booking.payment.intent != IntentState::Captured => {
                give_back::captured_without_seats(booking, *amount, now)
            }
            Age::Present => Decision::Stay(Why::AlreadyDone),
            Age::Former | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Present => money::intent_closed(booking, now),
            age @ (Age::Former | Age::Unheard) => overtaken(age),
        },
        Input::Authorized { attempt, .. }
        | Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        Input::CaptureFailed { generation, .. } => {
            overtaken(age_of_generation(booking, *generation))
        }
        Input::Refunded { refund, amount } => refunding::refunded(booking, *refund, *amount, now),
        Input::RefundFailed { refund, .. } => refunding::failed(booking, *refund, now),
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

/// Funds were reserved after the seats were given back: claim the same ones again, or close and say why.
fn late_money(booking: &Booking, amount: Money, late: LateFacts, now: Instant) -> Decision {
    let mut step = restarted(booking, now);
    let equal = amount == Money::new(booking.total_minor(), booking.currency);
    let seats_free = late.seats_free || planted::is(Bug::ConfirmAfterExpiry);
    let possible = seats_free && late.on_sale && late.price_unchanged;
    match booking.late_policy {
        LatePolicy::SameSeats if possible && equal => {
            step.next.epoch = step.next.epoch.saturating_add(1);
            let epoch = step.next.epoch;
            money::confirm(step.and(Effect::Claim { epoch })).done()
        }
        LatePolicy::SameSeats | LatePolicy::Refuse => {
            if !equal {
                step = step.attention(Attention::AmountMismatch);
            }
            release::close_intent(step).mail(Template::Apology).done()
        }
    }
}

/// Another command is in flight from here, though the status stays.
fn restarted(booking: &Booking, now: Instant) -> Step {
    Step::of(booking, now).to(booking.status)
}
