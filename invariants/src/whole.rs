//! The checks that look across bookings: statements over indexed columns, a few shows at a time.

mod clients;
mod clocks;
mod delivery;
mod seats;

use crate::{
    outside::Outside,
    sources::{Options, Sources},
    tally::Tally,
};
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;

/// Rows that one statement shows at most: what is broken a thousand times needs no more.
const FOUND_MAX: u32 = 1_000;

pub(crate) async fn check(
    sources: &Sources,
    options: &Options,
    outside: &Outside,
    tally: &mut Tally,
) {
    let db = &sources.db;
    seats::check(db, tally).await;
    delivery::outbox(db, options, tally).await;
    delivery::parked(db, options, tally).await;
    delivery::stuck(db, tally).await;
    delivery::credit(db, tally).await;
    clocks::check(db, options, tally).await;
    if let Some(queues) = &sources.queues {
        delivery::queues(queues.as_ref(), options, tally).await;
    }
    if let Some(accepted) = &sources.accepted {
        clients::accepted(db, accepted, tally).await;
    }
    if let Some(history) = &sources.history {
        let (seats, impossible) = crate::linear::check(history);
        tally.looked("C23", seats);
        for found in impossible {
            tally.found("C23", None, found.key, found.text);
        }
    }
    outside.strays(sources, options, tally).await;
}

/// A column of 16 bytes.
fn id(row: &QueryResult, column: &str) -> Result<Uuid, DbErr> {
    row.try_get("", column)
}

fn number(row: &QueryResult, column: &str) -> Result<u64, DbErr> {
    let number: i64 = row.try_get("", column)?;
    Ok(u64::try_from(number).unwrap_or_default())
}
