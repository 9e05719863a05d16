//! The on-sale.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Crowd, Order, Roles, Show, World, books, customer::new_key, fixture, secs, wait_until,
};
use futures::{StreamExt, stream};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients_storm_forty_seats_and_exactly_forty_are_sold() {
    let world = World::setup().show(Show::named("premiere")).start().await;
    let show = world.show("premiere");
    let crowd = Crowd {
        clients: 200,
        during: secs(0),
        simple: true,
        seed: 1,
    };
    let outcomes = world.rush(&show, crowd).end().await;
    let expected = [
        ("completed", fixture::SEATS),
        ("rejected/seats_unavailable", 200 - fixture::SEATS),
    ];
    let expected = expected.map(|(outcome, count)| (outcome.to_owned(), count));
    assert_eq!(outcomes, expected.into());
    assert!(world.customer("late").free_seats(&show).await.is_empty());
    world.finish().await;
}

/// F43: pairs of seats in either order, every card, every whim; holds of seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_as_crowds_are_ends_in_order() {
    let world = World::setup()
        .show(Show::named("premiere").hold(4, 1, 8))
        .start()
        .await;
    let crowd = Crowd {
        clients: 150,
        during: secs(5),
        simple: false,
        seed: 2,
    };
    let outcomes = world.rush(&world.show("premiere"), crowd).end().await;
    assert_eq!(outcomes.values().sum::<usize>(), 150);
    assert!(outcomes["completed"] > 10, "{outcomes:?}");
    world.finish().await;
}

/// ADR 16: who wants another show stands in another line.
#[tokio::test(flavor = "multi_thread")]
async fn a_rush_for_one_show_keeps_nobody_in_another_line_waiting() {
    const RUSH: usize = 600;
    const OTHERS: usize = 24;
    let setup = World::setup()
        .show(Show::named("premiere").hold(10, 1, 12))
        .roles(Roles::Apart(&[&["reservations"]]));
    let others = (0..OTHERS).map(|n| Show::one_of_many(n).hold(10, 1, 12));
    let slugs: Vec<&str> = others.clone().map(|show| show.slug).collect();
    let mut world = others
        .fold(setup, boxoffice_integration::Setup::show)
        .start()
        .await;
    let hot = world.show("premiere");
    let mut others = slugs.into_iter().map(|slug| world.show(slug));
    let other = others.find(|other| other.line() != hot.line());
    let other = other.expect("all of them in one of four lines");
    assert!(world.process("reservations").stop().await.success());

    let seats = fixture::seats();
    stream::iter(0..RUSH)
        .for_each_concurrent(32, async |n| {
            let order = Order::of(&hot, &[seats[n % seats.len()].as_str()]);
            let customer = world.customer(&format!("client-{n}"));
            let answer = customer.submit(&new_key(), order).await.unwrap();
            assert_eq!(answer.status, 202, "{}", answer.body);
        })
        .await;
    let last = world
        .customer("ada")
        .book(Order::of(&other, &["A-1"]))
        .await;
    world.process("reservations").start();
    world.process("reservations").ready().await;
    last.until("held").await;
    wait_until("all are decided", secs(30), async || {
        books::count(&world.db, "bookings").await == RUSH as u64 + 1
    })
    .await;
    let before = format!(
        "bookings b JOIN bookings own ON own.id = X'{}' AND b.show_id <> own.show_id AND b.created_at < own.created_at",
        last.id.0.simple()
    );
    let before = books::count(&world.db, &before).await;
    // Came last, and was there in one of the first batches of a hundred.
    assert!(
        before < RUSH as u64 / 2,
        "{before} of {RUSH} were decided before"
    );
    world.finish().await;
}
