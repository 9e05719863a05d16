//! The database is put back to what it was some bookings ago, while the broker, the gateway and the documents went on.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    Customer, Order, Show, World, books, eventually, fixture, secs, wait_until,
};
use sea_orm::ConnectionTrait as _;

const VISA: &str = "pm_card_visa";
/// What the copies of tables are called.
const COPY: &str = "as_it_was_";

/// F49, F90: a backup of before three bookings. Money that the gateway took for them has no row any more: the
/// reconciliation names every one of them, and nothing of what the backup has.
#[tokio::test(flavor = "multi_thread")]
async fn f90_what_a_restored_database_does_not_know_is_named() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        // Its holds outlast the backup, and end while the test looks on.
        .show(Show::named("brief").hold(15, 1, 20))
        .start()
        .await;
    let ada = world.customer("ada");
    let seats = fixture::seats();
    let kept = buy(&world, &ada, &seats[0]).await;
    let held = ada
        .book(Order::of(&world.show("brief"), &[&seats[1]]))
        .await;
    held.until("held").await;
    wait_until("nothing but the hold is open", secs(30), async || {
        let open = world.unrest().await;
        open.iter().all(|one| one.contains(" is held until "))
    })
    .await;

    let tables = tables(&world).await;
    for table in &tables {
        run(
            &world,
            &format!("CREATE TABLE {COPY}{table} AS SELECT * FROM {table}"),
        )
        .await;
    }
    // After the backup: one that it has as held is paid, and two begin.
    held.pay(VISA).await;
    held.until("completed").await;
    let paid = world.gateway.intent(held.id).await.id;
    let lost = [
        buy(&world, &ada, &seats[2]).await,
        buy(&world, &ada, &seats[3]).await,
    ];
    world.settle().await;

    world.process("all").stop().await;
    for table in &tables {
        run(&world, &format!("DELETE FROM {table}")).await;
        run(
            &world,
            &format!("INSERT INTO {table} SELECT * FROM {COPY}{table}"),
        )
        .await;
        run(&world, &format!("DROP TABLE {COPY}{table}")).await;
    }
    world.process("all").restart().await;

    eventually("the reconciliation names all three", secs(60), async || {
        let said = world.judge().await.complaints();
        let named = |id: &String| {
            said.iter()
                .any(|one| one.starts_with("C20") && one.contains(id))
        };
        if lost.iter().chain([&paid]).all(named) {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    let said = world.judge().await.complaints();
    assert!(!said.iter().any(|one| one.contains(&kept)), "{said:#?}");
    // Whoever asks is not told of a booking that there isn't.
    let rows = books::count(&world.db, "bookings").await;
    assert_eq!(rows, 2);
    world.discard().await;
}

/// The intent of a booking that was paid.
async fn buy(world: &World, customer: &Customer, seat: &str) -> String {
    let order = Order::of(&world.show("evening"), &[seat]).paid_with(VISA);
    let booking = customer.book(order).await;
    booking.until("completed").await;
    world.gateway.intent(booking.id).await.id
}

/// None points at another.
async fn tables(world: &World) -> Vec<String> {
    let query = "SELECT table_name FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name";
    books::texts(&world.db, query).await
}

async fn run(world: &World, sql: &str) {
    world
        .db
        .execute_unprepared(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}
