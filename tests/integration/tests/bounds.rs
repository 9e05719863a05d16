//! What a partner may take up of the house, and what happens when the house itself is full.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::Role;
use boxoffice_integration::{
    PartnerSide, Roles, Show, World, books,
    customer::new_key,
    eventually,
    partner::{PartnerUser, Refusal},
    secs, wait_until,
};
use lapin::{
    Connection,
    options::{QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What is promised: the 99th of a hundred replies.
const REPLY_MAX: Duration = secs(2);

/// Declares a durable queue on a channel of its own, and lets everything come to it.
async fn make(connection: &Connection, partner: &PartnerUser, name: &str) -> Result<(), Refusal> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let queue = partner.name(name);
    let none = FieldTable::default;
    channel
        .queue_declare(queue.as_str().into(), options, none())
        .await?;
    let bind = QueueBindOptions::default();
    let out = partner.name("out");
    channel
        .queue_bind(queue.as_str().into(), out.into(), "#".into(), bind, none())
        .await?;
    channel.close(200, "done".into()).await?;
    Ok(())
}

async fn delete(connection: &Connection, partner: &PartnerUser, name: &str) {
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeleteOptions::default();
    channel
        .queue_delete(partner.name(name).into(), options)
        .await
        .unwrap();
    channel.close(200, "done".into()).await.unwrap();
}

/// What the partner's row says was told.
async fn warnings(world: &World, id: &str) -> Vec<Value> {
    let ask = format!(
        "SELECT CAST(body AS CHAR) FROM partner_out WHERE partner_id = '{id}' \
         AND routing_key = 'partner.warned.v1'"
    );
    let told = books::texts(&world.db, &ask).await;
    told.iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect()
}

/// RabbitMQ bounds the queues of a virtual host, not of a user: one partner could take everybody's memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_has_so_many_queues_and_no_more_until_it_deletes_one() {
    let world = World::setup()
        .setting("BOXOFFICE__PARTNERS__CHECK_SECS", "1")
        .setting("BOXOFFICE__PARTNERS__QUEUES_MAX", "3")
        .start()
        .await;
    let id = world.partner_id("many");
    let many = world.add_partner(&id, json!({})).await;
    let other = world.add_partner(&format!("{id}-2"), json!({})).await;
    let connection = many.connect().await.unwrap();
    for name in ["out.a", "out.b", "out.c"] {
        make(&connection, &many, name).await.unwrap();
    }
    // Counted every second; what slips in before that stays, as everything that is there.
    let mut made = 3;
    let refusal = eventually("no more queues", secs(20), async || {
        match make(&connection, &many, &format!("out.more-{made}")).await {
            Err(refusal) => Ok(refusal),
            Ok(()) => {
                made += 1;
                Err(made)
            }
        }
    })
    .await;
    refusal.is_access_to(&many.name(&format!("out.more-{made}")));
    // It is told, with the numbers, once and not with every look.
    let warned = eventually("a warning", secs(20), async || {
        warnings(&world, &id).await.pop().ok_or("none")
    })
    .await;
    assert_eq!(warned["data"]["limit"], 3, "{warned}");
    assert!(
        warned["data"]["observed"].as_u64().unwrap() >= 3,
        "{warned}"
    );
    assert_eq!(warned["data"]["code"], "quota_exceeded", "{warned}");

    // Its connection lives, its queues are as they were and fill, and the neighbour makes what it likes.
    assert!(connection.status().connected());
    make(&connection, &many, "out.a").await.unwrap();
    let next_door = other.connect().await.unwrap();
    make(&next_door, &other, "out.a").await.unwrap();
    let unread = async || {
        let path = format!(
            "/api/queues/{}/{}",
            world.partners_vhost(),
            many.name("out.b")
        );
        let seen: Value =
            serde_json::from_str(&world.manage(Method::GET, &path, "").await).unwrap();
        seen["messages"].as_u64().unwrap_or_default()
    };
    wait_until("unread messages", secs(20), async || unread().await > 0).await;
    let kept = unread().await;
    let looked = Instant::now();
    wait_until("more looks", secs(10), async || looked.elapsed() > secs(3)).await;
    assert!(unread().await >= kept);
    assert_eq!(warnings(&world, &id).await.len(), 1, "one warning a day");
    let refused = make(&connection, &many, "out.again").await;
    refused.unwrap_err().is_access_to(&many.name("out.again"));

    // What it deletes makes room: its right comes back by itself.
    delete(&connection, &many, "out.c").await;
    for number in 3..made {
        delete(&connection, &many, &format!("out.more-{number}")).await;
    }
    eventually("room again", secs(20), async || {
        make(&connection, &many, "out.new").await
    })
    .await;
    world.finish().await;
}

/// Accepted is accepted: what the house can't take now waits, parks nothing, and beyond a bound the partners wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_lets_partners_wait_and_parks_nothing() {
    const ORDERS: usize = 40;
    const BACKLOG_MAX: usize = 10;
    let mut world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("late"))
        .roles(Roles::Apart(&[&["reservations"], &["partner-gate"]]))
        .setting("BOXOFFICE__PARTNERS__BACKLOG_MAX", &BACKLOG_MAX.to_string())
        .start()
        .await;
    let acme = PartnerSide::join(&world, "acme", 1_000, 1_000).await;
    let lend = json!({"currency": "EUR", "limit_minor": 1_000_000, "reason": "A test."});
    let path = format!("/v1/partners/{}/credit", acme.id);
    let admin = world.someone("root", Role::Admin);
    let lent = admin.post(&path, &new_key(), &lend).await.unwrap();
    assert_eq!(lent.status, 200, "{}", lent.body);
    world.process("reservations").stop().await;
    let policy = format!("/api/policies/{}/small", world.vhost_name());
    // Only the line of that show.
    let line = world.show("evening").line().replace('.', r"\.");
    let small = json!({
        "pattern": format!("^{line}$"), "definition": {"max-length": 3}, "priority": 90,
        "apply-to": "queues",
    });
    world.manage(Method::PUT, &policy, &small.to_string()).await;

    let seats = boxoffice_integration::fixture::seats();
    let evening = world.show("evening");
    let order = |number: usize| acme.submit(&format!("o-{number}"), &evening, &[&seats[number]]);
    // Half of them are answered at once although nobody takes them: they are kept.
    for number in 0..ORDERS / 2 {
        let sent = Instant::now();
        acme.send(&order(number)).await;
        let reply = acme.reply_to(&format!("o-{number}")).await;
        assert_eq!(reply.text("/data/outcome"), "accepted", "{}", reply.event);
        assert!(reply.at - sent < REPLY_MAX, "{:?}", reply.at - sent);
    }
    // Long enough for every attempt that a message at fault would have had.
    let waits = "outbox WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL 10 SECOND";
    wait_until("the outbox waits", secs(30), async || {
        books::count(&world.db, waits).await > BACKLOG_MAX as u64
    })
    .await;
    assert_eq!(books::count(&world.db, "parked_messages").await, 0);
    assert_eq!(
        books::count(&world.db, "outbox WHERE attempts > 0").await,
        0
    );

    // The gate has noticed: the rest stays in the partner's own queue, unanswered and unjudged.
    for number in ORDERS / 2..ORDERS {
        acme.send(&order(number)).await;
    }
    let asked = Instant::now();
    wait_until("nothing more is taken", secs(10), async || {
        asked.elapsed() > secs(3)
    })
    .await;
    let judged = format!("partner_inbox WHERE partner_id = '{}'", acme.id);
    assert_eq!(books::count(&world.db, &judged).await, (ORDERS / 2) as u64);

    world.process("reservations").start();
    world.manage(Method::DELETE, &policy, "").await;
    eventually("every order is answered and booked", secs(60), async || {
        let answered = (0..ORDERS)
            .filter(|number| !acme.replies_to(&format!("o-{number}")).is_empty())
            .count();
        let booked = books::count(&world.db, "bookings WHERE status = 'completed'").await;
        match (answered, booked) {
            (ORDERS, booked) if booked == ORDERS as u64 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    // And it is as quick as ever.
    let sent = Instant::now();
    acme.send(&acme.submit("last", &world.show("late"), &["E-8"]))
        .await;
    let reply = acme.reply_to("last").await;
    assert!(reply.at - sent < REPLY_MAX, "{:?}", reply.at - sent);
    assert_eq!(books::count(&world.db, "parked_messages").await, 0);
    acme.leave(&world).await;
    world.finish().await;
}
