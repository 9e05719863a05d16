use boxoffice_stripe_sandbox::Config;
use serde_json::json;

use crate::support::{Receiver, World, config};

#[tokio::test]
async fn the_ledger_outlives_its_process() {
    let dir = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
    let kept = Config {
        data: Some(dir.clone()),
        // Nobody listens there: the events wait.
        webhook_urls: vec!["http://127.0.0.1:9/".to_owned()],
        ..config()
    };
    let world = World::with(kept.clone()).await;
    let id = world.confirmed("pm_card_visa").await.id();
    let capture = format!("/v1/payment_intents/{id}/capture");
    let first = world.post_with_key(&capture, &[], "k").await;
    let slow = world.captured("pm_card_pendingRefund").await;
    let refund = world
        .post("/v1/refunds", &[("payment_intent", &slow)])
        .await
        .id();
    let before = world.get("/sandbox/ledger").await;
    drop(world);

    let receiver = Receiver::start(0).await;
    let revived = Config {
        webhook_urls: vec![receiver.url.clone()],
        ..kept
    };
    let world = World::with(revived).await;
    let again = world.post_with_key(&capture, &[], "k").await;
    assert!(again.replayed, "a restart must not forget a key");
    assert_eq!(again.body, first.body);
    let after = world.get("/sandbox/ledger").await;
    assert_eq!(
        after["totals"]["by_currency"],
        before["totals"]["by_currency"]
    );
    assert_eq!(after["intents"][0], before["intents"][0]);
    assert_eq!(after["totals"]["captured_twice"], json!(0));

    // 2 × authorised, 2 × captured, refund and charge; the pending refund settles in the new process.
    let hooks = receiver.wait_for(7).await;
    let settled = |event: serde_json::Value| {
        event["type"] == "refund.updated" && event["data"]["object"]["id"] == refund.as_str()
    };
    assert!(hooks.iter().any(|hook| settled(hook.event())));
    world.sandbox.stop().await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}
