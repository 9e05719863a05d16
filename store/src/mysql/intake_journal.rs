//! Commands from outside, kept until each has an outcome. A copy: the broker's is the one that is handled.

use boxoffice_contracts::{BookingId, Instant, MessageId, OperationId};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement, sea_query::Expr,
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "intake_journal")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: Uuid,
        pub booking_id: Uuid,
        pub operation_id: Uuid,
        pub kind: String,
        pub tenant: String,
        pub trace: String,
        pub deadline: Option<DateTimeUtc>,
        pub accepted_at: DateTimeUtc,
        pub body: Vec<u8>,
        pub sent_again: u32,
        pub due_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What nobody ever decided is forgotten after so many days, as ids of handled messages are.
const DAYS_MAX: u32 = 35;
/// The wait before it is sent again doubles so often: a long queue is no lost command.
const DOUBLINGS_MAX: u32 = 6;

/// A command and its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    pub message: MessageId,
    pub booking: BookingId,
    /// Its outcome will be a row of `operations` under this id.
    pub operation: OperationId,
    pub kind: &'a str,
    pub tenant: &'a str,
    pub trace: String,
    pub deadline: Option<Instant>,
    pub at: Instant,
    pub body: &'a [u8],
}

/// Keeps a command; one that is there already stays as it is. It is due `after_secs` from now by the database's
/// clock.
///
/// # Errors
/// When the database refuses.
pub async fn keep(
    db: &impl ConnectionTrait,
    entry: &Entry<'_>,
    after_secs: u32,
) -> Result<(), DbErr> {
    let insert = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO intake_journal (message_id, booking_id, operation_id, kind, tenant, trace, deadline, \
         accepted_at, body, due_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND) \
         ON DUPLICATE KEY UPDATE sent_again = sent_again",
        [
            entry.message.0.into(),
            entry.booking.0.into(),
            entry.operation.0.into(),
            entry.kind.into(),
            entry.tenant.into(),
            entry.trace.clone().into(),
            entry.deadline.into(),
            entry.at.into(),
            entry.body.to_vec().into(),
            after_secs.into(),
        ],
    );
    db.execute_raw(insert).await.map(drop)
}

/// Takes one back that was not accepted.
///
/// # Errors
/// When the database refuses.
pub async fn take_back(db: &impl ConnectionTrait, message: MessageId) -> Result<(), DbErr> {
    row::Entity::delete_by_id(message.0)
        .exec(db)
        .await
        .map(drop)
}

/// Forgets commands that have an outcome or lie with a person, and those too old to be anybody's. Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn forget_settled(db: &impl ConnectionTrait, rows_max: u32) -> Result<u64, DbErr> {
    let delete = Statement::from_sql_and_values(
        DbBackend::MySql,
        "DELETE FROM intake_journal WHERE due_at <= UTC_TIMESTAMP(6) AND (\
         EXISTS (SELECT 1 FROM operations WHERE operations.id = intake_journal.operation_id) \
         OR EXISTS (SELECT 1 FROM parked_messages \
         WHERE parked_messages.message_id = intake_journal.message_id) \
         OR accepted_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY) ORDER BY due_at LIMIT ?",
        [DAYS_MAX.into(), rows_max.into()],
    );
    Ok(db.execute_raw(delete).await?.rows_affected())
}

/// Commands without an outcome whose time has come, those that wait longest first.
///
/// # Errors
/// When the database refuses.
pub async fn due(db: &impl ConnectionTrait, rows_max: u64) -> Result<Vec<row::Model>, DbErr> {
    row::Entity::find()
        .filter(Expr::cust("due_at <= UTC_TIMESTAMP(6)"))
        .order_by_asc(row::Column::DueAt)
        .limit(rows_max)
        .all(db)
        .await
}

/// It was sent again: next time later.
///
/// # Errors
/// When the database refuses.
pub async fn sent_again(
    db: &impl ConnectionTrait,
    entry: &row::Model,
    after_secs: u32,
) -> Result<(), DbErr> {
    let doubled = 1_u32 << (entry.sent_again + 1).min(DOUBLINGS_MAX);
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE intake_journal SET sent_again = sent_again + 1, \
         due_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND WHERE message_id = ?",
        [
            after_secs.saturating_mul(doubled).into(),
            entry.message_id.into(),
        ],
    );
    db.execute_raw(update).await.map(drop)
}
