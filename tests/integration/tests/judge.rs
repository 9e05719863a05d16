//! The judge is judged: every check finds the error that it is there for, planted where it looks.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod plantings;

use boxoffice_integration::{Order, Show, World};
use boxoffice_invariants::{CATALOGUE, Options, check_all};
use plantings::{How, PLANTINGS};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::{collections::BTreeSet, time::Duration};

#[test]
fn every_check_has_something_to_find() {
    let planted: BTreeSet<_> = PLANTINGS.iter().map(|planting| planting.check).collect();
    let checks: BTreeSet<_> = CATALOGUE.iter().map(|check| check.id).collect();
    assert_eq!(planted, checks);
}

/// docs/invariants.md has a line for each check, and names what is promised and compared as the crate does.
#[test]
fn the_page_lists_the_checks_as_they_are() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/invariants.md");
    let page = std::fs::read_to_string(page).unwrap();
    for check in CATALOGUE {
        let line = format!("| {} | {} | {} |", check.id, check.name, check.compares);
        assert!(page.contains(&line), "docs/invariants.md lacks {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_its_error() {
    let mut world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("night").in_the_club())
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let order = |seat: &str| Order::of(&show, &[seat]).paid_with("pm_card_visa");
    let completed = ada.book(order("A-1")).await;
    completed.until("completed").await;
    let refunded = ada.book(order("A-2")).await;
    refunded.until("completed").await;
    refunded.cancel(None).await;
    refunded.until("refunded").await;
    let cancelled = ada.book(Order::of(&show, &["A-3"])).await;
    cancelled.until("held").await;
    cancelled.cancel(None).await;
    cancelled.until("cancelled").await;
    let standing = Order::of(&world.show("night"), &[]).and("Standing", 2);
    let standing = ada.book(standing.paid_with("pm_card_visa")).await;
    standing.until("completed").await;
    let acme = world.reseller("acme").await;
    world.lend(&acme, 10_000).await;
    let credit = acme.book(Order::of(&show, &["B-1"])).await;
    credit.until("completed").await;
    world.settle().await;
    world.check().await;
    acme.leave().await;
    world.settle().await;
    // Nobody mends what is planted.
    for process in world.processes.values_mut() {
        assert!(process.stop().await.success());
    }
    world.check().await;

    let ids = [
        ("completed", completed.id),
        ("refunded", refunded.id),
        ("cancelled", cancelled.id),
        ("standing", standing.id),
        ("credit", credit.id),
    ];
    let named = |statement: &str| {
        let mut statement = statement.to_owned();
        for (name, id) in ids {
            let hex = format!("X'{}'", id.0.simple());
            statement = statement.replace(&format!("{{{name}}}"), &hex);
        }
        statement
    };
    keep(&world.db).await;
    for planting in PLANTINGS {
        let mut sources = world.sources();
        match &planting.how {
            How::Sql(statements) => {
                for statement in *statements {
                    let done = world.db.execute_unprepared(&named(statement)).await;
                    let rows = done.unwrap_or_else(|error| panic!("{statement}: {error}"));
                    assert!(rows.rows_affected() > 0, "nothing was planted: {statement}");
                }
            }
            How::Documents(spoil) => spoil(&world.documents, completed.id).await,
            How::Source(spoil) => spoil(&mut sources, completed.id),
        }
        let options = Options {
            look_again: Duration::ZERO,
            page: 2,
            ..Options::at_rest()
        };
        let report = check_all(&sources, &options).await;
        let outcome = report.check(planting.check).unwrap();
        assert!(
            outcome.violations > 0,
            "{} says nothing of {:?}: {:#?}",
            planting.check,
            planting.what,
            report.complaints()
        );
        restore(&world.db).await;
        plantings::restore_documents(&world.documents).await;
    }
    // All is as it was; so every planting was judged by itself.
    world.check().await;
    world.finish().await;
}

/// What is wrong only for a moment is no violation; what a source can't tell is said.
#[tokio::test(flavor = "multi_thread")]
async fn suspects_are_looked_at_twice_and_silence_is_not_fine() {
    let mut world = World::setup().show(Show::named("evening")).start().await;
    let order = Order::of(&world.show("evening"), &["A-1"]).paid_with("pm_card_visa");
    world
        .customer("ada")
        .book(order)
        .await
        .until("completed")
        .await;
    world.settle().await;
    world.check().await;
    for process in world.processes.values_mut() {
        assert!(process.stop().await.success());
    }
    let options = Options {
        look_again: Duration::from_secs(3),
        ..Options::at_rest()
    };
    let change = |by: &str| format!("UPDATE bookings SET captured_minor = captured_minor {by} 1");
    world.db.execute_unprepared(&change("-")).await.unwrap();
    let sources = world.sources();
    let (asked, by) = (sources.clone(), options.clone());
    let looking = tokio::spawn(async move { check_all(&asked, &by).await });
    // The first look is over within this, the second one begins after it.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world.db.execute_unprepared(&change("+")).await.unwrap();
    let report = looking.await.unwrap();
    assert!(report.is_fine(), "{:#?}", report.complaints());

    world.db.execute_unprepared(&change("-")).await.unwrap();
    let live = Options {
        look_again: Duration::from_millis(1),
        grace: Duration::ZERO,
        ..Options::default()
    };
    let report = check_all(&sources, &live).await;
    assert_eq!(report.check("C8").unwrap().violations, 1);
    assert_eq!(report.check("C20").unwrap().violations, 1);
    // Younger than the grace: what others hold is not compared yet.
    let patient = Options {
        grace: Duration::from_secs(3_600),
        ..live.clone()
    };
    let report = check_all(&sources, &patient).await;
    assert_eq!(report.check("C8").unwrap().violations, 1);
    assert!(report.check("C20").is_none(), "{report:#?}");
    world.db.execute_unprepared(&change("+")).await.unwrap();

    let mut deaf = world.sources();
    deaf.gateway = Some(plantings::silent());
    let report = check_all(&deaf, &live).await;
    assert!(!report.is_fine());
    assert!(report.check("C20").unwrap().error.is_some(), "{report:#?}");
    world.finish().await;
}

/// Tables that plantings change.
const TABLES: [&str; 17] = [
    "admissions",
    "booking_events",
    "bookings",
    "claims",
    "inbox",
    "ledger_entries",
    "mails",
    "operations",
    "outbox",
    "parked_messages",
    "partner_credit",
    "payment_attempts",
    "payment_intents",
    "positions",
    "refunds",
    "shows",
    "tickets",
];

async fn keep(db: &DatabaseConnection) {
    for table in TABLES {
        for statement in [
            format!("CREATE TABLE kept_{table} LIKE {table}"),
            format!("INSERT INTO kept_{table} SELECT * FROM {table}"),
        ] {
            db.execute_unprepared(&statement).await.unwrap();
        }
    }
}

async fn restore(db: &DatabaseConnection) {
    for table in TABLES {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} SELECT * FROM kept_{table}"),
        ] {
            db.execute_unprepared(&statement).await.unwrap();
        }
    }
}
