use serde_json::{Value, json};

use crate::support::{World, eventually};

#[tokio::test]
async fn a_booking_is_paid_step_by_step() {
    let world = World::start().await;
    let form = [
        ("amount", "2500"),
        ("currency", "EUR"),
        ("capture_method", "manual"),
        ("description", "two seats"),
        ("metadata[booking]", "bk_1"),
    ];
    let made = world.post("/v1/payment_intents", &form).await;
    assert_eq!(made.body["status"], "requires_payment_method");
    let id = made.id();
    let path = format!("/v1/payment_intents/{id}");
    let card = [("payment_method", "pm_card_visa")];
    let confirmed = world.post(&format!("{path}/confirm"), &card).await.body;
    assert_eq!(confirmed["status"], "requires_capture");
    assert_eq!(confirmed["amount_capturable"], 2500);
    assert!(
        confirmed["client_secret"]
            .as_str()
            .unwrap()
            .starts_with(&id)
    );
    let captured = world.post(&format!("{path}/capture"), &[]).await.body;
    assert_eq!(
        (&captured["status"], &captured["amount_received"]),
        (&json!("succeeded"), &json!(2500))
    );

    let again = world.post(&format!("{path}/capture"), &[]).await;
    assert_eq!(
        (again.status, again.code()),
        (400, "payment_intent_unexpected_state")
    );
    assert_eq!(again.body["error"]["payment_intent"]["status"], "succeeded");
    assert_eq!(world.post(&format!("{path}/cancel"), &[]).await.status, 400);

    let read = world.get(&format!("{path}?expand[]=latest_charge")).await;
    assert_eq!(read["latest_charge"]["amount_captured"], 2500);
    assert_eq!(read["metadata"]["booking"], "bk_1");
    let row = world.row(&id).await;
    assert_eq!(
        (&row["captures"], &row["captured"]),
        (&json!(1), &json!(2500))
    );
}

#[tokio::test]
async fn every_answer_has_the_fields_async_stripe_requires() {
    let world = World::start().await;
    let intent = world.confirmed("pm_card_visa").await.body;
    let required = [
        "id",
        "amount",
        "amount_capturable",
        "amount_received",
        "capture_method",
        "confirmation_method",
        "created",
        "currency",
        "livemode",
        "metadata",
        "payment_method_types",
        "status",
    ];
    assert_all_present(&intent, &required);
    let id = world.captured("pm_card_visa").await;
    let refund = world
        .post("/v1/refunds", &[("payment_intent", &id)])
        .await
        .body;
    assert_all_present(&refund, &["id", "amount", "created", "currency"]);
    let charge = world
        .get(&format!("/v1/payment_intents/{id}?expand[0]=latest_charge"))
        .await;
    let required = [
        "id",
        "amount",
        "amount_captured",
        "amount_refunded",
        "billing_details",
        "captured",
        "created",
        "currency",
        "disputed",
        "livemode",
        "metadata",
        "paid",
        "refunded",
        "status",
    ];
    assert_all_present(&charge["latest_charge"], &required);
    for path in ["/v1/payment_intents", "/v1/refunds", "/v1/events"] {
        assert_all_present(&world.get(path).await, &["data", "has_more", "url"]);
    }
    let events = world.get("/v1/events").await;
    let required = [
        "id",
        "created",
        "data",
        "livemode",
        "pending_webhooks",
        "type",
    ];
    assert_all_present(&events["data"][0], &required);
}

fn assert_all_present(body: &Value, required: &[&str]) {
    for field in required {
        assert!(!body[field].is_null(), "{field} is missing in {body}");
    }
}

#[tokio::test]
async fn a_declined_card_is_a_402_with_the_intent_inside() {
    let world = World::start().await;
    let declined = world
        .confirmed("pm_card_chargeDeclinedInsufficientFunds")
        .await;
    assert_eq!((declined.status, declined.code()), (402, "card_declined"));
    let error = &declined.body["error"];
    assert_eq!(error["type"], "card_error");
    assert_eq!(error["decline_code"], "insufficient_funds");
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    let id = error["payment_intent"]["id"].as_str().unwrap();
    let read = world.get(&format!("/v1/payment_intents/{id}")).await;
    assert_eq!(read["last_payment_error"]["code"], "card_declined");
    let card = [("payment_method", "pm_card_visa")];
    let better = world
        .post(&format!("/v1/payment_intents/{id}/confirm"), &card)
        .await;
    assert_eq!(better.body["status"], "requires_capture");
    assert!(better.body["last_payment_error"].is_null());
}

#[tokio::test]
async fn three_d_secure_is_answered_without_a_browser_or_with_one() {
    let world = World::start().await;
    let asked = world.confirmed("pm_card_authenticationRequired").await;
    assert_eq!(asked.body["status"], "requires_action");
    let url = asked.body["next_action"]["redirect_to_url"]["url"]
        .as_str()
        .unwrap();
    let page = world
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("25.00 EUR") && page.contains("/complete"));
    let done = world
        .http
        .post(format!("{url}/complete"))
        .send()
        .await
        .unwrap();
    let done: Value = done.json().await.unwrap();
    assert_eq!(done["status"], "requires_capture");
    assert!(done["next_action"].is_null());
    let again = world
        .http
        .post(format!("{url}/complete"))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 400);

    let asked = world.confirmed("pm_card_authenticationRequired").await;
    let path = format!("/sandbox/3ds/{}/fail", asked.id());
    let failed = world.post(&path, &[]).await.body;
    assert_eq!(failed["status"], "requires_payment_method");
    let code = &failed["last_payment_error"]["code"];
    assert_eq!(code, "payment_intent_authentication_failure");
}

#[tokio::test]
async fn special_cards_do_what_they_say() {
    let world = World::start().await;
    let id = world.confirmed("pm_card_captureFails").await.id();
    let refused = world
        .post(&format!("/v1/payment_intents/{id}/capture"), &[])
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "charge_expired_for_capture")
    );
    assert_eq!(world.row(&id).await["captured"], 0);

    let other = world.confirmed("pm_card_amountDiffers").await.body;
    assert_eq!(
        (&other["amount"], &other["amount_capturable"]),
        (&json!(2500), &json!(2400))
    );

    let unknown = world.confirmed("pm_card_nobody").await;
    assert_eq!((unknown.status, unknown.code()), (400, "resource_missing"));

    for (card, end) in [
        ("pm_card_refundFail", "failed"),
        ("pm_card_pendingRefund", "succeeded"),
    ] {
        let id = world.captured(card).await;
        let refund = world.post("/v1/refunds", &[("payment_intent", &id)]).await;
        assert_eq!(refund.body["status"], "pending");
        let path = format!("/v1/refunds/{}", refund.id());
        eventually(|| async { (world.get(&path).await["status"] == end).then_some(()) }).await;
        let left = if end == "failed" { 0 } else { 2500 };
        assert_eq!(world.row(&id).await["refunded"], left);
    }
}

#[tokio::test]
async fn refunds_never_exceed_what_was_taken() {
    let world = World::start().await;
    let id = world.captured("pm_card_visa").await;
    let part = |amount| [("payment_intent", id.clone()), ("amount", amount)];
    let send = async |amount: &str| {
        let form = part(amount.to_owned());
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        world.post("/v1/refunds", &form).await
    };
    assert_eq!(send("2000").await.status, 200);
    let too_much = send("501").await;
    assert_eq!(
        (too_much.status, too_much.code()),
        (400, "amount_too_large")
    );
    assert_eq!(send("500").await.body["amount"], 500);
    assert_eq!(send("1").await.code(), "charge_already_refunded");
    let listed = world
        .get(&format!("/v1/refunds?payment_intent={id}&limit=1"))
        .await;
    assert_eq!(
        (&listed["data"][0]["amount"], &listed["has_more"]),
        (&json!(500), &json!(true))
    );
    let last = listed["data"][0]["id"].as_str().unwrap();
    let next = format!("/v1/refunds?payment_intent={id}&limit=1&starting_after={last}");
    let next = world.get(&next).await;
    assert_eq!(
        (&next["data"][0]["amount"], &next["has_more"]),
        (&json!(2000), &json!(false))
    );
    assert_eq!(world.row(&id).await["refunded"], 2500);
}

#[tokio::test]
async fn lists_come_newest_first_page_by_page() {
    let world = World::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.confirmed("pm_card_visa").await.id());
    }
    let mut seen = Vec::new();
    let mut path = "/v1/payment_intents?limit=2".to_owned();
    loop {
        let page = world.get(&path).await;
        let rows = page["data"].as_array().unwrap();
        seen.extend(
            rows.iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        if page["has_more"] == false {
            break;
        }
        path = format!(
            "/v1/payment_intents?limit=2&starting_after={}",
            seen.last().unwrap()
        );
    }
    made.reverse();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn strangers_stay_outside_and_rubbish_is_named() {
    let world = World::start().await;
    let url = world.url("/v1/payment_intents");
    let stranger = world
        .http
        .post(&url)
        .bearer_auth("sk_wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), 401);
    let basic = world
        .http
        .get(&url)
        .basic_auth(crate::support::SECRET_KEY, None::<&str>);
    assert_eq!(basic.send().await.unwrap().status(), 200);
    let missing = world
        .post("/v1/payment_intents", &[("currency", "eur")])
        .await;
    assert_eq!((missing.status, missing.code()), (400, "parameter_missing"));
    assert_eq!(missing.body["error"]["param"], "amount");
    assert_eq!(
        world
            .post("/v1/payment_intents/pi_none/capture", &[])
            .await
            .status,
        404
    );
    assert_eq!(world.post("/v1/customers", &[]).await.status, 404);
}

#[tokio::test]
async fn the_dashboard_refunds_and_the_bank_disputes() {
    let world = World::start().await;
    let id = world.captured("pm_card_visa").await;
    let path = format!("/sandbox/intents/{id}");
    let refund = world
        .post(&format!("{path}/refund"), &[("amount", "700")])
        .await;
    assert_eq!(refund.body["amount"], 700);
    let dispute = world.post(&format!("{path}/dispute"), &[]).await;
    assert_eq!(dispute.body["object"], "dispute");
    assert_eq!(
        world.post(&format!("{path}/dispute"), &[]).await.status,
        400
    );
    let row = world.row(&id).await;
    assert_eq!(
        (&row["refunded"], &row["disputed"]),
        (&json!(700), &json!(true))
    );
    let summary = world.get("/sandbox/ledger/summary").await;
    assert_eq!(summary["by_currency"]["eur"]["captured"], 2500);
    assert_eq!(
        (&summary["captured_twice"], &summary["disputes"]),
        (&json!(0), &json!(1))
    );
    world.post("/sandbox/reset", &[]).await;
    assert_eq!(world.get("/sandbox/ledger/summary").await["intents"], 0);
}

#[tokio::test]
async fn money_that_moved_is_listed_with_what_moved_it() {
    let world = World::start().await;
    let paid = world.confirmed("pm_card_visa").await.id();
    world
        .post(&format!("/v1/payment_intents/{paid}/capture"), &[])
        .await;
    world.confirmed("pm_card_visa").await;
    let form = [("payment_intent", paid.as_str()), ("amount", "500")];
    let refund = world.post("/v1/refunds", &form).await.id();

    let url = "/v1/balance_transactions";
    let all = world.get(&format!("{url}?expand[]=data.source")).await;
    let rows = all["data"].as_array().unwrap();
    let of = |kind: &str| rows.iter().find(|row| row["type"] == kind).unwrap();
    assert_eq!(rows.len(), 2, "what was only reserved did not move: {all}");
    assert_eq!(of("charge")["amount"], 2500);
    assert_eq!(of("charge")["source"]["payment_intent"], paid);
    assert_eq!(of("charge")["source"]["amount_captured"], 2500);
    assert_eq!(of("refund")["amount"], -500);
    assert_eq!(of("refund")["source"]["id"], refund);

    let first = world.get(&format!("{url}?limit=1")).await;
    assert_eq!(first["has_more"], true);
    assert!(
        first["data"][0]["source"].is_string(),
        "not expanded: {first}"
    );
    let id = first["data"][0]["id"].as_str().unwrap();
    let second = world
        .get(&format!("{url}?limit=1&starting_after={id}"))
        .await;
    assert_eq!(second["has_more"], false);
    assert_ne!(second["data"][0]["id"], first["data"][0]["id"]);
    let later = world.get(&format!("{url}?created[gte]=99999999999")).await;
    assert_eq!(later["data"], json!([]));
}
