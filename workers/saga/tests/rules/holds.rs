//! Holds, attempts, deadlines.

use crate::*;

#[test]
fn a_payment_begins_until_the_shown_end_and_not_within_the_grace() {
    let held = sample("held");
    let hold = held.hold.clone().expect("a hold");
    let pay = pay(&held, far());
    assert!(matches!(
        at(&held, &pay, hold.expires_at),
        Decision::Advance { .. }
    ));
    let late = hold.expires_at + TimeDelta::microseconds(1);
    assert_eq!(rejected(&held, &pay, late), Code::HoldExpired);
    assert_eq!(held.wake_at(&Policy::default()), Some(hold.grace_until));
}

#[test]
fn a_decline_within_the_grace_ends_the_booking_at_once() {
    let paying = sample("authorizing (in flight)");
    let hold = paying.hold.clone().expect("a hold");
    let declined = sample_input("declined");
    let late = hold.expires_at + TimeDelta::microseconds(1);
    for (now, status) in [
        (hold.expires_at, Status::Held),
        (late, Status::PaymentFailed),
    ] {
        match at(&paying, &declined, now) {
            Decision::Advance { next, .. } => assert_eq!(next.status, status),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_hold_never_outlives_its_cap() {
    let Input::Submit(mut submit) = sample_input("submit") else {
        panic!("a submit")
    };
    if let Ok(offer) = &mut submit.offer {
        offer.hold_shown_secs = 5_000;
    }
    let now = samples::start();
    match decide(None, &Input::Submit(submit), now, &Policy::default()) {
        Decision::Advance { next, .. } => {
            let hold = next.hold.expect("a hold");
            assert_eq!(
                (hold.expires_at, hold.grace_until),
                (hold.cap_at, hold.cap_at)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn attempts_are_counted_over_the_life_of_a_hold() {
    let mut booking = sample("held");
    for attempt in 1..=Policy::default().attempts_max {
        let (paying, _) = advanced(&booking, &pay(&booking, far()));
        assert_eq!(
            (paying.payment.attempt, paying.payment.generation),
            (attempt, 1)
        );
        let code = Code::CardDeclined;
        booking = advanced(&paying, &Input::Declined { attempt, code }).0;
    }
    assert_eq!(booking.status, Status::PaymentFailed);
    assert_eq!(booking.payment.intent, IntentState::Closing);
}

#[test]
fn commands_have_deadlines_and_answers_have_none() {
    let early = samples::start() - TimeDelta::seconds(1);
    for name in ["held", "authorizing (in flight)"] {
        let booking = sample(name);
        let now = moment(&booking);
        assert_eq!(
            rejected(&booking, &pay(&booking, early), now),
            Code::DeadlineExceeded
        );
    }
    let held = sample("held");
    let too_early = decide(
        None,
        &pay(&held, far()),
        samples::start(),
        &Policy::default(),
    );
    assert!(matches!(too_early, Decision::Defer(_)), "{too_early:?}");
    let too_late = decide(
        None,
        &pay(&held, early),
        samples::start(),
        &Policy::default(),
    );
    assert!(
        matches!(too_late, Decision::RejectUnborn { .. }),
        "{too_late:?}"
    );
}

#[test]
fn one_position_of_an_unpaid_hold_may_go_until_an_intent_fixes_the_amount() {
    let held = sample("held");
    let (next, _) = advanced(&held, &cancel(&held, CancelledBy::Customer, Some(vec![1])));
    assert_eq!((next.status, next.total_minor()), (Status::Held, 1_000));
    let declined = sample("held (declined once)");
    let some = cancel(&declined, CancelledBy::Customer, Some(vec![1]));
    assert_eq!(
        rejected(&declined, &some, moment(&declined)),
        Code::PaymentInProgress
    );
}

#[test]
fn a_cancelled_show_takes_a_waiting_wish_along() {
    let booking = sample("authorizing (cancel waits)");
    let again = cancel(&booking, CancelledBy::Customer, None);
    assert_eq!(
        rejected(&booking, &again, moment(&booking)),
        Code::CancelInProgress
    );
    let (next, effects) = advanced(&booking, &cancel(&booking, CancelledBy::Show, None));
    assert_eq!(next.pending_cancel.map(|p| p.by), Some(CancelledBy::Show));
    let outcomes: Vec<_> = effects
        .iter()
        .filter(|e| matches!(e, Effect::Settle { .. }))
        .collect();
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}

#[test]
fn late_money_is_refused_once_and_with_a_reason() {
    let expired = sample("expired (intent open)");
    let (honoured, effects) = advanced(&expired, &sample_input("authorized"));
    assert_eq!(honoured.epoch, expired.epoch + 1);
    assert_eq!(effects[0], Effect::Claim { epoch: 2 });
    assert_eq!(effects[1], Effect::Sell { epoch: 2 });
    let taken = sample_input("authorized, seats taken");
    let (refused, effects) = advanced(&expired, &taken);
    let apology = Effect::Mail {
        template: Template::Apology,
        revision: 1,
    };
    assert!(effects.contains(&Effect::CloseIntent) && effects.contains(&apology));
    // Closing is never undone, though the seats may be free again.
    let again = at(&refused, &sample_input("authorized"), moment(&refused));
    assert!(matches!(again, Decision::Stay(_)), "{again:?}");
}

#[test]
fn waits_between_repetitions_double_up_to_a_limit() {
    let policy = Policy::default();
    let mut booking = sample("confirmed (capture in flight)");
    let mut waits = Vec::new();
    for _ in 0..12 {
        let wake_at = booking.wake_at(&policy).expect("not at rest");
        waits.push((wake_at - booking.since).num_seconds());
        match at(&booking, &Input::Tick, wake_at) {
            Decision::Advance { next, .. } => booking = *next,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        waits,
        [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]
    );
}

#[test]
fn a_payment_accepted_in_time_is_honoured_within_the_grace_and_not_beyond() {
    let held = sample("held");
    let hold = held.hold.clone().unwrap();
    let second = TimeDelta::seconds(1);
    let accepted = |accepted_at| Input::Pay {
        operation: operation(&held, "pay"),
        method: None,
        accepted_at,
        deadline: hold.cap_at,
    };
    let in_time = accepted(hold.expires_at - second);
    let status = |input: &Input, now| match at(&held, input, now) {
        Decision::Advance { next, .. } | Decision::Reject { next, .. } => next.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        status(&in_time, hold.grace_until),
        Status::Authorizing(boxoffice_saga::Phase::InFlight)
    );
    assert_eq!(status(&in_time, hold.grace_until + second), Status::Held);
    assert_eq!(
        status(&accepted(hold.expires_at + second), hold.grace_until),
        Status::Held
    );
}
