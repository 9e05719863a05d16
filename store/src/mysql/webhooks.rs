//! Events of the gateway as they came, kept for 35 days: longer than the gateway lists them.

use super::rows;
use boxoffice_contracts::{BookingId, Instant};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QuerySelect, Set, entity::prelude::*,
    sea_query::OnConflict,
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhook_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: String,
        pub event_type: String,
        pub intent_id: Option<String>,
        pub booking_id: Option<Uuid>,
        #[sea_orm(column_type = "custom(\"MEDIUMBLOB\")")]
        pub body: Vec<u8>,
        pub received_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// An event whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhookEvent {
    pub event_id: String,
    pub event_type: String,
    /// The payment that it is about, when its object says so.
    pub intent_id: Option<String>,
    pub booking: Option<BookingId>,
    /// The raw body, whose signature was verified.
    pub body: Vec<u8>,
}

/// Keeps an event; one that is there already is left alone.
///
/// # Errors
/// When the database refuses.
pub async fn insert_event(
    db: &impl ConnectionTrait,
    event: &NewWebhookEvent,
    now: Instant,
) -> Result<(), DbErr> {
    let new = row::ActiveModel {
        event_id: Set(event.event_id.clone()),
        event_type: Set(event.event_type.clone()),
        intent_id: Set(event.intent_id.clone()),
        booking_id: Set(event.booking.map(|id| id.0)),
        body: Set(event.body.clone()),
        received_at: Set(now),
    };
    let keep = OnConflict::new()
        .update_column(row::Column::EventId)
        .to_owned();
    row::Entity::insert(new)
        .on_conflict(keep)
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// These events as they came, those that are there. Locks nothing.
///
/// # Errors
/// When the database refuses.
pub async fn find_events(
    db: &impl ConnectionTrait,
    event_ids: &[String],
) -> Result<Vec<row::Model>, DbErr> {
    if event_ids.is_empty() {
        return Ok(Vec::new());
    }
    row::Entity::find()
        .filter(row::Column::EventId.is_in(rows::padded(event_ids.iter().cloned())))
        .all(db)
        .await
}

/// That an event came in; what it said stays in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub booking: BookingId,
    pub event_id: String,
    pub event_type: String,
    pub received_at: Instant,
}

/// The events about these bookings.
///
/// # Errors
/// When the database refuses.
pub async fn receipts_of(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<Receipt>, DbErr> {
    let rows: Vec<(Option<Uuid>, String, String, DateTimeUtc)> = row::Entity::find()
        .select_only()
        .columns([
            row::Column::BookingId,
            row::Column::EventId,
            row::Column::EventType,
            row::Column::ReceivedAt,
        ])
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .into_tuple()
        .all(db)
        .await?;
    let receipt = |(booking, event_id, event_type, received_at)| {
        let booking: Option<Uuid> = booking;
        Some(Receipt {
            booking: BookingId(booking?),
            event_id,
            event_type,
            received_at,
        })
    };
    Ok(rows.into_iter().filter_map(receipt).collect())
}

/// Forgets at most `limit` events that came before `before`; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn forget_before(
    db: &impl ConnectionTrait,
    before: Instant,
    limit: u64,
) -> Result<u64, DbErr> {
    let old: Vec<String> = row::Entity::find()
        .select_only()
        .column(row::Column::EventId)
        .filter(row::Column::ReceivedAt.lt(before))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let done = row::Entity::delete_many()
        .filter(row::Column::EventId.is_in(old))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}
