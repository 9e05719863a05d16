//! Attempts to pay: successive confirms of an intent. Guarded by the lock of their intent.

use super::rows;
use boxoffice_contracts::{BookingId, Currency, Instant, Money};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, Set, entity::prelude::*, sea_query::OnConflict,
};
use std::fmt;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_attempts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub attempt: u16,
        pub generation: u16,
        pub method: Option<String>,
        pub state: String,
        pub code: Option<String>,
        pub authorized_minor: Option<i64>,
        pub authorized_currency: Option<String>,
        pub client_secret: Option<String>,
        pub action_url: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is recorded of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// Written by the saga; nothing was recorded of the gateway.
    Ordered,
    /// The gateway gave no answer.
    Unknown,
    /// The customer must act.
    ActionRequired,
    Declined,
    Authorized,
    /// Its intent was closed before it came to an end.
    Voided,
}

impl AttemptState {
    pub const ALL: [Self; 6] = [
        Self::Ordered,
        Self::Unknown,
        Self::ActionRequired,
        Self::Declined,
        Self::Authorized,
        Self::Voided,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Unknown => "unknown",
            Self::ActionRequired => "action_required",
            Self::Declined => "declined",
            Self::Authorized => "authorized",
            Self::Voided => "voided",
        }
    }

    /// Whether an answer of the gateway is still to come.
    #[must_use]
    pub const fn is_unfinished(self) -> bool {
        match self {
            Self::Ordered | Self::Unknown | Self::ActionRequired => true,
            Self::Declined | Self::Authorized | Self::Voided => false,
        }
    }
}

/// An attempt. The client secret is shown only by the owner's GET and appears in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    pub booking: BookingId,
    pub number: u16,
    pub generation: u16,
    /// The gateway's name of the card; without one the customer confirms in the browser.
    pub method: Option<String>,
    pub state: AttemptState,
    /// The gateway's own word for a decline.
    pub code: Option<String>,
    /// What the gateway said can be captured.
    pub authorized: Option<Money>,
    pub client_secret: Option<String>,
    /// Where the customer passes 3-D Secure.
    pub action_url: Option<String>,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("booking", &self.booking)
            .field("number", &self.number)
            .field("state", &self.state)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    pub booking: BookingId,
    pub attempt: u16,
    pub generation: u16,
    pub method: Option<String>,
}

/// Inserts ordered attempts; one that is there already is left alone.
///
/// # Errors
/// When the database refuses.
pub async fn insert_attempts(
    db: &impl ConnectionTrait,
    attempts: &[NewAttempt],
    now: Instant,
) -> Result<(), DbErr> {
    if attempts.is_empty() {
        return Ok(());
    }
    let rows = attempts.iter().map(|attempt| row::ActiveModel {
        booking_id: Set(attempt.booking.0),
        attempt: Set(attempt.attempt),
        generation: Set(attempt.generation),
        method: Set(attempt.method.clone()),
        state: Set(AttemptState::Ordered.as_str().to_owned()),
        code: Set(None),
        authorized_minor: Set(None),
        authorized_currency: Set(None),
        client_secret: Set(None),
        action_url: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let keep = OnConflict::new()
        .update_column(row::Column::BookingId)
        .to_owned();
    rows::insert(db, rows, Some(keep)).await
}

/// All attempts of these bookings. Locks nothing; they change only under the locks of their intents.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn of_bookings(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<Attempt>, DbErr> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    row::Entity::find()
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .all(db)
        .await?
        .into_iter()
        .map(from_row)
        .collect()
}

/// Writes what was learned of attempts. The caller holds the locks of their intents.
///
/// # Errors
/// When the database refuses.
pub async fn save(
    db: &impl ConnectionTrait,
    attempts: &[Attempt],
    now: Instant,
) -> Result<(), DbErr> {
    // The rows exist, so only the update half ever runs; what it doesn't touch is repeated or a filler.
    let rows = attempts.iter().map(|attempt| row::ActiveModel {
        booking_id: Set(attempt.booking.0),
        attempt: Set(attempt.number),
        generation: Set(attempt.generation),
        method: Set(attempt.method.clone()),
        state: Set(attempt.state.as_str().to_owned()),
        code: Set(attempt.code.clone()),
        authorized_minor: Set(attempt.authorized.map(|money| money.minor)),
        authorized_currency: Set(attempt.authorized.map(|m| m.currency.as_str().to_owned())),
        client_secret: Set(attempt.client_secret.clone()),
        action_url: Set(attempt.action_url.clone()),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let changes = OnConflict::new()
        .update_columns([
            row::Column::State,
            row::Column::Code,
            row::Column::AuthorizedMinor,
            row::Column::AuthorizedCurrency,
            row::Column::ClientSecret,
            row::Column::ActionUrl,
            row::Column::UpdatedAt,
        ])
        .to_owned();
    rows::insert(db, rows, Some(changes)).await
}

fn from_row(row: row::Model) -> Result<Attempt, DbErr> {
    let state = AttemptState::ALL
        .into_iter()
        .find(|state| state.as_str() == row.state)
        .ok_or_else(|| DbErr::Type(format!("payment_attempts.state is {:?}", row.state)))?;
    let currency = row
        .authorized_currency
        .as_deref()
        .map(Currency::new)
        .transpose();
    let currency = currency.map_err(|e| DbErr::Type(e.to_string()))?;
    let authorized = row.authorized_minor.zip(currency);
    Ok(Attempt {
        booking: BookingId(row.booking_id),
        number: row.attempt,
        generation: row.generation,
        method: row.method,
        state,
        code: row.code,
        authorized: authorized.map(|(minor, currency)| Money::new(minor, currency)),
        client_secret: row.client_secret,
        action_url: row.action_url,
    })
}
