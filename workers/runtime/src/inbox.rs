//! Which messages have been handled. A row commits only with the final outcome of its message.

use crate::{Failure, Tx, sql};
use boxoffice_contracts::MessageId;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};
use std::collections::HashSet;
use uuid::Uuid;

/// A message in a queue: what the primary key is.
pub type Key = (&'static str, MessageId);

/// Inserts the keys and returns those that were new.
///
/// `INSERT IGNORE` doesn't tell which rows were new. When all were, the count says so; otherwise the batch
/// token in the rows does. (`ON DUPLICATE KEY` would not even count right: sqlx asks for found rows.) It
/// would also cut a broken id to size instead of refusing it, hence ids are checked before.
pub(crate) async fn claim(
    tx: &DatabaseTransaction,
    keys: &[Key],
    token: Uuid,
) -> Result<HashSet<Key>, Failure> {
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    // One order for everybody: two batches with common messages wait for each other instead of deadlocking.
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let batch = sql::bytes(token.as_bytes());
    let rows = sql::list(&sorted, |(queue, id)| {
        format!("('{queue}',{},{batch},UTC_TIMESTAMP(6))", sql::id(*id))
    });
    let insert =
        format!("INSERT IGNORE INTO inbox (queue, message_id, batch, handled_at) VALUES {rows}");
    let inserted = tx.execute_unprepared(&insert).await?.rows_affected();
    if inserted == sorted.len() as u64 {
        return Ok(sorted.into_iter().collect());
    }
    let mut won = HashSet::with_capacity(sorted.len());
    for (queue, ids) in by_queue(&sorted) {
        let select = format!(
            "SELECT message_id FROM inbox WHERE queue = '{queue}' AND message_id IN ({}) AND batch = {batch}",
            sql::list(&ids, |id| sql::id(*id))
        );
        won.extend(
            select_ids(tx, Statement::from_string(DbBackend::MySql, select))
                .await?
                .into_iter()
                .map(|id| (queue, id)),
        );
    }
    Ok(won)
}

/// Takes rows back whose messages did not end in this transaction.
pub(crate) async fn release(tx: &DatabaseTransaction, keys: &[Key]) -> Result<(), Failure> {
    for (queue, ids) in by_queue(keys) {
        let delete = format!(
            "DELETE FROM inbox WHERE queue = '{queue}' AND message_id IN ({})",
            sql::list(&ids, |id| sql::id(*id))
        );
        tx.execute_unprepared(&delete).await?;
    }
    Ok(())
}

/// Which of these messages were handled before.
pub(crate) async fn handled(
    tx: &DatabaseTransaction,
    queue: &'static str,
    ids: &[MessageId],
) -> Result<HashSet<MessageId>, Failure> {
    let Some(first) = ids.first() else {
        return Ok(HashSet::new());
    };
    // Padded with the first one: only so many shapes are ever prepared.
    let mut values: Vec<Value> = ids.iter().map(|id| id.0.into()).collect();
    values.resize(ids.len().next_power_of_two(), first.0.into());
    let marks = vec!["?"; values.len()].join(",");
    let select =
        format!("SELECT message_id FROM inbox WHERE queue = '{queue}' AND message_id IN ({marks})");
    let select = Statement::from_sql_and_values(DbBackend::MySql, select, values);
    Ok(select_ids(tx, select).await?.into_iter().collect())
}

/// Forgets at most `rows_max` messages that were handled more than `keep_days` days ago; returns how many.
///
/// A message that comes again after that is handled again: keep them longer than any replay waits.
///
/// # Errors
/// When the database refuses.
pub async fn forget_handled(tx: &Tx, keep_days: u32, rows_max: u32) -> Result<u64, Failure> {
    let delete = format!(
        "DELETE FROM inbox WHERE handled_at < UTC_TIMESTAMP(6) - INTERVAL {keep_days} DAY LIMIT {rows_max}"
    );
    Ok(tx.db().execute_unprepared(&delete).await?.rows_affected())
}

fn by_queue(keys: &[Key]) -> Vec<(&'static str, Vec<MessageId>)> {
    let mut groups: Vec<(&'static str, Vec<MessageId>)> = Vec::new();
    for (queue, id) in keys {
        match groups.iter_mut().find(|(name, _)| name == queue) {
            Some((_, ids)) => ids.push(*id),
            None => groups.push((queue, vec![*id])),
        }
    }
    groups
}

async fn select_ids(tx: &DatabaseTransaction, ask: Statement) -> Result<Vec<MessageId>, Failure> {
    let rows = tx.query_all_raw(ask).await?;
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let bytes: Vec<u8> = row.try_get_by_index(0)?;
        if let Ok(id) = Uuid::from_slice(&bytes) {
            ids.push(MessageId(id));
        }
    }
    Ok(ids)
}
