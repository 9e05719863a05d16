//! Seats and counters, a few shows per snapshot.

use super::{FOUND_MAX, id, number};
use crate::{
    books::{RESERVED, SOLD},
    snapshot::Snapshot,
    tally::Tally,
};
use sea_orm::{DatabaseConnection, DbErr, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Shows of one snapshot: their positions are read through one index.
const SHOWS: usize = 20;
/// A hold that is over is freed within a second; a sweeper that stands this long is a fault.
const LEAK_AFTER_SECS: u32 = 60;

const CHECKS: [&str; 4] = ["C4", "C5", "C6", "C24"];

pub(super) async fn check(db: &DatabaseConnection, tally: &mut Tally) {
    let mut after = Uuid::nil();
    loop {
        match some(db, after, tally).await {
            Ok(Some(last)) => after = last,
            Ok(None) => return,
            Err(error) => {
                for check in CHECKS {
                    tally.failed(check, format!("shows after {after}: {error}"));
                }
                return;
            }
        }
    }
}

/// Looks at the next shows, and returns the last of them.
async fn some(
    db: &DatabaseConnection,
    after: Uuid,
    tally: &mut Tally,
) -> Result<Option<Uuid>, DbErr> {
    let snapshot = Snapshot::open(db).await?;
    let mut shows = Vec::new();
    let mut last = after;
    while shows.len() < SHOWS {
        // One seek per table: a show may be left in any of them.
        let next = "SELECT LEAST( \
             COALESCE((SELECT MIN(show_id) FROM claims WHERE show_id > ?), ?), \
             COALESCE((SELECT MIN(show_id) FROM positions WHERE show_id > ?), ?), \
             COALESCE((SELECT MIN(show_id) FROM admissions WHERE show_id > ?), ?)) AS show_id";
        let max = Uuid::max();
        let values: [Value; 6] = [last, max, last, max, last, max].map(Value::from);
        let show = id(&snapshot.one(next, values).await?, "show_id")?;
        if show == max {
            break;
        }
        shows.push(show);
        last = show;
    }
    if !shows.is_empty() {
        // Always as many, so that it is one prepared statement.
        let mut asked = shows.clone();
        asked.resize(SHOWS, last);
        sold_once(&snapshot, &asked, tally).await?;
        claims(&snapshot, &asked, tally).await?;
        counters(&snapshot, &asked, tally).await?;
    }
    snapshot.close().await?;
    Ok((!shows.is_empty()).then_some(last))
}

fn values(shows: &[Uuid]) -> Vec<Value> {
    shows.iter().map(|show| Value::from(*show)).collect()
}

/// `?, ?, …` for the shows.
fn marks() -> String {
    vec!["?"; SHOWS].join(", ")
}

fn words(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    quoted.join(", ")
}

fn holding() -> String {
    words(&[&RESERVED[..], &SOLD[..]].concat())
}

/// C4: by the bookings, not by the claims: those have a primary key.
async fn sold_once(snapshot: &Snapshot, shows: &[Uuid], tally: &mut Tally) -> Result<(), DbErr> {
    let from = format!(
        "FROM positions p JOIN bookings b ON b.id = p.booking_id WHERE p.show_id IN ({}) \
         AND p.live AND p.seat_id IS NOT NULL AND b.status IN ({})",
        marks(),
        holding()
    );
    let count = format!("SELECT COUNT(*) AS n {from}");
    let row = snapshot.one(&count, values(shows)).await?;
    tally.looked("C4", number(&row, "n")?);
    let twice = format!(
        "SELECT p.show_id AS show_id, p.seat_id AS seat_id, COUNT(*) AS n, \
         GROUP_CONCAT(LOWER(HEX(b.id)) ORDER BY b.id SEPARATOR ', ') AS owners {from} \
         GROUP BY p.show_id, p.seat_id HAVING COUNT(*) > 1 LIMIT {FOUND_MAX}"
    );
    for row in snapshot.all(&twice, values(shows)).await? {
        let (show, seat): (Uuid, String) = (id(&row, "show_id")?, row.try_get("", "seat_id")?);
        let owners: String = row.try_get("", "owners")?;
        let text = format!("{seat} of {show} belongs to {owners}");
        tally.found("C4", None, format!("{show} {seat}"), text);
    }
    Ok(())
}

/// C5 and C6, from the claims' side.
async fn claims(snapshot: &Snapshot, shows: &[Uuid], tally: &mut Tally) -> Result<(), DbErr> {
    let count = format!(
        "SELECT COUNT(*) AS n, COALESCE(SUM(state = 'held'), 0) + 0e0 AS held FROM claims \
         WHERE show_id IN ({})",
        marks()
    );
    let row = snapshot.one(&count, values(shows)).await?;
    tally.looked("C5", number(&row, "n")?);
    let held: f64 = row.try_get("", "held")?;
    tally.looked("C6", held as u64);
    let wrong = format!(
        "SELECT c.show_id AS show_id, c.seat_id AS seat_id, c.state AS state, c.booking_id AS booking_id, \
         b.status AS status FROM claims c LEFT JOIN bookings b ON b.id = c.booking_id \
         WHERE c.show_id IN ({}) AND (b.id IS NULL OR (c.state = 'held' AND (b.status NOT IN ({}) \
         OR (b.status = 'held' AND b.wake_at < UTC_TIMESTAMP(6) - INTERVAL {LEAK_AFTER_SECS} SECOND)))) \
         LIMIT {FOUND_MAX}",
        marks(),
        words(&RESERVED)
    );
    for row in snapshot.all(&wrong, values(shows)).await? {
        let (show, booking) = (id(&row, "show_id")?, id(&row, "booking_id")?);
        let seat: String = row.try_get("", "seat_id")?;
        let state: String = row.try_get("", "state")?;
        let status: Option<String> = row.try_get("", "status")?;
        let check = if state == "held" { "C6" } else { "C5" };
        let why = match status.as_deref() {
            None => "which isn't there".to_owned(),
            Some("held") => "whose hold is over".to_owned(),
            Some(status) => format!("which is {status}"),
        };
        let text = format!("{seat} of {show} is {state} by {booking}, {why}");
        tally.found(check, None, format!("{show} {seat}"), text);
    }
    Ok(())
}

/// C24: both ways, so that a counter that is missing is found too.
async fn counters(snapshot: &Snapshot, shows: &[Uuid], tally: &mut Tally) -> Result<(), DbErr> {
    let live = format!(
        "SELECT p.show_id AS show_id, p.category AS category, COUNT(*) AS n FROM positions p \
         JOIN bookings b ON b.id = p.booking_id WHERE p.show_id IN ({}) AND p.live \
         AND p.seat_id IS NULL AND b.status IN ({}) GROUP BY p.show_id, p.category",
        marks(),
        holding()
    );
    let mut sums: BTreeMap<(Uuid, String), u64> = BTreeMap::new();
    for row in snapshot.all(&live, values(shows)).await? {
        let key = (id(&row, "show_id")?, row.try_get("", "category")?);
        sums.insert(key, number(&row, "n")?);
    }
    let counted = format!(
        "SELECT show_id, category, capacity, taken FROM admissions WHERE show_id IN ({})",
        marks()
    );
    for row in snapshot.all(&counted, values(shows)).await? {
        let (show, category): (Uuid, String) = (id(&row, "show_id")?, row.try_get("", "category")?);
        let (capacity, taken): (u32, u32) =
            (row.try_get("", "capacity")?, row.try_get("", "taken")?);
        tally.looked("C24", 1);
        let sum = sums.remove(&(show, category.clone())).unwrap_or_default();
        if u64::from(taken) != sum || sum > u64::from(capacity) {
            let text = format!(
                "{category:?} of {show}: {taken} of {capacity} taken, the bookings have {sum}"
            );
            tally.found("C24", None, format!("{show} {category}"), text);
        }
    }
    for ((show, category), sum) in sums {
        let text = format!("{category:?} of {show} is sold {sum} times and not counted");
        tally.found("C24", None, format!("{show} {category}"), text);
    }
    Ok(())
}
