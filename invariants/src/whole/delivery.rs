//! What is unsent, parked, stuck or left in a queue, and what partners owe.

use super::{FOUND_MAX, id, number};
use crate::{
    snapshot::Snapshot,
    sources::{Options, QueueBooks},
    tally::Tally,
};
use boxoffice_contracts::topology::UNROUTABLE;
use sea_orm::{DatabaseConnection, DbErr, Value};

/// The sweeper takes what is older than two seconds; so old a row is nobody's.
const OUTBOX_AGE_MAX_SECS: u32 = 30;

pub(super) async fn outbox(db: &DatabaseConnection, options: &Options, tally: &mut Tally) {
    let age = if options.at_rest {
        0
    } else {
        OUTBOX_AGE_MAX_SECS
    };
    if let Err(error) = try_outbox(db, age, tally).await {
        tally.failed("C14", error);
    }
}

/// C14.
async fn try_outbox(db: &DatabaseConnection, age: u32, tally: &mut Tally) -> Result<(), DbErr> {
    let snapshot = Snapshot::open(db).await?;
    let row = snapshot.one("SELECT COUNT(*) AS n FROM outbox", []).await?;
    tally.looked("C14", number(&row, "n")?);
    let old = format!(
        "SELECT message_id, kind, CAST(created_at AS CHAR) AS at FROM outbox \
         WHERE created_at <= UTC_TIMESTAMP(6) - INTERVAL {age} SECOND ORDER BY created_at LIMIT {FOUND_MAX}"
    );
    for row in snapshot.all(&old, []).await? {
        let message = id(&row, "message_id")?;
        let (kind, at): (String, String) = (row.try_get("", "kind")?, row.try_get("", "at")?);
        let text = format!("{kind} {message} waits in the outbox since {at}");
        tally.found("C14", None, message.to_string(), text);
    }
    snapshot.close().await
}

pub(super) async fn parked(db: &DatabaseConnection, options: &Options, tally: &mut Tally) {
    if let Err(error) = try_parked(db, options.allowed.parked, tally).await {
        tally.failed("C15", error);
    }
}

/// C15: what is parked was not handled, and is as much as was expected. Reasons may quote what was sent: codes don't.
async fn try_parked(db: &DatabaseConnection, allowed: u64, tally: &mut Tally) -> Result<(), DbErr> {
    let snapshot = Snapshot::open(db).await?;
    let query = "SELECT COUNT(*) AS n FROM parked_messages WHERE status = 'parked'";
    let parked = number(&snapshot.one(query, []).await?, "n")?;
    tally.looked("C15", parked);
    if parked < allowed {
        let text = format!("{parked} messages are parked, and {allowed} were to be");
        tally.found("C15", None, "fewer".to_owned(), text);
    }
    let query = format!(
        "SELECT p.message_id AS message_id, p.queue AS queue, p.kind AS kind, p.code AS code, \
         i.message_id IS NOT NULL AS handled FROM parked_messages p \
         LEFT JOIN inbox i ON i.queue = p.queue AND i.message_id = p.message_id \
         WHERE p.status = 'parked' ORDER BY p.first_failed_at LIMIT {FOUND_MAX}"
    );
    for row in snapshot.all(&query, []).await? {
        let message = id(&row, "message_id")?;
        let text = |column| row.try_get::<String>("", column);
        let (queue, kind, code) = (text("queue")?, text("kind")?, text("code")?);
        let handled: bool = row.try_get("", "handled")?;
        if handled {
            let text = format!("{kind} {message} of {queue} is parked, and was handled");
            tally.found("C15", None, format!("handled {message}"), text);
        } else if parked > allowed {
            let text = format!("{kind} {message} of {queue} is parked: {code}");
            tally.found("C15", None, message.to_string(), text);
        }
    }
    snapshot.close().await
}

pub(super) async fn stuck(db: &DatabaseConnection, tally: &mut Tally) {
    if let Err(error) = try_stuck(db, tally).await {
        tally.failed("C3", error);
    }
}

/// C3: by the index, so that it is seen wherever the walk through the bookings is. What waits for a person says so
/// by its attention, and has an alert of its own.
async fn try_stuck(db: &DatabaseConnection, tally: &mut Tally) -> Result<(), DbErr> {
    let snapshot = Snapshot::open(db).await?;
    let query = format!(
        "SELECT id, status, phase, CAST(stuck_at AS CHAR) AS at FROM bookings \
         WHERE stuck_at < UTC_TIMESTAMP(6) AND attention IS NULL AND wake_at IS NOT NULL \
         ORDER BY stuck_at LIMIT {FOUND_MAX}"
    );
    tally.looked("C3", 0);
    for row in snapshot.all(&query, []).await? {
        let booking = id(&row, "id")?;
        let (status, at): (String, String) = (row.try_get("", "status")?, row.try_get("", "at")?);
        let phase: Option<String> = row.try_get("", "phase")?;
        let phase = phase.map(|phase| format!("/{phase}")).unwrap_or_default();
        let text = format!("{booking} is {status}{phase}, beyond its limit {at}");
        tally.found("C3", None, format!("stuck {booking}"), text);
    }
    snapshot.close().await
}

pub(super) async fn credit(db: &DatabaseConnection, tally: &mut Tally) {
    if let Err(error) = try_credit(db, tally).await {
        tally.failed("C25", error);
    }
}

/// C25: reserved is what open authorisations hold, used is what was captured and not refunded; one statement per
/// partner, through the index of who owns bookings.
async fn try_credit(db: &DatabaseConnection, tally: &mut Tally) -> Result<(), DbErr> {
    let partners = {
        let snapshot = Snapshot::open(db).await?;
        let query =
            "SELECT id AS partner FROM partners UNION SELECT partner_id FROM partner_credit";
        let rows = snapshot.all(query, []).await?;
        snapshot.close().await?;
        rows.iter()
            .map(|row| row.try_get::<String>("", "partner"))
            .collect::<Result<Vec<_>, _>>()?
    };
    for partner in partners {
        let snapshot = Snapshot::open(db).await?;
        of_partner(&snapshot, &partner, tally).await?;
        snapshot.close().await?;
    }
    Ok(())
}

async fn of_partner(snapshot: &Snapshot, partner: &str, tally: &mut Tally) -> Result<(), DbErr> {
    let sums = "SELECT currency, CAST(SUM(reserved) AS SIGNED) AS reserved, CAST(SUM(used) AS SIGNED) AS used FROM ( \
         SELECT i.currency AS currency, i.captured_minor AS used, IF(i.state IN ('open', 'closing') AND EXISTS ( \
           SELECT 1 FROM payment_attempts a WHERE a.booking_id = i.booking_id \
           AND a.generation = i.generation AND a.state = 'authorized'), i.amount_minor, 0) AS reserved \
         FROM bookings b JOIN payment_intents i ON i.booking_id = b.id \
         WHERE b.tenant = ? AND i.tender = 'partner_credit' \
         UNION ALL \
         SELECT r.currency, -r.amount_minor, 0 FROM bookings b JOIN refunds r ON r.booking_id = b.id \
         WHERE b.tenant = ? AND r.state = 'succeeded' AND EXISTS ( \
           SELECT 1 FROM payment_intents i WHERE i.booking_id = b.id AND i.tender = 'partner_credit') \
         UNION ALL \
         SELECT currency, -used_minor, -reserved_minor FROM partner_credit WHERE partner_id = ? \
         ) lines_of_partner GROUP BY currency";
    let values: [Value; 3] = [partner.into(), partner.into(), partner.into()];
    for row in snapshot.all(sums, values).await? {
        tally.looked("C25", 1);
        let currency: String = row.try_get("", "currency")?;
        let (reserved, used): (i64, i64) = (row.try_get("", "reserved")?, row.try_get("", "used")?);
        if (reserved, used) != (0, 0) {
            let text = format!(
                "{partner} in {currency}: the bookings have {reserved} more reserved and {used} more used than the credit"
            );
            tally.found("C25", None, format!("{partner} {currency}"), text);
        }
    }
    Ok(())
}

/// C21: nothing is without a queue; in a house at rest nothing is in any.
pub(super) async fn queues(books: &dyn QueueBooks, options: &Options, tally: &mut Tally) {
    let depths = match books.depths().await {
        Ok(depths) => depths,
        Err(error) => return tally.failed("C21", error),
    };
    if depths.is_empty() {
        tally.failed("C21", "the broker tells of no queue");
    }
    for queue in depths {
        tally.looked("C21", 1);
        let (ready, unacked) = (queue.ready, queue.unacked);
        if ready + unacked > 0 && (options.at_rest || queue.name == UNROUTABLE) {
            let text = format!("{} has {ready} messages, and {unacked} in hand", queue.name);
            tally.found("C21", None, queue.name, text);
        }
    }
}
