//! What a person decides about parked messages. Each in the transaction of its audit.

use super::{Filter, Key, Standing, Whole};
use boxoffice_contracts::{Instant, MessageId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value, entity::prelude::Uuid};

/// How many messages a decision would concern.
///
/// # Errors
/// When the database refuses.
pub async fn count(db: &impl ConnectionTrait, filter: &Filter) -> Result<i64, DbErr> {
    let (clause, values) = filter.clause();
    let sql = format!("SELECT COUNT(*) AS n FROM parked_messages WHERE {clause}");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let row = db.query_one_raw(ask).await?;
    row.map_or(Ok(0), |row| row.try_get("", "n"))
}

/// Nothing is to be done about these. What is on its way back is left alone. Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn archive(
    db: &impl ConnectionTrait,
    filter: &Filter,
    now: Instant,
) -> Result<u64, DbErr> {
    let set = "status = 'archived', archived_at = ?";
    update(db, set, vec![now.into()], filter, "status = 'parked'").await
}

/// These wait for a person again. Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn restore(db: &impl ConnectionTrait, filter: &Filter) -> Result<u64, DbErr> {
    let archived = "status IN ('archived', 'discarded')";
    let set = "status = 'parked', archived_at = NULL";
    update(db, set, Vec::new(), filter, archived).await
}

async fn update(
    db: &impl ConnectionTrait,
    set: &str,
    set_values: Vec<Value>,
    filter: &Filter,
    from: &str,
) -> Result<u64, DbErr> {
    let everything = Filter {
        standing: Standing::All,
        ..filter.clone()
    };
    let (clause, values) = everything.clause();
    let sql = format!("UPDATE parked_messages SET {set} WHERE {from} AND {clause}");
    let values = set_values.into_iter().chain(values);
    let update = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    Ok(db.execute_raw(update).await?.rows_affected())
}

/// A message that takes the place of a parked one.
#[derive(Debug, Clone)]
pub struct Replacement {
    pub key: Key,
    pub kind: String,
    pub booking: Option<Uuid>,
    /// JSON, as the runtime stores envelopes.
    pub envelope: String,
    pub body: Vec<u8>,
}

/// Puts an edited message in the place of a parked one, which the transaction has locked. The new one waits to be
/// retried; the old one is kept, and can't be handled any more: it counts as handled in its queue.
///
/// `false`: the old one was handled meanwhile, and nothing was changed.
///
/// # Errors
/// When the database refuses.
pub async fn supersede(
    db: &impl ConnectionTrait,
    original: &Whole,
    new: &Replacement,
    now: Instant,
) -> Result<bool, DbErr> {
    let old = &original.parked.key;
    let handled = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT IGNORE INTO inbox (queue, message_id, batch, handled_at) VALUES (?, ?, ?, ?)",
        [
            old.queue.as_str().into(),
            old.message.0.into(),
            new.key.message.0.into(),
            now.into(),
        ],
    );
    if db.execute_raw(handled).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let mark = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE parked_messages SET status = 'superseded', superseded_by = ? \
         WHERE queue = ? AND message_id = ?",
        [
            new.key.message.0.into(),
            old.queue.as_str().into(),
            old.message.0.into(),
        ],
    );
    db.execute_raw(mark).await?;
    let parked = &original.parked;
    let insert = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO parked_messages (queue, message_id, fingerprint, code, reason, kind, booking_id, envelope, \
         body, status, failures, first_failed_at, last_failed_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'parked', 0, ?, ?)",
        [
            new.key.queue.as_str().into(),
            new.key.message.0.into(),
            parked.group.clone().into(),
            parked.code.as_str().into(),
            parked.reason.as_str().into(),
            new.kind.as_str().into(),
            new.booking.into(),
            new.envelope.as_str().into(),
            new.body.clone().into(),
            parked.first_failed_at.into(),
            now.into(),
        ],
    );
    db.execute_raw(insert).await?;
    Ok(true)
}

/// The id of the message that an edit makes: the same edit is the same message.
#[must_use]
pub fn edited_id(original: &Key, to_queue: &str, kind: &str, body: &[u8]) -> MessageId {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let Key { queue, message } = original;
    MessageId::of_outside_event(&format!(
        "edit:{queue}:{message}:{to_queue}:{kind}:{digest}"
    ))
}
