//! Campaigns of retries: what was chosen, in which order, how far it is. People plan and steer them, the mender runs
//! them ([`mender`]).

pub mod mender;
pub mod plan;

use super::status::instant;
use boxoffice_contracts::Instant;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, entity::prelude::Uuid,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub mod item {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "retry_items")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub retry_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub no: u32,
        pub queue: String,
        pub message_id: Uuid,
        pub state: String,
        pub failures_before: u32,
        pub code: Option<String>,
        pub sent_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryState {
    /// A dry run: chosen, nothing sent.
    Planned,
    Running,
    /// By a person.
    Paused,
    /// By itself: too many failed again.
    Stopped,
    Cancelled,
    /// Every message came to its outcome.
    Done,
}

impl RetryState {
    pub const ALL: [Self; 6] = [
        Self::Planned,
        Self::Running,
        Self::Paused,
        Self::Stopped,
        Self::Cancelled,
        Self::Done,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Done => "done",
        }
    }

    fn of(text: &str) -> Result<Self, DbErr> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| DbErr::Custom(format!("retries.state {text}")))
    }
}

/// What a person does to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Start,
    Pause,
    Resume,
    Cancel,
}

impl Order {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }

    /// The state that it leads to; `None` where it makes no sense.
    #[must_use]
    pub const fn from(self, state: RetryState) -> Option<RetryState> {
        use RetryState::{Cancelled, Done, Paused, Planned, Running, Stopped};
        match (self, state) {
            (Self::Start, Planned) | (Self::Resume, Paused | Stopped) => Some(Running),
            (Self::Pause, Running) => Some(Paused),
            (Self::Cancel, Planned | Running | Paused | Stopped) => Some(Cancelled),
            (Self::Start, Running | Paused | Stopped | Cancelled | Done)
            | (Self::Resume, Planned | Running | Cancelled | Done)
            | (Self::Pause, Planned | Paused | Stopped | Cancelled | Done)
            | (Self::Cancel, Cancelled | Done) => None,
        }
    }
}

/// A campaign.
#[derive(Debug, Clone)]
pub struct Retry {
    pub id: Uuid,
    pub state: RetryState,
    /// As the client gave it.
    pub filter: Json,
    pub reason: String,
    pub subject: String,
    pub rate_per_sec: u32,
    /// Messages of each stage but the last, which takes the rest.
    pub stages: Vec<u32>,
    /// Share of a stage that may fail again before the campaign stops by itself.
    pub stop_percent: u32,
    pub total: u32,
    /// Why some were left out when it was planned, and how many for each reason.
    pub skipped: BTreeMap<String, u32>,
    pub stopped_why: Option<String>,
    pub created_at: Instant,
    pub started_at: Option<Instant>,
    /// When a portion was sent last.
    pub sent_at: Option<Instant>,
    pub finished_at: Option<Instant>,
}

const COLUMNS: &str = "id, state, CAST(filter AS CHAR) AS filter, reason, subject, rate_per_sec, \
                       CAST(stages AS CHAR) AS stages, stop_percent, total, CAST(skipped AS CHAR) AS skipped, \
                       stopped_why, created_at, started_at, sent_at, finished_at";

impl Retry {
    fn of(row: &QueryResult) -> Result<Self, DbErr> {
        let at = |column: &str| -> Result<Option<Instant>, DbErr> {
            let at: Option<chrono::NaiveDateTime> = row.try_get("", column)?;
            Ok(at.map(|at| at.and_utc()))
        };
        Ok(Self {
            id: row.try_get("", "id")?,
            state: RetryState::of(&row.try_get::<String>("", "state")?)?,
            filter: json(row, "filter")?,
            reason: row.try_get("", "reason")?,
            subject: row.try_get("", "subject")?,
            rate_per_sec: row.try_get("", "rate_per_sec")?,
            stages: json(row, "stages")?,
            stop_percent: row.try_get("", "stop_percent")?,
            total: row.try_get("", "total")?,
            skipped: json(row, "skipped")?,
            stopped_why: row.try_get("", "stopped_why")?,
            created_at: instant(row, "created_at")?,
            started_at: at("started_at")?,
            sent_at: at("sent_at")?,
            finished_at: at("finished_at")?,
        })
    }
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &QueryResult,
    column: &str,
) -> Result<T, DbErr> {
    let text: String = row.try_get("", column)?;
    serde_json::from_str(&text).map_err(|error| DbErr::Custom(format!("{column}: {error}")))
}

/// One campaign; locked until the transaction ends when `is_locked`.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    id: Uuid,
    is_locked: bool,
) -> Result<Option<Retry>, DbErr> {
    let lock = if is_locked { " FOR UPDATE" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM retries WHERE id = ?{lock}");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, [id.into()]);
    let row = db.query_one_raw(ask).await?;
    row.map(|row| Retry::of(&row)).transpose()
}

/// Forgets plans that nobody started, the oldest first: the messages of one portion at most, then the plan itself.
/// Returns how many rows went.
///
/// # Errors
/// When the database refuses.
pub async fn forget_plans_before(
    db: &impl ConnectionTrait,
    before: Instant,
    limit: u64,
) -> Result<u64, DbErr> {
    // Locked, so that it can't be started meanwhile; one that is being started is left alone.
    let oldest = "SELECT id FROM retries WHERE state = ? AND created_at < ? ORDER BY created_at LIMIT 1 \
                  FOR UPDATE SKIP LOCKED";
    let mut gone = 0;
    while gone < limit {
        let values: [Value; 2] = [RetryState::Planned.as_str().into(), before.into()];
        let ask = Statement::from_sql_and_values(DbBackend::MySql, oldest, values);
        let Some(row) = db.query_one_raw(ask).await? else {
            break;
        };
        let id: Vec<u8> = row.try_get("", "id")?;
        let items = "DELETE FROM retry_items WHERE retry_id = ? LIMIT ?";
        let values: [Value; 2] = [id.clone().into(), (limit - gone).into()];
        let items = Statement::from_sql_and_values(DbBackend::MySql, items, values);
        gone += db.execute_raw(items).await?.rows_affected();
        if gone >= limit {
            break;
        }
        let plan = "DELETE FROM retries WHERE id = ?";
        let plan = Statement::from_sql_and_values(DbBackend::MySql, plan, [id.into()]);
        gone += db.execute_raw(plan).await?.rows_affected();
    }
    Ok(gone)
}

/// The youngest campaigns.
///
/// # Errors
/// When the database refuses.
pub async fn list(db: &impl ConnectionTrait, limit: u32) -> Result<Vec<Retry>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM retries ORDER BY created_at DESC, id DESC LIMIT ?");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, [limit.into()]);
    let rows = db.query_all_raw(ask).await?;
    rows.iter().map(Retry::of).collect()
}

/// Moves a campaign that the transaction has locked.
///
/// # Errors
/// When the database refuses.
pub async fn set_state(
    db: &impl ConnectionTrait,
    retry: &Retry,
    state: RetryState,
    why: Option<&str>,
    now: Instant,
) -> Result<(), DbErr> {
    let started = retry
        .started_at
        .or((state == RetryState::Running).then_some(now));
    let is_over = matches!(state, RetryState::Done | RetryState::Cancelled);
    let values: [Value; 5] = [
        state.as_str().into(),
        why.map(|why| why.chars().take(255).collect::<String>())
            .into(),
        started.into(),
        is_over.then_some(now).into(),
        retry.id.into(),
    ];
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE retries SET state = ?, stopped_why = ?, started_at = ?, finished_at = ? WHERE id = ?",
        values,
    );
    db.execute_raw(update).await.map(drop)
}

/// The campaign stops by itself no more: a person has seen why it did.
///
/// # Errors
/// When the database refuses.
pub async fn never_stop(db: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE retries SET stop_percent = 100 WHERE id = ?",
        [id.into()],
    );
    db.execute_raw(update).await.map(drop)
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Not sent yet.
    pub waiting: u32,
    /// Sent, and their outcome isn't known.
    pub sent: u32,
    /// Handled.
    pub done: u32,
    /// Given up again.
    pub failed: u32,
    /// When it was their turn there was nothing to retry any more.
    pub skipped: u32,
}

impl Progress {
    #[must_use]
    pub const fn ended(&self) -> u32 {
        self.done + self.failed + self.skipped
    }
}

/// # Errors
/// When the database refuses.
pub async fn progress(db: &impl ConnectionTrait, id: Uuid) -> Result<Progress, DbErr> {
    progress_within(db, id, 0, u32::MAX).await
}

/// Of the messages after number `after` up to number `until`.
async fn progress_within(
    db: &impl ConnectionTrait,
    id: Uuid,
    after: u32,
    until: u32,
) -> Result<Progress, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT state, COUNT(*) AS n FROM retry_items \
         WHERE retry_id = ? AND no > ? AND no <= ? GROUP BY state",
        [id.into(), after.into(), until.into()],
    );
    let mut progress = Progress::default();
    for row in db.query_all_raw(ask).await? {
        let (state, n): (String, i64) = (row.try_get("", "state")?, row.try_get("", "n")?);
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        match state.as_str() {
            "waiting" => progress.waiting = n,
            "sent" => progress.sent = n,
            "done" => progress.done = n,
            "failed" => progress.failed = n,
            _ => progress.skipped += n,
        }
    }
    Ok(progress)
}

/// A message of a campaign that did not go well.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub queue: String,
    pub message: Uuid,
    /// `failed` or `skipped`.
    pub state: String,
    pub code: Option<String>,
}

/// The first messages that failed again or had nothing left to retry.
///
/// # Errors
/// When the database refuses.
pub async fn troubles(
    db: &impl ConnectionTrait,
    id: Uuid,
    limit: u32,
) -> Result<Vec<Trouble>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT queue, message_id, state, code FROM retry_items \
         WHERE retry_id = ? AND state IN ('failed', 'skipped') ORDER BY state, no LIMIT ?",
        [id.into(), limit.into()],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| {
            Ok(Trouble {
                queue: row.try_get("", "queue")?,
                message: row.try_get("", "message_id")?,
                state: row.try_get("", "state")?,
                code: row.try_get("", "code")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_make_sense_in_few_states() {
        use RetryState::{Cancelled, Paused, Planned, Running, Stopped};
        let allowed: Vec<(Order, RetryState)> =
            [Order::Start, Order::Pause, Order::Resume, Order::Cancel]
                .into_iter()
                .flat_map(|order| RetryState::ALL.map(|state| (order, state)))
                .filter(|(order, state)| order.from(*state).is_some())
                .collect();
        assert_eq!(
            allowed,
            [
                (Order::Start, Planned),
                (Order::Pause, Running),
                (Order::Resume, Paused),
                (Order::Resume, Stopped),
                (Order::Cancel, Planned),
                (Order::Cancel, Running),
                (Order::Cancel, Paused),
                (Order::Cancel, Stopped),
            ]
        );
        assert_eq!(Order::Cancel.from(Running), Some(Cancelled));
    }
}
