//! How many messages the consumers of a queue take ahead, where people want another number than the topology's.
//! Rows, so that it outlives every process.

use boxoffice_contracts::{Instant, topology};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

/// Most that a consumer may take ahead: what a process has in hand is memory, and comes again when it dies.
pub const PREFETCH_MAX: u16 = 2_000;

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefetch {
    pub queue: String,
    /// 1 to [`PREFETCH_MAX`].
    pub prefetch: u16,
    pub reason: String,
    /// Subject of whoever ordered it.
    pub by: String,
    pub at: Instant,
}

/// The order that a queue obeys: its own, or that of the queue whose line it is.
#[must_use]
pub fn of<'a>(orders: &'a [Prefetch], queue: &str) -> Option<&'a Prefetch> {
    let named = |name: &str| orders.iter().find(|order| order.queue == name);
    let line_of = topology::queue(queue).and_then(|queue| queue.line_of);
    named(queue).or_else(|| line_of.and_then(named))
}

const COLUMNS: &str = "queue, prefetch, reason, set_by, set_at";

/// Queues that differ from the topology.
///
/// # Errors
/// When the database can't be asked.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Prefetch>, DbErr> {
    let ask = format!("SELECT {COLUMNS} FROM queue_prefetch ORDER BY queue");
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::MySql, ask))
        .await?;
    rows.iter().map(prefetch).collect()
}

/// Writes an order; it takes the place of the one before, which is returned.
///
/// # Errors
/// When the database refuses.
pub async fn set(db: &impl ConnectionTrait, order: &Prefetch) -> Result<Option<Prefetch>, DbErr> {
    let before = lock(db, &order.queue).await?;
    let upsert = format!(
        "INSERT INTO queue_prefetch ({COLUMNS}) VALUES (?,?,?,?,?) ON DUPLICATE KEY UPDATE \
         prefetch = VALUES(prefetch), reason = VALUES(reason), set_by = VALUES(set_by), set_at = VALUES(set_at)"
    );
    let values: [Value; 5] = [
        order.queue.clone().into(),
        order.prefetch.into(),
        order.reason.clone().into(),
        order.by.clone().into(),
        order.at.into(),
    ];
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::MySql,
        upsert,
        values,
    ))
    .await?;
    Ok(before)
}

/// Goes back to the topology's number; returns the order if there was one.
///
/// # Errors
/// When the database refuses.
pub async fn reset(db: &impl ConnectionTrait, queue: &str) -> Result<Option<Prefetch>, DbErr> {
    let before = lock(db, queue).await?;
    let delete = "DELETE FROM queue_prefetch WHERE queue = ?";
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::MySql,
        delete,
        [queue.into()],
    ))
    .await?;
    Ok(before)
}

async fn lock(db: &impl ConnectionTrait, queue: &str) -> Result<Option<Prefetch>, DbErr> {
    let ask = format!("SELECT {COLUMNS} FROM queue_prefetch WHERE queue = ? FOR UPDATE");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [queue.into()]);
    db.query_one_raw(ask)
        .await?
        .as_ref()
        .map(prefetch)
        .transpose()
}

fn prefetch(row: &QueryResult) -> Result<Prefetch, DbErr> {
    let at: chrono::NaiveDateTime = row.try_get("", "set_at")?;
    Ok(Prefetch {
        queue: row.try_get("", "queue")?,
        prefetch: row.try_get("", "prefetch")?,
        reason: row.try_get("", "reason")?,
        by: row.try_get("", "set_by")?,
        at: at.and_utc(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_obeys_its_own_order_or_that_of_its_queue() {
        let order = |queue: &str, prefetch| Prefetch {
            queue: queue.to_owned(),
            prefetch,
            reason: "a test".to_owned(),
            by: "ada".to_owned(),
            at: chrono::DateTime::UNIX_EPOCH,
        };
        let orders = [
            order("reservations.submit", 50),
            order("reservations.submit.2", 20),
        ];
        let obeyed = |queue| of(&orders, queue).map(|order| order.prefetch);
        assert_eq!(obeyed("reservations.submit"), Some(50));
        assert_eq!(obeyed("reservations.submit.1"), Some(50));
        assert_eq!(obeyed("reservations.submit.2"), Some(20));
        assert_eq!(obeyed("reservations"), None);
        assert_eq!(obeyed("nowhere"), None);
    }
}
