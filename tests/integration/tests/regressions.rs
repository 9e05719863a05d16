//! What was found broken once, in the drivers or in us, provoked for real on the links where it happens. The names
//! begin with the number in `docs/faults.md`.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Act, Booking, Crowd, Link, Mode, Order, Point, Roles, Rule, RuleId, Show, World, books,
    customer::new_key, eventually, fixture, secs, wait_until,
};
use futures::future::join_all;
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const VISA: &str = "pm_card_visa";
const ALWAYS: u32 = u32::MAX;
/// Fewer answers to `COMMIT` that are lost during a rush say nothing.
const LOST_MIN: u32 = 4;
/// How often the connections to the broker break.
const ROUNDS: u32 = 4;
/// Acks, before the connection is cut.
const DROPPED_A_ROUND: u32 = 6;

/// The confirm is lost and the publish is not: 503, and the same key later is the booking that came of it.
#[tokio::test(flavor = "multi_thread")]
async fn f3_without_a_confirm_there_is_a_503_and_one_booking_in_the_end() {
    let world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[]))
        .through(Link::ApiBroker)
        .start()
        .await;
    let ada = world.customer("ada");
    let link = world.link(Link::ApiBroker);
    for (seat, at, act) in [
        ("A-1", Point::AmqpConfirm, Act::Drop),
        ("A-2", Point::AmqpPublish, Act::LoseAnswer),
    ] {
        let (key, order) = (
            new_key(),
            Order::of(&world.show("evening"), &[seat]).paid_with(VISA),
        );
        let rule = link.arm(Rule {
            at,
            act,
            times: ALWAYS,
        });
        let begun = Instant::now();
        let answer = ada.submit(&key, order.clone()).await.unwrap();
        // That it says when to come again is checked with every 503.
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (503, "overloaded"),
            "{act:?}: {}",
            answer.body
        );
        assert!(begun.elapsed() < secs(5), "{act:?}: {:?}", begun.elapsed());
        assert!(link.disarm(rule) > 0, "{act:?} had no effect");
        // It was published: the workers carry it out, though nobody was told so.
        let born = format!("bookings WHERE id = x'{}'", ada.booking_of(&key).0.simple());
        wait_until("what was published is carried out", secs(20), async || {
            books::count(&world.db, &born).await == 1
        })
        .await;
        let booking = ada.book_with(&key, order).await;
        booking.until("completed").await;
        let intent = world.gateway.intent(booking.id).await;
        assert_eq!((intent.captures, intent.attempts), (1, 1), "{intent:?}");
    }
    assert_eq!(books::count(&world.db, "bookings").await, 2);
    world.finish().await;
}

/// The queue of new submits is full: what is refused is not kept, what was accepted is carried out.
#[tokio::test(flavor = "multi_thread")]
async fn f6_a_full_queue_is_a_503_that_says_when_to_come_again() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["reservations"]]))
        .start()
        .await;
    let (ada, show) = (world.customer("ada"), world.show("evening"));
    assert!(world.process("reservations").stop().await.success());
    let policy = format!("/api/policies/{}/short", world.vhost_name());
    let line = format!("^{}$", show.line().replace('.', "\\."));
    let short = json!({
        "pattern": line, "definition": {"max-length": 3}, "apply-to": "queues", "priority": 100,
    });
    world.manage(Method::PUT, &policy, &short.to_string()).await;

    let seats = fixture::seats();
    let orders: Vec<_> = seats
        .iter()
        .map(|seat| {
            (
                new_key(),
                Order::of(&show, &[seat.as_str()]).paid_with(VISA),
            )
        })
        .collect();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (key, order) in &orders {
        let answer = ada.submit(key, order.clone()).await.unwrap();
        match answer.status.as_u16() {
            202 => accepted.push(ada.booking_of(key)),
            503 => {
                assert_eq!(answer.code(), "overloaded", "{}", answer.body);
                let after = answer.headers["retry-after"].to_str().unwrap();
                let after: u32 = after.parse().unwrap();
                assert!((1..=60).contains(&after), "Retry-After: {after}");
                refused.push((key, order));
            }
            _ => panic!("{}", answer.body),
        }
    }
    // A quorum queue overshoots by a few.
    assert!(accepted.len() >= 3 && refused.len() >= 20, "{accepted:?}");

    // A channel that met the full queue is not told that the limit is lifted while the queue is over it.
    world.manage(Method::DELETE, &policy, "").await;
    let (key, order) = refused.remove(0);
    wait_until("the lifted limit is noticed", secs(15), async || {
        ada.submit(key, order.clone()).await.unwrap().status == 202
    })
    .await;
    accepted.push(ada.booking_of(key));
    world.process("reservations").start();
    world.process("reservations").ready().await;
    wait_until("the accepted are completed", secs(30), async || {
        books::count(&world.db, "bookings WHERE status = 'completed'").await
            == accepted.len() as u64
    })
    .await;
    assert_eq!(
        books::count(&world.db, "bookings").await,
        accepted.len() as u64,
        "what was refused came all the same"
    );
    let late = refused
        .iter()
        .map(|(key, order)| ada.book_with(key, (*order).clone()));
    for booking in join_all(late).await {
        booking.until("completed").await;
    }
    world.finish().await;
}

/// As long as each makes the house give up on several, no rush ends.
const SLOW_BEGINS: u32 = 24;

/// The answers to `BEGIN` are late, and those who wait for them are given up.
#[tokio::test(flavor = "multi_thread")]
async fn f18_slow_begins_under_a_rush_lose_nothing() {
    let world = World::setup()
        .show(Show::named("premiere").hold(6, 1, 12))
        .setting("BOXOFFICE__API__REQUEST_TIMEOUT_MS", "1500")
        .through(Link::WorkersMysql)
        .start()
        .await;
    let link = world.link(Link::WorkersMysql);
    let rush = tokio::spawn(world.rush(&world.show("premiere"), crowd(21)).end());
    let mut held = 0;
    while held < SLOW_BEGINS && !rush.is_finished() {
        let rule = link.arm(Rule {
            at: Point::MysqlBegin,
            act: Act::Hold(Duration::from_millis(2_500)),
            times: 2,
        });
        sleep(Duration::from_millis(400)).await;
        held += link.disarm(rule);
    }
    assert!(held >= SLOW_BEGINS / 2, "{held} begins were slow");
    rush.await.unwrap();
    world.finish().await;
}

/// The acks of the workers never arrive, and then their connections break: everything comes again, and everything
/// finds its inbox row. (lapin says `Ok(false)` of such an ack, which is no error.)
#[tokio::test(flavor = "multi_thread")]
async fn f34_acks_that_never_arrive_repeat_everything_and_change_nothing() {
    let mut world = World::setup()
        .show(Show::named("premiere").hold(6, 1, 12))
        .roles(Roles::Apart(&[]))
        .through(Link::WorkersBroker)
        .start()
        .await;
    world.allow_mail_copies();
    let link = world.link(Link::WorkersBroker);
    let rush = tokio::spawn(world.rush(&world.show("premiere"), crowd(34)).end());
    let mut dropped = 0;
    for _ in 0..ROUNDS {
        let rule = link.arm(Rule {
            at: Point::AmqpClientAck,
            act: Act::Drop,
            times: ALWAYS,
        });
        let until = Instant::now() + secs(5);
        while link.hits(rule) < DROPPED_A_ROUND && Instant::now() < until && !rush.is_finished() {
            sleep(Duration::from_millis(10)).await;
        }
        dropped += link.disarm(rule);
        let before = link.seen().connections;
        link.set(Mode::Reset);
        link.set(Mode::Pass);
        wait_until("they connect again", secs(20), async || {
            link.seen().connections > before
        })
        .await;
    }
    assert!(link.seen().cut >= u64::from(ROUNDS), "{:?}", link.seen());
    assert!(
        dropped >= DROPPED_A_ROUND * ROUNDS / 2,
        "{dropped} acks were dropped"
    );
    rush.await.unwrap();
    world.finish().await;
}

/// `COMMIT` is carried out and its answer lost. One worker at a time, whose commits are the only ones to be lost.
async fn commits_are_lost(groups: &'static [&'static [&'static str]], seed: u64) {
    let victim = groups[0][0];
    let mut world = World::setup()
        .show(Show::named("premiere").hold(5, 1, 9))
        .roles(Roles::Apart(groups))
        .through(Link::WorkersMysql)
        .only(victim)
        .start()
        .await;
    world.allow_mail_copies();
    let link = world.link(Link::WorkersMysql);
    let rush = tokio::spawn(world.rush(&world.show("premiere"), crowd(seed)).end());
    let mut lost = 0;
    while !rush.is_finished() {
        let rule = link.arm(Rule {
            at: Point::MysqlCommit,
            act: Act::LoseAnswer,
            times: 1,
        });
        let until = Instant::now() + secs(1);
        while link.hits(rule) == 0 && Instant::now() < until && !rush.is_finished() {
            sleep(Duration::from_millis(10)).await;
        }
        lost += link.disarm(rule);
        sleep(Duration::from_millis(250)).await;
    }
    let seen = link.seen();
    assert!(lost >= LOST_MIN, "{victim} lost {lost} answers: {seen:?}");
    assert!(seen.cut >= u64::from(LOST_MIN), "{seen:?}");
    rush.await.unwrap();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_reservations_never_learn_of_their_commit() {
    commits_are_lost(&[&["reservations"]], 45).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_payments_never_learn_of_their_commit() {
    commits_are_lost(&[&["payments"]], 46).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_hold_expiry_never_learns_of_its_commit() {
    commits_are_lost(&[&["hold-expiry"]], 47).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_tickets_never_learn_of_their_commit() {
    commits_are_lost(&[&["tickets"]], 48).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_mail_never_learns_of_its_commit() {
    commits_are_lost(&[&["mail"]], 49).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_the_timeline_never_learns_of_its_commit() {
    commits_are_lost(&[&["timeline"]], 50).await;
}

/// The gateway captures and nobody hears of it, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn f59_a_swallowed_answer_to_a_capture_captures_once() {
    let world = World::setup()
        .show(Show::named("evening"))
        .through(Link::WorkersGateway)
        .start()
        .await;
    let ada = world.customer("ada");
    let rule = lose(&world, "/capture", 3);
    let seats = fixture::seats();
    let show = world.show("evening");
    let orders = seats[..4]
        .iter()
        .map(|seat| ada.book(Order::of(&show, &[seat.as_str()]).paid_with(VISA)));
    for booking in join_all(orders).await {
        booking.until("completed").await;
        let intent = world.gateway.intent(booking.id).await;
        assert_eq!((intent.captures, intent.attempts), (1, 1), "{intent:?}");
    }
    assert_eq!(world.link(Link::WorkersGateway).disarm(rule), 3);
    world.finish().await;
}

/// A call is made and its answer lost, and it is tried again a day later: the gateway has forgotten the key, so the
/// old one would be a new charge. It is asked instead, and nothing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn f68_after_a_day_nothing_is_sent_again_under_an_old_key() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["payments"]]))
        .through(Link::WorkersGateway)
        .gateway_keys_last(secs(1))
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    for (seat, call) in [
        ("A-1", "POST /v1/payment_intents"),
        ("A-2", "/confirm"),
        ("A-3", "/capture"),
    ] {
        let rule = lose(&world, call, 1);
        // Whatever is tried of the same after it, until the worker is dead, comes nowhere.
        world.link(Link::WorkersGateway).arm(Rule {
            at: Point::Http(call.to_owned()),
            act: Act::Reset,
            times: ALWAYS,
        });
        let booking = ada.book(Order::of(&show, &[seat]).paid_with(VISA)).await;
        wait_until("the answer is lost", secs(10), async || {
            world.link(Link::WorkersGateway).hits(rule) == 1
        })
        .await;
        world.process("payments").kill();
        world.link(Link::WorkersGateway).disarm_all();
        a_day_passes(&world, &booking).await;
        // Longer than the gateway remembers.
        sleep(Duration::from_millis(1_500)).await;
        let again = world.link(Link::WorkersGateway).arm(Rule {
            at: Point::Http(call.to_owned()),
            act: Act::Hold(Duration::ZERO),
            times: ALWAYS,
        });
        world.process("payments").start();
        world.process("payments").ready().await;
        if seat == "A-1" {
            // Its payment is found, but was never confirmed, and the key to do so is as old: the customer is asked.
            let told = booking
                .wait_for("a new attempt", secs(30), |state| {
                    state.status() == "held" && state.code() == "card_declined"
                })
                .await;
            assert_eq!(told.minor("captured"), 0, "{}", told.0);
            booking.pay(VISA).await;
        }
        booking.until("completed").await;
        let intent = world.gateway.intent(booking.id).await;
        assert_eq!((intent.captures, intent.attempts), (1, 1), "{intent:?}");
        let again = world.link(Link::WorkersGateway).disarm(again);
        // The path of a creation is a part of every other.
        if call != "POST /v1/payment_intents" {
            assert_eq!(again, 0, "{call} was sent again");
        }
    }
    replayed_as_it_was(&world).await;
    world.finish().await;
}

/// Sets the books of a booking's calls back by 25 hours.
async fn a_day_passes(world: &World, booking: &Booking) {
    let id = booking.id.0.simple();
    let back = [
        format!(
            "UPDATE gateway_calls SET first_called_at = first_called_at - INTERVAL 25 HOUR, \
             last_called_at = last_called_at - INTERVAL 25 HOUR WHERE booking_id = x'{id}'"
        ),
        format!(
            "UPDATE payment_intents SET created_at = created_at - INTERVAL 25 HOUR, \
             updated_at = updated_at - INTERVAL 25 HOUR, leased_until = leased_until - INTERVAL 25 HOUR \
             WHERE booking_id = x'{id}'"
        ),
        format!(
            "UPDATE payment_attempts SET created_at = created_at - INTERVAL 25 HOUR, \
             updated_at = updated_at - INTERVAL 25 HOUR WHERE booking_id = x'{id}'"
        ),
    ];
    let mut changed = 0;
    for statement in back {
        let done = world.db.execute_unprepared(&statement).await.unwrap();
        changed += done.rows_affected();
    }
    assert!(changed >= 3, "{changed} rows");
}

/// The orders of a finished booking come once more, under their old ids and without their inbox rows, and under new
/// ones, as after a restore or by an operator's hand.
async fn replayed_as_it_was(world: &World) {
    let tap = world.vhost.tap().await;
    let ada = world.customer("grace");
    let booking = ada
        .book(Order::of(&world.show("evening"), &["B-1"]).paid_with(VISA))
        .await;
    booking.until("completed").await;
    let heard = tap.heard();
    let orders: Vec<_> = heard
        .iter()
        .filter(|one| one.queues().contains(&"payments"))
        .collect();
    assert!(orders.len() >= 2, "{heard:?}");
    world.settle().await;
    let before = world.gateway.intent(booking.id).await;
    a_day_passes(world, &booking).await;
    let forget = "DELETE FROM inbox WHERE queue = 'payments'";
    world.db.execute_unprepared(forget).await.unwrap();
    for order in orders {
        let renamed = order.renamed();
        for one in [order, &renamed] {
            let properties = one.properties.clone();
            world.vhost.put("payments", properties, &one.body).await;
        }
    }
    world.settle().await;
    let after = world.gateway.intent(booking.id).await;
    assert_eq!(
        (after.captures, after.attempts, after.captured),
        (before.captures, before.attempts, before.captured)
    );
    eventually("the books agree", secs(5), async || {
        let state = booking.state().await;
        if state.status() == "completed" {
            Ok(())
        } else {
            Err(state.0)
        }
    })
    .await;
}

fn lose(world: &World, call: &str, times: u32) -> RuleId {
    world.link(Link::WorkersGateway).arm(Rule {
        at: Point::Http(call.to_owned()),
        act: Act::LoseAnswer,
        times,
    })
}

fn crowd(seed: u64) -> Crowd {
    Crowd {
        clients: 40,
        during: secs(5),
        simple: false,
        seed,
    }
}
