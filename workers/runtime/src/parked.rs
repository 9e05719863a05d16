//! Messages that a person must look at: kept with their cause and the history of their failures, grouped by it.
//!
//! What people do about them — search, retry, edit, archive — is no matter of the runtime; a retry comes in through
//! [`crate::Tx::send_back`].

use crate::{Cause, Failure, relay::OUTBOX_QUEUE, sql, stored, telemetry::PARKED_OPEN_MESSAGES};
use boxoffice_contracts::{Envelope, MessageId, topology::QUEUES};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Longest reason that the column holds, in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// A message and why it is parked.
#[derive(Debug)]
pub struct Parking<'a> {
    pub queue: &'a str,
    pub envelope: &'a Envelope,
    pub body: &'a [u8],
    pub code: &'a str,
    pub reason: &'a str,
}

/// Writes parked rows, and one more line of each one's history. Keyed by queue and message, so that a redelivery
/// parks it again harmlessly.
///
/// What was archived and fails anew is open again, and marked; what an edit has replaced stays replaced.
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
             reason = VALUES(reason), envelope = VALUES(envelope), \
             reopened = reopened OR status IN ('archived', 'discarded'), archived_at = NULL, \
             status = IF(status = 'superseded', status, 'parked'), \
             failures = failures + 1, last_failed_at = VALUES(last_failed_at)",
            queue = queue_literal(parking),
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
    if parkings.is_empty() {
        return Ok(());
    }
    let keys = sql::list(parkings, |parking| {
        let id = sql::id(parking.envelope.message_id);
        format!("({},{id})", queue_literal(parking))
    });
    let history = format!(
        "INSERT IGNORE INTO parked_failures (queue, message_id, no, at, code, reason, attempts, replay) \
         SELECT queue, message_id, failures, last_failed_at, code, reason, \
         COALESCE(CAST(JSON_EXTRACT(envelope, '$.attempt') AS UNSIGNED), 0) + 1, replays \
         FROM parked_messages WHERE (queue, message_id) IN ({keys})"
    );
    tx.execute_unprepared(&history).await?;
    Ok(())
}

fn queue_literal(parking: &Parking<'_>) -> String {
    sql::text(&cut(parking.queue, 60))
}

/// Marks parked messages whose replay has been handled. In the transaction that handles it.
pub(crate) async fn resolve(
    tx: &DatabaseTransaction,
    replayed: &[(&'static str, MessageId)],
) -> Result<(), Failure> {
    if replayed.is_empty() {
        return Ok(());
    }
    // A portion of a retry comes as a batch: one statement, in the order of the key for all.
    let mut keys = replayed.to_vec();
    keys.sort_unstable();
    let keys = sql::list(&keys, |(queue, id)| format!("('{queue}',{})", sql::id(*id)));
    let update = format!(
        "UPDATE parked_messages SET status = 'resolved' WHERE (queue, message_id) IN ({keys})"
    );
    tx.execute_unprepared(&update).await?;
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
