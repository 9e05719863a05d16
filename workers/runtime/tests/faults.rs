//! Processes that are killed, connections that break: nothing lost, nothing done twice.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
#[path = "common/proxy.rs"]
mod proxy;

use boxoffice_contracts::topology::{Exchange, MAIL, TICKETS};
use boxoffice_fault_proxy::{Act, Mode, Point};
use boxoffice_runtime::{Publisher, Wire, declare};
use common::{Toy, ToyCall, World, render, until, until_within};
use rand::Rng;
use sea_orm::ConnectionTrait as _;
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const WORLD: &str = "BOXOFFICE_TEST_CHILD_WORLD";
const EVIL: &str = "BOXOFFICE_TEST_CHILD_EVIL";

/// Not a test: the worker process that the tests below start and kill.
#[tokio::test(flavor = "multi_thread")]
async fn child_worker() {
    let Ok(name) = std::env::var(WORLD) else {
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let evil = std::env::var(EVIL)
        .ok()
        .and_then(|n| n.parse().ok())
        .map(common::booking);
    let world = World::join(&name).await;
    let toy = Toy::before(move |jobs| {
        std::thread::sleep(Duration::from_millis(5));
        let found = jobs.iter().any(|job| job.envelope.correlation_id == evil);
        if evil.is_some() && found {
            std::process::abort();
        }
        Ok(None)
    });
    let workers = world.workers().decide(toy).file_parked();
    workers.run(&[], CancellationToken::new()).await.unwrap();
}

fn child(world: &World, evil: Option<u32>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_worker"])
        .env(WORLD, &world.name);
    if let Some(evil) = evil {
        command.env(EVIL, evil.to_string());
    }
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Publishes until everything is confirmed, as the relay does.
async fn insist(publisher: &Publisher, mut wires: Vec<Wire>) {
    while !wires.is_empty() {
        let results = publisher.publish(&wires).await;
        wires = wires
            .into_iter()
            .zip(results)
            .filter(|(_, r)| r.is_err())
            .map(|(w, _)| w)
            .collect();
        if !wires.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_each_message_has_one_effect() {
    const MESSAGES: u32 = 3_000;
    let world = World::new().await;
    let wires: Vec<_> = (0..MESSAGES).map(render).collect();
    for chunk in wires.chunks(500) {
        world.publish(chunk).await;
    }
    for _ in 0..8 {
        let mut child = child(&world, None);
        let enough = world.effects().await + rand::rng().random_range(1..250);
        until("some work done", async || world.effects().await >= enough).await;
        let rest = rand::rng().random_range(0..20);
        tokio::time::sleep(Duration::from_millis(rest)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = world.effects().await;
    assert!(
        before > 0 && before < i64::from(MESSAGES),
        "{before}: the kills hit nothing"
    );
    let letters = ToyCall {
        call: async |_| Ok(1),
        there: Box::new(|| true),
    };
    let running = world.run(world.workers().decide(Toy::plain()).call(letters));
    let all = i64::from(MESSAGES);
    let decided = "SELECT COUNT(*) FROM effects WHERE what = 'decided'";
    let answered = "SELECT COUNT(*) FROM effects WHERE what <> 'decided'";
    until("all decided", async || world.count(decided).await == all).await;
    until("all that follows", async || {
        world.count(answered).await == all
    })
    .await;
    until("outbox empty", async || {
        world.count("SELECT COUNT(*) FROM outbox").await == 0
    })
    .await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0) && world.depth(MAIL.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, 2 * all);
    assert_eq!(world.effective().await, 2 * all);
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_process_ends_parked_and_its_neighbours_are_done() {
    let world = World::new().await;
    world
        .publish(&(0..100).map(render).collect::<Vec<_>>())
        .await;
    let filed =
        "SELECT COUNT(*) FROM parked_messages WHERE code = 'delivery_limit' AND queue = 'tickets'";
    let mut deaths = 0;
    while world.count(filed).await == 0 {
        assert!(deaths < 60, "still not parked");
        let mut child = child(&world, Some(3));
        loop {
            if child.try_wait().unwrap().is_some() {
                deaths += 1;
                break;
            }
            if world.count(filed).await == 1 {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
    assert_eq!(world.effective().await, 99, "after {deaths} deaths");
    assert_eq!(world.effects().await, 99);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_closed_under_load_lose_nothing() {
    const MESSAGES: u32 = 4_000;
    let world = World::new().await;
    let letters = ToyCall {
        call: async |_| Ok(1),
        there: Box::new(|| true),
    };
    let running = world.run(world.workers().decide(Toy::plain()).call(letters));
    let publisher = Publisher::new(&world.broker);
    let publishing = tokio::spawn(async move {
        for chunk in (0..MESSAGES).map(render).collect::<Vec<_>>().chunks(100) {
            insist(&publisher, chunk.to_vec()).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    });
    // The management API learns of a connection late; as long as it takes.
    let mut closed = 0;
    while closed < 8 || !publishing.is_finished() {
        tokio::time::sleep(Duration::from_millis(300)).await;
        closed += world.close_connections("").await;
    }
    publishing.await.unwrap();
    let all = 2 * i64::from(MESSAGES);
    until("everything done", async || world.effective().await == all).await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0) && world.depth(MAIL.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, all);
    until("outbox empty", async || {
        world.count("SELECT COUNT(*) FROM outbox").await == 0
    })
    .await;
    running.stop().await;
    world.end().await;
}

/// The database goes away in the middle, and answers to `COMMIT` get lost: the inbox knows what counted.
#[tokio::test(flavor = "multi_thread")]
async fn database_outages_and_unknown_commits_change_nothing() {
    const MESSAGES: u32 = 2_000;
    let world = World::new().await;
    let (proxy, config) = proxy::to_database(&world).await;
    let db = boxoffice_runtime::pool::connect(&config).await.unwrap();
    let slow = Toy::before(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Ok(None)
    });
    let letters = ToyCall {
        call: async |_| Ok(1),
        there: Box::new(|| true),
    };
    let wires: Vec<_> = (0..MESSAGES).map(render).collect();
    for chunk in wires.chunks(500) {
        world.publish(chunk).await;
    }
    let workers = boxoffice_runtime::Workers::new(&world.broker, &db)
        .decide(slow)
        .call(letters);
    let running = world.run(workers);
    let health = running.health.clone();
    for round in 0..4 {
        let before = world.effects().await;
        until("progress", async || world.effects().await > before + 50).await;
        for _ in 0..5 {
            let rule = proxy::once(&proxy, Point::MysqlCommit, Act::LoseAnswer);
            until("a commit is lost", async || proxy.hits(rule) == 1).await;
        }
        if round % 2 == 0 {
            proxy.set(Mode::Reset);
            until("paused", async || {
                health
                    .roles()
                    .iter()
                    .any(|role| role.state.as_str() == "paused")
            })
            .await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            proxy.set(Mode::Pass);
        }
    }
    let all = 2 * i64::from(MESSAGES);
    until("everything done", async || world.effective().await == all).await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0) && world.depth(MAIL.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, all);
    assert_eq!(world.count("SELECT COUNT(*) FROM parked_messages").await, 0);
    for tier in boxoffice_contracts::topology::RetryTier::ALL {
        assert_eq!(
            world.depth(tier.queue()).await,
            (0, 0),
            "an outage counts no attempt"
        );
    }
    until("running", async || health.ready()).await;
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefetch_is_set_again_after_each_reconnect() {
    let world = World::new().await;
    let running = world.run(world.workers().decide(Toy::plain()));
    for round in 0..4 {
        world.publish(&[render(round)]).await;
        until("handled", async || {
            world.effects().await == i64::from(round) + 1
        })
        .await;
        until("prefetch set", async || {
            let consumers = world.get(&format!("consumers/{}", world.name)).await;
            let prefetch = consumers[0]["prefetch_count"].as_u64();
            // One until the first message shows that nothing suspicious waits, never unlimited.
            assert!(matches!(prefetch, None | Some(1 | 64)), "{prefetch:?}");
            consumers.as_array().is_some_and(|all| all.len() == 1)
                && prefetch == Some(u64::from(TICKETS.prefetch))
        })
        .await;
        until("closed", async || {
            world.close_connections("consume").await > 0
        })
        .await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    running.stop().await;
    world.end().await;
}

/// F26: a worker stands still with messages in hand and a transaction perhaps open; the broker gives its messages to
/// another, who finishes everything; then the first goes on as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn f26_a_frozen_worker_that_goes_on_changes_nothing() {
    const MESSAGES: u32 = 1_500;
    let world = World::new().await;
    let wires: Vec<_> = (0..MESSAGES).map(render).collect();
    world.publish(&wires).await;
    let mut zombie = child(&world, None);
    until("the first at work", async || world.effects().await >= 50).await;
    signal("STOP", &zombie);
    // The broker learns of it as by a missed heartbeat. Its list of connections is some seconds old.
    until("its connections closed", async || {
        world.close_connections(" consume").await > 0
    })
    .await;
    let running = world.run(world.workers().decide(Toy::plain()));
    let all = i64::from(MESSAGES);
    // Its rows are locked until the database ends the connection of somebody who is silent.
    let patience = 3 * common::PATIENCE;
    until_within(patience, "the second has done everything", async || {
        world.effective().await == all && world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    signal("CONT", &zombie);
    until("the first consumes again", async || {
        let queue = world.get(&format!("queues/{}/tickets", world.name)).await;
        queue["consumers"] == 2
    })
    .await;
    world.publish(&[render(MESSAGES)]).await;
    until("one more", async || world.effective().await == all + 1).await;
    assert_eq!(world.effects().await, all + 1);
    zombie.kill().unwrap();
    zombie.wait().unwrap();
    running.stop().await;
    world.end().await;
}

/// F12: the broker refuses one publish by closing the channel; what else was on its way there is unknown, and is sent
/// again under the same ids.
#[tokio::test(flavor = "multi_thread")]
async fn f12_a_publish_that_closes_the_channel_takes_no_neighbour_with_it() {
    const MESSAGES: u32 = 600;
    let world = World::new().await;
    world
        .delete(&format!(
            "exchanges/{}/{}",
            world.name,
            Exchange::Events.name()
        ))
        .await;
    let publisher = Publisher::new(&world.broker);
    let good: Vec<_> = (0..MESSAGES).map(render).collect();
    let bad: Vec<_> = (0..MESSAGES)
        .map(|n| {
            let (envelope, body) = common::render_parts(MESSAGES + n);
            Wire::new(Exchange::Events, &envelope, body)
        })
        .collect();
    let neighbours = publisher.clone();
    let refused = tokio::spawn(async move {
        let mut refused = 0;
        for chunk in bad.chunks(20) {
            let results = neighbours.publish(chunk).await;
            refused += results.iter().filter(|result| result.is_err()).count();
        }
        refused
    });
    for chunk in good.chunks(20) {
        insist(&publisher, chunk.to_vec()).await;
    }
    assert_eq!(
        refused.await.unwrap(),
        usize::try_from(MESSAGES).unwrap(),
        "there is no such exchange"
    );
    declare(&world.broker).await.unwrap();
    let running = world.run(world.workers().decide(Toy::plain()));
    let all = i64::from(MESSAGES);
    until("every good one", async || world.effective().await == all).await;
    assert_eq!(world.effects().await, all);
    running.stop().await;
    world.end().await;
}

/// F16: three relays sweep one outbox, and one of them stands still for a while in the middle of it.
#[tokio::test(flavor = "multi_thread")]
async fn f16_three_relays_send_everything_and_nothing_counts_twice() {
    const ROWS: u32 = 2_000;
    let world = World::new().await;
    let mut zombie = child(&world, None);
    until("it consumes", async || {
        world.get(&format!("queues/{}/tickets", world.name)).await["consumers"] == 1
    })
    .await;
    for first in (0..ROWS).step_by(200) {
        let rows: Vec<String> = (first..first + 200).map(unsent).collect();
        let insert = format!(
            "INSERT INTO outbox (message_id, exchange, kind, envelope, body, created_at) VALUES {}",
            rows.join(",")
        );
        world.db.execute_unprepared(&insert).await.unwrap();
    }
    until("it sends", async || world.effects().await > 0).await;
    signal("STOP", &zombie);
    let left = "SELECT COUNT(*) FROM outbox WHERE exchange = 'boxoffice.commands' AND kind = 'tickets.render.v1'";
    let all = i64::from(ROWS);
    // What it holds, in the outbox as in the queue, is free when its sessions end.
    until("its connections closed", async || {
        world.close_connections(" consume").await > 0
    })
    .await;
    let others = [(); 2].map(|()| world.run(world.workers().decide(Toy::plain())));
    until("the others have sent the rest", async || {
        world.effective().await == all
    })
    .await;
    signal("CONT", &zombie);
    until("the outbox is empty", async || world.count(left).await == 0).await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, all);
    zombie.kill().unwrap();
    zombie.wait().unwrap();
    for other in others {
        other.stop().await;
    }
    world.end().await;
}

/// A row that somebody committed a minute ago and never published.
fn unsent(n: u32) -> String {
    let (envelope, body) = common::render_parts(n);
    let json = boxoffice_runtime::stored::envelope_to_json(&envelope);
    format!(
        "(x'{}', 'boxoffice.commands', 'tickets.render.v1', '{json}', x'{}', UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE)",
        envelope.message_id.0.simple(),
        body.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}
