//! What flows to partners and what they publish: events of their bookings, recovery, snapshots, feeds.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{
    BookingId, ShowId,
    partner::{event::CloudEvent, kinds},
};
use boxoffice_integration::{
    Customer, Desk, Order, Roles, Show, books, eventually,
    feeder::{self, Told, closed, evening, hand_over, message, told, verdict},
    fixture, locks, secs,
};
use boxoffice_jobs::partner_feed::{self, Outcome};
use boxoffice_runtime::{clock, pool};
use boxoffice_store::mysql::partners::Partner;
use reqwest::Method;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What was announced of a tenant's bookings, as their log of decisions has it: booking, version, kind.
async fn announced(db: &DatabaseConnection, tenant: &str) -> Vec<String> {
    let query = format!(
        "SELECT CONCAT(LOWER(HEX(e.booking_id)), ' ', e.version, ' ', e.effects) FROM booking_events e \
         JOIN bookings b ON b.id = e.booking_id WHERE b.tenant = '{tenant}'"
    );
    let mut found = Vec::new();
    for line in books::texts(db, &query).await {
        let (step, effects) = line.split_once('[').unwrap();
        let words = effects
            .split('"')
            .filter(|word| word.starts_with("booking."));
        found.extend(words.map(|kind| format!("{step}{kind}")));
    }
    found.sort();
    found
}

/// The same, as the partner is told it.
fn heard(told: &[Told]) -> Vec<String> {
    let line = |told: &Told| {
        let id = told.booking.unwrap().0.simple();
        format!("{id} {} {}", told.version(), told.routing_key)
    };
    let mut found: Vec<String> = told.iter().map(line).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_told_of_its_bookings_in_order_and_nobody_else_is() {
    let world = evening().start().await;
    let show = world.show("evening");
    feeder::add(&world.db, "acme", &[]).await;
    feeder::add(&world.db, "bravo", &[]).await;
    let (acme, ghost) = (world.system_of("acme"), world.system_of("ghost"));
    let paid = |seat: &str| Order::of(&show, &[seat]).paid_with("pm_card_visa");

    let named = acme.booking_of("named");
    feeder::name(&world.db, "acme", named, "A-4711").await;
    let booking = acme.book_with("named", paid("A-1")).await;
    world
        .customer("ada")
        .book(paid("A-2"))
        .await
        .until("completed")
        .await;
    ghost.book(paid("A-3")).await.until("completed").await;
    booking.until("completed").await;
    let taken = acme.book(paid("A-1")).await;
    assert_eq!(taken.until("rejected").await.code(), "seats_unavailable");
    let cancelled = booking.cancel(None).await;
    assert_eq!(booking.outcome(cancelled).await, "done");
    booking.until("refunded").await;

    let all = told(&world.db, "acme").await;
    assert_eq!(heard(&all), announced(&world.db, "acme").await);
    assert!(told(&world.db, "bravo").await.is_empty());
    // A tenant that is no partner of ours, and the house, are told nothing.
    assert_eq!(
        books::count(&world.db, "partner_out").await,
        all.len() as u64
    );

    let of_named: Vec<&Told> = all
        .iter()
        .filter(|told| told.booking == Some(named))
        .collect();
    let kinds: Vec<&str> = of_named
        .iter()
        .map(|told| told.routing_key.as_str())
        .collect();
    assert_eq!(kinds.first(), Some(&"booking.held.v1"));
    assert_eq!(kinds.last(), Some(&"booking.refunded.v1"));
    for wanted in [
        "booking.confirmed.v1",
        "booking.paid.v1",
        "booking.completed.v1",
    ] {
        assert!(kinds.contains(&wanted), "{kinds:?}");
    }
    assert!(
        of_named.is_sorted_by_key(|told| told.version()),
        "{of_named:?}"
    );
    for told in &of_named {
        assert_eq!(told.event.id, told.message_id.to_string());
        assert_eq!(told.event.kind, told.routing_key);
        assert_eq!(told.event.subject, Some(named.to_string()));
        assert_eq!(told.event.correlationid.as_deref(), Some("story-A-4711"));
        assert_eq!(told.event.data["reference"], "A-4711");
        assert_eq!(told.event.sequence, None);
    }
    let refused = all
        .iter()
        .find(|told| told.booking == Some(taken.id))
        .unwrap();
    assert_eq!(refused.event.data["code"], "seats_unavailable");
    assert!(refused.event.correlationid.is_none());
    for told in &all {
        let text = serde_json::to_vec(&told.event).unwrap();
        kinds::entry(&told.routing_key)
            .unwrap()
            .roundtrip(&text)
            .unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains(&acme.email) && !text.contains(&acme.name));
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_tell_everything_once() {
    let mut world = closed()
        .show(Show::named("evening").hold(4, 1, 6))
        .roles(Roles::Apart(&[&["reservations", "hold-expiry"]]))
        .start()
        .await;
    world.allow_mail_copies();
    let show = world.show("evening");
    feeder::add(&world.db, "acme", &[]).await;
    let acme = world.system_of("acme");
    let mut bookings = Vec::new();
    for (i, seat) in fixture::seats().iter().take(16).enumerate() {
        let order = Order::of(&show, &[seat]);
        // Every fourth lapses, which the other worker tells.
        let order = if i % 4 == 3 {
            order
        } else {
            order.paid_with("pm_card_visa")
        };
        bookings.push(acme.book(order).await);
        if i % 5 == 2 {
            world.process("reservations").restart().await;
        }
    }
    for (i, booking) in bookings.iter().enumerate() {
        let end = if i % 4 == 3 { "expired" } else { "completed" };
        booking.until(end).await;
    }
    world.settle().await;
    let all = told(&world.db, "acme").await;
    assert_eq!(heard(&all), announced(&world.db, "acme").await);
    world.finish().await;
}

async fn recover(customer: &Customer, path: &str) -> Value {
    let answer = customer.get(path).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_missed_is_read_again_page_by_page_until_it_is_forgotten() {
    let world = evening().start().await;
    let show = world.show("evening");
    for id in ["acme", "bravo"] {
        feeder::add(&world.db, id, &[]).await;
    }
    let (acme, bravo) = (world.system_of("acme"), world.system_of("bravo"));
    let order = Order::of(&show, &["A-1"]).paid_with("pm_card_visa");
    acme.book(order).await.until("completed").await;
    world.settle().await;
    let path = "/v1/partner/events";
    // What was not sent has no number yet.
    assert_eq!(
        recover(&acme, path).await,
        json!({"events": [], "last_sequence": 0})
    );
    feeder::send_all(&world.db, "acme").await;
    let all = told(&world.db, "acme").await;
    let last = all.len() as u64;
    assert!(last > 3, "{all:?}");

    let mut found: Vec<CloudEvent> = Vec::new();
    let mut next = Some(format!("{path}?limit=2"));
    while let Some(path) = next {
        let page = recover(&acme, &path).await;
        assert_eq!(page["last_sequence"], last);
        let events: Vec<CloudEvent> = serde_json::from_value(page["events"].clone()).unwrap();
        assert!((1..=2).contains(&events.len()), "{page}");
        found.extend(events);
        next = page["next"].as_str().map(str::to_owned);
    }
    let sent = (1..).zip(&all).map(|(sequence, told)| CloudEvent {
        sequence: Some(sequence),
        ..told.event.clone()
    });
    assert_eq!(found, sent.collect::<Vec<_>>());
    let from = recover(&acme, &format!("{path}?after={}", last - 1)).await;
    assert_eq!(from["events"].as_array().unwrap().len(), 1);
    assert_eq!(from["next"], Value::Null);
    let rest = recover(&acme, &format!("{path}?after={last}")).await;
    assert_eq!(rest["events"], json!([]));

    // Everybody sees their own, and who is no partner sees nothing.
    assert_eq!(recover(&bravo, path).await["events"], json!([]));
    for (who, code) in [
        (world.system_of("ghost"), "forbidden"),
        (world.customer("ada"), "forbidden"),
    ] {
        let answer = who.get(path).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (403, code));
    }
    for wrong in ["limit=0", "limit=501", "after=-1", "after=x", "since=1"] {
        let answer = acme.get(&format!("{path}?{wrong}")).await.unwrap();
        assert_eq!(answer.code(), "validation_failed", "{wrong}");
    }

    // The first two grow old, and one that was never sent grows older.
    let old =
        "UPDATE partner_out SET sent_at = UTC_TIMESTAMP(6) - INTERVAL 20 DAY WHERE sequence <= 2";
    assert_eq!(feeder::run(&world.db, old, vec![]).await, 2);
    let unsent = "INSERT INTO partner_out (partner_id, message_id, routing_key, body, created_at) \
                  SELECT partner_id, UNHEX(REPEAT('ab', 16)), routing_key, body, '2020-01-01' FROM partner_out LIMIT 1";
    feeder::run(&world.db, unsent, vec![]).await;
    eventually(
        "the old ones are forgotten",
        secs(10),
        async || match books::count(&world.db, "partner_out WHERE sequence <= 2").await {
            0 => Ok(()),
            left => Err(left),
        },
    )
    .await;
    assert_eq!(books::count(&world.db, "partner_out").await, last - 1);
    for after in [0, 1] {
        let answer = acme.get(&format!("{path}?after={after}")).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (410, "sequence_gone")
        );
    }
    let kept = recover(&acme, &format!("{path}?after=2")).await;
    assert_eq!(kept["events"].as_array().unwrap().len() as u64, last - 2);
    feeder::run(&world.db, "DELETE FROM partner_out", vec![]).await;
    let answer = acme
        .get(&format!("{path}?after={}", last - 1))
        .await
        .unwrap();
    assert_eq!(answer.code(), "sequence_gone");
    assert_eq!(
        recover(&acme, &format!("{path}?after={last}")).await["events"],
        json!([])
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_tells_every_live_booking_and_says_when_it_is_whole() {
    let world = evening().start().await;
    let show = world.show("evening");
    let partner = feeder::add(&world.db, "acme", &[]).await;
    let acme = world.system_of("acme");
    let held = acme.book(Order::of(&show, &["A-1"])).await;
    let paid = acme
        .book(Order::of(&show, &["A-2"]).paid_with("pm_card_visa"))
        .await;
    let gone = acme.book(Order::of(&show, &["A-3"])).await;
    feeder::name(&world.db, "acme", paid.id, "A-4711").await;
    held.until("held").await;
    paid.until("completed").await;
    gone.until("held").await;
    let cancelled = gone.cancel(None).await;
    assert_eq!(gone.outcome(cancelled).await, "done");
    feeder::run(&world.db, "DELETE FROM partner_out", vec![]).await;

    let post = async |body: Value| {
        let request = acme
            .request(Method::POST, "/v1/partner/snapshot")
            .json(&body);
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let (status, answer) = post(json!({})).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["bookings"], 2);
    let live = BTreeMap::from([(held.id, "held"), (paid.id, "completed")]);
    let check = |all: &[Told], snapshot: &str| {
        let (complete, bookings) = all.split_last().unwrap();
        assert_eq!(complete.routing_key, "snapshot.complete.v1");
        assert_eq!(complete.event.data["bookings"], 2);
        assert_eq!(complete.event.data.get("after"), None);
        let found: BTreeMap<BookingId, &str> = bookings
            .iter()
            .map(|told| {
                (
                    told.booking.unwrap(),
                    told.event.data["status"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, live);
        for told in all {
            assert_eq!(told.event.data["snapshot_id"], snapshot);
            let text = serde_json::to_vec(&told.event).unwrap();
            kinds::entry(&told.routing_key)
                .unwrap()
                .roundtrip(&text)
                .unwrap();
        }
        let named = bookings
            .iter()
            .find(|told| told.booking == Some(paid.id))
            .unwrap();
        assert_eq!(named.event.data["reference"], "A-4711");
        assert!(named.version() > 1);
    };
    check(
        &told(&world.db, "acme").await,
        answer["snapshot_id"].as_str().unwrap(),
    );
    feeder::run(&world.db, "DELETE FROM partner_out", vec![]).await;

    // The same by a message; twice is once.
    let request = CloudEvent {
        correlationid: Some("why".to_owned()),
        ..message("snapshot.request.v1", "r-1", None, json!({}))
    };
    for _ in 0..2 {
        let handled = hand_over(&world.db, &partner, &request).await.unwrap();
        assert_eq!(verdict(&handled), "accepted");
    }
    let all = told(&world.db, "acme").await;
    let snapshot = boxoffice_contracts::MessageId::of_partner("acme", "r-1").to_string();
    check(&all, &snapshot);
    assert!(
        all.iter()
            .all(|told| told.event.correlationid.as_deref() == Some("why"))
    );

    let (status, refused) = post(json!({"after": 7, "all": true})).await;
    assert_eq!(
        (status, refused["code"].as_str().unwrap()),
        (422, "validation_failed")
    );
    let answer = world
        .system_of("ghost")
        .request(Method::POST, "/v1/partner/snapshot")
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 403);
    let cancelled = held.cancel(None).await;
    assert_eq!(held.outcome(cancelled).await, "done");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_many_bookings_comes_in_pieces_and_not_behind_a_backlog() {
    let desk = Desk::open().await;
    let partner = feeder::add(&desk.db, "acme", &[]).await;
    let show = "INSERT INTO shows (id, slug, film_id, venue_id, hall_id, layout_id, starts_at, sales_from, sales_until, \
                cancel_until, cancel_fee_minor, currency, hold_shown_secs, hold_grace_secs, hold_cap_secs) \
                SELECT UNHEX(REPEAT('01', 16)), 's', a, a, a, a, t, t, t, t, 0, 'EUR', 1, 1, 1 FROM \
                (SELECT UNHEX(REPEAT('02', 16)) AS a, UTC_TIMESTAMP(6) AS t) x";
    feeder::run(&desk.db, show, vec![]).await;
    let booking = "INSERT INTO bookings (id, tenant, subject, request_hash, show_id, status, version, currency, \
                   total_minor, captured_minor, refunded_minor, customer_email, customer_name, customer_locale, saga, \
                   created_at, updated_at) \
                   SELECT UNHEX(LEFT(SHA2(seq, 256), 32)), IF(seq % 7 = 0, 'bravo', 'acme'), 's', UNHEX(REPEAT('00', 32)), \
                   UNHEX(REPEAT('01', 16)), IF(seq % 11 = 0, 'expired', 'held'), 1, 'EUR', 0, 0, 0, 'e', 'n', 'en', \
                   '{}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM (WITH RECURSIVE n AS (SELECT 1 AS seq UNION ALL \
                   SELECT seq + 1 FROM n WHERE seq < 900) SELECT seq FROM n) m";
    feeder::run(&desk.db, booking, vec![]).await;
    let live = (1..=900).filter(|n| n % 7 != 0 && n % 11 != 0).count();
    let (mut after, mut seen) = (None, Vec::new());
    for piece in 0.. {
        let data = after.map_or_else(|| json!({}), |after: Value| json!({ "after": after }));
        let request = message("snapshot.request.v1", &format!("r-{piece}"), None, data);
        let handled = hand_over(&desk.db, &partner, &request).await.unwrap();
        assert_eq!(verdict(&handled), "accepted");
        let (complete, bookings) = handled.out.split_last().unwrap();
        assert!(bookings.len() <= 500);
        seen.extend(bookings.iter().map(|told| told.booking.unwrap()));
        let complete: CloudEvent = serde_json::from_slice(&complete.body).unwrap();
        after = complete.data.get("after").cloned();
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), live);
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));

    // All of it is unsent, and more than a thousand messages: another would only wait behind them.
    let again = message("snapshot.request.v1", "again", None, json!({}));
    hand_over(&desk.db, &partner, &again).await.unwrap();
    let more = message("snapshot.request.v1", "more", None, json!({}));
    let handled = hand_over(&desk.db, &partner, &more).await.unwrap();
    assert_eq!(verdict(&handled), "rate_limited");
    feeder::send_all(&desk.db, "acme").await;
    let handled = hand_over(&desk.db, &partner, &more).await.unwrap();
    assert_eq!(verdict(&handled), "accepted");
    desk.close().await;
}

/// The stores with the fixture's venue, and two partners of which the first may publish there.
async fn desk() -> (Desk, Partner, Partner) {
    let desk = Desk::open().await;
    let folder = desk.folder.join("data");
    fixture::write(&folder, &[]);
    let imported = desk.run(&["import", "all", &folder.display().to_string()]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let acme = feeder::add(&desk.db, "acme", &["corner"]).await;
    let bravo = feeder::add(&desk.db, "bravo", &[]).await;
    (desk, acme, bravo)
}

fn show_data(id: &str, hall: &str) -> Value {
    json!({
        "id": id, "hall": hall, "film": {"id": "f-1", "title": "Low Tide", "runtime_min": 97},
        "starts_at": "2031-06-01T18:00:00Z", "currency": "EUR",
    })
}

/// Sends numbered states under ids of their own and returns what became of each.
async fn publish(
    db: &DatabaseConnection,
    partner: &Partner,
    kind: &str,
    sequence: u64,
    data: &Value,
) -> String {
    let id = format!("{kind}-{}", uuid::Uuid::new_v4());
    let message = message(kind, &id, Some(sequence), data.clone());
    verdict(&hand_over(db, partner, &message).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_taken_once_in_order_and_a_gap_is_told() {
    let (desk, acme, bravo) = desk().await;
    let db = &desk.db;
    let show = |title: &str| {
        let mut data = show_data("s-1", "corner.one");
        data["film"]["title"] = json!(title);
        data
    };
    let titles =
        async || books::texts(db, "SELECT title FROM films WHERE slug LIKE 'acme.%'").await;
    let send = async |sequence, title: &str| {
        publish(db, &acme, "show.upsert.v1", sequence, &show(title)).await
    };
    // A first number may be any: what was before it concerns nobody.
    assert_eq!(send(5, "five").await, "accepted");
    assert_eq!(send(5, "five").await, "accepted");
    assert_eq!(send(5, "another five").await, "sequence_outdated /sequence");
    assert_eq!(send(4, "four").await, "sequence_outdated /sequence");
    assert_eq!(titles().await, ["five"]);
    assert_eq!(send(6, "six").await, "accepted");
    assert!(told(db, "acme").await.is_empty());

    assert_eq!(send(9, "nine").await, "accepted");
    assert_eq!(titles().await, ["nine"]);
    let gaps = told(db, "acme").await;
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].routing_key, "resync.requested.v1");
    let mut gap = gaps[0].event.data.clone();
    gap.as_object_mut().unwrap().remove("at");
    assert_eq!(
        gap,
        json!({"entity": "show", "id": "s-1", "missing_from": 7, "missing_until": 8})
    );
    assert_eq!(send(8, "eight").await, "sequence_outdated /sequence");

    // The same message again tells the gap once.
    let again = message("show.upsert.v1", "jump", Some(20), show("twenty"));
    for _ in 0..2 {
        let handled = hand_over(db, &acme, &again).await.unwrap();
        assert_eq!(verdict(&handled), "accepted");
    }
    assert_eq!(told(db, "acme").await.len(), 2);

    // What is refused was not taken: its number is free for what is right.
    let mut wrong = show("x");
    wrong["currency"] = json!("USD");
    let refused = publish(db, &acme, "show.upsert.v1", 21, &wrong).await;
    assert_eq!(refused, "currency_mismatch /data/currency");
    assert_eq!(titles().await, ["twenty"]);
    assert_eq!(send(21, "twenty-one").await, "accepted");

    // Each thing has numbers of its own, and each partner things of its own.
    let prices =
        json!({"show_id": "s-1", "prices": [{"category": "Standard", "amount_minor": 900}]});
    assert_eq!(
        publish(db, &acme, "price.upsert.v1", 1, &prices).await,
        "accepted"
    );
    let theirs = publish(db, &bravo, "price.upsert.v1", 1, &prices).await;
    assert_eq!(theirs, "show_not_found /data/show_id");

    // Two first states at once: one is taken, the other begins anew and finds it.
    let first = message(
        "show.upsert.v1",
        "a",
        Some(1),
        show_data("s-2", "corner.one"),
    );
    let second = message(
        "show.upsert.v1",
        "b",
        Some(2),
        show_data("s-2", "corner.one"),
    );
    let one = pool::begin(db).await.unwrap();
    let other = pool::begin(db).await.unwrap();
    let now = clock::now();
    partner_feed::handle(&one, &acme, &first, now)
        .await
        .unwrap();
    let racing = tokio::spawn({
        let acme = acme.clone();
        async move {
            let lost = partner_feed::handle(&other, &acme, &second, now).await;
            let _ = other.rollback().await;
            (lost, second)
        }
    });
    one.commit().await.unwrap();
    let (lost, second) = racing.await.unwrap();
    if let Err(lost) = lost {
        assert!(
            matches!(lost, boxoffice_runtime::Failure::Conflict(_)),
            "{lost}"
        );
    }
    let handled = hand_over(db, &acme, &second).await.unwrap();
    assert_eq!(verdict(&handled), "accepted");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_is_refused_with_its_place_and_leaves_no_trace() {
    let (desk, acme, bravo) = desk().await;
    let db = &desk.db;
    let with = |field: &str, value: Value| {
        let mut data = show_data("s-1", "corner.club");
        data[field] = value;
        data
    };
    let show = "show.upsert.v1";
    for (partner, data, refused) in [
        (&bravo, with("id", json!("b")), "forbidden /data/hall"),
        (
            &acme,
            with("hall", json!("corner.two")),
            "hall_unknown /data/hall",
        ),
        (
            &acme,
            with("currency", json!("USD")),
            "currency_mismatch /data/currency",
        ),
        (
            &acme,
            json!({"id": 7, "hall": "x", "film": {}, "rating": 5}),
            "validation_failed /data/id /data/hall /data/film/id /data/film/title /data/film/runtime_min \
             /data/starts_at /data/currency /data/rating",
        ),
    ] {
        assert_eq!(publish(db, partner, show, 1, &data).await, refused);
    }
    let unnumbered = message(show, "u", None, show_data("s-1", "corner.club"));
    let handled = hand_over(db, &acme, &unnumbered).await.unwrap();
    assert_eq!(verdict(&handled), "validation_failed /sequence");
    for table in [
        "shows",
        "partner_entities",
        "partner_out",
        "films WHERE slug LIKE '%.%'",
    ] {
        assert_eq!(books::count(db, table).await, 0, "{table}");
    }

    let message_of = message(show, "s", Some(1), show_data("s-1", "corner.club"));
    let handled = hand_over(db, &acme, &message_of).await.unwrap();
    let Outcome::Accepted { show: Some(id) } = handled.outcome else {
        panic!("{handled:?}")
    };
    assert_eq!(id, ShowId::of_partner("acme", "s-1"));
    let prices = |list: Value| json!({"show_id": "s-1", "prices": list});
    let areas = |list: Value| json!({"show_id": "s-1", "areas": list});
    let (price, inventory) = ("price.upsert.v1", "inventory.upsert.v1");
    for (kind, data, refused) in [
        (
            price,
            prices(
                json!([{"category": "Bar", "amount_minor": 1}, {"category": "Loge", "amount_minor": 1}]),
            ),
            "category_unknown /data/prices/1/category",
        ),
        (
            price,
            prices(
                json!([{"category": "Bar", "amount_minor": -1}, {"category": "", "amount_minor": 1}]),
            ),
            "validation_failed /data/prices/0/amount_minor /data/prices/1/category",
        ),
        (
            inventory,
            // The gallery has numbered seats.
            areas(
                json!([{"category": "Gallery", "capacity": 1}, {"category": "Bar", "capacity": 1}]),
            ),
            "category_unknown /data/areas/0/category",
        ),
        (
            inventory,
            areas(
                json!([{"category": "Bar", "capacity": 1}, {"category": "Standing", "capacity": 41}]),
            ),
            "validation_failed /data/areas/1/capacity",
        ),
        (
            inventory,
            json!({"show_id": "s-9", "areas": [{"category": "Bar", "capacity": 1}]}),
            "show_not_found /data/show_id",
        ),
    ] {
        assert_eq!(publish(db, &acme, kind, 1, &data).await, refused);
    }
    assert_eq!(books::count(db, "partner_entities").await, 1);
    assert_eq!(books::count(db, "prices").await, 0);
    let capacity = books::texts(
        db,
        "SELECT CONCAT(category, ' ', capacity) FROM admissions ORDER BY 1",
    )
    .await;
    assert_eq!(capacity, ["Bar 4", "Standing 40"]);

    // Whoever loses a venue loses the shows in it.
    feeder::run(db, "DELETE FROM partner_venues", vec![]).await;
    let good = prices(json!([{"category": "Bar", "amount_minor": 1}]));
    let lost = publish(db, &acme, price, 1, &good).await;
    assert_eq!(lost, "forbidden /data/show_id");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_show_is_sold_and_changes_only_where_nobody_relies_on_it() {
    let world = closed().start().await;
    let db = &world.db;
    let acme = feeder::add(db, "acme", &["corner"]).await;
    let send = async |kind: &str, sequence: u64, data: &Value| {
        publish(db, &acme, kind, sequence, data).await
    };
    let (show, price, inventory) = ("show.upsert.v1", "price.upsert.v1", "inventory.upsert.v1");
    // Before anybody booked, everything may change: hall, start, film.
    assert_eq!(
        send(show, 1, &show_data("s-1", "corner.one")).await,
        "accepted"
    );
    let mut moved = show_data("s-1", "corner.club");
    moved["starts_at"] = json!("2031-06-01T19:00:00Z");
    moved["film"]["id"] = json!("f-2");
    assert_eq!(send(show, 2, &moved).await, "accepted");
    let prices = |standing: i64, gallery: i64| {
        json!({"show_id": "s-1", "prices": [
            {"category": "Standing", "amount_minor": standing}, {"category": "Gallery", "amount_minor": gallery}]})
    };
    let areas = |standing: u32| json!({"show_id": "s-1", "areas": [{"category": "Standing", "capacity": standing}]});
    assert_eq!(send(price, 1, &prices(700, 1_500)).await, "accepted");
    assert_eq!(send(inventory, 1, &areas(5)).await, "accepted");

    let ada = world.customer("ada");
    let mut published = Show::named("s-1").in_the_club();
    published.id = ShowId::of_partner("acme", "s-1");
    let order = Order::of(&published, &["G-1"]).and("Standing", 2);
    let booking = ada.book(order.paid_with("pm_card_visa")).await;
    assert_eq!(booking.until("completed").await.minor("total"), 2_900);
    let held = ada
        .book(Order::of(&published, &[]).and("Standing", 2))
        .await;
    held.until("held").await;
    // Nothing has a price at the bar, so nothing is sold there; five places are one more.
    let bar = ada.book(Order::of(&published, &[]).and("Bar", 1)).await;
    bar.until("rejected").await;
    let many = ada
        .book(Order::of(&published, &[]).and("Standing", 2))
        .await;
    assert_eq!(many.until("rejected").await.code(), "seats_unavailable");

    // What is booked keeps its price, what comes next pays the new one.
    assert_eq!(send(price, 2, &prices(800, 1_600)).await, "accepted");
    assert_eq!(held.state().await.minor("total"), 1_400);
    held.pay("pm_card_visa").await;
    assert_eq!(held.until("completed").await.minor("captured"), 1_400);
    let last = ada
        .book(
            Order::of(&published, &[])
                .and("Standing", 1)
                .paid_with("pm_card_visa"),
        )
        .await;
    assert_eq!(last.until("completed").await.minor("total"), 800);

    // Five are taken.
    assert_eq!(
        send(inventory, 2, &areas(4)).await,
        "capacity_below_taken /data/areas/0/capacity"
    );
    assert_eq!(send(inventory, 2, &areas(5)).await, "accepted");
    assert_eq!(
        send(show, 3, &show_data("s-1", "corner.one")).await,
        "show_in_use /data/hall /data/film/id /data/starts_at"
    );
    // What nobody relies on may change all the same.
    let mut longer = moved.clone();
    longer["film"]["title"] = json!("Low Tide, the long version");
    longer["sales_until"] = json!("2031-06-01T18:30:00Z");
    assert_eq!(send(show, 3, &longer).await, "accepted");

    // Everything is given back: the hall is free to be another.
    for booking in [&booking, &held, &last] {
        let cancelled = booking.cancel(None).await;
        assert_eq!(booking.outcome(cancelled).await, "done");
        booking.until("refunded").await;
    }
    assert_eq!(
        send(show, 4, &show_data("s-1", "corner.one")).await,
        "accepted"
    );
    let counters = format!(
        "admissions WHERE show_id = UNHEX('{}')",
        published.id.0.simple()
    );
    assert_eq!(books::count(db, &counters).await, 0);
    world.finish().await;
}

/// A hall that changes while somebody books: the booking waits, and sees the hall as it is then.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_booked_of_a_show_while_it_moves() {
    let world = closed().start().await;
    let db = &world.db;
    let acme = feeder::add(db, "acme", &["corner"]).await;
    let send = async |kind: &str, data: Value| publish(db, &acme, kind, 1, &data).await;
    assert_eq!(
        send("show.upsert.v1", show_data("s-1", "corner.one")).await,
        "accepted"
    );
    let prices =
        json!({"show_id": "s-1", "prices": [{"category": "Standard", "amount_minor": 900}]});
    assert_eq!(send("price.upsert.v1", prices).await, "accepted");
    let mut show = Show::named("s-1");
    show.id = ShowId::of_partner("acme", "s-1");
    let ada = world.customer("ada");

    let tx = pool::begin(db).await.unwrap();
    let moved = message(
        "show.upsert.v1",
        "move",
        Some(2),
        show_data("s-1", "corner.club"),
    );
    let handled = partner_feed::handle(&tx, &acme, &moved, clock::now())
        .await
        .unwrap();
    assert_eq!(verdict(&handled), "accepted");
    let waiting = locks::readers_of_shows(db).await;
    let booking = ada.book(Order::of(&show, &["A-1"])).await;
    eventually(
        "the booking waits for the show",
        secs(10),
        async || match books::count(db, waiting).await {
            0 => Err(booking.state().await.status().to_owned()),
            _ => Ok(()),
        },
    )
    .await;
    tx.commit().await.unwrap();
    assert_eq!(booking.until("rejected").await.code(), "seat_unknown");
    world.finish().await;
}
