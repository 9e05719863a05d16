//! A service is away for a while: first silent, then refusing. Nothing is parked, nothing is lost, and when it
//! is back everything ends by itself.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Booking, Customer, Flow, Link, Mode, Order, Roles, Show, World, books, customer::new_key,
    fixture, secs, wait_until,
};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SILENT: Duration = secs(4);
const REFUSING: Duration = secs(4);
const VISA: &str = "pm_card_visa";

/// F32, F48, F51.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_away_and_bookings_are_accepted_all_the_same() {
    let world = world(Link::WorkersMysql).await;
    let ada = world.customer("ada");
    let before = submit_some(&world, &ada, 0..4).await;
    world.set_link(Link::WorkersMysql, Mode::Blackhole(Flow::Both));
    // The intake needs the broker alone.
    let begun = Instant::now();
    let during = submit_some(&world, &ada, 4..8).await;
    assert!(
        begun.elapsed() < secs(3),
        "accepted at once: {:?}",
        begun.elapsed()
    );
    sleep(SILENT).await;
    world.set_link(Link::WorkersMysql, Mode::Reset);
    let status = ada.get(&during[0].link).await.unwrap();
    assert_eq!(status.status.as_u16(), 503, "{}", status.body);
    sleep(REFUSING).await;
    heal(world, Link::WorkersMysql, before, during).await;
}

/// Whoever ends a process kills it after 30 s: by then it has given back what it could not finish.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_database_is_silent_has_ended_before_it_would_be_killed() {
    const KILLED_AFTER: Duration = secs(30);
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["reservations"]]))
        .through(Link::WorkersMysql)
        .start()
        .await;
    let ada = world.customer("ada");
    let before = submit_some(&world, &ada, 0..4).await;
    for booking in &before {
        booking.until("completed").await;
    }
    world.set_link(Link::WorkersMysql, Mode::Blackhole(Flow::Both));
    let during = submit_some(&world, &ada, 4..8).await;
    wait_until("the worker has them in hand", secs(10), async || {
        let waiting = world.vhost.waiting().await;
        waiting
            .iter()
            .all(|(queue, _)| !queue.starts_with("reservations.submit"))
    })
    .await;
    let begun = Instant::now();
    let ended = world.process("reservations").stop().await;
    assert!(ended.success(), "{ended}");
    assert!(begun.elapsed() < KILLED_AFTER, "{:?}", begun.elapsed());
    world.set_link(Link::WorkersMysql, Mode::Pass);
    let worker = world.process("reservations");
    worker.start();
    worker.ready().await;
    heal(world, Link::WorkersMysql, before, during).await;
}

/// F80: the documents wait, the booking doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_away_and_bookings_complete_without_them() {
    let world = world(Link::WorkersMongodb).await;
    let ada = world.customer("ada");
    let before = submit_some(&world, &ada, 0..4).await;
    world.set_link(Link::WorkersMongodb, Mode::Blackhole(Flow::Both));
    let during = submit_some(&world, &ada, 4..8).await;
    sleep(SILENT).await;
    world.set_link(Link::WorkersMongodb, Mode::Reset);
    for booking in &during {
        booking.until("completed").await;
    }
    let tickets = format!("/v1/bookings/{}/tickets.pdf", during[0].id);
    let answer = ada.get(&tickets).await.unwrap();
    assert!(
        [409, 503].contains(&answer.status.as_u16()),
        "{}",
        answer.body
    );
    heal(world, Link::WorkersMongodb, before, during).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_server_is_away_and_mails_come_later() {
    let mut world = world(Link::WorkersSmtp).await;
    // Silence after the last byte: the server may have taken the mail.
    world.allow_mail_copies();
    let ada = world.customer("ada");
    let before = submit_some(&world, &ada, 0..4).await;
    world.set_link(Link::WorkersSmtp, Mode::Blackhole(Flow::Both));
    let during = submit_some(&world, &ada, 4..8).await;
    for booking in &during {
        booking.until("completed").await;
    }
    sleep(SILENT).await;
    world.set_link(Link::WorkersSmtp, Mode::Reset);
    sleep(REFUSING).await;
    heal(world, Link::WorkersSmtp, before, during).await;
}

/// F60: nobody knows what became of the payments, and nobody guesses.
#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_away_and_payments_go_on_where_they_were() {
    let world = world(Link::WorkersGateway).await;
    let ada = world.customer("ada");
    let before = submit_some(&world, &ada, 0..4).await;
    world.set_link(Link::WorkersGateway, Mode::Blackhole(Flow::Both));
    let during = submit_some(&world, &ada, 4..8).await;
    for booking in &during {
        booking
            .wait_for("unknown", secs(15), |state| state.phase() == "unknown")
            .await;
    }
    sleep(SILENT).await;
    world.set_link(Link::WorkersGateway, Mode::Reset);
    sleep(REFUSING).await;
    heal(world, Link::WorkersGateway, before, during).await;
}

/// F3, I8: without a confirm there is no 202.
#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_away_and_nothing_is_accepted_that_is_not_kept() {
    let world = world(Link::WorkersBroker).await;
    let ada = world.customer("ada");
    let before = submit_some(&world, &ada, 0..4).await;
    for booking in &before {
        booking.until("completed").await;
    }
    let show = world.show("evening");
    let mut keys = Vec::new();
    for (mode, how_long) in [
        (Mode::Blackhole(Flow::Both), SILENT),
        (Mode::Reset, REFUSING),
    ] {
        world.set_link(Link::WorkersBroker, mode);
        let until = Instant::now() + how_long;
        while Instant::now() < until {
            let key = new_key();
            let seats = fixture::seats();
            let order = Order::of(&show, &[seats[8 + keys.len()].as_str()]).paid_with(VISA);
            let begun = Instant::now();
            let answer = ada.submit(&key, order.clone()).await.unwrap();
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (503, "overloaded"),
                "{}",
                answer.body
            );
            assert!(
                begun.elapsed() < secs(4),
                "an answer in time: {:?}",
                begun.elapsed()
            );
            keys.push((key, order));
            sleep(Duration::from_millis(500)).await;
        }
        // What is known is still shown.
        assert_eq!(before[0].state().await.status(), "completed");
    }
    world.set_link(Link::WorkersBroker, Mode::Pass);
    // The same keys again: whatever the silence swallowed is carried out once.
    let during = join_all(
        keys.iter()
            .map(|(key, order)| ada.book_with(key, order.clone())),
    )
    .await;
    heal(world, Link::WorkersBroker, before, during).await;
}

/// What was kept of a booking outlives no connection that would end it.
#[tokio::test(flavor = "multi_thread")]
async fn while_no_events_arrive_a_status_is_read_each_time() {
    let world = world(Link::WorkersBroker).await;
    let (ada, show) = (world.customer("ada"), world.show("evening"));
    let booking = ada.book(Order::of(&show, &["A-1"])).await;
    booking.until("held").await;
    // None when it was read just now.
    let age = async || {
        let answer = ada
            .request(Method::GET, &booking.link)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let age = answer.headers().get("age")?.to_str().unwrap();
        Some(age.parse::<u64>().unwrap())
    };
    let told_again = || wait_until("it is told again", secs(10), async || age().await.is_some());
    told_again().await;
    assert!(age().await.is_none_or(|secs| secs <= 5));
    world.set_link(Link::WorkersBroker, Mode::Reset);
    wait_until("the loss is noticed", secs(5), async || {
        age().await.is_none()
    })
    .await;
    for _ in 0..20 {
        assert_eq!(age().await, None);
    }
    world.set_link(Link::WorkersBroker, Mode::Pass);
    told_again().await;
    booking.pay(VISA).await;
    heal(world, Link::WorkersBroker, vec![booking], Vec::new()).await;
}

async fn world(link: Link) -> World {
    World::setup()
        .show(Show::named("evening"))
        .through(link)
        .start()
        .await
}

/// One seat each, paid at once.
async fn submit_some(
    world: &World,
    customer: &Customer,
    seats: std::ops::Range<usize>,
) -> Vec<Booking> {
    let (show, all) = (world.show("evening"), fixture::seats());
    join_all(seats.map(|seat| {
        let order = Order::of(&show, &[all[seat].as_str()]).paid_with(VISA);
        customer.book(order)
    }))
    .await
}

/// Lets everything flow again: all of it ends well, and nothing waits for a person.
async fn heal(world: World, link: Link, before: Vec<Booking>, during: Vec<Booking>) {
    world.set_link(link, Mode::Pass);
    for booking in before.iter().chain(&during) {
        booking.until("completed").await;
        world.mail(booking.id, "confirmation").await;
    }
    wait_until("no message is parked", secs(1), async || {
        books::count(&world.db, "parked_messages").await == 0
    })
    .await;
    world.finish().await;
}

/// Found by chaos, 2: the order of a document vanishes with its queue's messages. The booking completes and its mail has
/// a link all the same; the order is repeated until the link leads somewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_order_of_a_document_is_repeated_until_it_is_there() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["tickets"]]))
        .start()
        .await;
    world.process("tickets").kill();
    let order = Order::of(&world.show("evening"), &["A-1"]).paid_with("pm_card_visa");
    let booking = world.customer("ada").book(order).await;
    booking.until("paid").await;
    let contents = format!("/api/queues/{}/tickets/contents", world.vhost_name());
    world.manage(Method::DELETE, &contents, "").await;
    booking.until("completed").await;
    world.manage(Method::DELETE, &contents, "").await;
    world.process("tickets").restart().await;
    wait_until("the document is there", secs(30), async || {
        let path = format!("/v1/bookings/{}/tickets.pdf", booking.id);
        let answer = world.customer("ada").request(Method::GET, &path);
        answer.send().await.unwrap().status() == StatusCode::OK
    })
    .await;
    world.finish().await;
}
