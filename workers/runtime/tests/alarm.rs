//! A broker out of memory: publishing stops, consuming and acknowledging don't.
//!
//! The alarm is the whole broker's, so this runs in a test program of its own. It needs
//! `BOXOFFICE_TEST_RABBITMQCTL`: how to call rabbitmqctl for the broker under test.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use boxoffice_contracts::topology::TICKETS;
use boxoffice_runtime::{BrokerState, IntakeError, IntakePublisher, PublishError, Publisher};
use common::{Toy, World, render, until};
use std::process::Command;

fn watermark(fraction: &str) {
    let ctl = std::env::var("BOXOFFICE_TEST_RABBITMQCTL")
        .expect("BOXOFFICE_TEST_RABBITMQCTL is not set: how to call rabbitmqctl");
    let mut words = ctl.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    let done = command
        .args(words)
        .args(["set_vm_memory_high_watermark", fraction])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Ends the alarm even when the test fails.
struct Alarm;

impl Drop for Alarm {
    fn drop(&mut self) {
        watermark("0.4");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_connection_does_not_block_acks() {
    let world = World::new().await;
    let mut toy = Toy::plain();
    toy.mails = false;
    let publisher = Publisher::new(&world.broker);
    let intake = IntakePublisher::new(&world.broker);
    world
        .publish(&(0..200).map(render).collect::<Vec<_>>())
        .await;
    let alarm = Alarm;
    watermark("0.00001");
    // The broker tells a connection when it publishes.
    let first = publisher.publish_one(render(1_000)).await;
    assert!(matches!(first, Err(PublishError::Blocked)), "{first:?}");
    assert_eq!(*world.broker.state().borrow(), BrokerState::Blocked);
    let (envelope, body) = common::render_parts(1);
    let refused = intake.publish(&envelope, &body).await;
    assert_eq!(refused, Err(IntakeError::Blocked));

    let running = world.run(world.workers().decide(toy));
    until("handled", async || world.effects().await == 200).await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;

    drop(alarm);
    until("unblocked", async || {
        *world.broker.state().borrow() == BrokerState::Up
    })
    .await;
    // What was buffered meanwhile may have arrived; its id makes the repetition harmless.
    until("published again", async || {
        publisher.publish_one(render(1_000)).await.is_ok()
    })
    .await;
    until("handled once", async || world.effects().await == 201).await;
    running.stop().await;
    world.end().await;
}
