//! Orders of mails, kept until each mail has ended. The messages that carry them may be lost with a queue.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, MessageId, message::mail::Template};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Statement,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};
use std::time::Duration;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mail_orders")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: Uuid,
        pub booking_id: Uuid,
        pub template: String,
        pub revision: u16,
        pub sent_again: u32,
        pub due_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The wait before it is sent again doubles so often: a server that is away for hours is no lost order.
const DOUBLINGS_MAX: u32 = 5;

/// A mail that is ordered, by the message of this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailOrder {
    pub message: MessageId,
    pub booking: BookingId,
    pub template: Template,
    pub revision: u16,
}

/// Keeps orders; one that is there already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn keep(
    db: &impl ConnectionTrait,
    orders: &[MailOrder],
    due_at: Instant,
) -> Result<(), DbErr> {
    let rows = orders.iter().map(|order| row::ActiveModel {
        message_id: Set(order.message.0),
        booking_id: Set(order.booking.0),
        template: Set(order.template.as_str().to_owned()),
        revision: Set(order.revision),
        sent_again: Set(0),
        due_at: Set(due_at),
    });
    let unchanged = OnConflict::new()
        .value(row::Column::DueAt, Expr::col(row::Column::DueAt))
        .to_owned();
    rows::insert(db, rows, Some(unchanged)).await
}

/// Forgets orders that are due and whose mail has ended or lies with a person. Returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn forget_ended(db: &impl ConnectionTrait, rows_max: u32) -> Result<u64, DbErr> {
    let delete = Statement::from_sql_and_values(
        DbBackend::MySql,
        "DELETE FROM mail_orders WHERE due_at <= UTC_TIMESTAMP(6) AND (\
         EXISTS (SELECT 1 FROM mails WHERE mails.booking_id = mail_orders.booking_id \
         AND mails.template = mail_orders.template AND mails.revision = mail_orders.revision \
         AND mails.state <> 'sending') \
         OR EXISTS (SELECT 1 FROM parked_messages \
         WHERE parked_messages.message_id = mail_orders.message_id)) ORDER BY due_at LIMIT ?",
        [rows_max.into()],
    );
    Ok(db.execute_raw(delete).await?.rows_affected())
}

/// Locks orders whose mail has not ended in time, those that wait longest first; others' are left out, and those of
/// templates that only a newer program knows are left to it.
///
/// # Errors
/// When the database refuses.
pub async fn lock_due(
    db: &impl ConnectionTrait,
    rows_max: u64,
) -> Result<Vec<(row::Model, MailOrder)>, DbErr> {
    let known = Template::ALL.map(Template::as_str);
    let rows = row::Entity::find()
        .filter(Expr::cust("due_at <= UTC_TIMESTAMP(6)"))
        .filter(row::Column::Template.is_in(known))
        .order_by_asc(row::Column::DueAt)
        .limit(rows_max)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(db)
        .await?;
    let order = |row: row::Model| {
        let template = Template::ALL
            .into_iter()
            .find(|template| template.as_str() == row.template)
            .ok_or_else(|| DbErr::Type(format!("mail_orders.template: {}", row.template)))?;
        let order = MailOrder {
            message: MessageId(row.message_id),
            booking: BookingId(row.booking_id),
            template,
            revision: row.revision,
        };
        Ok((row, order))
    };
    rows.into_iter().map(order).collect()
}

/// It was sent again: next time later, twice as late each time.
///
/// # Errors
/// When the database refuses.
pub async fn sent_again(
    db: &impl ConnectionTrait,
    row: &row::Model,
    now: Instant,
    wait: Duration,
) -> Result<(), DbErr> {
    let doubled = wait * (2 << row.sent_again.min(DOUBLINGS_MAX));
    row::Entity::update_many()
        .col_expr(
            row::Column::SentAgain,
            Expr::value(row.sent_again.saturating_add(1)),
        )
        .col_expr(row::Column::DueAt, Expr::value(now + doubled))
        .filter(row::Column::MessageId.eq(row.message_id))
        .exec(db)
        .await
        .map(drop)
}

/// Somebody is at work on the mail: looked at again later.
///
/// # Errors
/// When the database refuses.
pub async fn postpone(
    db: &impl ConnectionTrait,
    row: &row::Model,
    until: Instant,
) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::DueAt, Expr::value(until))
        .filter(row::Column::MessageId.eq(row.message_id))
        .exec(db)
        .await
        .map(drop)
}
