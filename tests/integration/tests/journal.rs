//! The intake journal: what was accepted survives the loss of the broker's disk.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Order, Roles, Setup, Show, World, books, customer::new_key, eventually, fixture,
    private_broker::PrivateBroker, secs, wait_until,
};
use reqwest::{Method, StatusCode};
use tokio::task::block_in_place;

/// F13: between the 202 and the decision the broker loses everything it ever had.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_only_the_lost_broker_had_appears() {
    let mut broker = PrivateBroker::start().await;
    let mut world = on(&broker).setting("BOXOFFICE__INTAKE__JOURNAL", "true");
    world = world.setting("BOXOFFICE__INTAKE__RESEND_SECS", "1");
    let mut world = world.start().await;
    let ada = world.customer("ada");
    let seats = fixture::seats();
    let order = Order::of(&world.show("evening"), &[&seats[0]]).paid_with("pm_card_visa");

    world.process("reservations").kill();
    let booking = ada.book(order).await;
    assert_eq!(books::count(&world.db, "intake_journal").await, 1);
    assert_eq!(books::count(&world.db, "bookings").await, 0);
    broker.kill();
    broker.wipe().unwrap();
    broker.start_again().await;
    make_vhosts(&world).await;
    let declared = eventually("the topology", secs(30), async || {
        let declare = ["topology", "declare"];
        let output = block_in_place(|| world.processes["rest"].command(&declare));
        output.status.success().then_some(()).ok_or(output)
    });
    declared.await;
    world.reconnect_broker().await;
    world.process("reservations").restart().await;

    booking.until("completed").await;
    wait_until("the journal is empty", secs(20), async || {
        books::count(&world.db, "intake_journal").await == 0
    })
    .await;
    world.finish().await;
}

/// A 503 leaves nothing that would be carried out later.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_kept() {
    let mut broker = PrivateBroker::start().await;
    let world = on(&broker).setting("BOXOFFICE__INTAKE__JOURNAL", "true");
    let mut world = world.start().await;
    let ada = world.customer("ada");
    broker.kill();
    let seats = fixture::seats();
    let order = Order::of(&world.show("evening"), &[&seats[0]]);
    let refused = eventually("a refusal that is sure", secs(30), async || {
        let key = new_key();
        let answer = ada.submit(&key, order.clone());
        let answer = answer.await.map_err(|error| error.to_string())?;
        // The first may have been sent before the end was noticed: then nobody knows.
        let kept = books::count(&world.db, "intake_journal").await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE && kept <= 1 {
            Ok(kept)
        } else {
            Err(format!("{} with {kept} kept", answer.status))
        }
    })
    .await;
    let key = new_key();
    let again = ada.submit(&key, order.clone()).await.unwrap();
    assert_eq!(again.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(books::count(&world.db, "intake_journal").await, refused);
    broker.start_again().await;
    world.reconnect_broker().await;
    world.finish().await;
}

fn on(broker: &PrivateBroker) -> Setup {
    World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["reservations"]]))
        .broker(broker.amqp_url(), broker.management_url())
}

async fn make_vhosts(world: &World) {
    for vhost in [world.vhost_name().to_owned(), world.partners_vhost()] {
        world
            .manage(Method::PUT, &format!("/api/vhosts/{vhost}"), "{}")
            .await;
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        let permissions = format!("/api/permissions/{vhost}/boxoffice");
        world.manage(Method::PUT, &permissions, all).await;
    }
}
