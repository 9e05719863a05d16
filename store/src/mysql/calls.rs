//! Keys of calls to the gateway: each is committed before the call that carries it.

use super::rows;
use boxoffice_contracts::{BookingId, Instant};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, ExprTrait, Set,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_calls")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub idempotency_key: String,
        pub booking_id: Uuid,
        pub operation: String,
        pub first_called_at: DateTimeUtc,
        pub last_called_at: DateTimeUtc,
        pub calls: u32,
        pub outcome: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// How the last call with a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// About to be called, or the caller died.
    Sent,
    /// The gateway said yes, or no for a reason of the card.
    Answered,
    /// The gateway refused the request; it had no effect.
    Refused,
    /// An error of the gateway: the key may replay it for ever.
    ServerError,
    /// Nothing came back.
    NoAnswer,
}

impl CallOutcome {
    pub const ALL: [Self; 5] = [
        Self::Sent,
        Self::Answered,
        Self::Refused,
        Self::ServerError,
        Self::NoAnswer,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// A key and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    pub key: String,
    pub first_called_at: Instant,
    /// Before the call that is being planned.
    pub calls: u32,
    pub outcome: CallOutcome,
}

/// All keys of these bookings. Locks nothing; they change only under the locks of the bookings' intents.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn of_bookings(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<(BookingId, KeyUse)>, DbErr> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    row::Entity::find()
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .all(db)
        .await?
        .into_iter()
        .map(|row| Ok((BookingId(row.booking_id), from_row(row)?)))
        .collect()
}

/// A call that is going to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    pub booking: BookingId,
    pub key: String,
    pub operation: &'static str,
}

/// Announces calls. A key that was used keeps its age and last outcome.
///
/// # Errors
/// When the database refuses.
pub async fn announce(
    db: &impl ConnectionTrait,
    calls: &[Announced],
    now: Instant,
) -> Result<(), DbErr> {
    let rows = calls.iter().map(|call| row::ActiveModel {
        idempotency_key: Set(call.key.clone()),
        booking_id: Set(call.booking.0),
        operation: Set(call.operation.to_owned()),
        first_called_at: Set(now),
        last_called_at: Set(now),
        calls: Set(1),
        outcome: Set(CallOutcome::Sent.as_str().to_owned()),
    });
    let again = OnConflict::new()
        .update_column(row::Column::LastCalledAt)
        .value(row::Column::Calls, Expr::col(row::Column::Calls).add(1))
        .to_owned();
    rows::insert(db, rows, Some(again)).await
}

/// Records how calls ended: one statement per kind of ending.
///
/// # Errors
/// When the database refuses.
pub async fn conclude(
    db: &impl ConnectionTrait,
    endings: &[(String, CallOutcome)],
) -> Result<(), DbErr> {
    for outcome in CallOutcome::ALL {
        let keys: Vec<&str> = endings
            .iter()
            .filter(|(_, o)| *o == outcome)
            .map(|(key, _)| key.as_str())
            .collect();
        if keys.is_empty() {
            continue;
        }
        row::Entity::update_many()
            .col_expr(row::Column::Outcome, Expr::value(outcome.as_str()))
            .filter(row::Column::IdempotencyKey.is_in(rows::padded(keys)))
            .exec(db)
            .await?;
    }
    Ok(())
}

fn from_row(row: row::Model) -> Result<KeyUse, DbErr> {
    let outcome = CallOutcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == row.outcome)
        .ok_or_else(|| DbErr::Type(format!("gateway_calls.outcome is {:?}", row.outcome)))?;
    Ok(KeyUse {
        key: row.idempotency_key,
        first_called_at: row.first_called_at,
        calls: row.calls,
        outcome,
    })
}
