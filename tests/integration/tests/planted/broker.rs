//! What the broker takes, and what it says about it.

use super::VISA;
use boxoffice_contracts::{planted::Bug, topology::Exchange};
use boxoffice_integration::{
    Order, Setup, Show, World,
    customer::new_key,
    planted::{Seen, caught},
    private_broker::PrivateBroker,
    secs, wait_until,
};
use lapin::BasicProperties;
use reqwest::Method;
use serde_json::Value;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};

fn evening() -> Setup {
    World::setup().show(Show::named("evening"))
}

/// F5: nobody takes submits for a moment. Whoever is told "later" comes again; whoever is told "accepted" doesn't.
async fn nobody_is_bound(world: &mut World) -> Seen {
    let show = world.show("evening");
    world.unbind(Exchange::Intake.name(), show.line()).await;
    let ada = world.customer("ada");
    let order = Order::of(&show, &["A-1"]).paid_with(VISA);
    let key = new_key();
    let first = ada.submit(&key, order.clone()).await.unwrap();
    world.declare("all").await;
    if first.status.as_u16() == 503 {
        let booking = ada.book_with(&key, order).await;
        booking.until("completed").await;
    }
    Seen::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_refused_counts_as_kept() {
    caught(Bug::LaxConfirm, "C1 ", secs(15), evening, nobody_is_bound).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_whether_a_command_was_taken() {
    caught(Bug::NoMandatory, "C1 ", secs(15), evening, nobody_is_bound).await;
}

/// F39: what is to be parked is refused for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_parked_without_a_confirm() {
    caught(
        Bug::ParkUnconfirmed,
        "C15 ",
        secs(15),
        evening,
        async |world| {
            world.expect_parked(1);
            let exchange = Exchange::Parked.name().replace('.', "\\.");
            world.may_write(&format!("^(?!{exchange}$)")).await;
            let id = uuid::Uuid::new_v4().to_string();
            let properties = BasicProperties::default()
                .with_type("mail.send.v1".into())
                .with_message_id(id.into());
            world.vhost.put("mail", properties, b"{").await;
            wait_until("the broker doesn't take it", secs(15), async || {
                let count = "boxoffice_unconfirmed_total";
                world.counted("all", count, &["by=\"relay\""]).await > 0.0
            })
            .await;
            world.may_write(".*").await;
            Seen::new()
        },
    )
    .await;
}

/// F4: an alarm of the broker while a message is in hand. What it publishes waits, its acknowledgement must not.
#[tokio::test(flavor = "multi_thread")]
async fn one_connection_publishes_and_consumes() {
    let broker = PrivateBroker::start().await;
    let setup = || {
        World::setup()
            .show(Show::named("night").in_the_club())
            .broker(broker.amqp_url(), broker.management_url())
    };
    // Both worlds are on this broker: its alarm is for both, and ends when both have seen.
    let (alarm, calm) = (tokio::sync::Barrier::new(2), tokio::sync::Barrier::new(2));
    caught(
        Bug::SharedConnection,
        "F4 ",
        secs(10),
        setup,
        async |world| {
            let counters = world.hold_rows("SELECT taken FROM admissions").await;
            let order = Order::of(&world.show("night"), &[]).and("Standing", 1);
            world.customer("ada").book(order.paid_with(VISA)).await;
            world.lock_waits(1).await;
            if alarm.wait().await.is_leader() {
                block_in_place(|| {
                    broker
                        .ctl(&["set_vm_memory_high_watermark", "0.00001"])
                        .unwrap()
                });
            }
            wait_until("the broker is alarmed", secs(20), async || {
                let nodes = world.manage(Method::GET, "/api/nodes", "").await;
                let nodes: Value = serde_json::from_str(&nodes).unwrap();
                nodes[0]["mem_alarm"] == true
            })
            .await;
            alarm.wait().await;
            counters.rollback().await.unwrap();
            let left = unacknowledged(world).await;
            if calm.wait().await.is_leader() {
                block_in_place(|| {
                    broker
                        .ctl(&["set_vm_memory_high_watermark", "0.4"])
                        .unwrap()
                });
            }
            if left > 0 {
                return vec![format!(
                    "F4 acknowledgements flow while publishing is blocked: {left} don't"
                )];
            }
            Seen::new()
        },
    )
    .await;
}

/// Submits in hand, when there are none or time is over. The broker counts every five seconds.
async fn unacknowledged(world: &World) -> u64 {
    let line = world.show("night").line();
    let path = format!("/api/queues/{}/{line}", world.vhost_name());
    let until = Instant::now() + secs(15);
    // One count is older than what we ask about.
    sleep(secs(6)).await;
    loop {
        let queue: Value =
            serde_json::from_str(&world.manage(Method::GET, &path, "").await).unwrap();
        let left = queue["messages_unacknowledged"].as_u64().unwrap_or(1);
        if left == 0 || Instant::now() > until {
            return left;
        }
        sleep(std::time::Duration::from_millis(500)).await;
    }
}
