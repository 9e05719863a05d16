//! From a click to tickets in the mailbox, and every polite "no" on the way.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Booking, Order, Roles, Show, State, World, customer::new_key, eventually, fixture, secs,
};
use futures::{StreamExt, future::join_all};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[tokio::test(flavor = "multi_thread")]
async fn two_seats_become_a_pdf_of_two_pages_and_a_mail_with_it() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");

    let booking = ada
        .book(Order::of(&show, &["A-1", "E-2"]).paid_with("pm_card_visa"))
        .await;
    let done = booking.until("completed").await;
    assert_eq!(done.minor("total"), fixture::STANDARD + fixture::PREMIUM);
    assert_eq!(done.minor("captured"), done.minor("total"));
    assert_eq!(done.0["positions"].as_array().unwrap().len(), 2);

    let free = ada.free_seats(&show).await;
    assert_eq!(free.len(), fixture::SEATS - 2);
    assert!(!free.contains(&"A-1".to_owned()));

    let pdf = booking.tickets_pdf().await;
    let pages = lopdf::Document::load_mem(&pdf).unwrap().get_pages().len();
    assert_eq!(pages, 2, "a page per seat");
    assert_eq!(hash_of(&pdf), stored_hash(&world, &booking).await);

    let mail = world.mail(booking.id, "confirmation").await;
    assert_eq!(mail.to, [ada.email.as_str()]);
    let detail = world.catcher.store().detail(mail.id).unwrap().unwrap();
    assert!(detail.text.unwrap().contains("Low Tide at Noon"));
    assert!(detail.html.unwrap().contains("Low Tide at Noon"));
    let kinds: Vec<_> = mail
        .attachments
        .iter()
        .map(|part| part.content_type.as_str())
        .collect();
    assert!(kinds.contains(&"application/pdf"), "{kinds:?}");
    let index = mail
        .attachments
        .iter()
        .position(|part| part.content_type == "application/pdf")
        .unwrap();
    let (_, attached) = world
        .catcher
        .store()
        .attachment(mail.id, index)
        .unwrap()
        .unwrap();
    assert_eq!(
        hash_of(&attached),
        hash_of(&pdf),
        "the mail has the tickets that are shown"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_a_reason_and_leaves_nothing() {
    let world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("over").sale_ended())
        .start()
        .await;
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let show = world.show("evening");

    let first = ada
        .book(Order::of(&show, &["A-1", "A-2"]).paid_with("pm_card_visa"))
        .await;
    first.until("completed").await;
    // All or nothing: A-3 is free, A-2 is not.
    let second = bob.book(Order::of(&show, &["A-2", "A-3"])).await;
    assert_eq!(second.until("rejected").await.code(), "seats_unavailable");
    assert!(bob.free_seats(&show).await.contains(&"A-3".to_owned()));

    let unknown = bob.book(Order::of(&show, &["Z-9"])).await;
    assert_eq!(unknown.until("rejected").await.code(), "seat_unknown");
    let nowhere = Order::of(&show, &["A-3"]).with("show_id", json!(uuid::Uuid::new_v4()));
    assert_eq!(
        bob.book(nowhere).await.until("rejected").await.code(),
        "show_not_found"
    );
    let over = bob.book(Order::of(&world.show("over"), &["A-3"])).await;
    assert_eq!(over.until("rejected").await.code(), "sales_closed");

    // An HTTP "no": nothing of it reaches the broker.
    let twice = bob
        .submit(&new_key(), Order::of(&show, &["A-3", "A-3"]))
        .await
        .unwrap();
    assert_eq!(
        (twice.status.as_u16(), twice.code()),
        (422, "seat_repeated")
    );
    let extra = Order::of(&show, &["A-3"]).with("price", json!(1));
    let extra = bob.submit(&new_key(), extra).await.unwrap();
    assert_eq!(
        (extra.status.as_u16(), extra.code()),
        (422, "validation_failed")
    );
    assert_eq!(extra.body["errors"][0]["pointer"], "/price");
    let bare = bob
        .request(reqwest::Method::POST, "/v1/bookings")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status().as_u16(), 400);
    let problem: Value = bare.json().await.unwrap();
    assert_eq!(problem["code"], "idempotency_key_missing");
    let card = Order::of(&show, &["A-3"]).with(
        "customer",
        json!({"email": "b@example.org", "name": "4242 4242 4242 4242", "locale": "en"}),
    );
    let card = bob.submit(&new_key(), card).await.unwrap();
    assert_eq!(card.code(), "card_number_refused");

    // Another customer's booking is not there, by its id or by its link.
    for link in [format!("/v1/bookings/{}", first.id), first.link.clone()] {
        assert_eq!(bob.get(&link).await.unwrap().status.as_u16(), 404);
    }
    let taken = bob
        .post(&first.path("cancel"), &new_key(), &json!({}))
        .await
        .unwrap();
    assert_eq!(taken.status.as_u16(), 404);
    let tickets = bob
        .get(&format!("/v1/bookings/{}/tickets.pdf", first.id))
        .await
        .unwrap();
    assert_eq!(tickets.status.as_u16(), 404);
    world.finish().await;
}

/// F9, and its opposite.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_one_booking_however_often_it_is_sent() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");

    let key = new_key();
    let order = Order::of(&show, &["B-1", "B-2"]).paid_with("pm_card_visa");
    let answers = join_all((0..50).map(|_| ada.submit(&key, order.clone()))).await;
    let mut bodies: Vec<Value> = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "always the same answer: {bodies:#?}");
    let booking = ada.book_with(&key, order.clone()).await;
    booking.until("completed").await;
    assert_eq!(world.gateway.intent(booking.id).await.captures, 1);

    // The same key for something else: refused, or refused under its link. The first booking stands.
    let other = Order::of(&show, &["B-3"]).paid_with("pm_card_visa");
    let answer = ada.submit(&key, other).await.unwrap();
    match answer.status.as_u16() {
        422 => assert_eq!(answer.code(), "idempotency_key_reused"),
        202 => {
            let state = State(ada.get(&answer.location()).await.unwrap().body);
            assert_eq!(
                (state.status(), state.code()),
                ("rejected", "idempotency_key_reused")
            );
        }
        _ => panic!("{} {}", answer.status, answer.body),
    }
    assert_eq!(booking.state().await.status(), "completed");

    // Two customers may choose the same key.
    let bob = world.customer("bob");
    let another = bob
        .book_with(&key, Order::of(&show, &["B-4"]).paid_with("pm_card_visa"))
        .await;
    another.until("completed").await;
    assert_ne!(another.id, booking.id);

    // `Prefer: wait` answers with what became of it.
    let order = json!({"show_id": show.id, "positions": [{"seat_id": "C-1"}], "payment": {"method": "pm_card_visa"},
        "customer": {"email": ada.email, "name": ada.name, "locale": "de"}});
    let request = ada
        .request(reqwest::Method::POST, "/v1/bookings")
        .header("idempotency-key", new_key());
    let answer = request
        .header("prefer", "wait=20")
        .json(&order)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["preference-applied"], "wait=20");
    let waited: Value = answer.json().await.unwrap();
    assert_eq!(waited["status"], "completed", "{waited}");
    world.finish().await;
}

/// Requests that come at once ask the database together: each is told of its own key.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_never_seen_a_key_knows_what_was_booked_under_it() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[]))
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let of = |seat: &str| Order::of(&show, &[seat]).paid_with("pm_card_visa");
    let seats: Vec<String> = (1..=8).map(|no| format!("B-{no}")).collect();
    let keys: Vec<String> = seats.iter().map(|_| new_key()).collect();
    for (key, seat) in keys.iter().zip(&seats) {
        let booking = ada.book_with(key, of(seat)).await;
        booking.until("completed").await;
    }
    world.process("api").restart().await;

    // The same again, something else under the same key, and something new.
    let asks = keys.iter().zip(&seats).map(|(key, seat)| {
        let fresh = new_key();
        let ada = ada.clone();
        async move {
            let (again, reused, new) = tokio::join!(
                ada.submit(key, of(seat)),
                ada.submit(key, of("C-1")),
                ada.submit(&fresh, of("C-2")),
            );
            [again, reused, new].map(|answer| answer.unwrap().status.as_u16())
        }
    });
    for answers in join_all(asks).await {
        assert_eq!(answers, [202, 422, 202]);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_follows_its_booking_while_workers_come_and_go() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[]))
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");

    // Events in order of their versions, to the end.
    let booking = ada
        .book(Order::of(&show, &["D-1"]).paid_with("pm_card_visa"))
        .await;
    let seen = follow(&booking, None, "completed").await;
    let versions: Vec<u32> = seen.iter().map(|(version, _)| *version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    // Whoever comes back with what they have seen gets the rest only.
    let (last, state) = seen.last().unwrap();
    assert_eq!(*last, state.version());
    let again = follow(&booking, Some(last - 1), "completed").await;
    assert_eq!(again.len(), 1, "{again:?}");

    // Killed between sending and noting it, a mail would come twice; that is another story.
    world.settle().await;

    // Nobody decides: the booking is queued, and a made-up one is not there (F11).
    world.process("rest").kill();
    let late = ada
        .book(Order::of(&show, &["D-2"]).with("deadline", deadline_in(2)))
        .await;
    let patient = ada
        .book(Order::of(&show, &["D-3"]).paid_with("pm_card_visa"))
        .await;
    let cancelled = patient.cancel(None).await;
    assert_eq!(late.state().await.status(), "queued");
    let without_proof = ada.get(&format!("/v1/bookings/{}", late.id)).await.unwrap();
    assert_eq!(without_proof.status.as_u16(), 404);
    let following = tokio::spawn({
        let patient = patient.clone();
        async move { follow(&patient, None, "any end").await }
    });
    tokio::time::sleep(secs(3)).await;
    world.process("rest").start();
    world.process("rest").ready().await;
    assert_eq!(late.until("rejected").await.code(), "deadline_exceeded");
    assert_eq!(patient.outcome(cancelled).await, "done");
    let seen = following.await.unwrap();
    assert!(seen.last().unwrap().1.has_ended());
    world.finish().await;
}

/// Reads the stream until the booking has this status, or has ended.
async fn follow(booking: &Booking, last: Option<u32>, until: &str) -> Vec<(u32, State)> {
    let mut seen: Vec<(u32, State)> = Vec::new();
    let reading = async {
        let mut events = Box::pin(booking.events(last).await);
        while let Some((version, state)) = events.next().await {
            let end = state.status() == until || state.has_ended();
            seen.push((version, state));
            if end {
                return;
            }
        }
    };
    tokio::time::timeout(secs(30), reading).await.unwrap();
    seen
}

fn deadline_in(secs: i64) -> Value {
    let at = boxoffice_runtime::clock::now().timestamp() + secs;
    json!(boxoffice_contracts::Instant::from_timestamp(at, 0).unwrap())
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What is stored beside the newest document.
async fn stored_hash(world: &World, booking: &Booking) -> String {
    eventually("the document", secs(10), async || {
        let found =
            boxoffice_store::mongo::documents::find_ticket_pdf(&world.documents, booking.id).await;
        found.unwrap().map(|pdf| pdf.sha256).ok_or("none yet")
    })
    .await
}
