//! Questions to the gateway. They carry no key and change nothing, but belong to the story of a booking.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, MessageId};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set, entity::prelude::*};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_looks")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: u64,
        pub booking_id: Uuid,
        pub message_id: Uuid,
        pub question: String,
        pub answer: String,
        pub at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Longest answer that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 64;

/// A question and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub booking: BookingId,
    /// The message that asked.
    pub message: MessageId,
    /// `retrieve`, `find`, `refund` or `refunds`.
    pub question: &'static str,
    /// What was seen, or why there was no answer.
    pub answer: String,
}

/// Writes down what was asked.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, looks: &[Look], now: Instant) -> Result<(), DbErr> {
    if looks.is_empty() {
        return Ok(());
    }
    let rows = looks.iter().map(|look| row::ActiveModel {
        booking_id: Set(look.booking.0),
        message_id: Set(look.message.0),
        question: Set(look.question.to_owned()),
        answer: Set(look.answer.chars().take(ANSWER_CHARS_MAX).collect()),
        at: Set(now),
        ..Default::default()
    });
    rows::insert(db, rows, None).await
}

/// What was asked about these bookings.
///
/// # Errors
/// When the database refuses.
pub async fn of_bookings(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<row::Model>, DbErr> {
    row::Entity::find()
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .all(db)
        .await
}
