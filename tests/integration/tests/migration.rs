//! Two versions and one schema: what an upgrade is while it is under way.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{Customer, Order, Show, World, books, eventually, fixture, secs};
use sea_orm::ConnectionTrait as _;
use std::process::Output;
use tokio::task::block_in_place;

const VISA: &str = "pm_card_visa";
/// The newest migration of this program.
const NEWEST: &str = "m0012_mail_orders";
/// One that it will have some day.
const TOMORROWS: &str = "m9999_of_tomorrow";

/// F53: the next version's migration comes while this one sells. Each table gets columns that this program never
/// writes, an index that it doesn't know, and there is a table more. It goes on, starts again, and its books are right.
#[tokio::test(flavor = "multi_thread")]
async fn f53_workers_go_on_beside_the_schema_of_the_next_version() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let seats = fixture::seats();
    buy(&world, &ada, &seats[0]).await;
    let order = Order::of(&world.show("evening"), &[&seats[1]]);
    let held = ada.book(order).await;
    held.until("held").await;

    expand(&world).await;
    // In the process that had prepared its statements for the old tables.
    held.pay(VISA).await;
    held.until("completed").await;
    held.cancel(None).await;
    held.until("refunded").await;
    buy(&world, &ada, &seats[2]).await;

    let stopped = world.process("all").stop().await;
    assert!(stopped.success(), "{stopped}");
    world.process("all").restart().await;
    buy(&world, &ada, &seats[1]).await;

    let older = |arguments: &[&str]| block_in_place(|| world.processes["all"].command(arguments));
    let doctor = older(&["doctor"]);
    assert!(said(&doctor).contains(TOMORROWS), "{}", said(&doctor));
    for change in [&["migrate"][..], &["migrate", "--down", "1"]] {
        let refused = older(change);
        assert!(!refused.status.success(), "{change:?}");
        let said = said(&refused);
        assert!(
            said.contains(TOMORROWS) && said.contains("the newer program's"),
            "{said}"
        );
    }
    world.finish().await;
}

/// F53: a new program that comes before its migration names it and ends, instead of failing at every message. When the
/// migration was made it starts.
#[tokio::test(flavor = "multi_thread")]
async fn f53_a_program_whose_migrations_are_pending_does_not_start() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let seats = fixture::seats();
    buy(&world, &ada, &seats[0]).await;
    let stopped = world.process("all").stop().await;
    assert!(stopped.success(), "{stopped}");
    let newer = |arguments: &[&str]| block_in_place(|| world.processes["all"].command(arguments));
    let back = newer(&["migrate", "--down", "1"]);
    assert!(back.status.success(), "{}", said(&back));

    for role in [&["worker", "run", "reservations"][..], &["api"], &["all"]] {
        let refused = newer(role);
        assert!(!refused.status.success(), "{role:?}");
        let said = said(&refused);
        assert!(
            said.contains(NEWEST) && said.contains("boxoffice migrate"),
            "{role:?}: {said}"
        );
    }
    let doctor = newer(&["doctor"]);
    assert!(said(&doctor).contains(NEWEST), "{}", said(&doctor));

    let migrated = newer(&["migrate"]);
    assert!(migrated.status.success(), "{}", said(&migrated));
    world.process("all").restart().await;
    buy(&world, &ada, &seats[1]).await;
    world.finish().await;
}

/// F53: the next version orders a mail that this one has never heard of. It is left to who knows it, and holds end.
#[tokio::test(flavor = "multi_thread")]
async fn f53_an_order_of_a_mail_of_the_next_version_stops_nothing() {
    let world = World::setup()
        .show(Show::named("brief").hold(2, 1, 3))
        .start()
        .await;
    run(
        &world,
        "INSERT INTO mail_orders (message_id, booking_id, template, revision, due_at) \
         VALUES (UNHEX(REPLACE(UUID(), '-', '')), UNHEX(REPLACE(UUID(), '-', '')), 'of_tomorrow', 1, UTC_TIMESTAMP(6))",
    )
    .await;
    let order = Order::of(&world.show("brief"), &[&fixture::seats()[0]]);
    let booking = world.customer("ada").book(order).await;
    booking.until("expired").await;
    assert_eq!(
        books::count(
            &world.db,
            "mail_orders WHERE sent_again = 0 AND template = 'of_tomorrow'"
        )
        .await,
        1
    );
    run(
        &world,
        "DELETE FROM mail_orders WHERE template = 'of_tomorrow'",
    )
    .await;
    world.finish().await;
}

async fn buy(world: &World, customer: &Customer, seat: &str) {
    let order = Order::of(&world.show("evening"), &[seat]).paid_with(VISA);
    let booking = customer.book(order).await;
    booking.until("completed").await;
}

/// As the first half of a change over two releases does.
async fn expand(world: &World) {
    let query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                 AND table_type = 'BASE TABLE' AND table_name <> 'seaql_migrations' ORDER BY table_name";
    let tables = books::texts(&world.db, query).await;
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        let change = format!(
            "ALTER TABLE {table} ADD COLUMN wish VARCHAR(40) NULL FIRST, \
             ADD COLUMN rank_of_tomorrow INT NOT NULL DEFAULT 7, ADD INDEX of_tomorrow (rank_of_tomorrow)"
        );
        run(world, &change).await;
    }
    run(
        world,
        "CREATE TABLE wishes (id BINARY(16) NOT NULL PRIMARY KEY, wish VARCHAR(40) NOT NULL)",
    )
    .await;
    let note = format!(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('{TOMORROWS}', UNIX_TIMESTAMP())"
    );
    run(world, &note).await;
}

/// Whoever is in a transaction meanwhile holds it up: again, as a person would.
async fn run(world: &World, sql: &str) {
    eventually(sql, secs(30), async || {
        world.db.execute_unprepared(sql).await
    })
    .await;
}

/// Both streams.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
