//! kill -9, at random moments of a rush. Whatever was accepted ends, no seat is sold twice, and every cent is
//! where the books say.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Crowd, Roles, Show, World, eventually, private_broker::PrivateBroker, secs,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::{net::TcpListener, time::sleep};

/// How often a victim dies while the crowd is there.
const DEATHS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn reservations_die_and_come_back() {
    let world = world(&[&["reservations"]]).await;
    kill_during_a_rush(world, "reservations", 11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_die_and_come_back() {
    let world = world(&[&["payments"]]).await;
    kill_during_a_rush(world, "payments", 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_expiry_dies_and_comes_back() {
    let world = world(&[&["hold-expiry"]]).await;
    kill_during_a_rush(world, "hold-expiry", 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_and_mail_die_and_come_back() {
    let world = world(&[&["tickets", "mail"]]).await;
    kill_during_a_rush(world, "tickets", 14).await;
}

/// F1, F2: whoever gets no answer repeats the question under the same key.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_dies_and_comes_back() {
    let world = world(&[]).await;
    kill_during_a_rush(world, "api", 15).await;
}

/// F83: asked to end while it still waits for a service that accepts and says nothing. It has nothing in hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_still_connects_ends_when_it_is_asked_to() {
    let mut world = world(&[]).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "mysql://nobody:nothing@{}/none",
        silent.local_addr().unwrap()
    );
    let api = world.process("api");
    let stopped = api.stop().await;
    assert!(stopped.success(), "{stopped}");
    let place = "BOXOFFICE__MYSQL__URL";
    let right = api.environment(place);
    api.set(place, &url);
    api.start();
    let _asked = silent.accept().await.unwrap();
    let stopped = api.stop().await;
    assert!(stopped.success(), "{stopped}");
    api.set(place, &right);
    api.restart().await;
    world.finish().await;
}

/// F34: every channel and consumer is rebuilt, and what was unsettled comes again.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_broker_are_closed_under_everybody() {
    let mut world = world(&[]).await;
    world.allow_mail_copies();
    let mut dice = StdRng::seed_from_u64(16);
    let rush = world.rush(&world.show("premiere"), crowd(16));
    for _ in 0..DEATHS {
        pause(&mut dice, 700..1_600).await;
        let closed = close_connections(&world).await;
        assert!(closed > 0, "a fault without effect is none");
    }
    rush.end().await;
    world.finish().await;
}

/// F35: the broker itself, one of our own.
#[tokio::test(flavor = "multi_thread")]
async fn the_broker_dies_and_comes_back() {
    let mut broker = PrivateBroker::start().await;
    let mut world = World::setup()
        .show(Show::named("premiere").hold(8, 1, 12))
        .roles(Roles::Apart(&[]))
        .broker(broker.amqp_url(), broker.management_url())
        .start()
        .await;
    world.allow_mail_copies();
    let rush = world.rush(&world.show("premiere"), crowd(17));
    sleep(Duration::from_millis(1_500)).await;
    broker.kill();
    sleep(Duration::from_millis(500)).await;
    broker.start_again().await;
    world.reconnect_broker().await;
    rush.end().await;
    world.finish().await;
}

async fn world(victims: &'static [&'static [&'static str]]) -> World {
    let show = Show::named("premiere").hold(5, 1, 9);
    World::setup()
        .show(show)
        .roles(Roles::Apart(victims))
        .start()
        .await
}

fn crowd(seed: u64) -> Crowd {
    Crowd {
        clients: 100,
        during: secs(5),
        simple: false,
        seed,
    }
}

async fn kill_during_a_rush(mut world: World, victim: &str, seed: u64) {
    world.allow_mail_copies();
    let mut dice = StdRng::seed_from_u64(seed);
    let rush = world.rush(&world.show("premiere"), crowd(seed));
    for _ in 0..DEATHS {
        pause(&mut dice, 300..1_500).await;
        world.process(victim).kill();
        pause(&mut dice, 50..700).await;
        world.process(victim).start();
        world.process(victim).ready().await;
    }
    rush.end().await;
    world.finish().await;
}

/// Faults come when nothing waits for them: this is the nemesis' pace, not a wait for a condition.
async fn pause(dice: &mut StdRng, millis: std::ops::Range<u64>) {
    sleep(Duration::from_millis(dice.random_range(millis))).await;
}

/// Closes every connection of the product; returns how many there were.
async fn close_connections(world: &World) -> usize {
    let ours = eventually("connections", secs(10), async || {
        let list = world
            .manage(
                Method::GET,
                &format!("/api/vhosts/{}/connections", world.vhost_name()),
                "",
            )
            .await;
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        // The harness has one too; it has no name.
        let named = |connection: &Value| connection["user_provided_name"].is_string();
        let names = list.iter().filter(|connection| named(connection));
        let names: Vec<String> = names
            .filter_map(|one| Some(one["name"].as_str()?.to_owned()))
            .collect();
        if names.is_empty() {
            Err(list)
        } else {
            Ok(names)
        }
    })
    .await;
    for name in &ours {
        world
            .manage(
                Method::DELETE,
                &format!(
                    "/api/connections/{}",
                    name.replace(' ', "%20").replace('>', "%3E")
                ),
                "",
            )
            .await;
    }
    ours.len()
}
