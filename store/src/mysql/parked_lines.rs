//! Parked messages as the story of a booking shows them: never their bodies.

use boxoffice_contracts::{BookingId, Instant, MessageId};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, entity::prelude::Uuid,
};

/// A message that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedLine {
    pub booking: BookingId,
    pub queue: String,
    pub message_id: MessageId,
    pub kind: String,
    pub code: String,
    pub reason: String,
    pub status: String,
    pub failures: u32,
    pub replays: u32,
    pub first_failed_at: Instant,
    pub last_failed_at: Instant,
    /// The database's clock when this was read.
    pub read_at: Instant,
}

/// What is parked, or was, of these bookings; first failure first.
///
/// # Errors
/// When the database refuses.
pub async fn of_bookings(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<ParkedLine>, DbErr> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; bookings.len()].join(",");
    let sql = format!(
        "SELECT booking_id, queue, message_id, kind, code, reason, status, failures, replays,
                first_failed_at, last_failed_at, UTC_TIMESTAMP(6) AS read_at
         FROM parked_messages WHERE booking_id IN ({marks}) ORDER BY first_failed_at, message_id"
    );
    let ids = bookings.iter().map(|id| Value::from(id.0));
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, ids);
    db.query_all_raw(ask).await?.iter().map(line).collect()
}

fn line(row: &QueryResult) -> Result<ParkedLine, DbErr> {
    let instant = |column| super::status::instant(row, column);
    Ok(ParkedLine {
        booking: BookingId(row.try_get::<Uuid>("", "booking_id")?),
        queue: row.try_get("", "queue")?,
        message_id: MessageId(row.try_get::<Uuid>("", "message_id")?),
        kind: row.try_get("", "kind")?,
        code: row.try_get("", "code")?,
        reason: row.try_get("", "reason")?,
        status: row.try_get("", "status")?,
        failures: row.try_get("", "failures")?,
        replays: row.try_get("", "replays")?,
        first_failed_at: instant("first_failed_at")?,
        last_failed_at: instant("last_failed_at")?,
        read_at: instant("read_at")?,
    })
}
