//! What a worker that calls the outside may rely on, against a real broker and a real database.

mod common;

use boxoffice_contracts::{MessageId, envelope::header, topology::MAIL};
use boxoffice_runtime::{Cause, Failure, Service};
use common::{ToyCall, World, letter, until};
use lapin::types::AMQPValue;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn calls_run_side_by_side_and_are_recorded_once() {
    let world = World::new().await;
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (n, m) = (Arc::clone(&now), Arc::clone(&most));
    let call = move |_| {
        let (n, m) = (Arc::clone(&n), Arc::clone(&m));
        async move {
            m.fetch_max(n.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            n.fetch_sub(1, SeqCst);
            Ok(7)
        }
    };
    let worker = ToyCall {
        call,
        there: Box::new(|| true),
    };
    let mut wires: Vec<_> = (0..60).map(letter).collect();
    wires.extend((0..60).map(letter));
    world.publish(&wires).await;
    let running = world.run(world.workers().call(worker));
    until("recorded", async || world.effects().await == 60).await;
    until("acknowledged", async || {
        world.depth(MAIL.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effective().await, 60);
    assert_eq!(world.effects().await, 60);
    assert_eq!(most.load(SeqCst), u32::from(MAIL.calls_max));
    running.stop().await;
    world.end().await;
}

/// The inbox row of a call comes only with its answer: what tells two deliveries apart until then?
#[tokio::test(flavor = "multi_thread")]
async fn a_message_delivered_twice_at_once_is_called_once() {
    let world = World::new().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let call = move |_| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(1)
        }
    };
    let worker = ToyCall {
        call,
        there: Box::new(|| true),
    };
    let wires: Vec<_> = (0..10)
        .flat_map(|n| [letter(n), letter(n), letter(n)])
        .collect();
    world.publish(&wires).await;
    let running = world.run(world.workers().call(worker));
    until("acknowledged", async || {
        world.depth(MAIL.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, 10);
    assert_eq!(calls.load(SeqCst), 10);
    running.stop().await;
    world.end().await;
}

/// A message that may have killed its worker is handled with no neighbour: there is nobody to wait for. After many
/// crashes there are hundreds of them.
#[tokio::test(flavor = "multi_thread")]
async fn suspects_do_not_wait_for_company() {
    const SUSPECTS: u32 = 100;
    let world = World::new().await;
    let worker = ToyCall {
        call: |_| std::future::ready(Ok(1)),
        there: Box::new(|| true),
    };
    let alone = |n| {
        let mut wire = letter(n);
        let mut headers = wire.properties.headers().clone().unwrap_or_default();
        headers.insert(header::ALONE.into(), AMQPValue::Boolean(true));
        wire.properties = wire.properties.with_headers(headers);
        wire
    };
    world
        .publish(&(0..SUSPECTS).map(alone).collect::<Vec<_>>())
        .await;
    let begun = std::time::Instant::now();
    let running = world.run(world.workers().call(worker));
    until("recorded", async || {
        world.effects().await == i64::from(SUSPECTS)
    })
    .await;
    let took = begun.elapsed();
    assert!(took < MAIL.pace * SUSPECTS, "{took:?}");
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_panics_or_finds_nobody_is_settled() {
    let world = World::new().await;
    let down = Arc::new(AtomicBool::new(true));
    let (is_down, there) = (Arc::clone(&down), Arc::clone(&down));
    let evil = MessageId::of_effect(common::booking(1), 2, 0);
    let call = move |id| {
        let is_down = Arc::clone(&is_down);
        async move {
            assert!(id != evil, "evil letter");
            if is_down.load(SeqCst) {
                return Err(Failure::Down(
                    Service::Mail,
                    Cause::new("refused", "connection"),
                ));
            }
            Ok(1)
        }
    };
    let worker = ToyCall {
        call,
        there: Box::new(move || !there.load(SeqCst)),
    };
    world
        .publish(&(0..10).map(letter).collect::<Vec<_>>())
        .await;
    let running = world.run(world.workers().call(worker));
    let health = running.health.clone();
    until("paused", async || common::paused(&health)).await;
    down.store(false, SeqCst);
    until("others done", async || world.effective().await == 9).await;
    until("evil parked", async || {
        world
            .count("SELECT COUNT(*) FROM parked_messages WHERE code = 'panic' AND queue = 'mail'")
            .await
            == 1
    })
    .await;
    assert_eq!(world.effects().await, 9);
    running.stop().await;
    world.end().await;
}
