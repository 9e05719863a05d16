//! C1 and C2 from the clients' side: what was answered with 202 is there.

use crate::{snapshot::Snapshot, sources::Accepted, tally::Tally};
use boxoffice_store::mysql::{bookings, operations};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Commands of one snapshot.
const PORTION: usize = 512;

pub(super) async fn accepted(db: &DatabaseConnection, accepted: &[Accepted], tally: &mut Tally) {
    tally.looked("C1", accepted.len() as u64);
    for portion in accepted.chunks(PORTION) {
        if let Err(error) = some(db, portion, tally).await {
            return tally.failed("C1", error);
        }
    }
}

async fn some(
    db: &DatabaseConnection,
    accepted: &[Accepted],
    tally: &mut Tally,
) -> Result<(), DbErr> {
    let snapshot = Snapshot::open(db).await?;
    let ids = padded(accepted.iter().map(|command| command.operation.0));
    let rows = operations::row::Entity::find()
        .filter(operations::row::Column::Id.is_in(ids))
        .all(snapshot.db())
        .await?;
    let rows: BTreeMap<Uuid, operations::row::Model> =
        rows.into_iter().map(|row| (row.id, row)).collect();
    let ids = padded(accepted.iter().map(|command| command.booking.0));
    let bookings: Vec<Uuid> = bookings::row::Entity::find()
        .select_only()
        .column(bookings::row::Column::Id)
        .filter(bookings::row::Column::Id.is_in(ids))
        .into_tuple()
        .all(snapshot.db())
        .await?;
    let bookings: BTreeSet<Uuid> = bookings.into_iter().collect();
    snapshot.close().await?;
    for command in accepted {
        let Accepted {
            booking,
            operation,
            kind,
        } = command;
        let wrong = match rows.get(&operation.0) {
            None => format!("{kind} of {booking} was accepted and is lost"),
            Some(row) if row.kind != *kind => {
                format!("{kind} of {booking} is kept as {}", row.kind)
            }
            Some(row) if row.booking_id != booking.0 => {
                format!("{kind} of {booking} is kept for {}", row.booking_id)
            }
            Some(row) if row.outcome != "rejected" && !bookings.contains(&booking.0) => {
                format!(
                    "{kind} of {booking} is {}, and there is no such booking",
                    row.outcome
                )
            }
            Some(_) => continue,
        };
        tally.found("C1", None, operation.0.to_string(), wrong);
    }
    Ok(())
}

/// As many as a full portion, so that it is one prepared statement.
fn padded(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.collect();
    if let Some(last) = ids.last().copied() {
        ids.resize(PORTION, last);
    }
    ids
}
