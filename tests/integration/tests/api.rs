//! What the HTTP door promises besides bookings: repeated reads, waits, streams, links, limits, and what it
//! offers to whom it must refuse.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Booking, Flow, Link, Mode, Order, Show, World, books, customer::new_key, eventually, secs,
};
use futures::{StreamExt, future::join_all};
use reqwest::{Method, StatusCode};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use std::time::Instant;

const VISA: &str = "pm_card_visa";

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_read_again_waited_for_and_streamed() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let booking = ada.book(Order::of(&show, &["A-1", "A-2"])).await;
    let held = booking.until("held").await;

    // The tag is the version: nothing new, nothing sent.
    let get = |path: &str| ada.request(Method::GET, path);
    let answer = get(&booking.link).send().await.unwrap();
    let tag = answer.headers()["etag"].clone();
    assert_eq!(tag, format!("W/\"{}\"", held.version()));
    let again = get(&booking.link).header("if-none-match", &tag);
    let again = again.send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()["etag"], tag);
    assert!(again.bytes().await.unwrap().is_empty());

    // A long poll ends with the news, or with its time.
    let wait = |secs: u32| format!("{}&after={}&wait={secs}", booking.link, held.version());
    let begun = Instant::now();
    let same = get(&wait(1)).send().await.unwrap();
    assert!(begun.elapsed() >= secs(1), "{:?}", begun.elapsed());
    let same: Value = same.json().await.unwrap();
    assert_eq!(same["version"], held.version());
    let polling = tokio::spawn(get(&wait(25)).send());
    let begun = Instant::now();
    let payment = booking.pay(VISA).await;
    let news: Value = polling.await.unwrap().unwrap().json().await.unwrap();
    assert!(news["version"].as_u64().unwrap() > u64::from(held.version()));
    assert!(begun.elapsed() < secs(10), "{:?}", begun.elapsed());
    let done = booking.until("completed").await;
    assert_eq!(done.operation(payment).as_deref(), Some("done"));

    // A stream that has nothing to say says so.
    let stream = get(&booking.path("events")).header("last-event-id", done.version().to_string());
    let mut chunks = stream.send().await.unwrap().bytes_stream();
    let first = tokio::time::timeout(secs(5), chunks.next()).await;
    let first = first.expect("a heartbeat every second").unwrap().unwrap();
    assert!(first.starts_with(b":"), "a comment, no event: {first:?}");

    // A command that is waited for answers with what became of it.
    let cancel = ada
        .request(Method::POST, &booking.path("cancel"))
        .header("idempotency-key", new_key())
        .header("prefer", "wait=20")
        .json(&json!({"positions": [2], "reason": "Grete is ill"}));
    let answer = cancel.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["preference-applied"], "wait=20");
    let state: Value = answer.json().await.unwrap();
    let kinds: Vec<&str> = state["operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|operation| operation["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["submit", "pay", "cancel"], "{state}");
    assert_eq!(state["positions"][1]["live"], false);

    // Why is on record, once, beside the decision.
    let reasons = "SELECT CONCAT(input, ': ', reason) FROM booking_events WHERE reason IS NOT NULL";
    assert_eq!(
        books::texts(&world.db, reasons).await,
        ["cancel: Grete is ill"]
    );
    let log = std::fs::read_to_string(world.folder.join("all.log")).unwrap();
    assert!(!log.contains("Grete"));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_has_the_words_of_the_hall_and_the_newest_commands() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let label = r#"Loge "Ö", \ links"#;
    let renamed = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE seats SET row_label = ? WHERE seat_id = 'A-2'",
        [label.into()],
    );
    world.db.execute_raw(renamed).await.unwrap();
    let ada = world.customer("ada");
    let show = world.show("evening");
    let booking = ada.book(Order::of(&show, &["A-2", "A-1"])).await;
    booking.until("held").await;
    // More commands than one answer lists, from before.
    let older = "INSERT INTO operations (id, booking_id, kind, outcome, version, at)
        SELECT UNHEX(MD5(seq.seq)), b.id, 'pay', 'done', seq.seq, b.created_at - INTERVAL seq.seq SECOND
        FROM bookings b, (SELECT a.n * 10 + c.n AS seq FROM
            (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) a,
            (SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5
             UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) c) seq WHERE seq.seq > 0";
    world.db.execute_unprepared(older).await.unwrap();

    let link = format!("{}&after=0", booking.link);
    let state = ada.request(Method::GET, &link).send().await.unwrap();
    let state: Value = state.json().await.unwrap();
    let of = |no: usize, field: &str| state["positions"][no][field].clone();
    assert_eq!([of(0, "no"), of(1, "no")], [json!(1), json!(2)], "{state}");
    assert_eq!(of(0, "row"), label);
    assert_eq!([of(0, "seat_id"), of(1, "seat_id")], ["A-2", "A-1"]);
    assert_eq!(of(0, "price"), json!({"minor": 1_000, "currency": "EUR"}));
    assert_eq!(of(0, "live"), true);
    let operations = state["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 50);
    assert_eq!(operations[49]["kind"], "submit", "the newest is the last");
    let times: Vec<&str> = operations
        .iter()
        .map(|operation| operation["at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let made_up = "DELETE FROM operations WHERE kind = 'pay'";
    world.db.execute_unprepared(made_up).await.unwrap();
    booking.cancel(None).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_too_late_is_shown_what_is_free() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let (ada, eve) = (world.customer("ada"), world.customer("eve"));
    let show = world.show("evening");
    let first = ada.book(Order::of(&show, &["B-3", "B-4"])).await;
    first.until("held").await;
    let late = eve.book(Order::of(&show, &["B-4", "B-5"])).await;
    let state = late.until("rejected").await;
    assert_eq!(state.code(), "seats_unavailable");
    let offered = &state.0["alternatives"];
    assert_eq!(offered["taken"], json!(["B-4"]));
    let groups = offered["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 3, "{offered}");
    let free = eve.free_seats(&show).await;
    for group in groups {
        let seats: Vec<&str> = group["seats"]
            .as_array()
            .unwrap()
            .iter()
            .map(|seat| seat["seat_id"].as_str().unwrap())
            .collect();
        assert_eq!(seats.len(), 2);
        assert!(seats.iter().all(|seat| free.contains(&(*seat).to_owned())));
    }
    // What is offered can be had; what was free then may be gone now, and the next look says so.
    let seats: Vec<String> = groups[0]["seats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seat| seat["seat_id"].as_str().unwrap().to_owned())
        .collect();
    let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
    let second = eve.book(Order::of(&show, &seats)).await;
    second.until("held").await;
    eventually("the next look", secs(5), async || {
        let state = late.state().await;
        let groups = state.0["alternatives"]["groups"].to_string();
        if groups.contains(&format!("\"{}\"", seats[0])) {
            Err(groups)
        } else {
            Ok(())
        }
    })
    .await;
    // Nobody else's state shows alternatives.
    assert!(first.state().await.0.get("alternatives").is_none());
    for held in [first, second] {
        held.cancel(None).await;
        held.until("cancelled").await;
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_open_by_link_without_a_token_until_they_are_void() {
    let world = World::setup()
        .show(Show::named("evening"))
        .through(Link::WorkersMongodb)
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let booking = ada
        .book(Order::of(&show, &["A-1", "A-2"]).paid_with(VISA))
        .await;
    let done = booking.until("completed").await;
    let link = |name: &str| done.0["links"][name].as_str().unwrap().to_owned();
    let (pdf, ics) = (link("tickets_pdf"), link("tickets_ics"));

    let anybody = reqwest::Client::new();
    let open = async |path: &str| {
        let request = anybody.get(format!("{}{path}", world.api));
        request.timeout(secs(10)).send().await.unwrap()
    };
    let answer = open(&pdf).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    assert_eq!(
        answer.bytes().await.unwrap().to_vec(),
        booking.tickets_pdf().await
    );
    let answer = open(&ics).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("text/calendar"), "{kind}");
    let tag = answer.headers()["etag"].clone();
    let entry = answer.text().await.unwrap();
    for line in ["BEGIN:VCALENDAR", "METHOD:PUBLISH", "SEQUENCE:1"] {
        assert!(entry.contains(line), "{line}: {entry}");
    }
    assert!(entry.contains(&booking.id.to_string()), "{entry}");
    let again = anybody.get(format!("{}{ics}", world.api));
    let again = again.header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    // The owner needs no link, and nobody else gets one.
    let owned = format!("/v1/bookings/{}/tickets.ics", booking.id);
    let owned = ada.request(Method::GET, &owned).send().await.unwrap();
    assert_eq!(owned.status(), StatusCode::OK);
    let staff = world.someone("sue", boxoffice_contracts::Role::Support);
    let seen = staff.get(&booking.link).await.unwrap().body;
    assert!(seen["links"].get("tickets_pdf").is_none(), "{seen}");

    // Another document, another booking, another time, no signature: the same answer.
    let forged = [
        pdf.replace("tickets.pdf", "tickets.ics"),
        pdf.replace("expires=", "expires=1"),
        pdf.replace(
            &booking.id.to_string(),
            &ada.booking_of("other").to_string(),
        ),
        format!("/v1/bookings/{}/tickets.pdf?signature=00", booking.id),
    ];
    for path in forged {
        assert_eq!(open(&path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let bare = format!("/v1/bookings/{}/tickets.pdf", booking.id);
    assert_eq!(open(&bare).await.status(), StatusCode::UNAUTHORIZED);

    // MongoDB hangs: the answer says so long before the request's own deadline.
    world.set_link(Link::WorkersMongodb, Mode::Blackhole(Flow::Both));
    let begun = Instant::now();
    let answer = open(&ics).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(begun.elapsed() < secs(4), "{:?}", begun.elapsed());
    world.set_link(Link::WorkersMongodb, Mode::Pass);

    // One seat goes back: what is left stays valid, as another revision.
    booking.outcome(booking.cancel(Some(&[1])).await).await;
    eventually("the next revision", secs(20), async || {
        let answer = open(&ics).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        if text.contains("SEQUENCE:2") {
            Ok(())
        } else {
            Err(format!("{status} {text}"))
        }
    })
    .await;
    booking.until("completed").await;
    booking.cancel(None).await;
    booking.until("refunded").await;
    for path in [&pdf, &ics] {
        let answer = open(path).await;
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "booking_ended");
    }

    // Who read what is on record, by which way, and no link is.
    let log = std::fs::read_to_string(world.folder.join("all.log")).unwrap();
    let reads = log.lines().filter(|line| line.contains("document read"));
    assert!(reads.count() >= 5, "{log}");
    let signature = pdf.rsplit_once('=').unwrap().1;
    assert!(!log.contains(signature) && !log.contains("signature="));
    world.finish().await;
}

/// The first requests take all connections and are given up after their time; the others find none left.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_told_to_everybody_in_time() {
    let world = World::setup()
        .show(Show::named("evening"))
        .through(Link::WorkersMysql)
        .setting("BOXOFFICE__MYSQL__ACQUIRE_TIMEOUT_MS", "1000")
        .setting("BOXOFFICE__API__REQUEST_TIMEOUT_MS", "3000")
        .start()
        .await;
    let ada = world.customer("ada");
    let booking = ada
        .book(Order::of(&world.show("evening"), &["A-1"]).paid_with(VISA))
        .await;
    booking.until("completed").await;
    world.settle().await;
    world.set_link(Link::WorkersMysql, Mode::Blackhole(Flow::Both));
    let begun = Instant::now();
    // Whoever names a version is not told what was read a moment ago.
    let link = format!("{}&after=0", booking.link);
    let reads = (0..16).map(|_| ada.request(Method::GET, &link).send());
    let mut unavailable = 0;
    for answer in join_all(reads).await {
        let answer = answer.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap();
        match status {
            StatusCode::SERVICE_UNAVAILABLE => unavailable += 1,
            StatusCode::GATEWAY_TIMEOUT => {}
            _ => panic!("{status} {problem}"),
        }
        assert_eq!(problem["retryable"], true);
    }
    assert!(unavailable >= 8, "{unavailable} found no connection");
    assert!(begun.elapsed() < secs(8), "{:?}", begun.elapsed());
    world.set_link(Link::WorkersMysql, Mode::Pass);
    eventually("the status again", secs(20), async || {
        let answer = ada.get(&booking.link).await.unwrap();
        if answer.status == StatusCode::OK {
            Ok(())
        } else {
            Err(answer.body)
        }
    })
    .await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_a_limit_and_the_others_their_own() {
    let world = World::setup()
        .show(Show::named("evening").hold(5, 1, 8))
        .setting("BOXOFFICE__API__RATE__WINDOW_SECS", "3600")
        .setting("BOXOFFICE__API__RATE__QUOTA_CUSTOMER", "40")
        .setting("BOXOFFICE__API__RATE__QUOTA_ADDRESS", "20")
        .setting("BOXOFFICE__API__RATE__WAITERS_CUSTOMER_MAX", "1")
        .setting("BOXOFFICE__API__TRUSTED_PROXIES", "127.0.0.0/8")
        .start()
        .await;
    let (ada, eve) = (world.customer("ada"), world.customer("eve"));
    let show = world.show("evening");
    let booking = ada.book(Order::of(&show, &["A-1"])).await;
    let answer = ada.get(&booking.link).await.unwrap();
    assert_eq!(
        answer.headers["ratelimit-policy"],
        "\"customer\";q=40;w=3600"
    );
    assert_eq!(answer.headers["ratelimit"], "\"customer\";r=29;t=90");

    // One stream is all that this customer may have; it ends, and another may begin.
    let stream = ada.request(Method::GET, &booking.path("events"));
    let stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let second = ada.get(&booking.path("events")).await.unwrap();
    assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
    drop(stream);

    let mut last = None;
    for _ in 0..60 {
        let answer = ada.get(&booking.link).await.unwrap();
        let status = answer.status;
        last = Some(answer);
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    let refused = last.unwrap();
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.headers["ratelimit"], "\"customer\";r=0;t=90");
    assert_eq!(refused.headers["retry-after"], "90");
    assert_eq!(refused.body["retryable"], true);
    let order = Order::of(&show, &["A-2"]);
    assert_eq!(ada.submit(&new_key(), order).await.unwrap().status, 429);
    // Others don't notice: neither another customer nor the gateway, and an address is a client of its own.
    eve.book(Order::of(&show, &["A-3"]).paid_with(VISA))
        .await
        .until("completed")
        .await;
    let from = async |address: &str| {
        let shows = format!("{}/v1/shows", world.api);
        let request = reqwest::Client::new().get(shows);
        let request = request.header("x-forwarded-for", address);
        request.send().await.unwrap()
    };
    for _ in 0..20 {
        assert_eq!(from("198.51.100.1").await.status(), StatusCode::OK);
    }
    assert_eq!(
        from("198.51.100.1").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    // What the client wrote itself stands first, and is not believed.
    assert_eq!(
        from("203.0.113.9, 198.51.100.1").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    let other = from("198.51.100.2").await;
    assert_eq!(other.status(), StatusCode::OK);
    assert_eq!(other.headers()["ratelimit"], "\"address\";r=19;t=180");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_a_while_is_forgotten_after_it() {
    let world = World::setup()
        .show(Show::named("evening"))
        .setting("BOXOFFICE__RETENTION__ROWS_MAX", "500")
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let booking: Booking = ada.book(Order::of(&show, &["A-1"]).paid_with(VISA)).await;
    booking.until("completed").await;
    world.settle().await;
    let recent = books::count(&world.db, "inbox").await;
    assert!(recent > 0);
    // Four portions of messages, two of events; and some that are a day too young.
    let many = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n) AS n";
    for (statement, days) in [
        (
            "INSERT INTO inbox SELECT 'old', UNHEX(LEFT(SHA2(CONCAT('a', i), 256), 32)), UNHEX(LEFT(SHA2('b', 256), 32)), UTC_TIMESTAMP(6) - INTERVAL :days DAY FROM",
            36,
        ),
        (
            "INSERT INTO inbox SELECT 'older', UNHEX(LEFT(SHA2(CONCAT('a', i), 256), 32)), UNHEX(LEFT(SHA2('b', 256), 32)), UTC_TIMESTAMP(6) - INTERVAL :days DAY FROM",
            400,
        ),
        (
            "INSERT INTO inbox SELECT 'young', UNHEX(LEFT(SHA2(CONCAT('a', i), 256), 32)), UNHEX(LEFT(SHA2('b', 256), 32)), UTC_TIMESTAMP(6) - INTERVAL :days DAY FROM",
            34,
        ),
        (
            "INSERT INTO webhook_events SELECT CONCAT('evt_old_', i), 'charge.updated', NULL, NULL, '{}', UTC_TIMESTAMP(6) - INTERVAL :days DAY FROM",
            36,
        ),
        (
            "INSERT INTO webhook_events SELECT CONCAT('evt_young_', i), 'charge.updated', NULL, NULL, '{}', UTC_TIMESTAMP(6) - INTERVAL :days DAY FROM",
            34,
        ),
    ] {
        let statement = statement.replace(":days", &days.to_string());
        world
            .db
            .execute_unprepared(&format!("{statement} {many}"))
            .await
            .unwrap();
    }
    eventually("old rows gone", secs(20), async || {
        let messages = books::count(&world.db, "inbox WHERE queue IN ('old', 'older')").await;
        let events =
            books::count(&world.db, "webhook_events WHERE event_id LIKE 'evt_old_%'").await;
        if messages + events == 0 {
            Ok(())
        } else {
            Err(format!("{messages} messages, {events} events"))
        }
    })
    .await;
    assert_eq!(
        books::count(&world.db, "inbox WHERE queue = 'young'").await,
        900
    );
    let young = "webhook_events WHERE event_id LIKE 'evt_young_%'";
    assert_eq!(books::count(&world.db, young).await, 900);
    assert!(books::count(&world.db, "inbox").await >= 900 + recent);
    world
        .db
        .execute_unprepared("DELETE FROM webhook_events WHERE event_id LIKE 'evt_young_%'")
        .await
        .unwrap();
    world.finish().await;
}
