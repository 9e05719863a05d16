//! Rules of the house that an exploration cannot know: who may do what, until when, and for how much.

mod credit;
mod holds;
mod money;

use boxoffice_contracts::{
    Code, Currency, Instant, Money, OperationId,
    message::{booking::CancelledBy, mail::Template},
};
use boxoffice_saga::{
    Booking, Decision, Effect, Input, IntentState, Outcome, Policy, Status,
    booking::{Attention, RefundState},
    decide, samples,
};
use chrono::TimeDelta;

pub(crate) fn sample(name: &str) -> Booking {
    let found = samples::states().into_iter().find(|(n, _)| *n == name);
    found.and_then(|(_, booking)| booking).expect(name)
}

pub(crate) fn sample_input(name: &str) -> Input {
    let found = samples::inputs().into_iter().find(|(n, _)| *n == name);
    found.expect(name).1
}

pub(crate) fn far() -> Instant {
    samples::start() + TimeDelta::days(100)
}

pub(crate) fn operation(booking: &Booking, name: &str) -> OperationId {
    OperationId::derive(booking.id, "tests", "somebody", "operation", name)
}

pub(crate) fn pay(booking: &Booking, deadline: Instant) -> Input {
    Input::Pay {
        operation: operation(booking, "pay"),
        method: None,
        accepted_at: deadline,
        deadline,
    }
}

pub(crate) fn cancel(booking: &Booking, by: CancelledBy, positions: Option<Vec<u16>>) -> Input {
    Input::Cancel {
        operation: operation(booking, "cancel"),
        positions,
        by,
        deadline: far(),
        scanned: vec![],
    }
}

pub(crate) fn moment(booking: &Booking) -> Instant {
    booking.since + TimeDelta::seconds(1)
}

pub(crate) fn at(booking: &Booking, input: &Input, now: Instant) -> Decision {
    decide(Some(booking), input, now, &Policy::default())
}

#[track_caller]
pub(crate) fn advanced(booking: &Booking, input: &Input) -> (Booking, Vec<Effect>) {
    match at(booking, input, moment(booking)) {
        Decision::Advance { next, effects } => (*next, effects),
        other => panic!("{input:?} on {:?}: {other:?}", booking.status),
    }
}

#[track_caller]
pub(crate) fn rejected(booking: &Booking, input: &Input, now: Instant) -> Code {
    match at(booking, input, now) {
        Decision::Reject {
            code,
            effects,
            next,
        } => {
            let told = |effect: &Effect| matches!(effect, Effect::Settle { outcome: Outcome::Refused(c), .. } if *c == code);
            assert!(effects.iter().any(told), "{effects:?}");
            assert_eq!((next.status, next.since), (booking.status, booking.since));
            code
        }
        other => panic!("{input:?} on {:?}: {other:?}", booking.status),
    }
}

pub(crate) fn refund_minor(effects: &[Effect]) -> i64 {
    let minor = |effect: &Effect| match effect {
        Effect::Refund { amount_minor, .. } => Some(*amount_minor),
        _ => None,
    };
    effects.iter().filter_map(minor).sum()
}
