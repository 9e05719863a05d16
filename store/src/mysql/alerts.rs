//! Alerts that are, or were, raised, and the notices that tell people of them.

use boxoffice_contracts::Instant;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, IntoActiveModel, QueryOrder, QuerySelect,
    Statement, entity::prelude::*, sea_query::OnConflict,
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "alerts")]
    pub struct Model {
        /// `rule:target`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub alert_key: String,
        pub rule: String,
        pub target: String,
        /// `pending`: beyond its limit, not for long enough; `raised`; `cleared`.
        pub state: String,
        /// `page`: somebody should come now; `ticket`: today.
        pub severity: String,
        pub summary: String,
        pub value: Option<f64>,
        pub limit_value: Option<f64>,
        /// How often it was raised.
        pub episode: u32,
        /// When the trouble began.
        pub since: DateTimeUtc,
        pub raised_at: Option<DateTimeUtc>,
        pub last_seen: DateTimeUtc,
        /// Since when it has been fine again, while it is not cleared yet.
        pub fine_since: Option<DateTimeUtc>,
        pub cleared_at: Option<DateTimeUtc>,
        pub acknowledged_by: Option<String>,
        pub acknowledged_at: Option<DateTimeUtc>,
        pub acknowledged_reason: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod notice {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "alert_notices")]
    pub struct Model {
        /// The same in every attempt: recipients know a repetition by it.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub alert_key: String,
        pub episode: u32,
        /// `raised` or `cleared`.
        pub event: String,
        /// `mail` or `webhook`.
        pub channel: String,
        pub recipient: String,
        pub body: Json,
        pub created_at: DateTimeUtc,
        /// When it is tried next; none when it was sent or given up.
        pub due_at: Option<DateTimeUtc>,
        pub attempts: u32,
        pub sent_at: Option<DateTimeUtc>,
        pub error: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub const PENDING: &str = "pending";
pub const RAISED: &str = "raised";
pub const CLEARED: &str = "cleared";

/// Cleared alerts and ended notices are kept for so many days.
const KEPT_DAYS: u32 = 30;

/// Alerts by key; cleared ones too if asked.
///
/// # Errors
/// When the database can't be asked.
pub async fn list(db: &impl ConnectionTrait, cleared_too: bool) -> Result<Vec<row::Model>, DbErr> {
    let mut list = row::Entity::find().order_by_asc(row::Column::AlertKey);
    list = if cleared_too {
        list.filter(row::Column::State.ne(PENDING))
    } else {
        list.filter(row::Column::State.eq(RAISED))
    };
    list.all(db).await
}

/// Every alert, locked: two watchers take turns.
///
/// # Errors
/// When the database can't be asked.
pub async fn lock_all(db: &impl ConnectionTrait) -> Result<Vec<row::Model>, DbErr> {
    let all = row::Entity::find().order_by_asc(row::Column::AlertKey);
    all.lock_exclusive().all(db).await
}

/// One alert, locked.
///
/// # Errors
/// When the database can't be asked.
pub async fn lock(db: &impl ConnectionTrait, key: &str) -> Result<Option<row::Model>, DbErr> {
    let found = row::Entity::find_by_id(key.to_owned());
    found.lock_exclusive().one(db).await
}

/// Writes an alert; `is_new` if there is no row of it.
///
/// # Errors
/// When the database refuses.
pub async fn write(
    db: &impl ConnectionTrait,
    alert: row::Model,
    is_new: bool,
) -> Result<(), DbErr> {
    let row = alert.into_active_model().reset_all();
    if is_new {
        row::Entity::insert(row).exec_without_returning(db).await?;
    } else {
        row::Entity::update(row).exec(db).await?;
    }
    Ok(())
}

/// Forgets an alert that was never raised.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &impl ConnectionTrait, key: &str) -> Result<(), DbErr> {
    row::Entity::delete_by_id(key.to_owned()).exec(db).await?;
    Ok(())
}

/// Adds notices; one that is there already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn tell(db: &impl ConnectionTrait, notices: Vec<notice::Model>) -> Result<(), DbErr> {
    for notice in notices {
        let row = notice.into_active_model().reset_all();
        let once = OnConflict::column(notice::Column::Id)
            .update_column(notice::Column::Id)
            .to_owned();
        notice::Entity::insert(row)
            .on_conflict(once)
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// Leases notices that are due: nobody else takes them until `again_at`.
///
/// # Errors
/// When the database can't be asked.
pub async fn lease_due(
    db: &impl ConnectionTrait,
    channel: &str,
    most: u64,
    now: Instant,
    again_at: Instant,
) -> Result<Vec<notice::Model>, DbErr> {
    let due = notice::Entity::find()
        .filter(notice::Column::DueAt.lte(now))
        .filter(notice::Column::Channel.eq(channel))
        .order_by_asc(notice::Column::CreatedAt)
        .limit(most)
        .lock_with_behavior(
            sea_orm::sea_query::LockType::Update,
            sea_orm::sea_query::LockBehavior::SkipLocked,
        )
        .all(db)
        .await?;
    for notice in &due {
        let mut row = notice.clone().into_active_model();
        row.due_at = sea_orm::Set(Some(again_at));
        row.attempts = sea_orm::Set(notice.attempts + 1);
        row.update(db).await?;
    }
    Ok(due)
}

/// How many went out on a channel since then.
///
/// # Errors
/// When the database can't be asked.
pub async fn sent_since(
    db: &impl ConnectionTrait,
    channel: &str,
    since: Instant,
) -> Result<u64, DbErr> {
    notice::Entity::find()
        .filter(notice::Column::Channel.eq(channel))
        .filter(notice::Column::SentAt.gte(since))
        .count(db)
        .await
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    Sent,
    /// Tried again then, or never when there is no time.
    Failed(String, Option<Instant>),
}

/// Longest error that the column holds, in characters.
const ERROR_CHARS_MAX: usize = 200;

/// Notes how an attempt ended.
///
/// # Errors
/// When the database refuses.
pub async fn attempted(
    db: &impl ConnectionTrait,
    id: Uuid,
    attempt: &Attempt,
    now: Instant,
) -> Result<(), DbErr> {
    let (sent_at, due_at, error) = match attempt {
        Attempt::Sent => (Some(now), None, None),
        Attempt::Failed(error, again_at) => {
            let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
            (None, *again_at, Some(error))
        }
    };
    let row = notice::ActiveModel {
        sent_at: sea_orm::Set(sent_at),
        due_at: sea_orm::Set(due_at),
        error: sea_orm::Set(error),
        ..Default::default()
    };
    notice::Entity::update_many()
        .set(row)
        .filter(notice::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

/// Deletes what is too old to be asked for.
///
/// # Errors
/// When the database refuses.
pub async fn forget(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    for (table, at, ended) in [
        ("alerts", "cleared_at", "state = 'cleared'"),
        ("alert_notices", "created_at", "due_at IS NULL"),
    ] {
        let delete = format!(
            "DELETE FROM {table} WHERE {ended} AND {at} < UTC_TIMESTAMP(6) - INTERVAL {KEPT_DAYS} DAY LIMIT 1000"
        );
        db.execute_raw(Statement::from_string(DbBackend::MySql, delete))
            .await?;
    }
    Ok(())
}
