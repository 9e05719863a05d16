//! Bookings that a partner's credit pays: the same saga, the same payments worker, and nobody outside to ask.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{Role, message::booking::PaymentMethod};
use boxoffice_integration::{
    Booking, Order, Reseller, Roles, Show, State, World, books,
    customer::new_key,
    fixture::{STANDARD, seats},
    secs, wait_until,
};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;

/// Longest that a booking of a rush is followed, through every death of a worker.
const FOLLOW_MAX: Duration = secs(60);

async fn evening() -> (World, Show, Reseller) {
    let world = World::setup().show(Show::named("evening")).start().await;
    let show = world.show("evening");
    let acme = world.reseller("acme").await;
    (world, show, acme)
}

async fn end(world: World, acme: Reseller) {
    world.settle().await;
    world.check().await;
    acme.leave().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_on_credit_ends_with_tickets_and_asks_no_gateway() {
    let (world, show, acme) = evening().await;
    world.lend(&acme, 5_000).await;
    let booking = acme.book(Order::of(&show, &["A-1", "A-2"])).await;
    let state = booking.until("completed").await;
    assert_eq!(state.0["tender"], "partner_credit");
    assert_eq!(state.minor("captured"), 2 * STANDARD);
    assert!(state.0.get("payment").is_none());
    assert!(booking.tickets_pdf().await.starts_with(b"%PDF"));
    world.mail(booking.id, "confirmation").await;
    assert_eq!(acme.credit().await, (5_000, 0, 2 * STANDARD));
    assert_eq!(world.gateway.of(booking.id).await.len(), 0);
    assert_eq!(books::count(&world.db, "gateway_calls").await, 0);

    // A customer of the house beside it pays by card, and GET says so.
    let ada = world.customer("ada");
    let order = Order::of(&show, &["A-3"]).paid_with("pm_card_visa");
    let state = ada.book(order).await.until("completed").await;
    assert_eq!(state.0["tender"], "card");
    assert_eq!(acme.credit().await, (5_000, 0, 2 * STANDARD));
    end(world, acme).await;
}

/// B8.1: nobody but a partner spends credit, and nobody over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn the_house_has_no_credit_and_credit_needs_no_card() {
    let (world, show, acme) = evening().await;
    world.lend(&acme, 5_000).await;
    let eve = world.customer("eve");
    let order = || Order::of(&show, &["A-1"]);
    let stolen = acme.book_for(&eve, order(), |_submit| {}).await;
    let with_card = |submit: &mut boxoffice_contracts::message::booking::Submit| {
        let method = "pm_card_visa".to_owned();
        submit.payment = Some(PaymentMethod { method });
    };
    let both = acme.book_for(&acme.customer, order(), with_card).await;
    for refused in [stolen, both] {
        let state = refused.until("rejected").await;
        assert_eq!(state.code(), "tender_refused");
    }
    for customer in [&eve, &acme.customer] {
        let asked = order().with("tender", json!("partner_credit"));
        let answer = customer.submit(&new_key(), asked).await.unwrap();
        assert_eq!(answer.code(), "validation_failed");
        assert_eq!(answer.body["errors"][0]["pointer"], "/tender");
    }
    assert_eq!(acme.credit().await, (5_000, 0, 0));
    end(world, acme).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_nothing_is_reserved_and_the_seats_are_free_again() {
    let (world, show, acme) = evening().await;
    world.lend(&acme, 2 * STANDARD).await;
    let first = acme.book(Order::of(&show, &["A-1"])).await;
    first.until("completed").await;
    let second = acme.book(Order::of(&show, &["A-2", "A-3"])).await;
    let declined = |attempt: u64| {
        move |state: &State| {
            state.status() == "held"
                && state.0["operations"].as_array().unwrap().len() as u64 == attempt
        }
    };
    let state = second.wait_for("a decline", secs(20), declined(1)).await;
    assert_eq!(state.code(), "partner_credit_exhausted");
    assert_eq!(acme.credit().await, (2 * STANDARD, 0, STANDARD));

    // A payment asks the credit again, whatever method it names; a raised limit lets it pass.
    second.pay("pm_card_visa").await;
    second.wait_for("a decline", secs(20), declined(2)).await;
    let third = acme.book(Order::of(&show, &["B-1", "B-2"])).await;
    third.wait_for("a decline", secs(20), declined(1)).await;
    world.lend(&acme, 3 * STANDARD).await;
    third.pay("pm_card_visa").await;
    third.until("completed").await;
    assert_eq!(acme.credit().await, (3 * STANDARD, 0, 3 * STANDARD));

    // The third attempt is the last.
    second.pay("pm_card_visa").await;
    let state = second.until("payment_failed").await;
    assert_eq!(state.code(), "partner_credit_exhausted");
    let free = acme.customer.free_seats(&show).await;
    assert!(free.contains(&"A-2".to_owned()) && free.contains(&"A-3".to_owned()));

    // A limit below what is used, a suspended partner, a currency without credit: nothing more on credit.
    world.lend(&acme, STANDARD).await;
    let below = acme.book(Order::of(&show, &["C-1"])).await;
    below.wait_for("a decline", secs(20), declined(1)).await;
    world.lend(&acme, 100 * STANDARD).await;
    acme.set_state("suspended").await;
    below.pay("pm_card_visa").await;
    below.wait_for("a decline", secs(20), declined(2)).await;
    // What it owes may still be given back.
    third.cancel(None).await;
    third.until("refunded").await;
    assert_eq!(acme.credit().await, (100 * STANDARD, 0, STANDARD));
    let stranger = world.reseller("stranger").await;
    let broke = stranger.book(Order::of(&show, &["C-2"])).await;
    broke.wait_for("a decline", secs(20), declined(1)).await;
    for booking in [below, broke] {
        booking.cancel(None).await;
        booking.until("cancelled").await;
    }
    stranger.leave().await;
    end(world, acme).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_is_free_credit_again() {
    let world = World::setup()
        .show(Show::named("evening").fee(100))
        .start()
        .await;
    let show = world.show("evening");
    let acme = world.reseller("acme").await;
    world.lend(&acme, 3 * STANDARD).await;
    let booking = acme.book(Order::of(&show, &["A-1", "A-2", "A-3"])).await;
    booking.until("completed").await;
    assert_eq!(acme.credit().await.2, 3 * STANDARD);

    // Some of it: the fee stays used.
    let operation = booking.cancel(Some(&[2])).await;
    assert_eq!(booking.outcome(operation).await, "done");
    let state = booking
        .wait_for("completed with a refund", secs(20), |state| {
            state.status() == "completed" && state.minor("refunded") > 0
        })
        .await;
    assert_eq!(state.minor("refunded"), STANDARD - 100);
    assert_eq!(acme.credit().await, (3 * STANDARD, 0, 2 * STANDARD + 100));

    // What became free is spent again.
    let other = acme.book(Order::of(&show, &["A-2"])).await;
    other
        .wait_for("a decline", secs(20), |state| {
            state.code() == "partner_credit_exhausted"
        })
        .await;
    let operation = booking.cancel(None).await;
    assert_eq!(booking.outcome(operation).await, "done");
    booking.until("refunded").await;
    assert_eq!(acme.credit().await, (3 * STANDARD, 0, 300));
    other.pay("pm_card_visa").await;
    other.until("completed").await;
    end(world, acme).await;
}

/// A rush on two shows, two payments workers, credit for ten of forty tickets.
#[tokio::test(flavor = "multi_thread")]
async fn two_rushes_never_spend_more_than_the_limit() {
    const LIMIT: i64 = 10 * STANDARD;
    let show = |slug| Show::named(slug).hold(4, 1, 8);
    let world = World::setup()
        .show(show("premiere"))
        .show(show("repeat"))
        .roles(Roles::Apart(&[&["payments"], &["mail", "payments"]]))
        .start()
        .await;
    let acme = world.reseller("acme").await;
    world.lend(&acme, LIMIT).await;
    let seats = seats();
    let shows = [world.show("premiere"), world.show("repeat")];
    let orders = seats[..20].iter().flat_map(|seat| {
        shows
            .each_ref()
            .map(|show| Order::of(show, &[seat.as_str()]))
    });
    let rush = join_all(orders.map(|order| async { acme.book(order).await }));
    let bookings = rush.await;
    let follow = join_all(bookings.iter().map(ended));
    tokio::pin!(follow);
    let ends = loop {
        tokio::select! {
            ends = &mut follow => break ends,
            (limit, reserved, used) = acme.credit() => {
                assert!(reserved + used <= limit, "{reserved} + {used} of {limit}");
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let mut outcomes = BTreeMap::new();
    for status in ends {
        *outcomes.entry(status).or_insert(0) += 1;
    }
    let expected = [("completed".to_owned(), 10), ("expired".to_owned(), 30)];
    assert_eq!(outcomes, expected.into());
    assert_eq!(acme.credit().await, (LIMIT, 0, LIMIT));
    end(world, acme).await;
}

/// kill -9 of the payments worker while a crowd books on credit and some of it cancels.
#[tokio::test(flavor = "multi_thread")]
async fn the_payments_worker_dies_and_no_credit_is_lost() {
    let mut world = World::setup()
        .show(Show::named("premiere").hold(6, 1, 12))
        .roles(Roles::Apart(&[&["payments"]]))
        .start()
        .await;
    let show = world.show("premiere");
    let acme = world.reseller("acme").await;
    world.lend(&acme, 25 * STANDARD).await;
    let seats = seats();
    let crowd = async {
        join_all(seats[..32].iter().enumerate().map(|(number, seat)| {
            let (acme, order) = (&acme, Order::of(&show, &[seat.as_str()]));
            async move {
                sleep(Duration::from_millis(80 * number as u64)).await;
                let booking = acme.book(order).await;
                if number % 4 == 0 {
                    let decided = |state: &State| state.version() > 0;
                    booking.wait_for("a decision", FOLLOW_MAX, decided).await;
                    booking.cancel(None).await;
                }
                ended(&booking).await
            }
        }))
        .await
    };
    let mut dice = StdRng::seed_from_u64(21);
    let mut nemesis = async || {
        for _ in 0..4 {
            sleep(Duration::from_millis(dice.random_range(200..700))).await;
            world.process("payments").kill();
            sleep(Duration::from_millis(dice.random_range(50..300))).await;
            world.process("payments").start();
            world.process("payments").ready().await;
        }
    };
    let (ends, ()) = tokio::join!(crowd, nemesis());
    let completed = ends.iter().filter(|status| *status == "completed").count();
    assert!(completed >= 10, "{ends:?}");
    end(world, acme).await;
}

/// Every order to the payments worker again: under its own id, and as a deliberate second send.
#[tokio::test(flavor = "multi_thread")]
async fn orders_that_come_again_change_nothing() {
    let (world, show, acme) = evening().await;
    world.lend(&acme, 3 * STANDARD).await;
    let tap = world.vhost.tap().await;
    let kept = acme.book(Order::of(&show, &["A-1"])).await;
    kept.until("completed").await;
    let refunded = acme.book(Order::of(&show, &["A-2"])).await;
    refunded.until("completed").await;
    refunded.cancel(None).await;
    refunded.until("refunded").await;
    let declined = acme.book(Order::of(&show, &["B-1", "B-2", "B-3"])).await;
    declined
        .wait_for("a decline", secs(20), |state| state.status() == "held")
        .await;
    declined.cancel(None).await;
    declined.until("cancelled").await;
    world.settle().await;
    let before = acme.credit().await;
    assert_eq!(before, (3 * STANDARD, 0, STANDARD));

    let heard = tap.heard();
    let orders: Vec<_> = heard
        .iter()
        .filter(|order| order.queues().contains(&"payments"))
        .collect();
    let mut kinds: Vec<&str> = orders.iter().map(|order| order.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let all = [
        "payment.authorize.v1",
        "payment.capture.v1",
        "payment.refund.v1",
        "payment.void.v1",
    ];
    assert_eq!(kinds, all);
    for order in &orders {
        for copy in [(*order).clone(), order.renamed(), order.renamed()] {
            let boxoffice_integration::tap::Heard {
                properties, body, ..
            } = copy;
            world.vhost.put("payments", properties, &body).await;
        }
    }
    // What the saga might ask when an answer is long in coming.
    for booking in [&kept, &refunded, &declined] {
        let body = json!({"booking_id": booking.id, "attempt": 1}).to_string();
        let like = orders[0].renamed().properties;
        let properties = like.with_type("payment.reconcile.v1".into());
        world
            .vhost
            .put("payments", properties, body.as_bytes())
            .await;
    }
    world.settle().await;
    assert_eq!(acme.credit().await, before);
    end(world, acme).await;
}

/// The worker comes back after the hold: late money is honoured by the booking's own policy, or given up.
#[tokio::test(flavor = "multi_thread")]
async fn credit_that_is_reserved_too_late_is_used_or_free_again() {
    let mut world = World::setup()
        .show(Show::named("evening").hold(1, 1, 3))
        .roles(Roles::Apart(&[&["payments"]]))
        .start()
        .await;
    let show = world.show("evening");
    let acme = world.reseller("acme").await;
    world.lend(&acme, 10 * STANDARD).await;
    world.process("payments").kill();
    let honoured = acme.book(Order::of(&show, &["A-1"])).await;
    let refused = Order::of(&show, &["A-2"]).with("late_policy", json!("refuse"));
    let refused = acme.book(refused).await;
    honoured.until("expired").await;
    refused.until("expired").await;
    assert_eq!(acme.credit().await, (10 * STANDARD, 0, 0));
    world.process("payments").start();
    world.process("payments").ready().await;
    honoured.until("completed").await;
    world.mail(refused.id, "apology").await;
    wait_until("the reservation is given up", secs(20), async || {
        acme.credit().await == (10 * STANDARD, 0, STANDARD)
    })
    .await;
    end(world, acme).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sets_the_limit_by_http_and_by_command_line() {
    let (world, _show, acme) = evening().await;
    let path = "/v1/partners/acme/credit";
    let admin = world.someone("root", Role::Admin);
    let empty = admin.get(path).await.unwrap();
    assert_eq!(empty.body, json!({"partner_id": "acme", "credits": []}));
    let set = world.lend(&acme, 7_000).await;
    let credit = &set["credits"][0];
    assert_eq!(
        (&credit["limit_minor"], &credit["available_minor"]),
        (&json!(7_000), &json!(7_000))
    );
    for role in [Role::Operator, Role::Viewer, Role::Customer] {
        let other = world.someone("mallory", role);
        assert_eq!(other.get(path).await.unwrap().code(), "forbidden");
        let body = json!({"currency": "EUR", "limit_minor": 1, "reason": "x"});
        let answer = other.post(path, &new_key(), &body).await.unwrap();
        assert_eq!(answer.code(), "forbidden");
    }
    assert_eq!(acme.customer.get(path).await.unwrap().code(), "forbidden");
    let nobody = admin.get("/v1/partners/nobody/credit").await.unwrap();
    assert_eq!(nobody.code(), "not_found");

    let run = |arguments: &[&str]| world.processes["all"].command(arguments);
    let reason = "Paid in advance.";
    let set = run(&[
        "credit", "set", "acme", "EUR", "9000", "--reason", reason, "--as", "ida",
    ]);
    assert!(set.status.success(), "{set:?}");
    let shown = run(&["credit", "show", "acme", "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["credits"][0]["limit_minor"], 9_000);
    let table = run(&["credit", "show", "acme"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("EUR") && table.contains("9000"), "{table}");
    assert_eq!(run(&["credit", "show", "nobody"]).status.code(), Some(4));
    let wrong = run(&["credit", "set", "acme", "euro", "1", "--reason", "x"]);
    assert_eq!(wrong.status.code(), Some(3));

    let deeds = books::texts(
        &world.db,
        "SELECT CONCAT_WS('|', subject, action, target, reason, JSON_EXTRACT(detail, '$.limit_minor'), \
         COALESCE(JSON_EXTRACT(detail, '$.before.limit_minor'), '-')) FROM audit ORDER BY id",
    )
    .await;
    assert_eq!(
        deeds,
        [
            "root|partner.credit|partner:acme|A test.|7000|-",
            "ida|partner.credit|partner:acme|Paid in advance.|9000|7000",
        ]
    );
    end(world, acme).await;
}

async fn ended(booking: &Booking) -> String {
    let state = booking
        .wait_for("an end", FOLLOW_MAX, |state| state.has_ended())
        .await;
    state.status().to_owned()
}
