//! Only the database's clock decides.

use super::{FOUND_MAX, id, number};
use crate::{snapshot::Snapshot, sources::Options, tally::Tally};
use sea_orm::{DatabaseConnection, DbErr};

/// A decision is dated and its cause is handled in one transaction, however long that takes.
const APART_MAX_SECS: u32 = 20;
/// While the house is live no older causes are compared: a look costs what an hour brings.
const LIVE_SECS: u32 = 3_600;

pub(super) async fn check(db: &DatabaseConnection, options: &Options, tally: &mut Tally) {
    if let Err(error) = decisions(db, options.at_rest, tally).await {
        tally.failed("C28", error);
    }
}

/// C28: the date of a decision against the inbox row of its cause, which has the database's.
async fn decisions(db: &DatabaseConnection, at_rest: bool, tally: &mut Tally) -> Result<(), DbErr> {
    let since = if at_rest {
        String::new()
    } else {
        format!("AND i.handled_at >= UTC_TIMESTAMP(6) - INTERVAL {LIVE_SECS} SECOND")
    };
    let from = format!(
        "FROM inbox i JOIN booking_events e ON e.cause_id = i.message_id \
         WHERE i.queue LIKE 'reservations%' {since}"
    );
    let snapshot = Snapshot::open(db).await?;
    let row = snapshot
        .one(&format!("SELECT COUNT(*) AS n {from}"), [])
        .await?;
    tally.looked("C28", number(&row, "n")?);
    let apart = format!(
        "SELECT e.booking_id AS booking, e.version AS version, CAST(e.at AS CHAR) AS at, \
         CAST(i.handled_at AS CHAR) AS handled {from} \
         AND ABS(TIMESTAMPDIFF(SECOND, i.handled_at, e.at)) > {APART_MAX_SECS} LIMIT {FOUND_MAX}"
    );
    for row in snapshot.all(&apart, []).await? {
        let booking = id(&row, "booking")?;
        let version: u32 = row.try_get("", "version")?;
        let (at, handled): (String, String) = (row.try_get("", "at")?, row.try_get("", "handled")?);
        let text = format!(
            "version {version} of {booking} is dated {at}, its cause was handled at {handled}"
        );
        tally.found("C28", None, format!("{booking} {version}"), text);
    }
    snapshot.close().await
}
