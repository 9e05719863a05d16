//! What every worker may rely on, against a real broker and a real database.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use boxoffice_contracts::topology::{MAIL, TICKETS};
use boxoffice_runtime::{Cause, Failure, Service, Sweep, Tx, Verdict, Wire, pool, stored};
use common::{Toy, World, render, until};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

fn many(range: std::ops::Range<u32>) -> Vec<Wire> {
    range.map(render).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_has_one_effect_and_sends_what_follows() {
    let world = World::new().await;
    let running = world.run(world.workers().decide(Toy::plain()));
    world.publish(&many(0..300)).await;
    until("300 effects", async || world.effects().await == 300).await;
    until("mails sent", async || world.depth(MAIL.name).await.0 == 300).await;
    until("all acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    until("outbox empty", async || {
        world.count("SELECT COUNT(*) FROM outbox").await == 0
    })
    .await;
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_is_once() {
    let world = World::new().await;
    let mut wires = many(0..50);
    wires.extend(many(0..50));
    wires.extend(many(0..50));
    world.publish(&wires).await;
    let running = world.run(world.workers().decide(Toy::plain()));
    until("all acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    // Old and new in one batch: the count of inserted rows doesn't tell which, the token does.
    world.publish(&many(0..100)).await;
    until("the new ones done", async || world.effective().await == 100).await;
    until("all acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, 100);
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_but_never_published_is_sent_when_the_message_comes_again() {
    let world = World::new().await;
    // As a process leaves it that dies between commit and publish: inbox and outbox rows are there.
    let (envelope, body) = common::render_parts(1);
    let running = world.run(world.workers().decide(Toy::plain()));
    world.publish(&[render(1)]).await;
    until("mail sent", async || world.depth(MAIL.name).await.0 == 1).await;
    running.stop().await;
    let follow = boxoffice_contracts::MessageId::of_answer(envelope.message_id, "other");
    let caused = envelope.caused(
        follow,
        <boxoffice_contracts::message::mail::Send as boxoffice_runtime::Message>::KIND,
        common::booking(1),
        boxoffice_runtime::clock::now(),
    );
    let json = boxoffice_runtime::stored::envelope_to_json(&caused);
    let insert = format!(
        "INSERT INTO outbox (message_id, cause_id, exchange, kind, envelope, body, created_at) VALUES \
         (x'{}', x'{}', 'boxoffice.commands', 'mail.send.v1', '{json}', '{{}}', UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE)",
        follow.0.simple(),
        envelope.message_id.0.simple(),
    );
    world.db.execute_unprepared(&insert).await.unwrap();
    // The relay passes a locked row over: only the message itself can send it now.
    let lock = pool::begin(&world.db).await.unwrap();
    let locked = "SELECT id FROM outbox FOR UPDATE";
    lock.execute_unprepared(locked).await.unwrap();
    let running = world.run(world.workers().decide(Toy::plain()));
    world
        .publish(&[Wire::new(
            boxoffice_contracts::topology::Exchange::Commands,
            &envelope,
            body,
        )])
        .await;
    until("the rest sent", async || {
        world.depth(MAIL.name).await.0 == 2
    })
    .await;
    lock.rollback().await.unwrap();
    until("outbox empty", async || {
        world.count("SELECT COUNT(*) FROM outbox").await == 0
    })
    .await;
    assert_eq!(world.effects().await, 1);
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_sends_what_nobody_sent_and_parks_what_cannot_be_sent() {
    let world = World::new().await;
    for n in 0..20u32 {
        let (envelope, body) = common::render_parts(n);
        let json = boxoffice_runtime::stored::envelope_to_json(&envelope);
        // One in between can't be published: its exchange doesn't exist.
        let exchange = if n == 7 {
            "boxoffice.nowhere"
        } else {
            "boxoffice.commands"
        };
        let insert = format!(
            "INSERT INTO outbox (message_id, exchange, kind, envelope, body, created_at) VALUES \
             (x'{}', '{exchange}', 'tickets.render.v1', '{json}', x'{}', UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE)",
            envelope.message_id.0.simple(),
            body.iter().map(|b| format!("{b:02x}")).collect::<String>(),
        );
        world.db.execute_unprepared(&insert).await.unwrap();
    }
    let running = world.run(world.workers().decide(Toy::plain()));
    until("the good ones are handled", async || {
        world.effects().await == 19
    })
    .await;
    until("the bad one is parked", async || {
        world
            .count("SELECT COUNT(*) FROM parked_messages WHERE queue = 'outbox'")
            .await
            == 1
    })
    .await;
    until("outbox empty", async || {
        world.count("SELECT COUNT(*) FROM outbox").await == 0
    })
    .await;
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_parked_with_its_reason_and_stops_nobody() {
    let world = World::new().await;
    let raw = world.raw().await;
    let properties = lapin::BasicProperties::default().with_delivery_mode(2);
    for (n, (body, properties)) in [
        (b"no id at all".to_vec(), properties.clone()),
        (
            b"{\"booking_id\":17}".to_vec(),
            properties
                .clone()
                .with_message_id(uuid::Uuid::new_v4().to_string().into())
                .with_type("tickets.render.v1".into()),
        ),
        (
            b"{}".to_vec(),
            properties
                .clone()
                .with_message_id(uuid::Uuid::new_v4().to_string().into())
                .with_type("tickets.unknown.v9".into()),
        ),
        (
            "[".repeat(60_000).into_bytes(),
            properties
                .with_message_id(uuid::Uuid::new_v4().to_string().into())
                .with_type("tickets.render.v1".into()),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        raw.basic_publish(
            "boxoffice.commands".into(),
            "tickets.render.v1".into(),
            lapin::options::BasicPublishOptions::default(),
            &body,
            properties,
        )
        .await
        .unwrap()
        .await
        .unwrap();
        world.publish(&[render(n as u32)]).await;
    }
    let running = world.run(world.workers().decide(Toy::plain()).file_parked());
    until("good ones handled", async || world.effects().await == 4).await;
    until("rubbish filed", async || {
        world
            .count("SELECT COUNT(*) FROM parked_messages WHERE queue = 'tickets'")
            .await
            == 4
    })
    .await;
    let undecodable = "SELECT COUNT(*) FROM parked_messages WHERE code = 'undecodable'";
    assert_eq!(world.count(undecodable).await, 3);
    assert_eq!(
        world.count("SELECT COUNT(*) FROM parked_messages WHERE code = 'unknown_kind' AND kind = 'tickets.unknown.v9'").await,
        1
    );
    until("queues empty", async || {
        world.depth(TICKETS.name).await == (0, 0) && world.depth("parked").await == (0, 0)
    })
    .await;
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_retried_then_parked_and_its_neighbours_are_done() {
    let world = World::new().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let evil = common::booking(3);
    let toy = Toy::before(move |jobs| {
        if jobs
            .iter()
            .any(|job| job.envelope.correlation_id == Some(evil))
        {
            if jobs.len() == 1 {
                counted.fetch_add(1, SeqCst);
            }
            panic!("message 3 is evil");
        }
        Ok(None)
    });
    world.publish(&many(0..8)).await;
    let running = world.run(world.workers().decide(toy).file_parked());
    until("neighbours done", async || world.effective().await == 7).await;
    until("evil parked", async || {
        world
            .count("SELECT COUNT(*) FROM parked_messages WHERE code = 'panic'")
            .await
            == 1
    })
    .await;
    assert_eq!(runs.load(SeqCst) as usize, TICKETS.retry.len() + 1);
    assert_eq!(world.count("SELECT COUNT(*) FROM inbox").await, 7);
    assert_eq!(world.effects().await, 7);
    running.stop().await;

    // Mended, it is sent back under its own id.
    let failures = "SELECT COUNT(*) FROM parked_failures WHERE no = 1 AND replay = 0";
    assert_eq!(world.count(failures).await, 1);
    let running = world.run(world.workers().decide(Toy::plain()).sweep(SendBack));
    until("replayed", async || world.effects().await == 8).await;
    until("resolved", async || {
        world
            .count("SELECT COUNT(*) FROM parked_messages WHERE status = 'resolved'")
            .await
            == 1
    })
    .await;
    running.stop().await;
    world.end().await;
}

/// Sends everything back that is parked.
struct SendBack;

impl Sweep for SendBack {
    const NAME: &'static str = "send-back";
    const EVERY: std::time::Duration = std::time::Duration::from_millis(50);

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let parked = "SELECT queue, CAST(envelope AS CHAR) AS envelope, body FROM parked_messages \
                      WHERE status = 'parked' FOR UPDATE";
        let ask = Statement::from_string(DbBackend::MySql, parked);
        let rows = tx.db().query_all_raw(ask).await?;
        for row in &rows {
            let envelope: String = row.try_get("", "envelope")?;
            let envelope = stored::envelope_from_json(&envelope).unwrap();
            let queue: String = row.try_get("", "queue")?;
            tx.send_back(&queue, envelope, row.try_get("", "body")?);
        }
        let mark = "UPDATE parked_messages SET status = 'replaying' WHERE status = 'parked'";
        tx.db().execute_unprepared(mark).await?;
        Ok(rows.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_retry_defer_and_park_leave_no_inbox_row() {
    let world = World::new().await;
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let toy = Toy::before(move |_| {
        Ok(match counted.fetch_add(1, SeqCst) {
            0 => Some(Verdict::Retry(Cause::new("flaky", "first"))),
            1..9 => Some(Verdict::Defer(Cause::new("too_early", "later"))),
            _ => None,
        })
    });
    world.publish(&[render(1)]).await;
    let running = world.run(world.workers().decide(toy));
    // Eight deferrals are more than the retry tiers: they are not counted as attempts.
    until("done in the end", async || world.effects().await == 1).await;
    running.stop().await;

    let toy = Toy::before(|_| Ok(Some(Verdict::Park(Cause::new("contract", "impossible")))));
    world.publish(&[render(2)]).await;
    let running = world.run(world.workers().decide(toy));
    until("parked", async || {
        world
            .count("SELECT COUNT(*) FROM parked_messages WHERE code = 'contract'")
            .await
            == 1
    })
    .await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    assert_eq!(world.count("SELECT COUNT(*) FROM inbox").await, 1);
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_run_again_whole() {
    let world = World::new().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let toy = Toy::before(move |_| {
        if counted.fetch_add(1, SeqCst) < 4 {
            return Err(Failure::Conflict(Cause::new(
                "transaction_conflict",
                "1213",
            )));
        }
        Ok(None)
    });
    world.publish(&many(0..10)).await;
    let running = world.run(world.workers().decide(toy));
    until("done", async || world.effects().await == 10).await;
    assert_eq!(world.effective().await, 10);
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_pauses_counts_no_attempt_and_resumes() {
    let world = World::new().await;
    let down = Arc::new(AtomicBool::new(true));
    let (is_down, there) = (Arc::clone(&down), Arc::clone(&down));
    let mut toy = Toy::before(move |_| {
        if is_down.load(SeqCst) {
            return Err(Failure::Down(
                Service::Documents,
                Cause::new("test", "down"),
            ));
        }
        Ok(None)
    });
    toy.there = Box::new(move || !there.load(SeqCst));
    world.publish(&many(0..20)).await;
    let running = world.run(world.workers().decide(toy));
    let health = running.health.clone();
    until("paused", async || common::paused(&health)).await;
    assert!(!health.ready());
    // The consumer is cancelled while it pauses: what comes now stays in the queue, free for others. (The
    // queue's own count goes on showing a cancelled consumer until its messages are settled.)
    until("no consumer", async || {
        let consumers = world.get(&format!("consumers/{}", world.name)).await;
        consumers.as_array().is_some_and(Vec::is_empty)
    })
    .await;
    world.publish(&many(20..25)).await;
    until("left for others", async || {
        world.depth(TICKETS.name).await == (5, 20)
    })
    .await;
    down.store(false, SeqCst);
    until("done", async || world.effects().await == 25).await;
    until("acknowledged", async || {
        world.depth(TICKETS.name).await == (0, 0)
    })
    .await;
    assert!(health.ready());
    for tier in boxoffice_contracts::topology::RetryTier::ALL {
        assert_eq!(world.depth(tier.queue()).await, (0, 0));
    }
    assert_eq!(world.count("SELECT COUNT(*) FROM parked_messages").await, 0);
    running.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_is_in_hand() {
    let world = World::new().await;
    let toy = Toy::before(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(None)
    });
    world.publish(&many(0..400)).await;
    let running = world.run(world.workers().decide(toy));
    until("begun", async || world.effects().await > 20).await;
    running.stop().await;
    let done = world.effects().await;
    assert_eq!(world.effective().await, done);
    until("nothing hangs", async || {
        world.depth(TICKETS.name).await.1 == 0
    })
    .await;
    until("nothing lost", async || {
        world.depth(TICKETS.name).await.0 == 400 - done as u64
    })
    .await;
    let running = world.run(world.workers().decide(Toy::plain()));
    until("the rest", async || world.effective().await == 400).await;
    assert_eq!(world.effects().await, 400);
    running.stop().await;
    world.end().await;
}

/// Both queues of a worker with two; notes in which order their messages were decided.
struct TwoQueues(Arc<std::sync::Mutex<Vec<&'static str>>>);

boxoffice_runtime::accepted! {
    enum TwoKinds {
        Submit(boxoffice_contracts::message::booking::Submit),
        Rendered(boxoffice_contracts::message::ticket::Rendered),
    }
}

impl boxoffice_runtime::Decide for TwoQueues {
    const QUEUES: &'static [boxoffice_contracts::topology::Queue] = &[
        boxoffice_contracts::topology::RESERVATIONS,
        boxoffice_contracts::topology::RESERVATIONS_SUBMIT,
    ];
    type Message = TwoKinds;

    async fn decide(
        &self,
        tx: &mut boxoffice_runtime::Tx,
        jobs: &[boxoffice_runtime::Job<TwoKinds>],
    ) -> Result<Vec<Verdict>, Failure> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        for job in jobs {
            match &job.message {
                TwoKinds::Submit(_) | TwoKinds::Rendered(_) => {
                    self.0.lock().unwrap().push(job.queue)
                }
            }
            common::effect(tx, job.id(), job.queue).await?;
        }
        Ok(vec![Verdict::Done; jobs.len()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_queue_is_drained_before_the_second() {
    use boxoffice_contracts::{message::ticket::Rendered, topology::Exchange};
    let world = World::new().await;
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../contracts/samples/booking.submit.v1.json");
    let submit = std::fs::read(sample).unwrap();
    let publish = async |range: std::ops::Range<u32>, first: bool| {
        let wires: Vec<Wire> = range
            .map(|n| {
                let (mut envelope, _) = common::render_parts(n);
                if first {
                    envelope.kind = "tickets.rendered.v1".to_owned();
                    let rendered = Rendered {
                        booking_id: common::booking(n),
                        revision: 1,
                        sha256: "0".repeat(64),
                    };
                    Wire::new(
                        Exchange::Commands,
                        &envelope,
                        serde_json::to_vec(&rendered).unwrap(),
                    )
                } else {
                    envelope.kind = "booking.submit.v1".to_owned();
                    Wire::new(Exchange::Intake, &envelope, submit.clone())
                }
            })
            .collect();
        world.publish(&wires).await;
    };
    publish(0..1_500, false).await;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let running = world.run(world.workers().decide(TwoQueues(Arc::clone(&order))));
    until("begun", async || world.effects().await >= 200).await;
    publish(2_000..2_050, true).await;
    until("all done", async || world.effects().await == 1_550).await;
    let order = order.lock().unwrap().clone();
    let last = order
        .iter()
        .rposition(|queue| *queue == "reservations")
        .unwrap();
    assert!(
        last < 1_200,
        "the preferred queue waited behind the other: {last}"
    );
    assert_eq!(world.effective().await, 1_550);
    running.stop().await;
    world.end().await;
}
