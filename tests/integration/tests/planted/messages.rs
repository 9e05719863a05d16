//! Inbox, outbox, retries: what becomes of a message.

use super::{RETRIES, VISA};
use boxoffice_contracts::{
    BookingId, Message as _, MessageId, message::payment::Webhook, planted::Bug, topology::MAIL,
};
use boxoffice_integration::{
    Order, Roles, Setup, Show, World, books, eventually,
    planted::{Seen, caught},
    secs, wait_until,
};
use boxoffice_mail_catcher::{Fault, FaultKind};
use boxoffice_runtime::pool;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicNackOptions},
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::time::{Instant, sleep};

const COUNT: &str = "boxoffice_messages_handled_total";

fn apart() -> Setup {
    World::setup()
        .show(Show::named("night").in_the_club().hold(3, 1, 4))
        .roles(Roles::Apart(&[&["reservations"]]))
}

/// The worker has taken a submit and waits for a lock; there it dies.
async fn dies_before_the_commit(world: &mut World) -> Seen {
    let counters = world.hold_rows("SELECT taken FROM admissions").await;
    let order = Order::of(&world.show("night"), &[]).and("Standing", 1);
    world.customer("ada").book(order.paid_with(VISA)).await;
    world.lock_waits(1).await;
    world.process("reservations").kill();
    counters.rollback().await.unwrap();
    world.process("reservations").start();
    world.process("reservations").ready().await;
    Seen::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_commits_before_the_rest() {
    caught(
        Bug::InboxOutside,
        "C1 ",
        secs(15),
        apart,
        dies_before_the_commit,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_acknowledged_before_the_commit() {
    caught(
        Bug::AckBeforeCommit,
        "C1 ",
        secs(15),
        apart,
        dies_before_the_commit,
    )
    .await;
}

/// A cancellation overtakes its submit, which somebody keeps from the worker until it has been told to wait.
#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_row_outlives_a_retry() {
    caught(
        Bug::InboxOutlivesRetry,
        "C1 ",
        secs(15),
        apart,
        async |world| {
            world.process("reservations").kill();
            let show = world.show("night");
            let order = Order::of(&show, &[]).and("Standing", 1);
            let booking = world.customer("ada").book(order).await;
            let connection =
                Connection::connect(&world.amqp_url(), ConnectionProperties::default()).await;
            let connection = connection.unwrap();
            let channel = connection.create_channel().await.unwrap();
            let kept = eventually("the submit", secs(5), async || {
                let queue = show.line().into();
                let got = channel.basic_get(queue, BasicGetOptions::default()).await;
                got.unwrap().ok_or("an empty queue")
            })
            .await;
            booking.cancel(None).await;
            world.process("reservations").start();
            world.process("reservations").ready().await;
            wait_until("the cancellation waits", secs(20), async || {
                let labels = ["queue=\"reservations\"", "outcome=\"deferred\""];
                world.counted("reservations", COUNT, &labels).await > 0.0
            })
            .await;
            let back = BasicNackOptions {
                requeue: true,
                ..BasicNackOptions::default()
            };
            kept.acker.nack(back).await.unwrap();
            let ended = booking.wait_for("an end", secs(20), |state| state.has_ended());
            ended.await;
            connection.close(200, "done".into()).await.unwrap();
            Seen::new()
        },
    )
    .await;
}

/// F17: a transaction takes the lower id and commits after a higher one was swept.
#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_swept_from_a_high_water_mark() {
    let setup = || World::setup().show(Show::named("evening"));
    caught(Bug::HighWaterMark, "C14 ", secs(6), setup, async |world| {
        // A message of the product, to be sent again: its id makes that harmless.
        let db = &world.db;
        db.execute_unprepared("CREATE TABLE spare LIKE outbox")
            .await
            .unwrap();
        let order = Order::of(&world.show("evening"), &["A-1"]).paid_with(VISA);
        let booking = world.customer("ada").book(order).await;
        wait_until("a message in the outbox", secs(20), async || {
            let copy = "INSERT INTO spare SELECT * FROM outbox WHERE exchange = 'boxoffice.events' LIMIT 1";
            db.execute_unprepared(copy).await.unwrap().rows_affected() > 0
        })
        .await;
        booking.until("completed").await;
        world.settle().await;
        let send = "INSERT INTO outbox (message_id, cause_id, exchange, kind, envelope, body, created_at) \
                    SELECT message_id, NULL, exchange, kind, envelope, body, UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE \
                    FROM spare LIMIT 1";
        let late = pool::begin(db).await.unwrap();
        late.execute_unprepared(send).await.unwrap();
        db.execute_unprepared(send).await.unwrap();
        wait_until("the higher one is swept", secs(8), async || {
            books::count(db, "outbox").await == 0
        })
        .await;
        late.commit().await.unwrap();
        db.execute_unprepared("DROP TABLE spare").await.unwrap();
        Seen::new()
    })
    .await;
}

/// A wake-up about an event that never came fails whenever it is tried.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_tried_for_ever() {
    let setup = || World::setup().setting(RETRIES.0, RETRIES.1);
    caught(Bug::RetryForEver, "C15 ", secs(5), setup, async |world| {
        world.expect_parked(1);
        let nobody = BookingId(uuid::Uuid::new_v4());
        let body = json!({
            "booking_id": nobody, "event_id": "evt_never", "event_type": "payment_intent.succeeded",
        });
        let id = MessageId(uuid::Uuid::new_v4()).to_string();
        let properties = BasicProperties::default()
            .with_type(Webhook::KIND.as_str().into())
            .with_message_id(id.into());
        let body = body.to_string();
        world
            .vhost
            .put("payments", properties, body.as_bytes())
            .await;
        // All its tiers together and some; then it is parked or never.
        let until = Instant::now() + secs(6);
        while Instant::now() < until && books::count(&world.db, "parked_messages").await == 0 {
            sleep(std::time::Duration::from_millis(100)).await;
        }
        Seen::new()
    })
    .await;
}

/// A mail server says "later" for three seconds.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_comes_back_at_once() {
    let setup = || World::setup().show(Show::named("evening"));
    caught(Bug::HotLoop, "F32 ", secs(10), setup, async |world| {
        let later = Fault::new(FaultKind::Greylist451).times(1_000_000);
        world.catcher.faults().put(later);
        let order = Order::of(&world.show("evening"), &["A-1"]).paid_with(VISA);
        let booking = world.customer("ada").book(order).await;
        booking.until("completed").await;
        sleep(secs(3)).await;
        world.catcher.faults().clear();
        wait_until(
            "the mail, or the end of all patience",
            secs(20),
            async || {
                let parked = books::count(&world.db, "parked_messages").await > 0;
                parked || !world.mails_of(booking.id).is_empty()
            },
        )
        .await;
        let labels = ["queue=\"mail\"", "outcome=\"retried\""];
        let retried = world.counted("all", COUNT, &labels).await;
        let tiers = MAIL.retry.len();
        if retried > tiers as f64 {
            let wrong =
                format!("F32 one message comes again {tiers} times at most: {retried} times");
            return vec![wrong];
        }
        Seen::new()
    })
    .await;
}
