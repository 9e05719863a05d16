//! The errors themselves: the real function with one thing wrong.

use boxoffice_contracts::{Instant, Money, RefundId};
use boxoffice_saga::{
    Booking, Decision, Effect, Input, IntentState, Outcome, Policy, Status, decide,
};
use uuid::Uuid;

/// Changes what comes out: the next state and its effects.
fn altered(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
    alter: impl FnOnce(&mut Booking, &mut Vec<Effect>),
) -> Decision {
    let mut decision = decide(booking, input, now, policy);
    if let Decision::Advance { next, effects } = &mut decision {
        alter(next, effects);
    }
    decision
}

pub(super) fn seats_unseen(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let mut input = input.clone();
    if let Input::Authorized { late, .. } = &mut input {
        late.seats_free = true;
    }
    decide(booking, &input, now, policy)
}

pub(super) fn former_epoch(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        for effect in effects {
            if let Effect::Sell { epoch } = effect {
                *epoch = 1;
            }
        }
    })
}

pub(super) fn seats_kept(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        if next.status == Status::Expired {
            effects.retain(|effect| !matches!(effect, Effect::Free { .. }));
        }
    })
}

pub(super) fn void_forgotten(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        effects.retain(|effect| !matches!(effect, Effect::CloseIntent));
        if next.payment.intent == IntentState::Closing {
            next.payment.intent = IntentState::Closed;
        }
    })
}

pub(super) fn never_asks(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        effects.retain(|effect| !matches!(effect, Effect::Reconcile { .. }));
    })
}

pub(super) fn voids_at_expiry(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        if next.status == Status::Expired && next.payment.intent == IntentState::Open {
            next.payment.intent = IntentState::Closing;
            effects.retain(|effect| !matches!(effect, Effect::Reconcile { .. }));
            effects.push(Effect::CloseIntent);
        }
    })
}

pub(super) fn fresh_refund_id(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    // The answer finds its line by the booking: there is one.
    let mut input = input.clone();
    if let (Some(booking), Input::Refunded { refund, .. }) = (booking, &mut input)
        && let Some(line) = booking.refunds.first()
    {
        *refund = line.id;
    }
    altered(booking, &input, now, policy, |next, effects| {
        for effect in effects {
            if let Effect::Refund { refund, .. } = effect {
                *refund = RefundId(Uuid::from_u128(u128::from(next.version)));
            }
        }
    })
}

pub(super) fn new_intents(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        for effect in effects {
            if let Effect::Authorize {
                attempt,
                generation,
                ..
            } = effect
            {
                *generation = *attempt;
                next.payment.generation = *attempt;
                next.payment.first_attempt = *attempt;
            }
        }
    })
}

pub(super) fn any_generation(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let mut input = input.clone();
    if let (Some(booking), Input::Voided { generation }) = (booking, &mut input) {
        *generation = booking.payment.generation;
    }
    decide(booking, &input, now, policy)
}

pub(super) fn no_refund(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        if matches!(input, Input::Cancel { .. }) && next.status == Status::Refunding {
            effects.retain(|effect| !matches!(effect, Effect::Refund { .. }));
            next.refunds.clear();
            next.status = Status::Cancelled;
        }
    })
}

pub(super) fn money_kept(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match (booking.map(|b| b.status), input) {
        (Some(Status::Cancelling | Status::Expired), Input::Captured { .. }) => {
            altered(booking, input, now, policy, |next, effects| {
                next.status = Status::Cancelled;
                next.refunds.clear();
                effects.clear();
            })
        }
        _ => decide(booking, input, now, policy),
    }
}

pub(super) fn cancel_forgotten(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        let pending = |effect: &Effect| {
            matches!(
                effect,
                Effect::Settle {
                    outcome: Outcome::Pending,
                    ..
                }
            )
        };
        if effects.iter().any(pending) {
            next.pending_cancel = None;
        }
    })
}

pub(super) fn any_amount(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let mut input = input.clone();
    if let (Some(booking), Input::Authorized { amount, .. }) = (booking, &mut input) {
        *amount = Money::new(booking.total_minor(), booking.currency);
    }
    decide(booking, &input, now, policy)
}

pub(super) fn tickets_valid(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        effects.retain(|effect| !matches!(effect, Effect::VoidTickets { .. }));
    })
}

pub(super) fn unsold(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        effects.retain(|effect| !matches!(effect, Effect::Sell { .. }));
    })
}

pub(super) fn same_version(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match (booking, decide(booking, input, now, policy)) {
        (Some(booking), Decision::Advance { mut next, effects }) => {
            next.version = booking.version;
            Decision::Advance { next, effects }
        }
        (_, decision) => decision,
    }
}
