//! Refunds, fees, amounts.

use crate::*;

#[test]
fn the_policy_binds_the_customer_and_nobody_else() {
    let completed = sample("completed");
    for (by, minor) in [
        (CancelledBy::Customer, 1_800),
        (CancelledBy::Staff, 2_000),
        (CancelledBy::Show, 2_000),
    ] {
        let (next, effects) = advanced(&completed, &cancel(&completed, by, None));
        assert_eq!(refund_minor(&effects), minor, "{by:?}");
        assert_eq!(next.retained_minor(), 2_000 - minor, "{by:?}");
    }
    let mut open = completed.clone();
    open.refund_policy.cancel_until = moment(&open) - TimeDelta::seconds(1);
    let by = |by| cancel(&open, by, None);
    assert_eq!(
        rejected(&open, &by(CancelledBy::Customer), moment(&open)),
        Code::CancelTooLate
    );
    assert!(matches!(
        at(&open, &by(CancelledBy::Show), moment(&open)),
        Decision::Advance { .. }
    ));
}

#[test]
fn tickets_are_void_before_seats_are_free_before_money_goes_back() {
    let completed = sample("completed");
    let (_, effects) = advanced(&completed, &cancel(&completed, CancelledBy::Staff, None));
    let names: Vec<_> = effects.iter().map(Effect::as_str).collect();
    assert_eq!(names[..4], ["void_tickets", "free", "refund", "settle"]);
}

#[test]
fn a_scanned_ticket_is_used_and_the_others_may_go() {
    let completed = sample("completed");
    let with = |positions| Input::Cancel {
        operation: operation(&completed, "cancel"),
        positions,
        by: CancelledBy::Staff,
        deadline: far(),
        scanned: vec![2],
    };
    let now = moment(&completed);
    assert_eq!(rejected(&completed, &with(None), now), Code::TicketUsed);
    assert_eq!(
        rejected(&completed, &with(Some(vec![9])), now),
        Code::PositionUnknown
    );
    let (next, _) = advanced(&completed, &with(Some(vec![1, 1])));
    assert_eq!(
        (next.status, next.live_positions()),
        (Status::Refunding, vec![2])
    );
    assert_eq!(next.ticket_revision, 2);
}

#[test]
fn a_fee_as_high_as_the_price_needs_no_refund() {
    let mut completed = sample("completed");
    completed.refund_policy.fee_minor = 5_000;
    let (next, effects) = advanced(&completed, &cancel(&completed, CancelledBy::Customer, None));
    assert_eq!(
        (next.status, refund_minor(&effects)),
        (Status::Cancelled, 0)
    );
    assert_eq!(next.retained_minor(), next.payment.captured_minor);
}

#[test]
fn another_amount_reserves_nothing_and_calls_a_person() {
    let paying = sample("authorizing (in flight)");
    let (next, effects) = advanced(&paying, &sample_input("authorized, other amount"));
    assert_eq!(next.status, Status::PaymentFailed);
    assert_eq!(next.code, Some(Code::AmountMismatch));
    assert_eq!(next.attention, Some(Attention::AmountMismatch));
    assert!(effects.contains(&Effect::CloseIntent));
}

#[test]
fn money_refunded_by_hand_is_cumulative_and_ends_the_booking_when_it_is_all() {
    let completed = sample("completed");
    let outside = |minor| Input::RefundedOutside {
        amount: Money::new(minor, Currency::EUR),
    };
    let (some, _) = advanced(&completed, &outside(500));
    assert_eq!(
        (some.status, some.attention),
        (Status::Completed, Some(Attention::RefundedOutside))
    );
    let again = at(&some, &outside(500), moment(&some));
    assert!(matches!(again, Decision::Stay(_)), "{again:?}");
    // No more than is left goes back by our order.
    let (_, effects) = advanced(&some, &cancel(&some, CancelledBy::Staff, None));
    assert_eq!(refund_minor(&effects), 1_500);
    let (all, effects) = advanced(&some, &outside(2_000));
    assert_eq!((all.status, all.positions_live()), (Status::Refunded, 0));
    assert_eq!(
        effects
            .iter()
            .filter(|e| matches!(e, Effect::Free { .. }))
            .count(),
        1
    );
}

#[test]
fn a_refused_refund_waits_a_day_for_a_person_and_is_ordered_again_under_the_same_id() {
    let refunding = sample("refunding (all)");
    let (failed, _) = advanced(&refunding, &sample_input("refund_failed"));
    assert_eq!(failed.attention, Some(Attention::RefundFailed));
    let policy = Policy::default();
    let wake_at = failed.wake_at(&policy).expect("not at rest");
    assert_eq!((wake_at - failed.since).num_hours(), 24);
    match at(&failed, &Input::Tick, wake_at) {
        Decision::Advance { next, effects } => {
            assert!(
                matches!(effects[..], [Effect::Refund { refund, .. }] if refund == refunding.refunds[0].id)
            );
            assert_eq!(next.refunds[0].state, RefundState::Requested);
            let (done, _) = advanced(&next, &sample_input("refunded"));
            assert_eq!((done.status, done.attention), (Status::Refunded, None));
        }
        other => panic!("{other:?}"),
    }
}
