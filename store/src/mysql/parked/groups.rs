//! Parked messages by their trouble: same queue, code, kind and reason but for ids and numbers.

use super::{Filter, Standing};
use crate::mysql::status::instant;
use boxoffice_contracts::Instant;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

/// One trouble and how many messages have it.
#[derive(Debug, Clone)]
pub struct Group {
    pub id: Vec<u8>,
    pub queue: String,
    pub code: String,
    pub kind: String,
    /// The reason of one of them.
    pub reason: String,
    /// Wait for a person.
    pub open: i64,
    /// On their way back.
    pub retrying: i64,
    pub archived: i64,
    pub resolved: i64,
    pub superseded: i64,
    /// Were sent back at least once.
    pub retried: i64,
    /// Were sent back, and wait again.
    pub failed_again: i64,
    /// Something failed after the group had been archived.
    pub reopened: bool,
    pub first_failed_at: Instant,
    pub last_failed_at: Instant,
}

/// A page of groups, latest failure first. The filter's standing chooses groups: an open one has at least one open
/// message; archived and resolved ones have no open message any more. Counts are of all messages of a group.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Group>, DbErr> {
    let having = match filter.standing {
        Standing::Open => "open + retrying > 0",
        Standing::Archived => "open + retrying = 0 AND archived > 0",
        Standing::Resolved => "open + retrying = 0 AND resolved > 0",
        Standing::Superseded => "superseded > 0",
        Standing::All => "TRUE",
    };
    let everything = Filter {
        standing: Standing::All,
        ..filter.clone()
    };
    let (clause, mut values) = everything.clause();
    values.push(limit.into());
    let archived = "status IN ('archived', 'discarded')";
    let waiting = "status IN ('parked', 'replaying')";
    let sql = format!(
        "SELECT fingerprint, MIN(queue) AS queue, MIN(code) AS code, MIN(kind) AS kind, MIN(reason) AS reason, \
         COUNT(CASE WHEN status = 'parked' THEN 1 END) AS open, \
         COUNT(CASE WHEN status = 'replaying' THEN 1 END) AS retrying, \
         COUNT(CASE WHEN {archived} THEN 1 END) AS archived, \
         COUNT(CASE WHEN status = 'resolved' THEN 1 END) AS resolved, \
         COUNT(CASE WHEN status = 'superseded' THEN 1 END) AS superseded, \
         COUNT(CASE WHEN replays > 0 THEN 1 END) AS retried, \
         COUNT(CASE WHEN replays > 0 AND status = 'parked' THEN 1 END) AS failed_again, \
         COUNT(CASE WHEN reopened AND {waiting} THEN 1 END) AS reopened, \
         MIN(archived_at) AS archived_at, \
         MAX(CASE WHEN {waiting} THEN first_failed_at END) AS waiting_since, \
         MIN(first_failed_at) AS first_failed_at, MAX(last_failed_at) AS last_failed_at \
         FROM parked_messages WHERE {clause} GROUP BY fingerprint HAVING {having} \
         ORDER BY last_failed_at DESC, fingerprint LIMIT ?"
    );
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = db.query_all_raw(ask).await?;
    rows.iter().map(group).collect()
}

fn group(row: &QueryResult) -> Result<Group, DbErr> {
    let archived_at: Option<chrono::NaiveDateTime> = row.try_get("", "archived_at")?;
    let waiting_since: Option<chrono::NaiveDateTime> = row.try_get("", "waiting_since")?;
    let marked: i64 = row.try_get("", "reopened")?;
    let failed_after = matches!((archived_at, waiting_since), (Some(a), Some(w)) if w > a);
    Ok(Group {
        id: row.try_get("", "fingerprint")?,
        queue: row.try_get("", "queue")?,
        code: row.try_get("", "code")?,
        kind: row.try_get("", "kind")?,
        reason: row.try_get("", "reason")?,
        open: row.try_get("", "open")?,
        retrying: row.try_get("", "retrying")?,
        archived: row.try_get("", "archived")?,
        resolved: row.try_get("", "resolved")?,
        superseded: row.try_get("", "superseded")?,
        retried: row.try_get("", "retried")?,
        failed_again: row.try_get("", "failed_again")?,
        reopened: marked > 0 || failed_after,
        first_failed_at: instant(row, "first_failed_at")?,
        last_failed_at: instant(row, "last_failed_at")?,
    })
}
