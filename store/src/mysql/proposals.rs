//! Edits that wait for a second person.

use super::{parked::Key, retries::json, status::instant};
use boxoffice_contracts::{Instant, MessageId, mend::Change};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, entity::prelude::Uuid,
};

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    Pending,
    Approved,
    Refused,
    /// The message changed before anybody decided.
    Stale,
}

impl ProposalState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Refused, Self::Stale];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Stale => "stale",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// An edit that somebody proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub id: Uuid,
    pub state: ProposalState,
    pub original: Key,
    /// How often the original had failed when it was looked at.
    pub failures: u32,
    pub to_queue: String,
    pub to_kind: String,
    pub body: Vec<u8>,
    pub changes: Vec<Change>,
    pub reason: String,
    pub proposed_by: String,
    pub proposed_at: Instant,
    pub decided_by: Option<String>,
    pub decided_at: Option<Instant>,
    pub decision_reason: Option<String>,
}

const COLUMNS: &str = "id, state, queue, message_id, failures, to_queue, to_kind, body, \
                       CAST(changes AS CHAR) AS changes, reason, proposed_by, proposed_at, decided_by, decided_at, \
                       decision_reason";

impl Proposal {
    fn of(row: &QueryResult) -> Result<Self, DbErr> {
        let state: String = row.try_get("", "state")?;
        let decided_at: Option<chrono::NaiveDateTime> = row.try_get("", "decided_at")?;
        Ok(Self {
            id: row.try_get("", "id")?,
            state: ProposalState::from_text(&state)
                .ok_or_else(|| DbErr::Custom(format!("proposals.state {state}")))?,
            original: Key {
                queue: row.try_get("", "queue")?,
                message: MessageId(row.try_get("", "message_id")?),
            },
            failures: row.try_get("", "failures")?,
            to_queue: row.try_get("", "to_queue")?,
            to_kind: row.try_get("", "to_kind")?,
            body: row.try_get("", "body")?,
            changes: json(row, "changes")?,
            reason: row.try_get("", "reason")?,
            proposed_by: row.try_get("", "proposed_by")?,
            proposed_at: instant(row, "proposed_at")?,
            decided_by: row.try_get("", "decided_by")?,
            decided_at: decided_at.map(|at| at.and_utc()),
            decision_reason: row.try_get("", "decision_reason")?,
        })
    }
}

/// Writes a proposal down.
///
/// # Errors
/// When the database refuses.
pub async fn add(db: &impl ConnectionTrait, new: &Proposal) -> Result<(), DbErr> {
    let changes = serde_json::to_string(&new.changes);
    let values: [Value; 12] = [
        new.id.into(),
        new.state.as_str().into(),
        new.original.queue.as_str().into(),
        new.original.message.0.into(),
        new.failures.into(),
        new.to_queue.as_str().into(),
        new.to_kind.as_str().into(),
        new.body.clone().into(),
        changes
            .map_err(|error| DbErr::Custom(error.to_string()))?
            .into(),
        new.reason.as_str().into(),
        new.proposed_by.as_str().into(),
        new.proposed_at.into(),
    ];
    let insert = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO proposals (id, state, queue, message_id, failures, to_queue, to_kind, body, changes, reason, \
         proposed_by, proposed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    );
    db.execute_raw(insert).await.map(drop)
}

/// One proposal, locked until the transaction ends.
///
/// # Errors
/// When the database refuses.
pub async fn lock(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Proposal>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM proposals WHERE id = ? FOR UPDATE");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, [id.into()]);
    let row = db.query_one_raw(ask).await?;
    row.map(|row| Proposal::of(&row)).transpose()
}

/// The youngest proposals in a state, or in any.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    db: &impl ConnectionTrait,
    state: Option<ProposalState>,
    limit: u32,
) -> Result<Vec<Proposal>, DbErr> {
    let (clause, mut values) = match state {
        Some(state) => ("state = ?", vec![Value::from(state.as_str())]),
        None => ("TRUE", Vec::new()),
    };
    values.push(limit.into());
    let sql = format!(
        "SELECT {COLUMNS} FROM proposals WHERE {clause} ORDER BY proposed_at DESC, id DESC LIMIT ?"
    );
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = db.query_all_raw(ask).await?;
    rows.iter().map(Proposal::of).collect()
}

/// Somebody decided. The transaction has locked the proposal.
///
/// # Errors
/// When the database refuses.
pub async fn decide(
    db: &impl ConnectionTrait,
    id: Uuid,
    state: ProposalState,
    by: &str,
    reason: &str,
    now: Instant,
) -> Result<(), DbErr> {
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE proposals SET state = ?, decided_by = ?, decided_at = ?, decision_reason = ? WHERE id = ?",
        [
            state.as_str().into(),
            by.into(),
            now.into(),
            reason.into(),
            id.into(),
        ],
    );
    db.execute_raw(update).await.map(drop)
}
