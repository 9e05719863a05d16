//! Calls of the gateway, and mails.

use super::{RETRIES, VISA};
use boxoffice_contracts::{Role, planted::Bug};
use boxoffice_integration::{
    Flow, Link, Mode, Order, Roles, Setup, Show, World,
    customer::new_key,
    planted::{Seen, caught, caught_within},
    secs, wait_until,
};
use boxoffice_mail_catcher::{Fault, FaultKind};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

fn brief() -> Setup {
    World::setup().show(Show::named("brief").hold(2, 1, 3))
}

/// The answer to the create is lost: asked again under another key, the gateway makes a second payment.
#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_key_per_call() {
    caught(Bug::FreshKey, "C20 ", secs(15), brief, async |world| {
        let ada = world.customer("ada");
        let key = new_key();
        let lost = json!({"op": "create", "kind": "reset_after", "times": 1});
        world.gateway.fault_for(ada.booking_of(&key), lost).await;
        let order = Order::of(&world.show("brief"), &["A-1"]).paid_with(VISA);
        ada.book_with(&key, order).await.until("completed").await;
        Seen::new()
    })
    .await;
}

/// The card is charged, nobody hears of it, and no webhook comes.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_the_gateway() {
    caught(Bug::NoAsk, "C3 ", secs(5), brief, async |world| {
        world.allow_lost_webhooks();
        world
            .gateway
            .fault(json!({"op": "webhook", "kind": "drop"}))
            .await;
        let ada = world.customer("ada");
        let key = new_key();
        let lost = json!({"op": "confirm", "kind": "hang_after", "times": 1});
        world.gateway.fault_for(ada.booking_of(&key), lost).await;
        let order = Order::of(&world.show("brief"), &["A-1"]).paid_with(VISA);
        let booking = ada.book_with(&key, order).await;
        let ended = booking.wait_for("an end", secs(30), |state| state.has_ended());
        ended.await;
        Seen::new()
    })
    .await;
}

/// Cancelled while the answer to the confirm is lost: the money is there, and is to be let go.
#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_does_not_ask_races_late_money() {
    caught(Bug::VoidUnasked, "C20 ", secs(15), brief, async |world| {
        let ada = world.customer("ada");
        let key = new_key();
        let id = ada.booking_of(&key);
        for fault in [
            json!({"op": "confirm", "kind": "hang_after"}),
            json!({"op": "retrieve", "kind": "hang"}),
        ] {
            world.gateway.fault_for(id, fault).await;
        }
        let order = Order::of(&world.show("brief"), &["A-1"]).paid_with(VISA);
        let booking = ada.book_with(&key, order).await;
        let unknown = booking.wait_for("unknown", secs(10), |state| state.phase() == "unknown");
        unknown.await;
        booking.cancel(None).await;
        booking.until("cancelled").await;
        world.gateway.heal().await;
        Seen::new()
    })
    .await;
}

/// A refund that the bank accepts and returns; the webhook that says so is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_counts_when_it_is_ordered() {
    let setup = || World::setup().show(Show::named("evening"));
    caught(Bug::RefundEarly, "C20 ", secs(15), setup, async |world| {
        world.allow_lost_webhooks();
        let order = Order::of(&world.show("evening"), &["A-1"]);
        let order = order.paid_with("pm_card_refundFail");
        let booking = world.customer("ada").book(order).await;
        booking.until("completed").await;
        world
            .gateway
            .fault(json!({"op": "webhook", "kind": "drop"}))
            .await;
        booking.cancel(None).await;
        wait_until("the refund failed", secs(20), async || {
            let intent = world.gateway.intent(booking.id).await;
            intent
                .refunds
                .iter()
                .any(|refund| refund["status"] == "failed")
        })
        .await;
        Seen::new()
    })
    .await;
}

/// Every event comes three times.
#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_of_a_webhook_is_an_event() {
    let setup = || World::setup().show(Show::named("evening"));
    caught(Bug::WebhookTwice, "F63 ", secs(15), setup, async |world| {
        let thrice = json!({"op": "webhook", "kind": "duplicate", "n": 2});
        world.gateway.fault(thrice).await;
        let order = Order::of(&world.show("evening"), &["A-1"]).paid_with(VISA);
        let booking = world.customer("ada").book(order).await;
        booking.until("completed").await;
        Seen::new()
    })
    .await;
}

/// Somebody hangs up while the database is asked to begin. The connection is taken by a webhook, which is answered
/// with 200 and kept in a transaction that nobody knows of; then the process dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_begin_is_cancelled_and_nothing_rolls_back() {
    let setup = || {
        World::setup()
            .show(Show::named("brief").hold(5, 1, 8))
            .roles(Roles::Apart(&[]))
            .through(Link::ApiMysql)
            .setting(RETRIES.0, RETRIES.1)
    };
    // When the connection is back in the pool is the pool's business: now and then somebody begins on it at once.
    caught_within(
        7,
        Bug::CancelledBegin,
        "C15 ",
        secs(10),
        setup,
        async |world| {
            let api = world.process("api");
            api.set("BOXOFFICE__MYSQL__CONNECTIONS_MAX", "1");
            api.restart().await;
            let order = Order::of(&world.show("brief"), &["A-1"]);
            let order = order.paid_with("pm_card_authenticationRequired");
            let booking = world.customer("ada").book(order).await;
            let asked = booking.wait_for("the door", secs(10), |state| {
                state.phase() == "action_required"
            });
            asked.await;
            let intent = world.gateway.intent(booking.id).await.id;
            // Used a moment ago, the connection is not asked whether it lives.
            booking.state().await;
            world.set_link(Link::ApiMysql, Mode::Blackhole(Flow::Both));
            let path = "/v1/backoffice/alerts/none/acknowledge";
            let olga = world.someone("olga", Role::Operator);
            let asked = olga.request(Method::POST, path);
            let asked = asked.json(&json!({"reason": "seen"}));
            let left = asked.timeout(Duration::from_millis(700)).send().await;
            assert!(left.is_err(), "there was an answer: {left:?}");
            // The server is to see that the client left before the database answers.
            sleep(Duration::from_millis(500)).await;
            world.set_link(Link::ApiMysql, Mode::Pass);
            // Read back only when the connection is in the pool again.
            booking.state().await;
            world.gateway.authenticate(&intent, true).await;
            wait_until("the webhook is taken", secs(10), async || {
                let judged = world.gateway.intent(booking.id).await;
                judged.status != "requires_action" && world.gateway.undelivered().await == 0
            })
            .await;
            world.process("api").restart().await;
            booking.until("completed").await;
            Seen::new()
        },
    )
    .await;
}

/// The mail server is slow, and the database goes away while it thinks.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_sent_before_the_commit_that_says_so() {
    let setup = || {
        World::setup()
            .show(Show::named("evening"))
            .through(Link::WorkersMysql)
    };
    let check = "C13b ";
    caught(
        Bug::MailBeforeCommit,
        check,
        secs(15),
        setup,
        async |world| {
            let slow = Fault {
                delay_ms: Some(2_500),
                ..Fault::new(FaultKind::Slow).times(1)
            };
            world.catcher.faults().put(slow);
            let order = Order::of(&world.show("evening"), &["A-1"]).paid_with(VISA);
            let booking = world.customer("ada").book(order).await;
            booking.until("completed").await;
            // Its mail was ordered with that; the server thinks about it when the database goes.
            sleep(Duration::from_millis(800)).await;
            world.set_link(Link::WorkersMysql, Mode::Reset);
            wait_until("the server has the mail", secs(20), async || {
                !world.mails_of(booking.id).is_empty()
            })
            .await;
            // Its answer finds nobody to tell.
            sleep(Duration::from_millis(500)).await;
            world.set_link(Link::WorkersMysql, Mode::Pass);
            world.mail(booking.id, "confirmation").await;
            Seen::new()
        },
    )
    .await;
}
