//! What was seen of the broker's queues: the last look, and a row for each minute of a day. Rows are written by
//! key, so that two watchers write the same ones.

use super::rows;
use boxoffice_contracts::Instant;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, IntoActiveModel, Iterable, QueryOrder,
    Statement,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};

/// A queue as it was seen last.
pub mod now {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "queue_now")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub queue: String,
        /// Of this row.
        pub at: DateTimeUtc,
        /// When the broker last told its depth; the depth is as old as this.
        pub seen_at: Option<DateTimeUtc>,
        pub ready: u64,
        pub unacked: u64,
        pub consumers: u32,
        pub utilisation: Option<f64>,
        pub arrived_per_sec: Option<f64>,
        pub delivered_per_sec: Option<f64>,
        pub settled_per_sec: Option<f64>,
        /// Age of the oldest message. How it is found, and its error, stand in docs/OPERATIONS.md.
        pub oldest_secs: Option<f64>,
        /// Until a limit is passed, if it goes on like this.
        pub breach_secs: Option<f64>,
        pub critical_messages: u64,
        pub critical_p50_ms: Option<u64>,
        pub critical_p95_ms: Option<u64>,
        pub critical_p99_ms: Option<u64>,
        pub parked: u64,
        /// When nothing was in it the last time.
        pub empty_at: Option<DateTimeUtc>,
        /// What is in it was not sent before this, as far as its consumers told.
        pub floor_at: Option<DateTimeUtc>,
        /// When it had a consumer the last time, or was seen first.
        pub consumed_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A queue within a minute.
pub mod minute {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "queue_minutes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub queue: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub minute: DateTimeUtc,
        /// At its end, as all depths here but the peak.
        pub ready: u64,
        pub unacked: u64,
        pub depth_peak: u64,
        pub consumers: u32,
        pub arrived: u64,
        pub delivered: u64,
        pub settled: u64,
        pub utilisation: Option<f64>,
        /// The oldest message that was seen.
        pub oldest_secs: Option<f64>,
        pub critical_p50_ms: Option<u64>,
        pub critical_p99_ms: Option<u64>,
        pub parked: u64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// How long minutes are kept, in hours.
const HISTORY_HOURS: u32 = 24;

/// Every queue that was ever seen, by name.
///
/// # Errors
/// When the database can't be asked.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<now::Model>, DbErr> {
    let all = now::Entity::find().order_by_asc(now::Column::Queue);
    all.all(db).await
}

/// The minutes of a queue from `since` on, first one first.
///
/// # Errors
/// When the database can't be asked.
pub async fn history(
    db: &impl ConnectionTrait,
    queue: &str,
    since: Instant,
) -> Result<Vec<minute::Model>, DbErr> {
    minute::Entity::find()
        .filter(minute::Column::Queue.eq(queue))
        .filter(minute::Column::Minute.gte(since))
        .order_by_asc(minute::Column::Minute)
        .all(db)
        .await
}

/// Writes a look.
///
/// # Errors
/// When the database refuses.
pub async fn write(
    db: &impl ConnectionTrait,
    seen: Vec<now::Model>,
    minutes: Vec<minute::Model>,
) -> Result<(), DbErr> {
    use now::Column as N;
    let last = OnConflict::column(N::Queue)
        .update_columns(now::Column::iter().filter(|column| !matches!(column, N::Queue)))
        .to_owned();
    rows::insert(
        db,
        seen.into_iter()
            .map(|row| row.into_active_model().reset_all()),
        Some(last),
    )
    .await?;

    use minute::Column as M;
    let counted = |column: M| {
        let name = column.as_str().to_owned();
        // A watcher that began within the minute has counted less than one that saw all of it.
        (
            column,
            Expr::cust(format!("GREATEST({name}, VALUES({name}))")),
        )
    };
    let upsert = OnConflict::columns([M::Queue, M::Minute])
        .update_columns([
            M::Ready,
            M::Unacked,
            M::Consumers,
            M::Utilisation,
            M::OldestSecs,
            M::CriticalP50Ms,
            M::CriticalP99Ms,
            M::Parked,
        ])
        .values([M::DepthPeak, M::Arrived, M::Delivered, M::Settled].map(counted))
        .to_owned();
    rows::insert(
        db,
        minutes
            .into_iter()
            .map(|row| row.into_active_model().reset_all()),
        Some(upsert),
    )
    .await
}

/// What was finished within a minute that is over: workers tell of its last seconds when it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub queue: String,
    pub minute: Instant,
    pub settled: u64,
    pub critical_p50_ms: Option<u64>,
    pub critical_p99_ms: Option<u64>,
}

/// Completes minutes that are over.
///
/// # Errors
/// When the database refuses.
pub async fn finish(db: &impl ConnectionTrait, finished: &[Finished]) -> Result<(), DbErr> {
    for each in finished {
        minute::Entity::update_many()
            .col_expr(minute::Column::Settled, Expr::value(each.settled))
            .col_expr(
                minute::Column::CriticalP50Ms,
                Expr::value(each.critical_p50_ms),
            )
            .col_expr(
                minute::Column::CriticalP99Ms,
                Expr::value(each.critical_p99_ms),
            )
            .filter(minute::Column::Queue.eq(&each.queue))
            .filter(minute::Column::Minute.eq(each.minute))
            .exec(db)
            .await?;
    }
    Ok(())
}

/// Deletes minutes that are older than a day.
///
/// # Errors
/// When the database refuses.
pub async fn forget(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let delete = format!(
        "DELETE FROM queue_minutes WHERE minute < UTC_TIMESTAMP(6) - INTERVAL {HISTORY_HOURS} HOUR LIMIT 1000"
    );
    db.execute_unprepared(&delete).await?;
    Ok(())
}

/// What else waits for somebody, beside the queues.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Backlog {
    /// Parked messages that nobody has taken up, by queue.
    pub parked: Vec<(String, u64)>,
    /// Age of the oldest message in the outbox.
    pub outbox_secs: f64,
    /// Bookings whose next step was due long ago.
    pub stuck: u64,
    /// Bookings that need a person, by reason.
    pub attention: Vec<(String, u64)>,
}

/// More than so many are as bad as any number; counting stops there.
const STUCK_COUNTED_MAX: u32 = 10_000;

/// Counts what waits. `overdue_secs`: a step that was due longer ago makes a booking stuck.
///
/// # Errors
/// When the database can't be asked.
pub async fn backlog(db: &impl ConnectionTrait, overdue_secs: u32) -> Result<Backlog, DbErr> {
    let ask = async |sql: String| {
        db.query_all_raw(Statement::from_string(DbBackend::MySql, sql))
            .await
    };
    let grouped = async |sql: &str| -> Result<Vec<(String, u64)>, DbErr> {
        let rows = ask(sql.to_owned()).await?;
        let row = |row: &sea_orm::QueryResult| {
            let count: i64 = row.try_get_by_index(1)?;
            Ok((row.try_get_by_index(0)?, count.unsigned_abs()))
        };
        rows.iter().map(row).collect()
    };
    let number = async |sql: String| -> Result<i64, DbErr> {
        let rows = ask(sql).await?;
        rows.first().map_or(Ok(0), |row| row.try_get_by_index(0))
    };
    Ok(Backlog {
        parked: grouped(
            "SELECT queue, COUNT(*) FROM parked_messages WHERE status = 'parked' GROUP BY queue",
        )
        .await?,
        attention: grouped(
            "SELECT attention, COUNT(*) FROM bookings WHERE attention IS NOT NULL GROUP BY attention",
        )
        .await?,
        outbox_secs: number(
            "SELECT CAST(COALESCE(TIMESTAMPDIFF(MICROSECOND, MIN(created_at), UTC_TIMESTAMP(6)), 0) AS SIGNED) \
             FROM outbox"
                .to_owned(),
        )
        .await? as f64
            / 1e6,
        stuck: number(format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM bookings \
             WHERE wake_at < UTC_TIMESTAMP(6) - INTERVAL {overdue_secs} SECOND LIMIT {STUCK_COUNTED_MAX}) overdue"
        ))
        .await?
        .unsigned_abs(),
    })
}
