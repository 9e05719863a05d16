//! Places without numbers: sold alone or with seats, given back exactly once, never more than there are.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Crowd, Customer, Order, Roles, Show, World, customer::new_key, eventually, fixture, secs,
};
use serde_json::json;

const ALL: u64 = fixture::STANDING_PLACES as u64;

/// Waits until so many places of the category are taken.
async fn taken(customer: &Customer, show: &Show, category: &str, count: u64) {
    eventually(
        &format!("{count} of {category} are taken"),
        secs(10),
        async || match customer.places(show, category).await {
            (taken, _) if taken == count => Ok(()),
            (taken, free) => Err(format!("{taken} taken, {free} free")),
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_and_two_standing_places_are_one_booking_to_the_end() {
    let night = Show::named("night").in_the_club().fee(100);
    let world = World::setup().show(night).start().await;
    let (ada, show) = (world.customer("ada"), world.show("night"));
    assert_eq!(ada.places(&show, "Standing").await, (0, ALL));

    let order = Order::of(&show, &["G-3"]).and("Standing", 2);
    let booking = ada.book(order.paid_with("pm_card_visa")).await;
    let done = booking.until("completed").await;
    assert_eq!(
        done.minor("total"),
        fixture::GALLERY + 2 * fixture::STANDING
    );
    let positions = done.0["positions"].as_array().unwrap();
    assert_eq!(positions.len(), 3);
    assert_eq!(positions[0]["seat_id"], "G-3");
    assert_eq!(positions[1]["category"], "Standing");
    assert!(positions[1]["seat_id"].is_null());
    taken(&ada, &show, "Standing", 2).await;
    assert!(!ada.free_seats(&show).await.contains(&"G-3".to_owned()));

    // A page for each: two say where one may be, and no row.
    let pdf = lopdf::Document::load_mem(&booking.tickets_pdf().await).unwrap();
    let pages: Vec<String> = (1..=3).map(|page| words(&pdf, page)).collect();
    assert!(!pages[0].contains("General admission"), "{}", pages[0]);
    for page in &pages[1..] {
        assert!(page.contains("General admission"), "{page}");
        assert!(page.contains("Dance floor"), "{page}");
    }
    let mail = world.mail(booking.id, "confirmation").await;
    let text = world
        .catcher
        .store()
        .detail(mail.id)
        .unwrap()
        .unwrap()
        .text
        .unwrap();
    assert_eq!(text.matches("General admission").count(), 2, "{text}");
    assert!(text.contains("Row G, Seat 3"), "{text}");

    // One of the two goes back, once, whatever is said again.
    let cancelled = booking.cancel(Some(&[2])).await;
    assert_eq!(booking.outcome(cancelled).await, "done");
    let again = booking.cancel(Some(&[2])).await;
    assert_eq!(booking.outcome(again).await, "position_unknown");
    let left = booking
        .wait_for("two places that admit", secs(30), |state| {
            state.status() == "completed" && state.minor("refunded") > 0
        })
        .await;
    assert_eq!(left.minor("refunded"), fixture::STANDING - 100);
    taken(&ada, &show, "Standing", 1).await;

    // Then all the rest.
    let cancelled = booking.cancel(None).await;
    assert_eq!(booking.outcome(cancelled).await, "done");
    let gone = booking.wait_for("the whole refund", secs(30), |state| {
        state.has_ended() && state.status() == "refunded"
    });
    let paid = fixture::GALLERY + 2 * fixture::STANDING;
    assert_eq!(gone.await.minor("refunded"), paid - 300);
    taken(&ada, &show, "Standing", 0).await;
    assert!(ada.free_seats(&show).await.contains(&"G-3".to_owned()));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_booking_gets_everything_or_nothing() {
    let world = World::setup()
        .show(Show::named("night").in_the_club())
        .start()
        .await;
    let (ada, bob, show) = (
        world.customer("ada"),
        world.customer("bob"),
        world.show("night"),
    );
    let taken_seat = ada
        .book(Order::of(&show, &["G-1"]).paid_with("pm_card_visa"))
        .await;
    taken_seat.until("completed").await;
    let bar = Order::of(&show, &[]).and("Bar", 4);
    ada.book(bar.paid_with("pm_card_visa"))
        .await
        .until("completed")
        .await;

    // The seat is gone, standing is free; the seat is free, the bar is full; half of what is asked for is there.
    for order in [
        Order::of(&show, &["G-1"]).and("Standing", 2),
        Order::of(&show, &["G-2"]).and("Standing", 1).and("Bar", 1),
        Order::of(&show, &["G-2"]).and("Bar", 1).and("Standing", 1),
    ] {
        let refused = bob.book(order).await.until("rejected").await;
        assert_eq!(refused.code(), "seats_unavailable");
    }
    assert_eq!(bob.places(&show, "Standing").await.0, 0);
    assert!(bob.free_seats(&show).await.contains(&"G-2".to_owned()));

    // What is no area of this show, and what is no seat of this hall.
    for (order, code) in [
        (Order::of(&show, &[]).and("Gallery", 1), "category_unknown"),
        (Order::of(&show, &[]).and("standing", 1), "category_unknown"),
        (
            Order::of(&show, &[]).and("Standing ", 1),
            "category_unknown",
        ),
        (
            Order::of(&show, &["A-1"]).and("Standing", 1),
            "seat_unknown",
        ),
    ] {
        assert_eq!(bob.book(order).await.until("rejected").await.code(), code);
    }
    for (category, count) in [("Standing", 0), ("Standing", 11), ("", 1)] {
        let order = Order::of(&show, &[]).and(category, count);
        let refused = bob.submit(&new_key(), order).await.unwrap();
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (422, "validation_failed")
        );
    }

    // The same category twice is a sum.
    let twice = Order::of(&show, &[]).and("Standing", 3).and("Standing", 4);
    let twice = bob.book(twice.paid_with("pm_card_visa")).await;
    assert_eq!(
        twice.until("completed").await.minor("total"),
        7 * fixture::STANDING
    );
    taken(&bob, &show, "Standing", 7).await;
    world.finish().await;
}

/// What was held and is not paid goes back once: by cancelling a part, by cancelling, by the clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_standing_places_gives_back_exactly_once() {
    let world = World::setup()
        .show(Show::named("night").in_the_club())
        .show(Show::named("brief").in_the_club().hold(2, 1, 4))
        .start()
        .await;
    let ada = world.customer("ada");
    let (night, brief) = (world.show("night"), world.show("brief"));

    let held = ada
        .book(Order::of(&night, &["G-1"]).and("Standing", 5))
        .await;
    held.until("held").await;
    taken(&ada, &night, "Standing", 5).await;
    let some = held.cancel(Some(&[3, 4])).await;
    assert_eq!(held.outcome(some).await, "done");
    taken(&ada, &night, "Standing", 3).await;
    let rest = held.cancel(None).await;
    assert_eq!(held.outcome(rest).await, "done");
    taken(&ada, &night, "Standing", 0).await;

    let forgotten = ada
        .book(Order::of(&brief, &[]).and("Standing", 6).and("Bar", 4))
        .await;
    forgotten.until("held").await;
    assert_eq!(ada.places(&brief, "Bar").await, (4, 0));
    forgotten.until("expired").await;
    taken(&ada, &brief, "Standing", 0).await;
    taken(&ada, &brief, "Bar", 0).await;
    // An ended booking gives nothing back again.
    let late = forgotten.cancel(None).await;
    assert_eq!(forgotten.outcome(late).await, "booking_ended");
    taken(&ada, &brief, "Bar", 0).await;

    let declined = Order::of(&night, &[])
        .and("Bar", 2)
        .paid_with("pm_card_chargeDeclined");
    let declined = ada.book(declined).await;
    declined
        .wait_for("a decline", secs(30), |state| {
            state.status() == "held" && state.code() == "card_declined"
        })
        .await;
    taken(&ada, &night, "Bar", 2).await;
    declined.pay("pm_card_visa").await;
    declined.until("completed").await;
    taken(&ada, &night, "Bar", 2).await;
    world.finish().await;
}

/// The late-money rule counts places as it looks at seats.
#[tokio::test(flavor = "multi_thread")]
async fn late_money_gets_its_places_while_there_are_enough() {
    let world = World::setup()
        .show(Show::named("brief").in_the_club().hold(3, 1, 4))
        .start()
        .await;
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let show = world.show("brief");
    let (enough, full) = (new_key(), new_key());
    for booking in [ada.booking_of(&enough), ada.booking_of(&full)] {
        for fault in [
            json!({"op": "confirm", "kind": "hang_after"}),
            json!({"op": "retrieve", "kind": "hang"}),
        ] {
            world.gateway.fault_for(booking, fault).await;
        }
    }
    let order = |category: &str, count| {
        let order = Order::of(&show, &[]).and(category, count);
        order.paid_with("pm_card_visa")
    };
    let honoured = ada.book_with(&enough, order("Standing", 3)).await;
    let refused = ada.book_with(&full, order("Bar", 3)).await;
    for booking in [&honoured, &refused] {
        booking.until("expired").await;
    }
    taken(&ada, &show, "Standing", 0).await;
    taken(&ada, &show, "Bar", 0).await;
    // Two of four are left for three.
    bob.book(order("Bar", 2)).await.until("completed").await;
    world.gateway.heal().await;

    honoured.until("completed").await;
    taken(&ada, &show, "Standing", 3).await;
    world.mail(refused.id, "apology").await;
    assert_eq!(refused.state().await.status(), "expired");
    taken(&ada, &show, "Bar", 2).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients_storm_forty_places_and_exactly_forty_are_sold() {
    let world = World::setup()
        .show(Show::named("premiere").in_the_club())
        .start()
        .await;
    let show = world.show("premiere");
    let crowd = Crowd {
        clients: 200,
        during: secs(0),
        simple: true,
        seed: 1,
    };
    let outcomes = world.rush(&show, crowd).end().await;
    let sold = usize::try_from(ALL).unwrap();
    let expected = [
        ("completed", sold),
        ("rejected/seats_unavailable", 200 - sold),
    ];
    let expected = expected.map(|(outcome, count)| (outcome.to_owned(), count));
    assert_eq!(outcomes, expected.into());
    assert_eq!(
        world.customer("late").places(&show, "Standing").await,
        (ALL, 0)
    );
    world.finish().await;
}

/// Standing, bar and seats in any order, every card, every whim; holds of seconds, and a worker that dies twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_in_the_club_ends_in_order() {
    let mut world = World::setup()
        .show(Show::named("premiere").in_the_club().hold(4, 1, 8))
        .roles(Roles::Apart(&[&["reservations", "hold-expiry"]]))
        .start()
        .await;
    world.allow_mail_copies();
    let show = world.show("premiere");
    let crowd = Crowd {
        clients: 150,
        during: secs(6),
        simple: false,
        seed: 3,
    };
    let rush = world.rush(&show, crowd);
    for _ in 0..2 {
        // The pace of the fault, not a wait for a condition.
        tokio::time::sleep(secs(2)).await;
        world.process("reservations").kill();
        world.process("reservations").start();
        world.process("reservations").ready().await;
    }
    let outcomes = rush.end().await;
    assert_eq!(outcomes.values().sum::<usize>(), 150);
    assert!(outcomes["completed"] > 10, "{outcomes:?}");
    world.finish().await;
}

fn words(pdf: &lopdf::Document, page: u32) -> String {
    let text = pdf.extract_text(&[page]).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
