//! Who has which place, and who decided it.

use super::VISA;
use boxoffice_contracts::planted::{Bug, SKEW_VARIABLE};
use boxoffice_integration::{
    Order, Roles, Show, World,
    customer::new_key,
    planted::{Seen, caught},
    secs,
};
use serde_json::json;

/// Late money: the card answers after the hold, and somebody else has bought the seat.
#[tokio::test(flavor = "multi_thread")]
async fn late_money_is_honoured_whoever_has_the_seat() {
    let setup = || World::setup().show(Show::named("brief").hold(2, 1, 3));
    caught(
        Bug::ConfirmAfterExpiry,
        "C4 ",
        secs(15),
        setup,
        async |world| {
            let (ada, bob) = (world.customer("ada"), world.customer("bob"));
            let order = Order::of(&world.show("brief"), &["A-1"]).paid_with(VISA);
            let key = new_key();
            for fault in [
                json!({"op": "confirm", "kind": "hang_after"}),
                json!({"op": "retrieve", "kind": "hang"}),
            ] {
                world.gateway.fault_for(ada.booking_of(&key), fault).await;
            }
            let late = ada.book_with(&key, order.clone()).await;
            late.until("expired").await;
            bob.book(order).await.until("completed").await;
            world.gateway.heal().await;
            Seen::new()
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_given_back_twice() {
    let setup = || World::setup().show(Show::named("night").in_the_club());
    caught(Bug::DoubleRelease, "C24 ", secs(15), setup, async |world| {
        let show = world.show("night");
        let places = |count| {
            let order = Order::of(&show, &[]).and("Standing", count);
            order.paid_with(VISA)
        };
        let others = world.customer("bob").book(places(2)).await;
        others.until("completed").await;
        let booking = world.customer("ada").book(places(3)).await;
        booking.until("completed").await;
        let some = booking.cancel(Some(&[1])).await;
        assert_eq!(booking.outcome(some).await, "done");
        booking.until("completed").await;
        Seen::new()
    })
    .await;
}

/// A hold ends while its customer cancels: two transactions decide the same step.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_written_over_what_was_decided_meanwhile() {
    let setup = || World::setup().show(Show::named("brief").hold(2, 1, 3));
    caught(Bug::LostUpdate, "C16 ", secs(15), setup, async |world| {
        let order = Order::of(&world.show("brief"), &["A-1"]);
        let booking = world.customer("ada").book(order).await;
        booking.until("held").await;
        let claims = world.hold_rows("SELECT seat_id FROM claims").await;
        world.lock_waits(1).await;
        booking.cancel(None).await;
        world.lock_waits(2).await;
        claims.rollback().await.unwrap();
        let ended = booking.wait_for("an end", secs(20), |state| state.has_ended());
        ended.await;
        Seen::new()
    })
    .await;
}

/// One worker's clock is twelve minutes late: what it holds for ten is over at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_decided_by_the_clock_of_a_worker() {
    let setup = || {
        World::setup()
            .show(Show::named("evening"))
            .roles(Roles::Apart(&[&["reservations"]]))
    };
    caught(Bug::WorkerClock, "C28 ", secs(15), setup, async |world| {
        let worker = world.process("reservations");
        worker.set(SKEW_VARIABLE, "-720");
        worker.restart().await;
        let order = Order::of(&world.show("evening"), &["A-1"]);
        let booking = world.customer("ada").book(order).await;
        let decided = booking.wait_for("held", secs(20), |state| {
            state.status() == "held" || state.has_ended()
        });
        decided.await;
        let cancel = booking.cancel(None).await;
        booking.outcome(cancel).await;
        Seen::new()
    })
    .await;
}
