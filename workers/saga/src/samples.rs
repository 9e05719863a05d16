//! A sample of every state and of every input: what the printed table and the table test go through.
//!
//! States are not written down but reached, by the same function, from a submit: they cannot be impossible.

mod make;

use crate::{Booking, Decision, Input, Policy, decide};
use boxoffice_contracts::{Code, Currency, Instant, Money, RefundId, message::booking::MendAction};
use chrono::{DateTime, TimeDelta};
use make::{
    FEE_MINOR, PRICE_MINOR, authorized, booking_id, cancel, capture_failed, captured, declined,
    late, late_submit, mend, operation, pay, refund, refunded, submit, total, voided,
};

/// A second between steps: some time always passes.
const STEP_SECS: i64 = 1;
/// Reconciliations, ever further apart, that fit into the life of a hold.
const TICKS_TO_CAP: usize = 8;

/// When all samples begin.
#[must_use]
pub fn start() -> Instant {
    DateTime::UNIX_EPOCH
}

/// Every state, with the name that the table gives it.
#[must_use]
pub fn states() -> Vec<(&'static str, Option<Booking>)> {
    let after = |story: &[Input]| reach(story);
    let and = |story: &[Input], more: &[Input]| reach(&[story, more].concat());
    let (held, paying) = ([submit(false)], [submit(true)]);
    let confirmed = [submit(true), authorized(1)];
    let failed = [submit(true), authorized(1), capture_failed()];
    let paid = [submit(true), authorized(1), captured()];
    let completed = [&paid[..], &[Input::Rendered { revision: 1 }]].concat();
    let all = [cancel(2, None)];
    vec![
        ("none", None),
        ("held", after(&held)),
        ("held (declined once)", and(&paying, &[declined(1)])),
        ("authorizing (in flight)", after(&paying)),
        ("authorizing (cancel waits)", and(&paying, &all)),
        (
            "authorizing (action required)",
            and(&paying, &[Input::ActionRequired { attempt: 1 }]),
        ),
        (
            "authorizing (unknown)",
            and(&paying, &[Input::Unknown { attempt: 1 }]),
        ),
        ("confirmed (capture in flight)", after(&confirmed)),
        ("confirmed (cancel waits)", and(&confirmed, &all)),
        ("confirmed (capture failed)", after(&failed)),
        (
            "confirmed (capture failed, intent closed)",
            and(&failed, &[voided(1)]),
        ),
        ("confirmed (repaying)", and(&failed, &[voided(1), pay(1)])),
        ("paid", after(&paid)),
        ("completed", after(&completed)),
        (
            "cancelling",
            and(&paying, &[cancel(2, None), authorized(1)]),
        ),
        ("refunding (some)", and(&completed, &[cancel(3, Some(1))])),
        ("refunding (all)", and(&completed, &all)),
        ("rejected", after(&[late_submit()])),
        ("expired", and(&held, &[Input::Tick])),
        (
            "expired (intent open)",
            and(&paying, &vec![Input::Tick; TICKS_TO_CAP]),
        ),
        ("payment_failed", and(&paying, &[voided(1)])),
        ("cancelled", and(&held, &all)),
        ("refunded", and(&completed, &[cancel(2, None), refunded()])),
    ]
}

/// Every input, with the name that the table gives it.
#[must_use]
pub fn inputs() -> Vec<(&'static str, Input)> {
    let other_amount = Input::Authorized {
        attempt: 1,
        amount: Money::new(1, Currency::EUR),
        late: late(true),
    };
    let seats_taken = Input::Authorized {
        attempt: 1,
        amount: total(),
        late: late(false),
    };
    vec![
        ("submit", submit(false)),
        ("submit, pays", submit(true)),
        ("submit, refused", late_submit()),
        ("pay", pay(4)),
        ("cancel", cancel(5, None)),
        ("cancel some", cancel(6, Some(2))),
        ("authorized", authorized(1)),
        ("authorized, seats taken", seats_taken),
        ("authorized, other amount", other_amount),
        ("authorized again", authorized(2)),
        ("action_required", Input::ActionRequired { attempt: 1 }),
        (
            "action_required again",
            Input::ActionRequired { attempt: 2 },
        ),
        ("declined", declined(1)),
        ("declined again", declined(2)),
        ("unknown", Input::Unknown { attempt: 1 }),
        ("captured", captured()),
        ("capture_failed", capture_failed()),
        ("voided", voided(1)),
        ("voided again", voided(2)),
        ("refunded", refunded()),
        (
            "refunded some",
            Input::Refunded {
                refund: RefundId::derive(booking_id(), operation(3)),
                amount: Money::new(PRICE_MINOR - FEE_MINOR, Currency::EUR),
            },
        ),
        (
            "refund_failed",
            Input::RefundFailed {
                refund: refund(),
                code: Code::InternalError,
            },
        ),
        (
            "refunded_outside",
            Input::RefundedOutside { amount: total() },
        ),
        ("disputed", Input::Disputed),
        ("rendered", Input::Rendered { revision: 1 }),
        ("tick", Input::Tick),
    ]
    .into_iter()
    .chain(mends())
    .collect()
}

/// Every order of staff.
fn mends() -> impl Iterator<Item = (&'static str, Input)> {
    MendAction::ALL
        .into_iter()
        .zip(10..)
        .map(|(action, number)| {
            let mend = mend(number, action);
            (mend.as_str(), Input::Mend(mend))
        })
}

/// When a sample input meets a sample state: a tick when it is due, everything else a moment later.
#[must_use]
pub fn meets(booking: Option<&Booking>, input: &Input, policy: &Policy) -> Instant {
    let Some(booking) = booking else {
        return start() + TimeDelta::seconds(STEP_SECS);
    };
    let moment = booking.since + TimeDelta::seconds(STEP_SECS);
    match booking.wake_at(policy) {
        Some(wake_at) if *input == Input::Tick => wake_at,
        Some(_) | None => moment,
    }
}

fn reach(inputs: &[Input]) -> Option<Booking> {
    let policy = Policy::default();
    let mut booking: Option<Booking> = None;
    for input in inputs {
        let now = meets(booking.as_ref(), input, &policy);
        match decide(booking.as_ref(), input, now, &policy) {
            Decision::Advance { next, .. } | Decision::Reject { next, .. } => booking = Some(*next),
            Decision::RejectUnborn { .. }
            | Decision::Stay(_)
            | Decision::Defer(_)
            | Decision::Refuse(_) => {}
        }
    }
    booking
}
