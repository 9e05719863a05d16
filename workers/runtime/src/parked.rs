//! Messages that a person must look at: kept with their cause, grouped by it, replayed on their own route.

use crate::{
    Cause, Failure,
    publish::{PublishError, Publisher, Wire},
    relay::OUTBOX_QUEUE,
    sql, stored,
    telemetry::PARKED_OPEN_MESSAGES,
    tx,
};
use boxoffice_contracts::{Envelope, MessageId, topology::QUEUES};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Longest reason that the column holds, in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// Where a parked message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a person.
    Parked,
    /// Sent back to its queue; if it fails again it is parked again.
    Replaying,
    /// Its replay was handled.
    Resolved,
    /// A person decided that nothing is to be done.
    Discarded,
}

impl Status {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Replaying => "replaying",
            Self::Resolved => "resolved",
            Self::Discarded => "discarded",
        }
    }
}

/// A message and why it is parked.
#[derive(Debug)]
pub(crate) struct Parking<'a> {
    pub(crate) queue: &'a str,
    pub(crate) envelope: &'a Envelope,
    pub(crate) body: &'a [u8],
    pub(crate) code: &'a str,
    pub(crate) reason: &'a str,
}

/// Writes parked rows. Keyed by queue and message, so that a redelivery parks it again harmlessly.
pub(crate) async fn park(
    tx: &DatabaseTransaction,
    parkings: &[Parking<'_>],
) -> Result<(), Failure> {
    for parking in parkings {
        let envelope = parking.envelope;
        let booking = envelope
            .correlation_id
            .map_or("NULL".to_owned(), |id| sql::bytes(id.0.as_bytes()));
        let reason: String = parking.reason.chars().take(REASON_CHARS_MAX).collect();
        let upsert = format!(
            "INSERT INTO parked_messages (queue, message_id, fingerprint, code, reason, kind, booking_id, \
             envelope, body, status, failures, first_failed_at, last_failed_at) \
             VALUES ({queue},{id},{fingerprint},{code},{reason},{kind},{booking},{envelope},{body},'parked',1,\
             UTC_TIMESTAMP(6),UTC_TIMESTAMP(6)) \
             ON DUPLICATE KEY UPDATE fingerprint = VALUES(fingerprint), code = VALUES(code), \
             reason = VALUES(reason), envelope = VALUES(envelope), status = 'parked', \
             failures = failures + 1, last_failed_at = VALUES(last_failed_at)",
            queue = sql::text(&cut(parking.queue, 60)),
            id = sql::id(envelope.message_id),
            fingerprint = sql::bytes(&fingerprint(parking)),
            code = sql::text(&cut(parking.code, 64)),
            reason = sql::text(&reason),
            kind = sql::text(&cut(&envelope.kind, 64)),
            envelope = sql::text(&stored::envelope_to_json(envelope)),
            body = sql::bytes(parking.body),
        );
        tx.execute_unprepared(&upsert).await?;
    }
    Ok(())
}

/// Marks parked messages whose replay has been handled. In the transaction that handles it.
pub(crate) async fn resolve(
    tx: &DatabaseTransaction,
    replayed: &[(&'static str, MessageId)],
) -> Result<(), Failure> {
    for (queue, id) in replayed {
        let update = format!(
            "UPDATE parked_messages SET status = 'resolved' WHERE queue = '{queue}' AND message_id = {}",
            sql::id(*id)
        );
        tx.execute_unprepared(&update).await?;
    }
    Ok(())
}

/// Same queue, code, kind and reason but for ids and numbers: the same trouble.
fn fingerprint(parking: &Parking<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [
        parking.queue,
        parking.code,
        &parking.envelope.kind,
        &normalised(parking.reason),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Words with a digit in them — numbers, ids, hashes — become `#`.
fn normalised(reason: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::with_capacity(reason.len());
    for piece in reason.split_inclusive(|c| !word(c)) {
        let rest = piece.trim_end_matches(|c| !word(c));
        let tail = &piece[rest.len()..];
        let named = rest.bytes().any(|b| b.is_ascii_digit());
        out.push_str(if named { "#" } else { rest });
        out.push_str(tail);
    }
    out
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("no such parked message")]
    Unknown,
    #[error("the stored envelope can't be read: {0}")]
    Envelope(serde_json::Error),
    #[error(transparent)]
    Database(#[from] Failure),
    #[error("not sent: {0}")]
    Publish(#[from] PublishError),
}

/// Sends a parked message back to its queue under the same id: its inbox row was never committed, so it
/// will be handled. If it fails it is parked again under the same key.
///
/// # Errors
/// When there is none, or when it could not be sent; it is parked as before then.
pub async fn replay(
    db: &DatabaseConnection,
    publisher: &Publisher,
    queue: &str,
    message_id: MessageId,
) -> Result<(), ReplayError> {
    let key = format!(
        "queue = {} AND message_id = {}",
        sql::text(queue),
        sql::id(message_id)
    );
    let tx = db.begin().await.map_err(Failure::from)?;
    let select = format!(
        "SELECT CAST(envelope AS CHAR) AS envelope, body FROM parked_messages WHERE {key} FOR UPDATE"
    );
    let found = tx
        .query_one_raw(Statement::from_string(DbBackend::MySql, select))
        .await;
    let row = found.map_err(Failure::from)?.ok_or(ReplayError::Unknown)?;
    let envelope: String = row.try_get("", "envelope").map_err(Failure::from)?;
    let body: Vec<u8> = row.try_get("", "body").map_err(Failure::from)?;
    let mut envelope = stored::envelope_from_json(&envelope).map_err(ReplayError::Envelope)?;
    envelope.attempt = 0;
    envelope.replay_of = Some(message_id);
    // Marked before it is sent: a failure that comes back fast must find the mark to overwrite it.
    let mark = format!(
        "UPDATE parked_messages SET status = 'replaying', replays = replays + 1 WHERE {key}"
    );
    tx.execute_unprepared(&mark).await.map_err(Failure::from)?;
    tx.commit().await.map_err(Failure::from)?;
    let sent = publisher
        .publish_one(Wire::to_queue(queue, &envelope, body))
        .await;
    if sent.is_err() {
        // An unknown outcome leaves it parked: replayed twice it is handled once.
        let unmark = format!(
            "UPDATE parked_messages SET status = 'parked' WHERE {key} AND status = 'replaying'"
        );
        tx::run(db, async |tx| {
            tx.execute_unprepared(&unmark).await?;
            Ok(())
        })
        .await?;
    }
    Ok(sent?)
}

/// A person decides that nothing is to be done about a parked message. Returns whether there was one.
///
/// # Errors
/// When the database refuses.
pub async fn discard(
    db: &DatabaseConnection,
    queue: &str,
    message_id: MessageId,
) -> Result<bool, Failure> {
    let update = format!(
        "UPDATE parked_messages SET status = 'discarded' WHERE queue = {} AND message_id = {}",
        sql::text(queue),
        sql::id(message_id)
    );
    tx::run(db, async |tx| {
        Ok(tx.execute_unprepared(&update).await?.rows_affected() > 0)
    })
    .await
}

/// A parked message as a list shows it; without its body.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    pub queue: String,
    pub message_id: MessageId,
    pub code: String,
    pub reason: String,
    pub kind: String,
    pub status: String,
    pub failures: u32,
    pub replays: u32,
    pub last_failed_at: chrono::NaiveDateTime,
}

/// The messages that were parked last, at most `limit`.
///
/// # Errors
/// When the database can't be asked.
pub async fn list(
    db: &DatabaseConnection,
    status: Status,
    limit: u16,
) -> Result<Vec<Listed>, Failure> {
    let select = format!(
        "SELECT queue, message_id, code, reason, kind, status, failures, replays, last_failed_at \
         FROM parked_messages WHERE status = '{}' ORDER BY last_failed_at DESC LIMIT {limit}",
        status.as_str()
    );
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::MySql, select))
        .await?;
    let mut listed = Vec::with_capacity(rows.len());
    for row in rows {
        let id: Vec<u8> = row.try_get("", "message_id")?;
        listed.push(Listed {
            queue: row.try_get("", "queue")?,
            message_id: MessageId(uuid::Uuid::from_slice(&id).unwrap_or_default()),
            code: row.try_get("", "code")?,
            reason: row.try_get("", "reason")?,
            kind: row.try_get("", "kind")?,
            status: row.try_get("", "status")?,
            failures: row.try_get("", "failures")?,
            replays: row.try_get("", "replays")?,
            last_failed_at: row.try_get("", "last_failed_at")?,
        });
    }
    Ok(listed)
}

/// Tells how many parked messages wait for a person, by queue. Zero for a queue that has none.
pub(crate) async fn measure(db: &DatabaseConnection) -> Result<(), Failure> {
    let select =
        "SELECT queue, COUNT(*) FROM parked_messages WHERE status = 'parked' GROUP BY queue";
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::MySql, select))
        .await?;
    let queues = QUEUES.iter().map(|queue| queue.name).chain([OUTBOX_QUEUE]);
    let mut open: BTreeMap<String, i64> = queues.map(|queue| (queue.to_owned(), 0)).collect();
    for row in rows {
        open.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    }
    for (queue, messages) in open {
        metrics::gauge!(PARKED_OPEN_MESSAGES, "queue" => queue).set(messages as f64);
    }
    Ok(())
}

impl<'a> Parking<'a> {
    pub(crate) fn new(
        queue: &'a str,
        envelope: &'a Envelope,
        body: &'a [u8],
        cause: &'a Cause,
    ) -> Self {
        Self {
            queue,
            envelope,
            body,
            code: cause.code,
            reason: &cause.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn reasons_that_differ_by_ids_and_numbers_are_one() {
        let a = normalised("seat A12 of 6f2c8a54-0d0b-5b7e-9a3d-b0c0ff1ce001 gone after 17 ms");
        let b = normalised("seat B7 of 00000000-0d0b-5b7e-9a3d-b0c0ff1ce001 gone after 9 ms");
        assert_eq!(a, b);
        assert_eq!(a, "seat # of # gone after # ms");
    }
}
