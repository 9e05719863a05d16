//! Money: every way in which a payment goes well, badly, late, or nobody knows how.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::Role;
use boxoffice_integration::{
    Booking, Customer, Order, Show, State, World, books, customer::new_key, fixture, secs,
    tap::Heard, wait_until,
};
use boxoffice_stripe_sandbox::webhook_signature;
use serde_json::{Value, json};
use std::time::Instant;

const VISA: &str = "pm_card_visa";
const DECLINED: &str = "pm_card_chargeDeclined";
const THREE_D_SECURE: &str = "pm_card_authenticationRequired";

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_may_be_followed_by_another_but_not_for_ever() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");

    let second = async {
        let booking = ada
            .book(Order::of(&show, &["A-1"]).paid_with(DECLINED))
            .await;
        declined(&booking).await;
        let paying = booking.pay(VISA).await;
        booking.until("completed").await;
        assert_eq!(booking.outcome(paying).await, "done");
        assert_eq!(
            world.gateway.intent(booking.id).await.attempts,
            2,
            "one intent, two confirms"
        );
        // Nothing is paid twice.
        let again = booking.pay(VISA).await;
        assert_eq!(booking.outcome(again).await, "already_paid");
    };
    let third = async {
        let booking = ada.book(Order::of(&show, &["A-2", "A-3"])).await;
        booking.until("held").await;
        for _ in 1..=2 {
            let paying = booking.pay("pm_card_chargeDeclinedInsufficientFunds").await;
            assert_eq!(booking.outcome(paying).await, "done");
            declined(&booking).await;
        }
        booking.pay(DECLINED).await;
        assert_eq!(
            booking.until("payment_failed").await.code(),
            "card_declined"
        );
        wait_until("the seats are free", secs(5), async || {
            let free = ada.free_seats(&show).await;
            free.contains(&"A-2".to_owned()) && free.contains(&"A-3".to_owned())
        })
        .await;
        let late = booking.pay(VISA).await;
        assert_eq!(booking.outcome(late).await, "booking_ended");
        world.mail(booking.id, "payment_failed").await;
    };
    tokio::join!(second, third);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_d_secure_is_passed_failed_or_forgotten() {
    let world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("brief").hold(3, 1, 5))
        .start()
        .await;
    let ada = world.customer("ada");
    let (evening, brief) = (world.show("evening"), world.show("brief"));

    let passed = async {
        let booking = ada
            .book(Order::of(&evening, &["A-1"]).paid_with(THREE_D_SECURE))
            .await;
        let asked = action_required(&booking).await;
        assert!(
            asked.0["payment"]["client_secret"].is_string(),
            "{}",
            asked.0
        );
        let intent = world.gateway.intent(booking.id).await.id;
        assert!(
            asked.0["payment"]["action_url"]
                .as_str()
                .unwrap()
                .contains(&intent)
        );
        // Nobody but the owner sees the door.
        let support = world.someone("sam", Role::Support);
        let seen = support
            .get(&format!("/v1/bookings/{}", booking.id))
            .await
            .unwrap();
        assert_eq!(seen.body["phase"], "action_required");
        assert!(seen.body["payment"].is_null(), "{}", seen.body);
        world.gateway.authenticate(&intent, true).await;
        booking.until("completed").await;
    };
    let failed = async {
        let booking = ada
            .book(Order::of(&evening, &["A-2"]).paid_with(THREE_D_SECURE))
            .await;
        action_required(&booking).await;
        world
            .gateway
            .authenticate(&world.gateway.intent(booking.id).await.id, false)
            .await;
        declined(&booking).await;
        booking.pay(VISA).await;
        booking.until("completed").await;
    };
    let forgotten = async {
        let booking = ada
            .book(Order::of(&brief, &["A-3"]).paid_with(THREE_D_SECURE))
            .await;
        action_required(&booking).await;
        booking.until("expired").await;
        wait_until("the intent is canceled", secs(10), async || {
            world.gateway.intent(booking.id).await.status == "canceled"
        })
        .await;
    };
    let in_the_browser = async {
        let booking = ada.book(Order::of(&evening, &["A-4"])).await;
        booking.until("held").await;
        let begun = ada
            .insist(&booking.path("payment"), &new_key(), &json!({}))
            .await;
        assert_eq!(begun.status.as_u16(), 202);
        action_required(&booking).await;
        confirm_in_the_browser(&world, &booking, DECLINED).await;
        confirm_in_the_browser(&world, &booking, VISA).await;
        booking.until("completed").await;
    };
    tokio::join!(passed, failed, forgotten, in_the_browser);
    world.finish().await;
}

/// F56: nothing reminds anybody of a hold's end; it is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_nobody_pays_lapses_in_time_and_its_seats_are_sold_to_others() {
    let world = World::setup()
        .show(Show::named("brief").hold(2, 1, 60))
        .start()
        .await;
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let show = world.show("brief");

    let begun = Instant::now();
    let booking = ada.book(Order::of(&show, &["A-1", "A-2"])).await;
    let held = booking.until("held").await;
    assert!(held.0["hold_expires_at"].is_string());
    let refused = bob.book(Order::of(&show, &["A-2"])).await;
    assert_eq!(refused.until("rejected").await.code(), "seats_unavailable");
    // After what is shown, and before what is hidden behind it, nobody begins to pay.
    tokio::time::sleep((begun + std::time::Duration::from_millis(2_400)) - Instant::now()).await;
    let late = booking.pay(VISA).await;
    assert_eq!(booking.outcome(late).await, "hold_expired");
    booking.until("expired").await;
    let lasted = begun.elapsed();
    assert!(
        lasted > secs(3) && lasted < secs(5),
        "shown 2 s and hidden 1 s: {lasted:?}"
    );

    let next = bob
        .book(Order::of(&show, &["A-1", "A-2"]).paid_with(VISA))
        .await;
    next.until("completed").await;
    world.mail(booking.id, "expired").await;
    let never = booking.pay(VISA).await;
    assert_eq!(booking.outcome(never).await, "booking_ended");
    assert!(
        world.gateway.of(booking.id).await.is_empty(),
        "no money was ever asked for"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_cancelled_before_during_and_after_its_payment() {
    let world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("strict").fee(200))
        .setting("BOXOFFICE__GATEWAY__TIMEOUT_MS", "5000")
        .setting("BOXOFFICE__SAGA__AUTHORIZE_ANSWER_SECS", "6")
        .start()
        .await;
    let ada = world.customer("ada");
    let (evening, strict) = (world.show("evening"), world.show("strict"));

    let before = async {
        let booking = ada.book(Order::of(&evening, &["A-1", "A-2"])).await;
        booking.until("held").await;
        let some = booking.cancel(Some(&[1])).await;
        assert_eq!(booking.outcome(some).await, "done");
        assert_eq!(booking.state().await.minor("total"), fixture::STANDARD);
        assert_eq!(
            booking.outcome(booking.cancel(Some(&[1])).await).await,
            "position_unknown"
        );
        let all = booking.cancel(None).await;
        booking.until("cancelled").await;
        assert_eq!(booking.outcome(all).await, "done");
        assert!(world.gateway.of(booking.id).await.is_empty());
        world.mail(booking.id, "cancelled").await;
    };
    let during = async {
        let key = new_key();
        let slow = json!({"op": "confirm", "kind": "delay", "ms": 2500});
        world.gateway.fault_for(ada.booking_of(&key), slow).await;
        let booking = ada
            .book_with(&key, Order::of(&evening, &["A-3"]).paid_with(VISA))
            .await;
        booking.until("authorizing").await;
        let cancel = booking.cancel(None).await;
        let pending = |state: &State| {
            state
                .operation(cancel)
                .is_some_and(|word| word == "pending")
        };
        booking.wait_for("pending", secs(2), pending).await;
        let second = booking.cancel(None).await;
        assert_eq!(booking.outcome(second).await, "cancel_in_progress");
        booking.until("cancelled").await;
        assert_eq!(booking.outcome(cancel).await, "done");
        let intent = world.gateway.intent(booking.id).await;
        assert_eq!((intent.status.as_str(), intent.captured), ("canceled", 0));
    };
    let after = async {
        let booking = ada
            .book(Order::of(&evening, &["A-4"]).paid_with(VISA))
            .await;
        booking.until("completed").await;
        booking.cancel(None).await;
        let refunded = booking.until("refunded").await;
        assert_eq!(refunded.minor("refunded"), fixture::STANDARD);
        world.mail(booking.id, "refunded").await;
        let tickets = ada
            .get(&format!("/v1/bookings/{}/tickets.pdf", booking.id))
            .await
            .unwrap();
        assert_eq!(tickets.code(), "booking_ended");
    };
    let one_of_two = async {
        let booking = ada
            .book(Order::of(&evening, &["B-1", "E-1"]).paid_with(VISA))
            .await;
        booking.until("completed").await;
        world.mail(booking.id, "confirmation.1").await;
        let some = booking.cancel(Some(&[1])).await;
        assert_eq!(booking.outcome(some).await, "done");
        let stands = booking.until("completed").await;
        assert_eq!(stands.minor("refunded"), fixture::STANDARD);
        let mail = world.mail(booking.id, "confirmation.2").await;
        assert!(!mail.attachments.is_empty());
        let pages = lopdf::Document::load_mem(&booking.tickets_pdf().await)
            .unwrap()
            .get_pages()
            .len();
        assert_eq!(pages, 1, "the seat that is left");
        booking.cancel(None).await;
        booking.until("refunded").await;
        let refunds = world.gateway.intent(booking.id).await.refunds.len();
        assert_eq!(refunds, 2, "one line per order");
    };
    let with_a_fee = async {
        let booking = ada
            .book(Order::of(&strict, &["C-1", "C-2"]).paid_with(VISA))
            .await;
        booking.until("completed").await;
        booking.cancel(None).await;
        let refunded = booking.until("refunded").await;
        assert_eq!(refunded.minor("refunded"), 2 * (fixture::STANDARD - 200));
    };
    let by_staff = async {
        let booking = ada.book(Order::of(&strict, &["C-3"]).paid_with(VISA)).await;
        booking.until("completed").await;
        let support = world.someone("sam", Role::Support);
        let key = new_key();
        let path = format!("/v1/bookings/{}/cancel", booking.id);
        for _ in 0..3 {
            let answer = support
                .insist(&path, &key, &json!({"reason": "the heating failed"}))
                .await;
            assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
        }
        let refunded = booking.until("refunded").await;
        assert_eq!(
            refunded.minor("refunded"),
            fixture::STANDARD,
            "fees are for the customer's own wish"
        );
        assert_eq!(
            world.gateway.intent(booking.id).await.refunds.len(),
            1,
            "one key, one refund"
        );
    };
    tokio::join!(before, during, after, one_of_two, with_a_fee, by_staff);
    world.finish().await;
}

/// F65: the gateway's answer comes after the hold's cap.
#[tokio::test(flavor = "multi_thread")]
async fn late_money_is_honoured_while_the_seats_are_free_and_goes_back_when_not() {
    let world = World::setup()
        .show(Show::named("brief").hold(3, 1, 4))
        .start()
        .await;
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let show = world.show("brief");

    let silent = async |key: &str| {
        let booking = ada.booking_of(key);
        world
            .gateway
            .fault_for(booking, json!({"op": "confirm", "kind": "hang_after"}))
            .await;
        world
            .gateway
            .fault_for(booking, json!({"op": "retrieve", "kind": "hang"}))
            .await;
    };
    let (free, taken, unwanted) = (new_key(), new_key(), new_key());
    for key in [&free, &taken, &unwanted] {
        silent(key).await;
    }
    let order = |seat: &str| Order::of(&show, &[seat]).paid_with(VISA);
    let honoured = ada.book_with(&free, order("A-1")).await;
    let refused = ada.book_with(&taken, order("A-2")).await;
    let unwanted = ada
        .book_with(&unwanted, order("A-3").with("late_policy", json!("refuse")))
        .await;
    for booking in [&honoured, &refused, &unwanted] {
        booking
            .wait_for("unknown", secs(10), |state| state.phase() == "unknown")
            .await;
    }
    for booking in [&honoured, &refused, &unwanted] {
        booking.until("expired").await;
        let intent = world.gateway.intent(booking.id).await;
        assert_eq!(
            intent.status, "requires_capture",
            "nothing is compensated on a guess"
        );
    }
    let other = bob.book(order("A-2")).await;
    other.until("completed").await;
    world.gateway.heal().await;

    honoured.until("completed").await;
    for booking in [&refused, &unwanted] {
        wait_until("the intent is canceled", secs(15), async || {
            world.gateway.intent(booking.id).await.status == "canceled"
        })
        .await;
        world.mail(booking.id, "apology").await;
        assert_eq!(booking.state().await.status(), "expired");
    }
    world.finish().await;
}

/// F59 to F61, F66, F71: what was answered, and what was done.
#[tokio::test(flavor = "multi_thread")]
async fn no_lost_answer_takes_money_twice_or_leaves_it() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let seats = fixture::seats();
    // The operation that fails, how, and how often.
    let troubles = [
        json!({"op": "create", "kind": "reset_after", "times": 1}),
        json!({"op": "create", "kind": "error_500_before", "times": 1}),
        json!({"op": "confirm", "kind": "reset_after", "times": 1}),
        json!({"op": "confirm", "kind": "error_500_after"}),
        json!({"op": "confirm", "kind": "hang", "times": 2}),
        json!({"op": "confirm", "kind": "hang_after", "times": 1}),
        json!({"op": "capture", "kind": "reset_after", "times": 1}),
        json!({"op": "capture", "kind": "error_500_after"}),
        json!({"op": "capture", "kind": "hang", "times": 1}),
        json!({"op": "refund", "kind": "reset_after", "times": 1}),
        json!({"op": "refund", "kind": "error_500_after"}),
        json!({"op": "refund", "kind": "hang_after", "times": 1}),
    ];
    let stories = troubles.iter().zip(&seats).map(|(trouble, seat)| {
        let (ada, world, show) = (&ada, &world, &show);
        async move {
            let key = new_key();
            world
                .gateway
                .fault_for(ada.booking_of(&key), trouble.clone())
                .await;
            let order = Order::of(show, &[seat.as_str()]).paid_with(VISA);
            let booking = ada.book_with(&key, order).await;
            booking.until("completed").await;
            if trouble["op"] == "refund" {
                booking.cancel(None).await;
                booking.until("refunded").await;
            }
            let intent = world.gateway.intent(booking.id).await;
            assert_eq!(
                (intent.captures, intent.attempts),
                (1, 1),
                "{trouble}: {intent:?}"
            );
        }
    });
    futures::future::join_all(stories).await;

    // A void whose answer is lost.
    let key = new_key();
    let lost = json!({"op": "cancel", "kind": "reset_after", "times": 1});
    world.gateway.fault_for(ada.booking_of(&key), lost).await;
    let booking = ada
        .book_with(&key, Order::of(&show, &["D-1"]).paid_with(THREE_D_SECURE))
        .await;
    action_required(&booking).await;
    booking.cancel(None).await;
    booking.until("cancelled").await;

    // Another amount than was agreed: nobody is charged, and a person is told.
    let booking = ada
        .book(Order::of(&show, &["D-2"]).paid_with("pm_card_amountDiffers"))
        .await;
    assert_eq!(
        booking.until("payment_failed").await.code(),
        "amount_mismatch"
    );
    assert_eq!(
        world.attention(booking.id).await.as_deref(),
        Some("amount_mismatch")
    );
    wait_until("the intent is canceled", secs(10), async || {
        world.gateway.intent(booking.id).await.status == "canceled"
    })
    .await;
    world.finish().await;
}

/// F69: the authorisation is gone when it is to be captured.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_capture_may_be_paid_again_for_a_while() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let capture_failed = async |booking: &Booking| {
        booking
            .wait_for("capture_failed", secs(20), |state| {
                state.phase() == "capture_failed"
            })
            .await;
        assert_eq!(
            world.attention(booking.id).await.as_deref(),
            Some("capture_failed")
        );
    };
    let paid_again = async {
        let booking = ada
            .book(Order::of(&show, &["A-1"]).paid_with("pm_card_captureFails"))
            .await;
        capture_failed(&booking).await;
        world.mail(booking.id, "pay_again").await;
        booking.pay(VISA).await;
        booking.until("completed").await;
        assert_eq!(world.attention(booking.id).await, None);
        assert_eq!(
            world.gateway.of(booking.id).await.len(),
            2,
            "the first intent is closed"
        );
    };
    let given_up = async {
        let booking = ada
            .book(Order::of(&show, &["A-2"]).paid_with("pm_card_captureFails"))
            .await;
        capture_failed(&booking).await;
        assert!(
            !ada.free_seats(&show).await.contains(&"A-2".to_owned()),
            "sold while they may pay"
        );
        assert_eq!(
            booking.until("payment_failed").await.code(),
            "capture_failed"
        );
    };
    let cancelled = async {
        let booking = ada
            .book(Order::of(&show, &["A-3"]).paid_with("pm_card_captureFails"))
            .await;
        capture_failed(&booking).await;
        booking.cancel(None).await;
        booking.until("cancelled").await;
    };
    tokio::join!(paid_again, given_up, cancelled);
    world.finish().await;
}

/// F62, F63, F64, F72: webhooks are hints.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_early_often_shuffled_forged_or_never() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("brief").hold(3, 1, 6))
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    world
        .gateway
        .fault(json!({"op": "webhook", "kind": "early"}))
        .await;
    world
        .gateway
        .fault(json!({"op": "webhook", "kind": "duplicate", "n": 3}))
        .await;
    world
        .gateway
        .fault(json!({"op": "webhook", "kind": "shuffle", "ms": 2000}))
        .await;
    world.allow_lost_webhooks();
    let world = world;
    let key = new_key();
    let lost = ada.booking_of(&key);
    world
        .gateway
        .fault_for(lost, json!({"op": "webhook", "kind": "drop"}))
        .await;

    let seats = fixture::seats();
    let paid = seats[..10].iter().zip(0..).map(|(seat, number)| {
        let (ada, world, show) = (&ada, &world, &show);
        async move {
            let card = if number % 3 == 0 {
                THREE_D_SECURE
            } else {
                VISA
            };
            let booking = ada
                .book(Order::of(show, &[seat.as_str()]).paid_with(card))
                .await;
            if card == THREE_D_SECURE {
                action_required(&booking).await;
                world
                    .gateway
                    .authenticate(&world.gateway.intent(booking.id).await.id, true)
                    .await;
            }
            booking.until("completed").await;
            if number % 4 == 0 {
                booking.cancel(None).await;
                booking.until("refunded").await;
            }
        }
    });
    // The customer passes, and nobody tells us: it is found out when the hold ends.
    let never_told = async {
        let order = Order::of(&world.show("brief"), &["A-1"]).paid_with(THREE_D_SECURE);
        let booking = ada.book_with(&key, order).await;
        action_required(&booking).await;
        world
            .gateway
            .authenticate(&world.gateway.intent(lost).await.id, true)
            .await;
        booking.until("completed").await;
    };
    tokio::join!(futures::future::join_all(paid), never_told);

    // What nobody has invented yet is kept; what nobody has signed is not.
    let event = json!({"id": "evt_made_up", "object": "event", "type": "moon.rose", "livemode": false,
        "data": {"object": {"id": "moon_1", "object": "moon"}}});
    assert_eq!(
        deliver(&ada, &event, boxoffice_integration::gateway::WEBHOOK_SECRET).await,
        200
    );
    assert_eq!(kept(&world, "evt_made_up").await, 1);
    let event = json!({"id": "evt_forged", "object": "event", "type": "payment_intent.succeeded",
        "livemode": false, "data": {"object": {"id": "pi_1", "object": "payment_intent"}}});
    assert!((400..500).contains(&deliver(&ada, &event, "whsec_of_somebody_else").await));
    assert_eq!(kept(&world, "evt_forged").await, 0);
    world.finish().await;
}

/// F70, F73.
#[tokio::test(flavor = "multi_thread")]
async fn refunds_wait_fail_and_are_made_behind_our_back() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let tap = world.vhost.tap().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let completed = async |seats: &[&str], card: &str| {
        let booking = ada.book(Order::of(&show, seats).paid_with(card)).await;
        booking.until("completed").await;
        booking
    };
    let waits = async {
        let booking = completed(&["A-1"], "pm_card_pendingRefund").await;
        booking.cancel(None).await;
        booking.until("refunding").await;
        booking.until("refunded").await;
    };
    let fails = async {
        let booking = completed(&["A-2"], "pm_card_refundFail").await;
        booking.cancel(None).await;
        wait_until("a person is told", secs(20), async || {
            world.attention(booking.id).await.as_deref() == Some("refund_failed")
        })
        .await;
        assert_eq!(booking.state().await.status(), "refunding");
        assert!(
            ada.free_seats(&show).await.contains(&"A-2".to_owned()),
            "the seat is free all the same"
        );
        booking
    };
    let all_by_hand = async {
        let booking = completed(&["A-3"], VISA).await;
        let intent = world.gateway.intent(booking.id).await;
        world
            .gateway
            .refund_by_hand(&intent.id, intent.captured)
            .await;
        booking.until("refunded").await;
        assert_eq!(
            world.attention(booking.id).await.as_deref(),
            Some("refunded_outside")
        );
    };
    let some_by_hand = async {
        let booking = completed(&["A-4", "A-5"], VISA).await;
        let intent = world.gateway.intent(booking.id).await;
        world.gateway.refund_by_hand(&intent.id, 300).await;
        wait_until("a person is told", secs(20), async || {
            world.attention(booking.id).await.as_deref() == Some("refunded_outside")
        })
        .await;
        assert_eq!(
            booking.state().await.status(),
            "completed",
            "the tickets stand"
        );
    };
    let ((), failed, (), ()) = tokio::join!(waits, fails, all_by_hand, some_by_hand);
    // The order comes again, as one does whose answer could not be recorded: it has had its try.
    let id = failed.id.to_string();
    let is_order = |heard: &Heard| {
        let body = String::from_utf8_lossy(&heard.body);
        heard.kind == "payment.refund.v1" && body.contains(&id)
    };
    let order = tap.heard().into_iter().find(is_order).unwrap().renamed();
    let id = order.properties.message_id().clone().unwrap();
    let handled = format!(
        "inbox WHERE message_id = X'{}'",
        id.as_str().replace('-', "")
    );
    let put = world.vhost.put("payments", order.properties, &order.body);
    put.await;
    wait_until("it is handled", secs(10), async || {
        books::count(&world.db, &handled).await == 1
    })
    .await;
    world.settle().await;
    assert_eq!(world.gateway.intent(failed.id).await.refunds.len(), 1);
    world.finish().await;
}

/// The attempt failed, the hold lives.
async fn declined(booking: &Booking) -> State {
    let held = |state: &State| state.status() == "held" && state.code() == "card_declined";
    booking.wait_for("declined", secs(20), held).await
}

async fn action_required(booking: &Booking) -> State {
    booking
        .wait_for("action_required", secs(20), |state| {
            state.phase() == "action_required"
        })
        .await
}

/// What the gateway's script does in the customer's browser.
async fn confirm_in_the_browser(world: &World, booking: &Booking, card: &str) {
    let intent = world.gateway.intent(booking.id).await.id;
    let url = format!(
        "http://{}/v1/payment_intents/{intent}/confirm",
        world.gateway.address()
    );
    let request = reqwest::Client::new()
        .post(url)
        .basic_auth("sk_test_boxoffice", Some(""));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request
        .body(format!("payment_method={card}"))
        .send()
        .await
        .unwrap();
}

/// Sends an event as the gateway does; returns the status.
async fn deliver(anybody: &Customer, event: &Value, secret: &str) -> u16 {
    let body = event.to_string();
    let now = boxoffice_runtime::clock::now().timestamp();
    let request = anybody
        .request(reqwest::Method::POST, "/v1/webhooks/stripe")
        .header("stripe-signature", webhook_signature(secret, now, &body))
        .header("content-type", "application/json");
    request.body(body).send().await.unwrap().status().as_u16()
}

async fn kept(world: &World, event: &str) -> u64 {
    let from = format!("webhook_events WHERE event_id = '{event}'");
    boxoffice_integration::books::count(&world.db, &from).await
}
