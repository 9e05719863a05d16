use std::time::Duration;

use boxoffice_stripe_sandbox::Config;
use serde_json::json;

use crate::support::{World, config};

const FORM: [(&str, &str); 2] = [("amount", "2500"), ("currency", "eur")];
const PATH: &str = "/v1/payment_intents";

async fn count(world: &World) -> u64 {
    world.get("/sandbox/ledger/summary").await["intents"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_key_replays_its_first_answer() {
    let world = World::start().await;
    let first = world.post_with_key(PATH, &FORM, "bk:1:create").await;
    let shuffled = [FORM[1], FORM[0]];
    let second = world.post_with_key(PATH, &shuffled, "bk:1:create").await;
    assert!(!first.replayed && second.replayed);
    assert_eq!(first.body, second.body);
    assert_eq!(count(&world).await, 1);
}

#[tokio::test]
async fn a_declined_card_is_replayed_too() {
    let world = World::start().await;
    let id = world.post(PATH, &FORM).await.id();
    let path = format!("{PATH}/{id}/confirm");
    let card = [("payment_method", "pm_card_chargeDeclined")];
    assert_eq!(world.post_with_key(&path, &card, "k").await.status, 402);
    let again = world.post_with_key(&path, &card, "k").await;
    assert!(again.replayed && again.status == 402);
    assert_eq!(world.row(&id).await["attempts"], 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_parameters_and_its_path() {
    let world = World::start().await;
    let id = world.post_with_key(PATH, &FORM, "k").await.id();
    let other = world
        .post_with_key(PATH, &[("amount", "2501"), FORM[1]], "k")
        .await;
    assert_eq!(
        (other.status, &other.body["error"]["type"]),
        (400, &json!("idempotency_error"))
    );
    let other = world
        .post_with_key(&format!("{PATH}/{id}/cancel"), &FORM, "k")
        .await;
    assert_eq!(other.body["error"]["type"], "idempotency_error");
    let long = "k".repeat(256);
    assert_eq!(world.post_with_key(PATH, &FORM, &long).await.status, 400);
}

#[tokio::test]
async fn nothing_is_kept_of_what_never_ran() {
    let world = World::start().await;
    let bad = [("amount", "much"), FORM[1]];
    assert_eq!(world.post_with_key(PATH, &bad, "k").await.status, 400);
    world
        .put(
            "/sandbox/faults",
            &json!([{"op": "create", "kind": "error_429", "times": 1}]),
        )
        .await;
    assert_eq!(world.post_with_key(PATH, &FORM, "k").await.status, 429);
    let made = world.post_with_key(PATH, &FORM, "k").await;
    assert!(made.status == 200 && !made.replayed);
}

#[tokio::test]
async fn a_key_in_flight_is_a_conflict() {
    let world = World::start().await;
    let slow = json!([{"op": "create", "kind": "delay", "ms": 1000, "times": 1}]);
    world.put("/sandbox/faults", &slow).await;
    let (first, second) = tokio::join!(world.post_with_key(PATH, &FORM, "k"), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        world.post_with_key(PATH, &FORM, "k").await
    });
    assert_eq!(first.status, 200);
    assert_eq!(
        (second.status, second.code()),
        (409, "idempotency_key_in_use")
    );
    assert!(world.post_with_key(PATH, &FORM, "k").await.replayed);
    assert_eq!(count(&world).await, 1);
}

#[tokio::test]
async fn a_pruned_key_makes_a_second_payment() {
    let short = Config {
        key_ttl: Duration::from_millis(50),
        ..config()
    };
    let world = World::with(short).await;
    world.post_with_key(PATH, &FORM, "k").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!world.post_with_key(PATH, &FORM, "k").await.replayed);
    assert_eq!(count(&world).await, 2);
}
