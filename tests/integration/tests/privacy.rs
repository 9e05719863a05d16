//! Who a customer is stays where it is needed: in the booking, in the mail and on the ticket.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Order, Show, World, books, customer::new_key, eventually, secs, wait_until,
};
use boxoffice_mail_catcher::{Fault, FaultKind};
use futures::TryStreamExt;
use lapin::BasicProperties;
use mongodb::bson::{Document, doc};
use serde_json::json;
use std::fs;

/// Nobody writes these words by accident.
const NAME: &str = "Zanzibar Quokkathorn";
const MAILBOX: &str = "quokkathorn-canary";
const EMAIL: &str = "quokkathorn-canary@example.org";
const CANARIES: [&str; 4] = ["Quokkathorn", MAILBOX, "_secret_", "Bearer "];

#[tokio::test(flavor = "multi_thread")]
async fn no_name_address_or_secret_is_in_any_log_cause_or_timeline() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("brief").hold(1, 1, 3))
        .setting("BOXOFFICE__LOG__FILTER", "debug,sqlx=info,lapin=info")
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let customer = json!({"email": EMAIL, "name": NAME, "locale": "en"});
    let order = |seat: &str| Order::of(&show, &[seat]).with("customer", customer.clone());

    // All that can be told about a booking.
    let paid = ada.book(order("A-1").paid_with("pm_card_visa")).await;
    paid.until("completed").await;
    let declined = ada
        .book(order("A-2").paid_with("pm_card_chargeDeclined"))
        .await;
    declined
        .wait_for("declined", secs(20), |state| {
            state.code() == "card_declined"
        })
        .await;
    declined.cancel(None).await;
    let asked = ada
        .book(order("A-3").paid_with("pm_card_authenticationRequired"))
        .await;
    asked
        .wait_for("asked", secs(20), |state| {
            state.phase() == "action_required"
        })
        .await;
    asked.cancel(None).await;
    ada.book(order("A-1")).await.until("rejected").await;
    let brief = Order::of(&world.show("brief"), &["B-1"]).with("customer", customer.clone());
    ada.book(brief).await.until("expired").await;
    paid.cancel(None).await;
    paid.until("refunded").await;

    // Mistakes, where texts are quoted most readily.
    let wrong = order("A-4").with(
        "customer",
        json!({"email": NAME, "name": EMAIL, "locale": 7}),
    );
    assert_eq!(
        ada.submit(&new_key(), wrong).await.unwrap().status.as_u16(),
        422
    );
    let strange = order("A-4").with(NAME, json!(EMAIL));
    assert_eq!(
        ada.submit(&new_key(), strange)
            .await
            .unwrap()
            .status
            .as_u16(),
        422
    );
    let path = format!("/v1/bookings?name={MAILBOX}");
    let _ = ada.get(&path).await.unwrap();

    // A mail server that refuses, and says to whom. Mails of before are not to meet it.
    let left = "mail_orders AS o WHERE NOT EXISTS (SELECT 1 FROM mails AS m WHERE m.booking_id = o.booking_id \
                AND m.template = o.template AND m.revision = o.revision AND m.state <> 'sending')";
    wait_until("every mail so far has ended", secs(20), async || {
        books::count(&world.db, left).await == 0
    })
    .await;
    world.catcher.faults().put(Fault::new(FaultKind::Reject550));
    let refused = ada.book(order("A-5").paid_with("pm_card_visa")).await;
    refused.until("completed").await;
    eventually("the mail is refused", secs(20), async || {
        let refused = books::count(&world.db, "mails WHERE state = 'undeliverable'").await;
        if refused == 1 { Ok(()) } else { Err(refused) }
    })
    .await;
    world.catcher.faults().clear();

    // A message of the wrong shape: the decoder knows what it saw.
    let wrong =
        json!({"booking_id": uuid::Uuid::new_v4(), "customer": EMAIL, NAME: NAME}).to_string();
    let properties = BasicProperties::default()
        .with_type("booking.submit.v1".into())
        .with_message_id(uuid::Uuid::new_v4().to_string().as_str().into());
    world
        .vhost
        .put("reservations.submit", properties.clone(), wrong.as_bytes())
        .await;
    let wrong = json!({"booking_id": EMAIL, "operation_id": NAME}).to_string();
    let properties = properties.with_type("booking.pay.v1".into());
    let properties = properties.with_message_id(uuid::Uuid::new_v4().to_string().as_str().into());
    world
        .vhost
        .put("reservations", properties, wrong.as_bytes())
        .await;
    world.expect_parked(2);
    world.settle().await;
    eventually("both are parked", secs(20), async || {
        let parked = books::count(&world.db, "parked_messages").await;
        if parked == 2 { Ok(()) } else { Err(parked) }
    })
    .await;

    let mut places = logs(&world);
    let causes =
        "SELECT CONCAT(code, ' ', reason, ' ', CAST(envelope AS CHAR)) FROM parked_messages";
    places.extend(
        books::texts(&world.db, causes)
            .await
            .into_iter()
            .map(|text| ("parked cause".to_owned(), text)),
    );
    let mails = "SELECT CONCAT(message_id, ' ', COALESCE(detail, '')) FROM mails";
    places.extend(
        books::texts(&world.db, mails)
            .await
            .into_iter()
            .map(|text| ("mails".to_owned(), text)),
    );
    let events =
        "SELECT CONCAT(input, ' ', COALESCE(code, ''), CAST(effects AS CHAR)) FROM booking_events";
    places.extend(
        books::texts(&world.db, events)
            .await
            .into_iter()
            .map(|text| ("events".to_owned(), text)),
    );
    let lines = world
        .documents
        .collection::<Document>("timelines")
        .find(doc! {})
        .await
        .unwrap();
    let lines: Vec<Document> = lines.try_collect().await.unwrap();
    places.extend(
        lines
            .iter()
            .map(|line| ("timeline".to_owned(), line.to_string())),
    );
    assert!(
        places.len() > 40,
        "there is something to search: {}",
        places.len()
    );

    let found: Vec<&(String, String)> = places
        .iter()
        .filter(|(_, text)| CANARIES.iter().any(|canary| text.contains(canary)))
        .collect();
    assert!(
        found.is_empty(),
        "{} places tell who the customer is: {found:#?}",
        found.len()
    );
    world.finish().await;
}

/// Every line of every process' log.
fn logs(world: &World) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for process in world.processes.values() {
        let text = fs::read_to_string(&process.log).unwrap();
        lines.extend(
            text.lines()
                .map(|line| (process.name.clone(), line.to_owned())),
        );
    }
    lines
}
