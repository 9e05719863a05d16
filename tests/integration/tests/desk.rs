//! The back office's desk: bookings are found by what is at hand, what is stuck is seen and mended, and a timeline
//! tells all of it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{BookingId, Instant, MessageId, Role};
use boxoffice_integration::{
    Booking, Customer, Order, Show, World, books, customer::new_key, eventually, secs, wait_until,
};
use lapin::BasicProperties;
use reqwest::StatusCode;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::process::Output;

const VISA: &str = "pm_card_visa";

async fn story(who: &Customer, id: BookingId) -> Value {
    let path = format!("/v1/backoffice/bookings/{id}");
    let answer = who.get(&path).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn found(who: &Customer, query: &str) -> Vec<String> {
    let path = format!("/v1/backoffice/bookings?{query}");
    let answer = who.get(&path).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
    ids(&answer.body)
}

fn ids(page: &Value) -> Vec<String> {
    let bookings = page["bookings"].as_array().unwrap();
    let id = |booking: &Value| booking["id"].as_str().unwrap().to_owned();
    bookings.iter().map(id).collect()
}

fn words(value: &Value, field: &str) -> Vec<String> {
    let rows = value.as_array().unwrap();
    let word = |row: &Value| row[field].as_str().unwrap_or_default().to_owned();
    rows.iter().map(word).collect()
}

async fn timeline(who: &Customer, id: BookingId) -> Vec<Value> {
    let path = format!("/v1/bookings/{id}/timeline?limit=200");
    let answer = who.get(&path).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["lines"].as_array().unwrap().clone()
}

/// The one decision of this input, as soon as the timeline has it.
async fn decided(who: &Customer, id: BookingId, input: &str) -> Value {
    eventually(input, secs(20), async || {
        let lines = timeline(who, id).await;
        let mut decisions = lines.iter().filter(|line| line["input"] == input);
        match (decisions.next(), decisions.next()) {
            (Some(line), None) => Ok(line.clone()),
            _ => Err(json!(lines)),
        }
    })
    .await
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Orders an action; its outcome is `done`, `pending` or a code.
async fn mend(who: &Customer, booking: &Booking, action: &str) -> String {
    let path = format!("/v1/backoffice/bookings/{}/actions", booking.id);
    let body = json!({"action": action, "reason": "The customer called."});
    let answer = who.insist(&path, &new_key(), &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let operation: uuid::Uuid = answer.body["operation_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    booking.outcome(operation.into()).await
}

/// B12.6: by booking, reference, ticket, mail address, seat, payment and message; per venue; a page at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_found_by_whatever_is_at_hand() {
    let world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("late"))
        .start()
        .await;
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let (evening, late) = (world.show("evening"), world.show("late"));
    let first = ada
        .book(Order::of(&evening, &["A-1"]).paid_with(VISA))
        .await;
    first.until("completed").await;
    let second = ada.book(Order::of(&late, &["A-1"])).await;
    second.until("held").await;
    let other = bob.book(Order::of(&evening, &["A-2"])).await;
    other.until("held").await;
    // The seat of a booking that is gone is remembered.
    let gone = bob.book(Order::of(&evening, &["B-1"])).await;
    gone.until("held").await;
    gone.cancel(None).await;
    gone.until("cancelled").await;

    let viewer = world.someone("vera", Role::Viewer);
    let support = world.someone("sue", Role::Support);
    let id = |booking: &Booking| booking.id.to_string();
    let whole = story(&support, first.id).await;
    let reference = whole["booking"]["reference"].as_str().unwrap();
    let serial = whole["tickets"][0]["serial"].as_str().unwrap();
    let intent = whole["payment_intents"][0]["id"].as_str().unwrap();
    let captured = decided(&viewer, first.id, "captured").await;
    let message = captured["cause"].as_str().unwrap();
    for query in [
        format!("booking={}", first.id),
        format!("reference={}", reference.to_lowercase()),
        format!("reference={serial}"),
        format!("show={}&seat=A-1", evening.id),
        format!("payment_intent={intent}"),
        format!("message={message}"),
        "email=ADA@Example.ORG&status=completed".to_owned(),
    ] {
        assert_eq!(found(&viewer, &query).await, [id(&first)], "{query}");
    }
    // Newest first.
    assert_eq!(
        found(&viewer, "email=ada@example.org").await,
        [id(&second), id(&first)]
    );
    assert_eq!(
        found(&viewer, &format!("show={}&seat=B-1", evening.id)).await,
        [id(&gone)]
    );
    assert_eq!(
        found(&viewer, &format!("show={}", evening.id)).await,
        [id(&gone), id(&other), id(&first)]
    );
    for nothing in [
        format!("booking={}", uuid::Uuid::new_v4()),
        "email=ada@example.com".to_owned(),
        "attention=any".to_owned(),
        format!("message={}", uuid::Uuid::new_v4()),
        format!("show={}&seat=C-1", evening.id),
    ] {
        assert!(found(&viewer, &nothing).await.is_empty(), "{nothing}");
    }
    // A page at a time, without gap or repetition.
    let mut seen = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let path = format!(
            "/v1/backoffice/bookings?show={}&limit=1{cursor}",
            evening.id
        );
        let page = viewer.get(&path).await.unwrap().body;
        seen.extend(ids(&page));
        next = page["next_cursor"]
            .as_str()
            .map(|cursor| format!("&cursor={cursor}"));
    }
    assert_eq!(seen, [id(&gone), id(&other), id(&first)]);

    // Who they are is for those who talk to them.
    let shown = story(&viewer, first.id).await;
    assert_eq!(shown["booking"]["customer"]["email"], "a•••@example.org");
    assert_eq!(whole["booking"]["customer"]["email"], ada.email);
    assert!(!shown.to_string().contains(&ada.name));
    let text = whole.to_string();
    assert!(
        !text.contains("client_secret") && !text.contains("pm_card"),
        "{text}"
    );

    // A manager sees their own venue.
    let own = world.manager_of("corner");
    let foreign = world.manager_of("elsewhere");
    assert_eq!(
        found(&own, &format!("booking={}", first.id)).await,
        [id(&first)]
    );
    assert!(
        found(&foreign, &format!("booking={}", first.id))
            .await
            .is_empty()
    );
    let path = format!("/v1/backoffice/bookings/{}", first.id);
    assert_eq!(
        foreign.get(&path).await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(story(&own, first.id).await["booking"]["id"], id(&first));

    // The same by command line.
    let cli = |arguments: &[&str]| world.processes["all"].command(arguments);
    let listed = json_of(&cli(&["booking", "find", reference, "--format", "json"]));
    assert_eq!(ids(&listed), [id(&first)]);
    let table = String::from_utf8(cli(&["booking", "find", "ada@example.org"]).stdout).unwrap();
    assert!(
        table.contains(reference) && table.contains("a•••@example.org"),
        "{table}"
    );
    let told = cli(&["booking", "show", reference]);
    let told = String::from_utf8(told.stdout).unwrap();
    for part in [
        "completed",
        "Low Tide at Noon",
        "confirmation",
        "mail_tickets",
        serial,
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let lines = json_of(&cli(&[
        "booking",
        "timeline",
        &id(&first),
        "--format",
        "json",
    ]));
    assert_eq!(lines["lines"], json!(timeline(&viewer, first.id).await));
    assert_eq!(
        cli(&["booking", "show", "ZZZZ-ZZZZ"]).status.code(),
        Some(4)
    );
    assert_eq!(cli(&["booking", "find"]).status.code(), Some(2));
    assert_eq!(cli(&["booking", "find", "7KQ2"]).status.code(), Some(3));
    second.cancel(None).await;
    other.cancel(None).await;
    world.finish().await;
}

fn json_of(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// B12.7: a refund that the gateway refused is listed with what may be done, mended by command line, and audited.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stuck_is_seen_with_its_reason_and_mended_by_command_line() {
    let world = World::setup()
        .show(Show::named("evening"))
        .setting("BOXOFFICE__SAGA__REFUND_RETRY_SECS", "86400")
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let stuck = ada
        .book(Order::of(&show, &["A-1"]).paid_with("pm_card_refundFail"))
        .await;
    stuck.until("completed").await;
    let healthy = ada.book(Order::of(&show, &["A-2"]).paid_with(VISA)).await;
    healthy.until("completed").await;
    stuck.cancel(None).await;
    wait_until("a person is told", secs(20), async || {
        world.attention(stuck.id).await.as_deref() == Some("refund_failed")
    })
    .await;

    let cli = |arguments: &[&str]| world.processes["all"].command(arguments);
    let listed = json_of(&cli(&["stuck", "--format", "json"]));
    let bookings = listed["bookings"].as_array().unwrap();
    assert_eq!(bookings.len(), 1, "{listed}");
    assert_eq!(bookings[0]["booking"]["id"], stuck.id.to_string());
    assert_eq!(bookings[0]["why"], "refund_failed");
    assert_eq!(
        words(&bookings[0]["actions"], "action"),
        ["retry_refund", "acknowledge"]
    );
    let table = String::from_utf8(cli(&["stuck"]).stdout).unwrap();
    assert!(
        table.contains("retry_refund") && table.contains("give money back"),
        "{table}"
    );
    let viewer = world.someone("vera", Role::Viewer);
    assert_eq!(
        found(&viewer, "attention=any").await,
        [stuck.id.to_string()]
    );

    // What is not offered is refused, and that is an outcome.
    let id = stuck.id.to_string();
    let act = |action: &str| {
        cli(&[
            "booking",
            "act",
            &id,
            action,
            "--reason",
            "asked by phone",
            "--as",
            "olga",
        ])
    };
    let refused = act("render_tickets");
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let said = String::from_utf8(refused.stdout).unwrap();
    assert!(said.contains("action_not_allowed"), "{said}");

    // The bank is of another mind now.
    let before = world.gateway.intent(stuck.id).await.refunds.len();
    let retried = act("retry_refund");
    assert!(retried.status.success(), "{retried:?}");
    let again = eventually("another refund at the gateway", secs(20), async || {
        let count = world.gateway.intent(stuck.id).await.refunds.len();
        if count > before {
            Ok(count)
        } else {
            Err(count)
        }
    })
    .await;
    assert_eq!(again, before + 1, "once per order");
    wait_until("it failed again", secs(20), async || {
        let whole = story(&viewer, stuck.id).await;
        words(&whole["actions"], "action").contains(&"retry_refund".to_owned())
    })
    .await;
    assert!(act("acknowledge").status.success());
    assert_eq!(world.attention(stuck.id).await, None);
    assert!(found(&viewer, "attention=any").await.is_empty());

    // Who, what and why; the outcome too.
    let audit = "SELECT CONCAT(action, ' ', subject, ' ', role, ' ', JSON_VALUE(detail, '$.outcome'), ' ', reason) \
                 FROM audit ORDER BY id";
    assert_eq!(
        books::texts(&world.db, audit).await,
        [
            "booking.render_tickets olga operator refused asked by phone",
            "booking.retry_refund olga operator done asked by phone",
            "booking.acknowledge olga operator done asked by phone",
        ]
    );
    // The same key is the same order, with another body none.
    let operator = world.someone("otto", Role::Operator);
    let path = format!("/v1/backoffice/bookings/{}/actions", healthy.id);
    let (key, body) = (
        new_key(),
        json!({"action": "mail_tickets", "reason": "Lost it."}),
    );
    let first = operator.insist(&path, &key, &body).await;
    let second = operator.insist(&path, &key, &body).await;
    assert_eq!(first.body["operation_id"], second.body["operation_id"]);
    let other = json!({"action": "cancel", "reason": "Lost it."});
    let reused = operator.post(&path, &key, &other).await.unwrap();
    assert_eq!(reused.code(), "idempotency_key_reused");
    let operation: uuid::Uuid = first.body["operation_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(healthy.outcome(operation.into()).await, "done");
    world.mail(healthy.id, "confirmation_again.1").await;
    decided(&viewer, healthy.id, "mend_mail_tickets").await;
    world.finish().await;
}

/// Support helps with tickets; operators look at the gateway, cancel, and see what is overdue.
#[tokio::test(flavor = "multi_thread")]
async fn each_action_does_what_it_says_and_nothing_else() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let support = world.someone("sue", Role::Support);
    let operator = world.someone("otto", Role::Operator);
    let booking = ada.book(Order::of(&show, &["A-1"]).paid_with(VISA)).await;
    booking.until("completed").await;

    // The document is lost: it is made again, and the mail brings it. What is there is not made twice.
    let papers = world
        .documents
        .collection::<mongodb::bson::Document>("ticket_documents");
    let all = mongodb::bson::doc! {};
    papers.delete_many(all.clone()).await.unwrap();
    assert_eq!(mend(&support, &booking, "render_tickets").await, "done");
    wait_until("the document is there again", secs(20), async || {
        papers.count_documents(all.clone()).await.unwrap() == 1
    })
    .await;
    assert_eq!(mend(&support, &booking, "mail_tickets").await, "done");
    assert_eq!(mend(&support, &booking, "mail_tickets").await, "done");
    world.mail(booking.id, "confirmation_again.2").await;
    let path = format!("/v1/backoffice/bookings/{}/actions", booking.id);
    let cancel = json!({"action": "cancel", "reason": "She asked."});
    let refused = support.post(&path, &new_key(), &cancel).await.unwrap();
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "forbidden")
    );

    // A customer who stands at the bank's door: the gateway is asked, and nothing changes.
    let waiting = ada
        .book(Order::of(&show, &["A-2"]).paid_with("pm_card_authenticationRequired"))
        .await;
    let asked = |state: &boxoffice_integration::State| state.0["phase"] == "action_required";
    waiting.wait_for("3-D Secure", secs(20), asked).await;
    assert_eq!(
        mend(&operator, &waiting, "nudge").await,
        "action_not_allowed"
    );
    assert_eq!(mend(&operator, &waiting, "reconcile").await, "done");
    let looked = eventually("the look in the timeline", secs(20), async || {
        let lines = timeline(&operator, waiting.id).await;
        let looks = of_type(&lines, "look").len();
        if looks > 0 { Ok(looks) } else { Err(lines) }
    })
    .await;
    assert!(looked >= 1);
    assert_eq!(waiting.state().await.0["phase"], "action_required");
    // Its time is over and nobody came: the clock of a standing sweeper, set by hand.
    let overdue = format!(
        "UPDATE bookings SET stuck_at = UTC_TIMESTAMP(6) - INTERVAL 5 MINUTE WHERE id = 0x{}",
        waiting.id.0.simple()
    );
    world.db.execute_unprepared(&overdue).await.unwrap();
    let listed = operator.get("/v1/backoffice/stuck").await.unwrap().body;
    let stuck = &listed["bookings"][0];
    assert_eq!(stuck["booking"]["id"], waiting.id.to_string(), "{listed}");
    assert_eq!(stuck["why"], "overdue");
    assert!(stuck["stuck_secs"].as_i64().unwrap() >= 300);
    assert_eq!(words(&stuck["actions"], "action"), ["reconcile", "cancel"]);
    assert_eq!(mend(&operator, &waiting, "cancel").await, "done");
    waiting.until("cancelled").await;

    // On behalf of the house everything goes back, whatever the fee.
    assert_eq!(mend(&operator, &booking, "cancel").await, "done");
    let refunded = booking.until("refunded").await;
    assert_eq!(
        refunded.minor("refunded"),
        boxoffice_integration::fixture::STANDARD
    );
    assert_eq!(
        mend(&operator, &booking, "cancel").await,
        "action_not_allowed"
    );
    world.settle().await;
    let rest = operator.get("/v1/backoffice/stuck").await.unwrap().body;
    assert_eq!(rest["bookings"], json!([]), "what is at rest is not stuck");
    world.finish().await;
}

/// B12.6: what was parked and replayed, what the gateway told, what it was asked: all of it stands there, and a
/// timeline that is made again has it too.
#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_has_receipts_looks_and_parked_messages_and_loses_none_when_it_is_made_again() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let key = new_key();
    // The first confirm takes effect and its answer is lost: the gateway is asked what is true.
    world
        .gateway
        .fault_for(
            ada.booking_of(&key),
            json!({"op": "confirm", "kind": "hang_after", "times": 1}),
        )
        .await;
    let booking = ada
        .book_with(&key, Order::of(&show, &["A-1"]).paid_with(VISA))
        .await;
    booking.until("completed").await;
    // Somebody puts a capture into the queue that nobody ordered: it is parked, and seen.
    let id = MessageId::of_outside_event("desk-story");
    let properties = BasicProperties::default()
        .with_type("payment.capture.v1".into())
        .with_message_id(id.to_string().as_str().into())
        .with_correlation_id(booking.id.to_string().as_str().into());
    let body = json!({
        "booking_id": booking.id, "generation": 7, "amount": {"minor": 1, "currency": "EUR"},
    });
    world
        .vhost
        .put("payments", properties, body.to_string().as_bytes())
        .await;
    world.expect_parked(1);
    let viewer = world.someone("vera", Role::Viewer);
    wait_until("it is parked", secs(20), async || {
        !story(&viewer, booking.id).await["parked"]
            .as_array()
            .unwrap()
            .is_empty()
    })
    .await;
    assert_eq!(
        found(&viewer, &format!("message={id}")).await,
        [booking.id.to_string()]
    );
    world.settle().await;

    let whole = eventually("every kind of line", secs(20), async || {
        let lines = timeline(&viewer, booking.id).await;
        let kinds = [
            "decision", "call", "document", "mail", "look", "receipt", "parked",
        ];
        let missing: Vec<_> = kinds
            .into_iter()
            .filter(|kind| of_type(&lines, kind).is_empty())
            .collect();
        if missing.is_empty() {
            Ok(lines)
        } else {
            Err(missing)
        }
    })
    .await;
    let parked = of_type(&whole, "parked");
    assert_eq!(parked[0]["state"], "parked");
    assert_eq!(parked[0]["message_id"], id.to_string());
    assert_eq!(parked[0]["failures"], 1);
    let looks = of_type(&whole, "look");
    assert!(
        looks.iter().any(|look| look["question"] == "retrieve"),
        "{looks:?}"
    );
    let rows = books::count(&world.db, "gateway_looks").await;
    assert_eq!(looks.len() as u64, rows, "each look has its line");
    let receipts = books::count(&world.db, "webhook_events WHERE booking_id IS NOT NULL").await;
    assert_eq!(of_type(&whole, "receipt").len() as u64, receipts);
    let times = whole.iter().map(|line| line["at"].as_str().unwrap());
    let times: Vec<Instant> = times.map(|at| at.parse().unwrap()).collect();
    assert!(times.is_sorted(), "in order: {times:?}");

    // Sent back it fails again: the same line says so.
    let message = id.to_string();
    let retried = world.processes["all"].command(&[
        "parked", "retry", "payments", &message, "--reason", "again", "--yes",
    ]);
    assert_eq!(retried.status.code(), Some(3), "{retried:?}");
    let failed = eventually("the second failure", secs(20), async || {
        let lines = timeline(&viewer, booking.id).await;
        let parked = of_type(&lines, "parked")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>();
        if parked[0]["failures"] == 2 && parked[0]["state"] == "parked" {
            Ok(parked)
        } else {
            Err(parked)
        }
    })
    .await;
    assert_eq!((failed.len(), &failed[0]["replays"]), (1, &json!(1)));
    let whole = timeline(&viewer, booking.id).await;

    let id = booking.id.to_string();
    let rebuilt = world.processes["all"].command(&["timeline", "rebuild", "--booking", &id]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert_eq!(timeline(&viewer, booking.id).await, whole);
    world.finish().await;
}

/// A submit that was parked made no booking: the desk finds it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_never_came_shows_what_was_parked_of_it() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let viewer = world.someone("vera", Role::Viewer);
    let lost = BookingId::derive("house", "nobody", "desk-story");
    let properties = BasicProperties::default()
        .with_type("booking.submit.v1".into())
        .with_message_id(
            MessageId::of_outside_event("lost")
                .to_string()
                .as_str()
                .into(),
        )
        .with_correlation_id(lost.to_string().as_str().into());
    world
        .vhost
        .put("reservations.submit", properties, b"{\"booking_id\": 7}")
        .await;
    world.expect_parked(1);
    wait_until("it is parked", secs(20), async || {
        let path = format!("/v1/backoffice/bookings/{lost}");
        viewer.get(&path).await.unwrap().status == StatusCode::OK
    })
    .await;
    let whole = story(&viewer, lost).await;
    assert!(whole.get("booking").is_none(), "{whole}");
    assert_eq!(words(&whole["parked"], "kind"), ["booking.submit.v1"]);
    assert_eq!(whole["actions"], json!([]));
    let manager = world.manager_of("corner");
    let path = format!("/v1/backoffice/bookings/{lost}");
    assert_eq!(
        manager.get(&path).await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    world.finish().await;
}
