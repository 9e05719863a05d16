//! The on-sale.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{Crowd, Show, World, fixture, secs};

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
