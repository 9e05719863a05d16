//! Keys of calls to the gateway: each is committed before the call that carries it.

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

/// All keys of a booking. Locks nothing; they change only under the lock of the booking's intent.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn of_booking(
    db: &impl ConnectionTrait,
    booking: BookingId,
) -> Result<Vec<KeyUse>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::BookingId.eq(booking.0))
        .all(db)
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// Announces calls, each a key with its operation. A key that was used keeps its age and last outcome.
///
/// # Errors
/// When the database refuses.
pub async fn announce(
    db: &impl ConnectionTrait,
    booking: BookingId,
    keys: &[(&str, &'static str)],
    now: Instant,
) -> Result<(), DbErr> {
    if keys.is_empty() {
        return Ok(());
    }
    let rows = keys.iter().map(|(key, operation)| row::ActiveModel {
        idempotency_key: Set((*key).to_owned()),
        booking_id: Set(booking.0),
        operation: Set((*operation).to_owned()),
        first_called_at: Set(now),
        last_called_at: Set(now),
        calls: Set(1),
        outcome: Set(CallOutcome::Sent.as_str().to_owned()),
    });
    let again = OnConflict::new()
        .update_column(row::Column::LastCalledAt)
        .value(row::Column::Calls, Expr::col(row::Column::Calls).add(1))
        .to_owned();
    row::Entity::insert_many(rows)
        .on_conflict(again)
        .exec_without_returning(db)
        .await?;
    Ok(())
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
            .filter(row::Column::IdempotencyKey.is_in(keys))
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
