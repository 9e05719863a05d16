//! Campaigns as the mender runs them: who is next, what is to be sent, how it ended.

use super::{
    super::{
        parked::{Key, Status},
        rows::padded,
    },
    COLUMNS, Progress, Retry,
    plan::LeftOut,
    progress_within,
};
use boxoffice_contracts::{Instant, MessageId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value, entity::prelude::Uuid};
use std::collections::{BTreeMap, HashMap};

/// Campaigns that are looked after in one transaction; the rest has its turn in the next.
const CAMPAIGNS: u32 = 16;

/// Outcomes that are read at once.
const OUTCOMES: u32 = 2_000;

/// Campaigns that run, or whose messages are still under way. Another mender's are passed over.
///
/// # Errors
/// When the database refuses.
pub async fn lock_active(db: &impl ConnectionTrait) -> Result<Vec<Retry>, DbErr> {
    let sql = format!(
        "SELECT {COLUMNS} FROM retries WHERE state = 'running' OR unsettled \
         ORDER BY sent_at, id LIMIT {CAMPAIGNS} FOR UPDATE SKIP LOCKED"
    );
    let ask = Statement::from_string(DbBackend::MySql, sql);
    let rows = db.query_all_raw(ask).await?;
    rows.iter().map(Retry::of).collect()
}

/// Writes down what became of messages that were sent; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn follow(
    db: &impl ConnectionTrait,
    retry: Uuid,
    now: Instant,
) -> Result<Followed, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT i.no, p.code, p.failures > i.failures_before AS failed \
         FROM retry_items i JOIN parked_messages p ON p.queue = i.queue AND p.message_id = i.message_id \
         WHERE i.retry_id = ? AND i.state = 'sent' \
         AND (p.failures > i.failures_before OR p.status = 'resolved') LIMIT ?",
        [retry.into(), OUTCOMES.into()],
    );
    let (mut done, mut failed) = (Vec::new(), BTreeMap::<String, Vec<u32>>::new());
    for row in db.query_all_raw(ask).await? {
        let no: u32 = row.try_get("", "no")?;
        if row.try_get::<i64>("", "failed")? == 0 {
            done.push(no);
        } else {
            failed.entry(row.try_get("", "code")?).or_default().push(no);
        }
    }
    let followed = Followed {
        done: done.len(),
        failed: failed.values().map(Vec::len).sum(),
    };
    end(db, retry, &done, "done", None, now).await?;
    for (code, nos) in &failed {
        end(db, retry, nos, "failed", Some(code), now).await?;
    }
    Ok(followed)
}

/// Outcomes that became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    pub done: usize,
    pub failed: usize,
}

async fn end(
    db: &impl ConnectionTrait,
    retry: Uuid,
    nos: &[u32],
    state: &str,
    code: Option<&str>,
    now: Instant,
) -> Result<(), DbErr> {
    if nos.is_empty() {
        return Ok(());
    }
    let nos = padded(nos.iter().copied());
    let marks = vec!["?"; nos.len()].join(",");
    let sql = format!(
        "UPDATE retry_items SET state = ?, code = ?, ended_at = ? WHERE retry_id = ? AND no IN ({marks})"
    );
    let mut values: Vec<Value> = vec![state.into(), code.into(), now.into(), retry.into()];
    values.extend(nos.into_iter().map(Value::from));
    let update = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.execute_raw(update).await.map(drop)
}

/// How far a part of a campaign is: the messages after number `after` up to number `until`.
///
/// # Errors
/// When the database refuses.
pub async fn stage_progress(
    db: &impl ConnectionTrait,
    retry: Uuid,
    after: u32,
    until: u32,
) -> Result<Progress, DbErr> {
    progress_within(db, retry, after, until).await
}

/// A message that goes back to its queue.
#[derive(Debug, Clone)]
pub struct Ready {
    pub key: Key,
    pub kind: String,
    /// JSON, as the runtime stores envelopes.
    pub envelope: String,
    pub body: Vec<u8>,
}

/// What a portion came to.
#[derive(Debug, Clone, Default)]
pub struct Portion {
    pub ready: Vec<Ready>,
    /// Had nothing left to retry.
    pub skipped: usize,
}

/// Takes the next messages, up to number `until` and at most `limit`, and marks them as sent: whoever commits this
/// sends them. What was handled, archived or sent by somebody else meanwhile is passed over.
///
/// # Errors
/// When the database refuses.
pub async fn take(
    db: &impl ConnectionTrait,
    retry: Uuid,
    until: u32,
    limit: u32,
    now: Instant,
) -> Result<Portion, DbErr> {
    let waiting = waiting(db, retry, until, limit).await?;
    if waiting.is_empty() {
        return Ok(Portion::default());
    }
    let rows = lock(db, waiting.iter().map(|(_, key)| key)).await?;
    let mut rows: HashMap<Key, Row> = rows
        .into_iter()
        .map(|row| (row.ready.key.clone(), row))
        .collect();
    let (mut portion, mut sent) = (Portion::default(), Vec::new());
    let mut passed = BTreeMap::<LeftOut, Vec<u32>>::new();
    for (no, key) in waiting {
        let row = rows.remove(&key);
        let why = row
            .as_ref()
            .map_or(Some(LeftOut::Gone), |row| LeftOut::by_status(row.status));
        match (row, why) {
            (Some(row), None) => {
                sent.push((no, row.failures));
                portion.ready.push(row.ready);
            }
            (_, why) => {
                passed
                    .entry(why.unwrap_or(LeftOut::Gone))
                    .or_default()
                    .push(no);
                portion.skipped += 1;
            }
        }
    }
    for (why, nos) in &passed {
        end(db, retry, nos, "skipped", Some(why.as_str()), now).await?;
    }
    mark_replaying(db, &portion.ready).await?;
    mark_sent(db, retry, &sent, now).await?;
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE retries SET sent_at = ?, unsettled = TRUE WHERE id = ?",
        [now.into(), retry.into()],
    );
    db.execute_raw(update).await?;
    Ok(portion)
}

async fn waiting(
    db: &impl ConnectionTrait,
    retry: Uuid,
    until: u32,
    limit: u32,
) -> Result<Vec<(u32, Key)>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT no, queue, message_id FROM retry_items \
         WHERE retry_id = ? AND state = 'waiting' AND no <= ? ORDER BY no LIMIT ?",
        [retry.into(), until.into(), limit.into()],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| {
            let key = Key {
                queue: row.try_get("", "queue")?,
                message: MessageId(row.try_get("", "message_id")?),
            };
            Ok((row.try_get("", "no")?, key))
        })
        .collect()
}

struct Row {
    status: Status,
    failures: u32,
    ready: Ready,
}

/// Locks in the order of the key, queue by queue.
async fn lock<'a>(
    db: &impl ConnectionTrait,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<Vec<Row>, DbErr> {
    let mut found = Vec::new();
    for (queue, ids) in by_queue(keys) {
        let ids = padded(ids);
        let marks = vec!["?"; ids.len()].join(",");
        let sql = format!(
            "SELECT queue, message_id, kind, status, failures, CAST(envelope AS CHAR) AS envelope, body \
             FROM parked_messages WHERE queue = ? AND message_id IN ({marks}) \
             ORDER BY message_id FOR UPDATE"
        );
        let values = std::iter::once(Value::from(queue)).chain(ids.into_iter().map(Value::from));
        let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        for row in db.query_all_raw(ask).await? {
            found.push(Row {
                status: Status::of(&row.try_get::<String>("", "status")?)?,
                failures: row.try_get("", "failures")?,
                ready: Ready {
                    key: Key {
                        queue: row.try_get("", "queue")?,
                        message: MessageId(row.try_get("", "message_id")?),
                    },
                    kind: row.try_get("", "kind")?,
                    envelope: row.try_get("", "envelope")?,
                    body: row.try_get("", "body")?,
                },
            });
        }
    }
    Ok(found)
}

fn by_queue<'a>(keys: impl Iterator<Item = &'a Key>) -> BTreeMap<String, Vec<Uuid>> {
    let mut queues = BTreeMap::<String, Vec<Uuid>>::new();
    for key in keys {
        queues
            .entry(key.queue.clone())
            .or_default()
            .push(key.message.0);
    }
    for ids in queues.values_mut() {
        ids.sort_unstable();
    }
    queues
}

async fn mark_replaying(db: &impl ConnectionTrait, ready: &[Ready]) -> Result<(), DbErr> {
    for (queue, ids) in by_queue(ready.iter().map(|ready| &ready.key)) {
        let ids = padded(ids);
        let marks = vec!["?"; ids.len()].join(",");
        let sql = format!(
            "UPDATE parked_messages SET status = 'replaying', replays = replays + 1 \
             WHERE queue = ? AND message_id IN ({marks})"
        );
        let values = std::iter::once(Value::from(queue)).chain(ids.into_iter().map(Value::from));
        let update = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        db.execute_raw(update).await?;
    }
    Ok(())
}

/// A message that fails again has a higher count of failures than the one written here.
async fn mark_sent(
    db: &impl ConnectionTrait,
    retry: Uuid,
    sent: &[(u32, u32)],
    now: Instant,
) -> Result<(), DbErr> {
    let mut by_failures = BTreeMap::<u32, Vec<u32>>::new();
    for (no, failures) in sent {
        by_failures.entry(*failures).or_default().push(*no);
    }
    for (failures, nos) in by_failures {
        let nos = padded(nos);
        let marks = vec!["?"; nos.len()].join(",");
        let sql = format!(
            "UPDATE retry_items SET state = 'sent', sent_at = ?, failures_before = ? \
             WHERE retry_id = ? AND no IN ({marks})"
        );
        let mut values: Vec<Value> = vec![now.into(), failures.into(), retry.into()];
        values.extend(nos.into_iter().map(Value::from));
        let update = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        db.execute_raw(update).await?;
    }
    Ok(())
}

/// Marks messages as handled that have nobody to say so: those that could not leave the outbox are done when they
/// have left it.
///
/// # Errors
/// When the database refuses.
pub async fn resolve(db: &impl ConnectionTrait, keys: &[Key]) -> Result<(), DbErr> {
    for (queue, ids) in by_queue(keys.iter()) {
        let ids = padded(ids);
        let marks = vec!["?"; ids.len()].join(",");
        let sql = format!(
            "UPDATE parked_messages SET status = 'resolved' WHERE queue = ? AND message_id IN ({marks})"
        );
        let values = std::iter::once(Value::from(queue)).chain(ids.into_iter().map(Value::from));
        let update = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        db.execute_raw(update).await?;
    }
    Ok(())
}

/// Whether messages of the campaign are still under way.
///
/// # Errors
/// When the database refuses.
pub async fn set_unsettled(
    db: &impl ConnectionTrait,
    retry: Uuid,
    unsettled: bool,
) -> Result<(), DbErr> {
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE retries SET unsettled = ? WHERE id = ?",
        [unsettled.into(), retry.into()],
    );
    db.execute_raw(update).await.map(drop)
}
