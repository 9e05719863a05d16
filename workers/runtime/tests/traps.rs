//! Traps of the drivers, each seen once in the wild and kept here.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
#[path = "common/proxy.rs"]
mod proxy;

use boxoffice_contracts::{
    Envelope, MessageId,
    message::booking,
    topology::{Exchange, MESSAGE_BYTES_MAX, UNROUTABLE},
    trace::TraceParent,
};
use boxoffice_fault_proxy::{Act, Point};
use boxoffice_runtime::{
    DatabaseConfig, IntakeError, IntakePublisher, Publisher, Wire, clock, declare, pool,
};
use common::{Toy, World, render, render_parts, until};
use futures::future::join_all;
use lapin::{
    options::BasicPublishOptions,
    types::{AMQPValue, LongString},
};
use sea_orm::ConnectionTrait;
use std::time::Duration;
use tokio::time::{sleep, timeout};

fn command(n: u32, routable: bool) -> Envelope {
    let booking = common::booking(n);
    let id = MessageId::of_effect(booking, n, 0);
    let mut envelope =
        Envelope::root::<booking::Submit>(id, booking, clock::now(), TraceParent::root(id.0));
    if !routable {
        envelope.kind = "nobody.binds.v1".to_owned();
    }
    envelope
}

/// lapin attaches a return to the wrong confirm when several publishes are in flight on a channel.
#[tokio::test(flavor = "multi_thread")]
async fn the_intake_judges_every_message_rightly() {
    let world = World::new().await;
    let intake = IntakePublisher::new(&world.broker);
    let mut tasks = Vec::new();
    for task in 0..48u32 {
        let intake = intake.clone();
        tasks.push(tokio::spawn(async move {
            let mut wrong = 0;
            for n in 0..63 {
                let n = task * 1_000 + n;
                let routable = n % 3 != 0;
                let result = intake.publish(&command(n, routable), b"{}").await;
                let expected = if routable {
                    Ok(())
                } else {
                    Err(IntakeError::Unroutable)
                };
                wrong += u32::from(result != expected);
            }
            wrong
        }));
    }
    let mut wrong = 0;
    for task in tasks {
        wrong += task.await.unwrap();
    }
    assert_eq!(wrong, 0, "of {} messages", 48 * 63);
    world.end().await;
}

/// The connection that publishes has room for less than these: what doesn't fit waits for what has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_portion_larger_than_the_frame_buffers_arrives_whole() {
    let world = World::new().await;
    let intake = IntakePublisher::new(&world.broker);
    let body = vec![b' '; MESSAGE_BYTES_MAX];
    let commands: Vec<Envelope> = (0..64).map(|n| command(n, true)).collect();
    let publishes = commands
        .iter()
        .map(|command| intake.publish(command, &body));
    for published in join_all(publishes).await {
        assert_eq!(published, Ok(()));
    }
    let wires: Vec<Wire> = (0..64)
        .map(|n| {
            let (envelope, _) = render_parts(n);
            Wire::new(Exchange::Commands, &envelope, body.clone())
        })
        .collect();
    let published = Publisher::new(&world.broker).publish(&wires).await;
    assert_eq!(published, vec![Ok(()); 64]);
    until("all there", async || {
        world.depth("reservations.submit").await.0 == 64 && world.depth("tickets").await.0 == 64
    })
    .await;
    world.end().await;
}

/// Headers come in one frame, as long as whoever wrote them was allowed. lapin ends a connection that brings a frame larger
/// than agreed: with too small ones such a message would end every connection that it is delivered on.
#[tokio::test(flavor = "multi_thread")]
async fn headers_as_long_as_the_broker_allows_are_no_end_of_a_connection() {
    let world = World::new().await;
    let raw = world.raw().await;
    let mut long = render(1);
    let mut headers = long.properties.headers().clone().unwrap_or_default();
    let text = LongString::from(vec![b'x'; 120 * 1024]);
    headers.insert("x-note".into(), AMQPValue::LongString(text));
    long.properties = long.properties.with_headers(headers);
    raw.basic_publish(
        long.exchange.as_str().into(),
        long.routing_key.as_str().into(),
        BasicPublishOptions::default(),
        &long.body,
        long.properties,
    )
    .await
    .unwrap()
    .await
    .unwrap();
    world.publish(&[render(2)]).await;
    let running = world.run(world.workers().decide(Toy::plain()));
    until("both are handled", async || world.effects().await == 2).await;
    running.stop().await;
    world.end().await;
}

/// With an alternate exchange nothing is returned, so nothing can be misattributed, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn pipelined_publishes_are_never_lost() {
    let world = World::new().await;
    let publisher = Publisher::new(&world.broker);
    let mut tasks = Vec::new();
    for task in 0..6u32 {
        let publisher = publisher.clone();
        tasks.push(tokio::spawn(async move {
            let wires: Vec<Wire> = (0..500)
                .map(|n| {
                    let (mut envelope, body) = render_parts(task * 500 + n);
                    if n % 4 == 0 {
                        envelope.kind = "nobody.binds.v1".to_owned();
                    }
                    Wire::new(Exchange::Commands, &envelope, body)
                })
                .collect();
            publisher
                .publish(&wires)
                .await
                .into_iter()
                .filter(Result::is_ok)
                .count()
        }));
    }
    let mut confirmed = 0;
    for task in tasks {
        confirmed += task.await.unwrap();
    }
    assert_eq!(confirmed, 3_000);
    until("all there", async || {
        world.depth("tickets").await.0 == 2_250 && world.depth(UNROUTABLE).await.0 == 750
    })
    .await;
    world.end().await;
}

/// A cancelled `begin()` leaves the session in a transaction that nobody knows of: the next borrower's
/// acknowledged write would vanish. Only the waiting is cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_begin_loses_no_later_write() {
    let world = World::new().await;
    let (proxy, config) = proxy::to_database(&world).await;
    let through = DatabaseConfig {
        connections_max: 1,
        ..config
    };
    let db = pool::connect(&through).await.unwrap();
    db.execute_unprepared("SELECT 1").await.unwrap();
    let late = Act::Hold(Duration::from_millis(600));
    let rule = proxy::once(&proxy, Point::MysqlBegin, late);
    assert!(
        timeout(Duration::from_millis(200), pool::begin(&db))
            .await
            .is_err(),
        "begin was not cancelled"
    );
    assert_eq!(proxy.disarm(rule), 1, "begin was held");
    sleep(Duration::from_millis(1_200)).await;
    let insert =
        "INSERT INTO effects (message_id, what) VALUES (x'00000000000000000000000000000000', 'x')";
    assert_eq!(
        db.execute_unprepared(insert).await.unwrap().rows_affected(),
        1
    );
    assert_eq!(
        world.effects().await,
        1,
        "an acknowledged write is invisible to others"
    );
    db.close().await.unwrap();
    assert_eq!(world.effects().await, 1, "an acknowledged write is lost");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_have_our_settings() {
    let world = World::new().await;
    assert_eq!(
        world
            .count("SELECT @@session.innodb_lock_wait_timeout")
            .await,
        5
    );
    // MariaDB 10.11 knows only the old name, MySQL only the new one.
    let is_mariadb = world.count("SELECT VERSION() LIKE '%MariaDB%'").await == 1;
    let isolation = if is_mariadb {
        "@@tx_isolation"
    } else {
        "@@transaction_isolation"
    };
    let ours = format!(
        "SELECT COUNT(*) FROM (SELECT 1) one WHERE {isolation} = 'READ-COMMITTED' AND @@time_zone = '+00:00' \
         AND @@sql_mode LIKE '%STRICT_ALL_TABLES%'"
    );
    assert_eq!(world.count(&ours).await, 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_at_once_and_not_shown() {
    let world = World::new().await;
    let mut config = world.broker_config.clone();
    config.url = config
        .url
        .replace("://", "://nobody:s3cret@")
        .replace("guest:guest@", "");
    let error = boxoffice_runtime::Broker::connect_first(&config)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nobody:***@") && !error.contains("s3cret"),
        "{error}"
    );
    config.url = "amqp://nobody:s3cret@127.0.0.1:1".to_owned();
    let error = boxoffice_runtime::Broker::connect_first(&config)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("127.0.0.1:1"), "{error}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_told_with_the_brokers_words() {
    let world = World::new().await;
    let needed = boxoffice_contracts::topology::queue("tickets").unwrap();
    assert_eq!(
        boxoffice_runtime::drift(&world.broker, &[needed])
            .await
            .unwrap(),
        []
    );
    let raw = world.raw().await;
    raw.queue_delete("tickets".into(), Default::default())
        .await
        .unwrap();
    raw.queue_delete("retry.1m".into(), Default::default())
        .await
        .unwrap();
    raw.queue_declare("retry.1m".into(), Default::default(), Default::default())
        .await
        .unwrap();
    let found = boxoffice_runtime::drift(&world.broker, &[needed])
        .await
        .unwrap();
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(text[0].contains("tickets is missing"), "{text:?}");
    assert!(
        text[1].contains("retry.1m differs: PRECONDITION_FAILED"),
        "{text:?}"
    );
    // A role refuses to start on it, another one's missing queue is not its business.
    let error = world.workers().decide(common::Toy::plain());
    let error = error
        .run(&[], tokio_util::sync::CancellationToken::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("tickets is missing"), "{error}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_followed_and_a_loss_and_a_reconnect_are_told() {
    use boxoffice_runtime::{EventStream, Happened};
    let world = World::new().await;
    let stream = EventStream::start(&world.broker);
    let mut events = stream.subscribe();
    assert!(matches!(events.recv().await.unwrap(), Happened::Rebound));
    let (envelope, body) = render_parts(1);
    world
        .publish(&[Wire::new(Exchange::Events, &envelope, body.clone())])
        .await;
    match events.recv().await.unwrap() {
        Happened::Event(event) => assert_eq!((&event.envelope, &event.body), (&envelope, &body)),
        other => panic!("no reconnect yet: {other:?}"),
    }
    until("closed", async || {
        world.close_connections("consume").await > 0
    })
    .await;
    let mut told = async || {
        let told = timeout(common::PATIENCE, events.recv()).await;
        told.unwrap().unwrap()
    };
    assert!(matches!(told().await, Happened::Lost));
    // It may take more than one try.
    let anew = loop {
        match told().await {
            Happened::Lost => {}
            other => break other,
        }
    };
    assert!(matches!(anew, Happened::Rebound));
    let _ = render(1);
    stream.close().await;
    world.end().await;
}

/// F5: a binding is missing for a while. What was sent meanwhile waits, and goes its way when the topology is right
/// again; what no queue is ever bound for is filed for a person.
#[tokio::test(flavor = "multi_thread")]
async fn f5_what_found_no_queue_is_sent_again_until_it_finds_one() {
    const MESSAGES: u32 = 700;
    let world = World::new().await;
    let raw = world.raw().await;
    let unbind = raw.queue_unbind(
        "tickets".into(),
        Exchange::Commands.name().into(),
        "tickets.render.v1".into(),
        lapin::types::FieldTable::default(),
    );
    unbind.await.unwrap();
    let running = world.run(world.workers().decide(Toy::plain()).file_parked());
    let lost: Vec<Wire> = (0..MESSAGES).map(render).collect();
    world.publish(&lost).await;
    let (mut envelope, body) = render_parts(MESSAGES);
    envelope.kind = "nobody.binds.v1".to_owned();
    world
        .publish(&[Wire::new(Exchange::Commands, &envelope, body)])
        .await;
    let filed =
        "SELECT COUNT(*) FROM parked_messages WHERE queue = 'outbox' AND code = 'unroutable'";
    until("the stranger is filed", async || {
        world.count(filed).await == 1
    })
    .await;
    assert_eq!(world.effects().await, 0);
    declare(&world.broker).await.unwrap();
    until("all have found their queue", async || {
        world.effective().await == i64::from(MESSAGES) && world.depth(UNROUTABLE).await == (0, 0)
    })
    .await;
    assert_eq!(world.effects().await, i64::from(MESSAGES));
    assert_eq!(world.count("SELECT COUNT(*) FROM parked_messages").await, 1);
    running.stop().await;
    world.end().await;
}
