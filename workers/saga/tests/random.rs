//! Random messages in any order, random states with random inputs: always an answer, and always an end.

use boxoffice_contracts::{Code, Currency, Instant, Money};
use boxoffice_saga::{
    Booking, Capture, Decision, Effect, Input, IntentState, Phase, Policy, Status, booking::Refund,
    booking::RefundState, decide, input::LateFacts, samples,
};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::VecDeque;

/// Ticks and answers after which a booking that is not at rest is stuck.
const STEPS_MAX: usize = 300;

/// Applies an input as the shell would; what is refused, rejected or deferred leaves no trace but a version.
fn apply(booking: &mut Option<Booking>, input: &Input, now: Instant) -> Vec<Effect> {
    let version = booking.as_ref().map_or(0, |b| b.version);
    match decide(booking.as_ref(), input, now, &Policy::default()) {
        Decision::Advance { next, effects } | Decision::Reject { next, effects, .. } => {
            assert_eq!(next.version, version + 1);
            *booking = Some(*next);
            effects
        }
        Decision::RejectUnborn { .. }
        | Decision::Stay(_)
        | Decision::Defer(_)
        | Decision::Refuse(_) => Vec::new(),
    }
}

/// A gateway that answers everything, and truthfully: what was taken is taken.
fn answer(effect: &Effect, booking: &Booking, taken: &mut bool) -> Option<Input> {
    let generation = booking.payment.generation;
    let amount = Money::new(booking.payment.captured_minor, booking.currency);
    match effect {
        Effect::Capture { amount_minor } => {
            *taken = true;
            Some(Input::Captured {
                generation,
                amount: Money::new(*amount_minor, booking.currency),
            })
        }
        Effect::CloseIntent if *taken => Some(Input::Captured { generation, amount }),
        Effect::CloseIntent => Some(Input::Voided { generation }),
        Effect::Authorize { attempt, .. } | Effect::Reconcile { attempt } => {
            Some(Input::Declined {
                attempt: *attempt,
                code: Code::CardDeclined,
            })
        }
        Effect::Refund {
            refund,
            amount_minor,
            ..
        } => Some(Input::Refunded {
            refund: *refund,
            amount: Money::new(*amount_minor, booking.currency),
        }),
        Effect::Render { revision } => Some(Input::Rendered {
            revision: *revision,
        }),
        Effect::Claim { .. }
        | Effect::Sell { .. }
        | Effect::Free { .. }
        | Effect::IssueTickets { .. }
        | Effect::VoidTickets { .. }
        | Effect::Mail { .. }
        | Effect::Settle { .. }
        | Effect::Announce(_) => None,
    }
}

fn instant() -> impl Strategy<Value = Instant> {
    (-2_000_i64..2_000_000).prop_map(|secs| samples::start() + TimeDelta::seconds(secs))
}

fn status() -> impl Strategy<Value = Status> {
    let phase = prop_oneof![
        Just(Phase::InFlight),
        Just(Phase::ActionRequired),
        Just(Phase::Unknown)
    ];
    prop_oneof![
        Just(Status::Waiting),
        Just(Status::Held),
        phase.clone().prop_map(Status::Authorizing),
        Just(Status::Confirmed(Capture::InFlight)),
        instant()
            .prop_map(|pay_again_until| Status::Confirmed(Capture::Failed { pay_again_until })),
        (instant(), phase).prop_map(|(pay_again_until, phase)| {
            Status::Confirmed(Capture::Repaying {
                pay_again_until,
                phase,
            })
        }),
        Just(Status::Paid),
        Just(Status::Completed),
        Just(Status::Cancelling),
        Just(Status::Refunding),
        Just(Status::Rejected),
        Just(Status::PaymentFailed),
        Just(Status::Expired),
        Just(Status::Cancelled),
        Just(Status::Refunded),
    ]
}

fn intent() -> impl Strategy<Value = IntentState> {
    prop_oneof![
        Just(IntentState::None),
        Just(IntentState::Open),
        Just(IntentState::Closing),
        Just(IntentState::Closed),
        Just(IntentState::Captured)
    ]
}

fn minor() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..5_000, Just(i64::MAX), Just(i64::MIN)]
}

prop_compose! {
    /// A booking that no sequence of inputs need lead to.
    fn any_booking()(
        base in prop::sample::select(bookings()),
        status in status(),
        since in instant(),
        intent in intent(),
        counters in (0_u16..4, 0_u16..4, 0_u16..4, 0_u16..4, any::<u16>()),
        prices in (minor(), minor(), any::<bool>(), any::<bool>()),
        captured in minor(),
        held in any::<bool>(),
        refund in prop::option::of((minor(), prop_oneof![
            Just(RefundState::Requested), Just(RefundState::Succeeded), Just(RefundState::Failed)
        ])),
        extreme in any::<bool>(),
    ) -> Booking {
        let mut booking = base;
        booking.status = status;
        booking.since = if extreme { Instant::MAX_UTC } else { since };
        booking.resends = counters.4;
        booking.payment.intent = intent;
        booking.payment.attempt = counters.0;
        booking.payment.attempts_in_hold = counters.1;
        booking.payment.generation = counters.2;
        booking.payment.first_attempt = counters.3;
        booking.payment.captured_minor = captured;
        for (position, (price, live)) in booking.positions.iter_mut().zip([(prices.0, prices.2), (prices.1, prices.3)]) {
            position.price_minor = price;
            position.live = live;
        }
        if !held {
            booking.hold = None;
        }
        if let (Some((amount_minor, state)), Some(Effect::Refund { refund, .. })) = (refund, refund_effect()) {
            booking.refunds = vec![Refund { id: refund, operation_id: None, positions: vec![1], amount_minor, state }];
        }
        booking
    }
}

fn bookings() -> Vec<Booking> {
    samples::states()
        .into_iter()
        .filter_map(|(_, booking)| booking)
        .collect()
}

fn inputs() -> Vec<Input> {
    samples::inputs()
        .into_iter()
        .map(|(_, input)| input)
        .collect()
}

/// The order that the samples' refund is about.
fn refund_effect() -> Option<Effect> {
    samples::inputs()
        .into_iter()
        .find_map(|(_, input)| match input {
            Input::Refunded { refund, amount } => Some(Effect::Refund {
                refund,
                operation: None,
                amount_minor: amount.minor,
                positions: vec![],
            }),
            _ => None,
        })
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => prop::sample::select(inputs()),
        1 => (0_u16..4, minor(), any::<(bool, bool, bool)>()).prop_map(|(attempt, minor, facts)| {
            Input::Authorized {
                attempt,
                amount: Money::new(minor, Currency::EUR),
                late: LateFacts { seats_free: facts.0, on_sale: facts.1, price_unchanged: facts.2 },
            }
        }),
        1 => (0_u16..4, minor()).prop_map(|(generation, minor)| Input::Captured {
            generation,
            amount: Money::new(minor, Currency::EUR),
        }),
        1 => minor().prop_map(|minor| Input::RefundedOutside { amount: Money::new(minor, Currency::EUR) }),
        1 => any::<u16>().prop_map(|revision| Input::Rendered { revision }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the row says and whatever comes: an answer, one version further at most, never a panic.
    #[test]
    fn every_state_answers_every_input(booking in any_booking(), input in any_input(), now in instant()) {
        let policy = Policy::default();
        match decide(Some(&booking), &input, now, &policy) {
            Decision::Advance { next, .. } | Decision::Reject { next, .. } => {
                prop_assert_eq!(next.version, booking.version + 1);
                let _ = next.wake_at(&policy);
            }
            Decision::RejectUnborn { .. } => prop_assert!(false, "the booking is born"),
            Decision::Stay(_) | Decision::Defer(_) | Decision::Refuse(_) => {}
        }
    }

    /// Any order, any number of times: once everything is answered the booking rests, and the money adds up.
    #[test]
    fn any_order_with_repetitions_ends_at_rest(
        order in prop::collection::vec(prop::sample::select(inputs()), 1..24),
        pauses in prop::collection::vec(0_i64..700, 24),
    ) {
        let policy = Policy::default();
        let mut booking: Option<Booking> = None;
        let mut now = samples::start() + TimeDelta::seconds(1);
        let mut orders: VecDeque<Effect> = VecDeque::new();
        for (input, pause) in order.iter().zip(&pauses) {
            // The gateway says nothing that it didn't do; what it does is asked for below.
            if matches!(input, Input::Captured { .. } | Input::RefundedOutside { .. }) {
                continue;
            }
            now += TimeDelta::seconds(*pause);
            orders.extend(apply(&mut booking, input, now));
        }
        let Some(mut booking) = booking else { return Ok(()) };
        let mut taken = booking.payment.captured_minor > 0;
        for _ in 0..STEPS_MAX {
            let input = match orders.pop_front() {
                Some(effect) => match answer(&effect, &booking, &mut taken) {
                    Some(input) => input,
                    None => continue,
                },
                None => match booking.wake_at(&policy) {
                    Some(wake_at) => {
                        now = now.max(wake_at);
                        Input::Tick
                    }
                    None => break,
                },
            };
            let mut born = Some(booking);
            orders.extend(apply(&mut born, &input, now));
            booking = born.expect("a booking stays");
        }
        prop_assert_eq!(booking.wake_at(&policy), None, "stuck: {:?}", booking);
        let completed = booking.status == Status::Completed;
        prop_assert!(completed || booking.status.is_terminal(), "{:?}", booking.status);
        let value = if completed { booking.total_minor() } else { 0 };
        let kept = booking.payment.captured_minor - booking.refunded_minor();
        prop_assert_eq!(kept, value + booking.retained_minor(), "{:?}", booking);
        prop_assert!(booking.pending_cancel.is_none());
    }
}
