//! What is known of a mail when its server's answers are not.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{BookingId, Instant, MessageId, message::mail::Template};
use boxoffice_integration::{
    Order, Roles, Show, World, books, eventually, fixture, secs, wait_until,
};
use boxoffice_mail_catcher::{Fault, FaultKind};
use boxoffice_store::mysql::mails::{self, Attempt, Lease, MAYBE_SENT, MailKey};
use reqwest::Method;
use sea_orm::{DatabaseConnection, EntityTrait as _};
use uuid::Uuid;

/// F69: the first attempt was taken and its answer lost, the second is refused. The mail is undeliverable as far as the
/// last answer goes, and the books say that it may have been sent all the same. Found by chaos.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_taken_before_it_was_refused_may_have_been_sent() {
    let world = World::setup().show(Show::named("evening")).start().await;
    world
        .catcher
        .faults()
        .put(Fault::new(FaultKind::HangAfterData).times(1));
    let ada = world.customer("ada");
    let seats = fixture::seats();
    let order = Order::of(&world.show("evening"), &[&seats[0]]).paid_with("pm_card_visa");
    let booking = ada.book(order).await;
    wait_until("the mail was taken", secs(20), async || {
        !world.mails_of(booking.id).is_empty()
    })
    .await;
    world.catcher.faults().put(Fault::new(FaultKind::Reject550));

    let maybe = format!("mails WHERE state = 'undeliverable' AND detail LIKE '%, {MAYBE_SENT}'");
    eventually("the mail is refused", secs(40), async || {
        let refused = books::count(&world.db, &maybe).await;
        if refused == 1 { Ok(()) } else { Err(refused) }
    })
    .await;
    // One that was refused and nothing else was not sent.
    let order = Order::of(&world.show("evening"), &[&seats[1]]).paid_with("pm_card_visa");
    ada.book(order).await.until("completed").await;
    eventually("the other is refused", secs(20), async || {
        let refused = books::count(&world.db, "mails WHERE state = 'undeliverable'").await;
        if refused == 2 { Ok(()) } else { Err(refused) }
    })
    .await;
    assert_eq!(books::count(&world.db, &maybe).await, 1);
    world.catcher.faults().clear();
    world.finish().await;
}

/// F22: somebody empties the queue of mails, twice. An order that is lost is repeated until its mail has ended, for a
/// booking that nothing else will happen to. Found by chaos.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_order_of_a_mail_is_repeated_until_it_is_sent() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .roles(Roles::Apart(&[&["mail"]]))
        .setting("BOXOFFICE__SAGA__MAIL_WAIT_SECS", "2")
        .start()
        .await;
    world.process("mail").kill();
    let ada = world.customer("ada");
    let seats = fixture::seats();
    let order = Order::of(&world.show("evening"), &[&seats[0]]).paid_with("pm_card_visa");
    let booking = ada.book(order).await;
    booking.until("completed").await;
    let contents = format!("/api/queues/{}/mail/contents", world.vhost_name());
    world.manage(Method::DELETE, &contents, "").await;
    wait_until("the order was sent again", secs(20), async || {
        books::count(&world.db, "mail_orders WHERE sent_again = 1").await == 1
    })
    .await;
    world.manage(Method::DELETE, &contents, "").await;
    world.process("mail").restart().await;

    world.mail(booking.id, "confirmation").await;
    wait_until("no order is kept", secs(40), async || {
        books::count(&world.db, "mail_orders").await == 0
    })
    .await;
    world.finish().await;
}

/// A server that asks for patience is tried again by the order that is there: another one beside it would double the
/// tries, and go on when a person has the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_being_tried_is_not_ordered_again() {
    let world = World::setup()
        .show(Show::named("evening"))
        .setting("BOXOFFICE__SAGA__MAIL_WAIT_SECS", "2")
        .start()
        .await;
    let later = Fault::new(FaultKind::Greylist451).times(1_000);
    world.catcher.faults().put(later);
    let ada = world.customer("ada");
    let order = Order::of(&world.show("evening"), &[&fixture::seats()[0]]);
    let booking = ada.book(order.paid_with("pm_card_visa")).await;
    booking.until("completed").await;
    let postponed =
        "mail_orders WHERE sent_again = 0 AND due_at > UTC_TIMESTAMP(6) + INTERVAL 60 SECOND";
    wait_until("the order is left to who tries it", secs(20), async || {
        books::count(&world.db, postponed).await == 1
    })
    .await;
    world.catcher.faults().clear();
    world.mail(booking.id, "confirmation").await;
    world.finish().await;
}

/// The broker brought the order twice while it was worked on: whoever is refused doesn't know what the other does.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_beside_another_attempt_may_have_been_sent() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let now: Instant = "2026-11-21T10:00:00Z".parse().unwrap();
    for (name, others, maybe) in [("alone", false, false), ("beside another", true, true)] {
        let key = MailKey {
            booking: BookingId(Uuid::new_v4()),
            template: Template::Confirmation,
            revision: 1,
        };
        let first = begin(&world.db, key, now).await;
        if others {
            begin(&world.db, key, now + secs(1)).await;
        }
        mails::refuse(&world.db, key, "550", first, now)
            .await
            .unwrap();
        let row = mails::row::Entity::find_by_id((
            key.booking.0,
            key.template.as_str().to_owned(),
            key.revision,
        ));
        let row = row.one(&world.db).await.unwrap().unwrap();
        let detail = row.detail.unwrap();
        assert!(detail.starts_with("550"), "{name}: {detail}");
        assert_eq!(detail.ends_with(MAYBE_SENT), maybe, "{name}: {detail}");
    }
    world.discard().await;
}

/// By the same order each time: that is how the broker brings it again.
async fn begin(db: &DatabaseConnection, key: MailKey, now: Instant) -> Attempt {
    let leased_until = now + secs(120);
    let lease = Lease {
        holder: MessageId(Uuid::from_u128(7)),
        until: leased_until,
    };
    let asked = [(key, "x@house.example".to_owned(), lease)];
    let mut begun = mails::begin(db, &asked, now).await.unwrap();
    Attempt {
        repeated: begun.remove(&key).unwrap().attempted,
        leased_until,
    }
}
