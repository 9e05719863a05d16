use std::time::Instant;

use boxoffice_stripe_sandbox::{Config, webhook_signature};
use serde_json::json;

use crate::support::{Hook, Receiver, WEBHOOK_SECRET, World, config, eventually};

async fn world_for(receiver: &Receiver) -> World {
    let config = Config {
        webhook_urls: vec![receiver.url.clone()],
        ..config()
    };
    World::with(config).await
}

fn kinds(hooks: &[Hook]) -> Vec<String> {
    let mut kinds: Vec<_> = hooks
        .iter()
        .map(|hook| hook.event()["type"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort();
    kinds
}

#[tokio::test]
async fn a_payments_story_is_told_and_signed() {
    let receiver = Receiver::start(0).await;
    let world = world_for(&receiver).await;
    let id = world.captured("pm_card_refundFail").await;
    world.post("/v1/refunds", &[("payment_intent", &id)]).await;
    world
        .post(&format!("/sandbox/intents/{id}/dispute"), &[])
        .await;
    let hooks = receiver.wait_for(7).await;
    assert_eq!(
        kinds(&hooks),
        [
            "charge.dispute.created",
            "charge.refunded",
            "payment_intent.amount_capturable_updated",
            "payment_intent.succeeded",
            "refund.created",
            "refund.failed",
            "refund.updated",
        ]
    );
    for hook in &hooks {
        let time = hook.signature.strip_prefix("t=").unwrap();
        let time = time.split_once(',').unwrap().0.parse().unwrap();
        assert_eq!(
            hook.signature,
            webhook_signature(WEBHOOK_SECRET, time, &hook.body)
        );
    }
    let succeeded = world.get("/v1/events?type=payment_intent.succeeded").await;
    assert_eq!(succeeded["data"][0]["data"]["object"]["id"], id.as_str());
}

#[tokio::test]
async fn the_other_endings_are_told_too() {
    let receiver = Receiver::start(0).await;
    let world = world_for(&receiver).await;
    world.confirmed("pm_card_chargeDeclined").await;
    let id = world.confirmed("pm_card_authenticationRequired").await.id();
    let reason = [("cancellation_reason", "abandoned")];
    world
        .post(&format!("/v1/payment_intents/{id}/cancel"), &reason)
        .await;
    let kinds = kinds(&receiver.wait_for(3).await);
    let expected = ["canceled", "payment_failed", "requires_action"];
    assert_eq!(kinds, expected.map(|kind| format!("payment_intent.{kind}")));
}

#[tokio::test]
async fn a_receiver_that_is_down_is_told_again() {
    let receiver = Receiver::start(3).await;
    let world = world_for(&receiver).await;
    world.confirmed("pm_card_visa").await;
    receiver.wait_for(1).await;
    let open = world.get("/v1/events?delivery_success=false").await;
    assert_eq!(open["data"][0]["pending_webhooks"], 1);
    let hooks = receiver.wait_for(4).await;
    assert!(
        hooks
            .iter()
            .all(|hook| hook.event()["id"] == hooks[0].event()["id"])
    );
    eventually(|| async {
        let summary = world.get("/sandbox/ledger/summary").await;
        (summary["events_undelivered"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn duplicates_come_as_often_as_ordered_and_dropped_ones_never() {
    let receiver = Receiver::start(0).await;
    let world = world_for(&receiver).await;
    let faults = json!([
        {"op": "webhook", "kind": "duplicate", "n": 3, "times": 1},
        {"op": "webhook", "kind": "shuffle", "ms": 50},
    ]);
    world.put("/sandbox/faults", &faults).await;
    let id = world.confirmed("pm_card_visa").await.id();
    let hooks = receiver.wait_for(4).await;
    assert!(
        hooks
            .iter()
            .all(|hook| hook.event()["id"] == hooks[0].event()["id"])
    );
    world
        .put(
            "/sandbox/faults",
            &json!([{"op": "webhook", "kind": "drop"}]),
        )
        .await;
    world
        .post(&format!("/v1/payment_intents/{id}/capture"), &[])
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    assert_eq!(receiver.count(), 4);
    let lost = world.get("/v1/events?delivery_success=false").await;
    assert_eq!(lost["data"][0]["type"], "payment_intent.succeeded");
}

#[tokio::test]
async fn an_early_webhook_overtakes_its_answer() {
    let receiver = Receiver::start(0).await;
    let world = World::start().await;
    world
        .put("/sandbox/webhooks", &json!({"urls": [receiver.url]}))
        .await;
    world
        .put(
            "/sandbox/faults",
            &json!([{"op": "webhook", "kind": "early"}]),
        )
        .await;
    world.confirmed("pm_card_visa").await;
    let answered = Instant::now();
    let hooks = receiver.wait_for(1).await;
    assert!(hooks[0].at < answered);
}
