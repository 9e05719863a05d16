use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{World, eventually};

async fn with_fault(fault: Value) -> (World, String) {
    let world = World::start().await;
    let id = world.confirmed("pm_card_visa").await.id();
    assert_eq!(
        world.put("/sandbox/faults", &json!([fault])).await.status,
        200
    );
    (world, format!("/v1/payment_intents/{id}"))
}

#[tokio::test]
async fn a_500_after_the_money_moved_is_what_the_key_replays() {
    let (world, path) =
        with_fault(json!({"op": "capture", "kind": "error_500_after", "times": 1})).await;
    let capture = format!("{path}/capture");
    let first = world.post_with_key(&capture, &[], "k").await;
    assert_eq!(
        (first.status, &first.body["error"]["type"]),
        (500, &json!("api_error"))
    );
    assert_eq!(world.get(&path).await["status"], "succeeded");
    let second = world.post_with_key(&capture, &[], "k").await;
    assert!(second.replayed && second.status == 500);
}

#[tokio::test]
async fn a_500_before_did_nothing_and_may_be_retried_unless_it_sticks() {
    let (world, path) =
        with_fault(json!({"op": "capture", "kind": "error_500_before", "times": 1})).await;
    let capture = format!("{path}/capture");
    assert_eq!(world.post_with_key(&capture, &[], "k").await.status, 500);
    assert_eq!(world.get(&path).await["status"], "requires_capture");
    assert_eq!(world.post_with_key(&capture, &[], "k").await.status, 200);

    let sticky = json!({"op": "capture", "kind": "error_500_before", "times": 1, "sticky": true});
    let (world, path) = with_fault(sticky).await;
    let capture = format!("{path}/capture");
    world.post_with_key(&capture, &[], "k").await;
    assert!(world.post_with_key(&capture, &[], "k").await.replayed);
    assert_eq!(world.get(&path).await["status"], "requires_capture");
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_key() {
    let (world, path) =
        with_fault(json!({"op": "capture", "kind": "reset_after", "times": 1})).await;
    let capture = format!("{path}/capture");
    let lost = world.try_post(&capture, &[], Some("k")).await;
    assert!(lost.is_err(), "the connection is dropped: {lost:?}");
    assert_eq!(world.get(&path).await["status"], "succeeded");
    let again = world.post_with_key(&capture, &[], "k").await;
    assert!(again.replayed && again.status == 200);
}

#[tokio::test]
async fn a_hanging_gateway_did_nothing_or_did_it_all() {
    for (kind, status) in [("hang", "requires_capture"), ("hang_after", "succeeded")] {
        let (world, path) = with_fault(json!({"op": "capture", "kind": kind, "times": 1})).await;
        let capture = format!("{path}/capture");
        let patience = Duration::from_millis(500);
        let call = world.try_post(&capture, &[], Some("k"));
        assert!(
            tokio::time::timeout(patience, call).await.is_err(),
            "{kind}"
        );
        assert_eq!(world.get(&path).await["status"], status, "{kind}");
        // The key is free once the sandbox has noticed that the client left.
        eventually(|| async {
            let again = world.post_with_key(&capture, &[], "k").await;
            (again.status == 200).then_some(())
        })
        .await;
        world.sandbox.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_payment() {
    let (world, path) = with_fault(json!({"op": "capture", "kind": "delay", "ms": 1000})).await;
    let capture = format!("{path}/capture");
    let call = world.try_post(&capture, &[], Some("k"));
    let left = tokio::time::timeout(Duration::from_millis(500), call).await;
    assert!(left.is_err());
    eventually(|| async { (world.get(&path).await["status"] == "succeeded").then_some(()) }).await;
}

#[tokio::test]
async fn faults_hit_whom_they_name() {
    let world = World::start().await;
    let faults = json!([
        {"op": "any", "kind": "error_429", "match": {"metadata": {"booking": "bk_other"}}},
        {"op": "create", "kind": "error_500_before", "match": {"payment_method": "pm_card_mastercard"}},
    ]);
    world.put("/sandbox/faults", &faults).await;
    assert_eq!(world.confirmed("pm_card_visa").await.status, 200);
    assert_eq!(world.confirmed("pm_card_mastercard").await.status, 500);
    let refused = world
        .put(
            "/sandbox/faults",
            &json!([{"op": "capture", "kind": "drop"}]),
        )
        .await;
    assert_eq!(refused.status, 400);
    let deleted = world
        .http
        .delete(world.url("/sandbox/faults"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(world.get("/sandbox/faults").await, json!([]));
    assert_eq!(world.confirmed("pm_card_mastercard").await.status, 200);
}

#[tokio::test]
async fn the_cost_of_a_request_does_not_grow_with_history() {
    let world = World::start().await;
    let typical = async |n: usize| {
        let mut times = Vec::new();
        for _ in 0..n {
            let start = Instant::now();
            world.confirmed("pm_card_visa").await;
            times.push(start.elapsed());
        }
        times.sort();
        times[n / 2]
    };
    let young = typical(100).await;
    typical(1500).await;
    let old = typical(100).await;
    // Room for a busy machine; a cost that grew with history would be sixteen times as high.
    let most = young * 4 + Duration::from_millis(2);
    assert!(old < most, "{young:?} became {old:?}");
}
