//! Payment intents: one row per booking and generation, the lock that everything about money takes first.
//!
//! The saga inserts them and marks them `closing`; every other change is the payments worker's.

use super::rows;
use boxoffice_contracts::{
    BookingId, Currency, Instant, MessageId, Money, message::booking::Tender,
};
use sea_orm::{
    Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryOrder, QuerySelect, Set,
    entity::prelude::*,
    sea_query::{CaseStatement, Expr, OnConflict},
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_intents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub generation: u16,
        pub intent_id: Option<String>,
        pub state: String,
        pub amount_minor: i64,
        pub currency: String,
        pub captured_minor: i64,
        pub refunded_outside_minor: i64,
        pub capture_try: u16,
        pub cancel_try: u16,
        pub lease_id: Option<Uuid>,
        pub leased_until: Option<DateTimeUtc>,
        pub tender: String,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Where an intent stands for us; the gateway's own status is always asked for, never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntentState {
    /// May be authorised and captured.
    Open,
    /// A void was ordered: nothing authorises, captures or revives it any more.
    Closing,
    /// The gateway shows it as canceled.
    Closed,
    Captured,
    /// The gateway shows it as canceled, and a capture was refused because of that.
    CaptureFailed,
}

impl IntentState {
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Closing,
        Self::Closed,
        Self::Captured,
        Self::CaptureFailed,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Captured => "captured",
            Self::CaptureFailed => "capture_failed",
        }
    }
}

/// An intent as the worker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub booking: BookingId,
    pub generation: u16,
    /// The gateway's id, once create was answered.
    pub gateway_id: Option<String>,
    pub state: IntentState,
    pub amount: Money,
    pub captured_minor: i64,
    /// What went back without an order of ours and was told to the saga.
    pub refunded_outside_minor: i64,
    pub capture_try: u16,
    pub cancel_try: u16,
    pub lease: Option<Lease>,
    /// The same for all intents of a booking.
    pub tender: Tender,
}

/// Who calls the gateway about an intent, and until when that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The message that is being handled: its own redelivery may go on at once, under the same keys.
    pub holder: MessageId,
    pub until: Instant,
}

impl Intent {
    /// Whether somebody else's call is in flight.
    #[must_use]
    pub fn is_busy(&self, me: MessageId, now: Instant) -> bool {
        self.lease
            .is_some_and(|lease| lease.holder != me && lease.until > now)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIntent {
    pub booking: BookingId,
    pub generation: u16,
    pub amount: Money,
    pub tender: Tender,
}

/// Inserts open intents; one that is there already is left alone.
///
/// # Errors
/// When the database refuses.
pub async fn insert_intents(
    db: &impl ConnectionTrait,
    intents: &[NewIntent],
    now: Instant,
) -> Result<(), DbErr> {
    if intents.is_empty() {
        return Ok(());
    }
    let rows = intents.iter().map(|intent| row::ActiveModel {
        booking_id: Set(intent.booking.0),
        generation: Set(intent.generation),
        intent_id: Set(None),
        state: Set(IntentState::Open.as_str().to_owned()),
        amount_minor: Set(intent.amount.minor),
        currency: Set(intent.amount.currency.as_str().to_owned()),
        captured_minor: Set(0),
        refunded_outside_minor: Set(0),
        capture_try: Set(1),
        cancel_try: Set(1),
        lease_id: Set(None),
        leased_until: Set(None),
        tender: Set(intent.tender.as_str().to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let keep = OnConflict::new()
        .update_column(row::Column::BookingId)
        .to_owned();
    rows::insert(db, rows, Some(keep)).await
}

/// Marks the open intents of these bookings as closing. Locks their rows.
///
/// # Errors
/// When the database refuses.
pub async fn mark_closing(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
    now: Instant,
) -> Result<(), DbErr> {
    if bookings.is_empty() {
        return Ok(());
    }
    row::Entity::update_many()
        .col_expr(
            row::Column::State,
            Expr::value(IntentState::Closing.as_str()),
        )
        .col_expr(row::Column::UpdatedAt, Expr::value(now))
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .filter(row::Column::State.eq(IntentState::Open.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// All intents of these bookings. Locks their rows, in the order of their keys, until the transaction ends.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn lock_of_bookings(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<Intent>, DbErr> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    row::Entity::find()
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .order_by_asc(row::Column::BookingId)
        .order_by_asc(row::Column::Generation)
        .lock_exclusive()
        .all(db)
        .await?
        .into_iter()
        .map(from_row)
        .collect()
}

/// The intent of this generation. Locks its row until the transaction ends.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn lock(
    db: &impl ConnectionTrait,
    booking: BookingId,
    generation: u16,
) -> Result<Option<Intent>, DbErr> {
    row::Entity::find_by_id((booking.0, generation))
        .lock_exclusive()
        .one(db)
        .await?
        .map(from_row)
        .transpose()
}

/// Whose intent that is, by the gateway's id. Locks nothing.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn find_by_gateway_id(
    db: &impl ConnectionTrait,
    gateway_id: &str,
) -> Result<Option<Intent>, DbErr> {
    row::Entity::find()
        .filter(row::Column::IntentId.eq(gateway_id))
        .one(db)
        .await?
        .map(from_row)
        .transpose()
}

/// Writes everything of these intents that may change. The caller holds their locks.
///
/// # Errors
/// When the database refuses.
pub async fn save(
    db: &impl ConnectionTrait,
    intents: &[Intent],
    now: Instant,
) -> Result<(), DbErr> {
    // The rows exist, so only the update half ever runs; what it doesn't touch is repeated or a filler.
    let rows = intents.iter().map(|intent| row::ActiveModel {
        booking_id: Set(intent.booking.0),
        generation: Set(intent.generation),
        intent_id: Set(intent.gateway_id.clone()),
        state: Set(intent.state.as_str().to_owned()),
        amount_minor: Set(intent.amount.minor),
        currency: Set(intent.amount.currency.as_str().to_owned()),
        captured_minor: Set(intent.captured_minor),
        refunded_outside_minor: Set(intent.refunded_outside_minor),
        capture_try: Set(intent.capture_try),
        cancel_try: Set(intent.cancel_try),
        lease_id: Set(intent.lease.map(|lease| lease.holder.0)),
        leased_until: Set(intent.lease.map(|lease| lease.until)),
        tender: Set(intent.tender.as_str().to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let changes = OnConflict::new()
        .update_columns([
            row::Column::IntentId,
            row::Column::State,
            row::Column::CapturedMinor,
            row::Column::RefundedOutsideMinor,
            row::Column::CaptureTry,
            row::Column::CancelTry,
            row::Column::LeaseId,
            row::Column::LeasedUntil,
            row::Column::UpdatedAt,
        ])
        .to_owned();
    rows::insert(db, rows, Some(changes)).await
}

/// The gateway's id of an intent that has none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGatewayId {
    pub booking: BookingId,
    pub generation: u16,
    pub gateway_id: String,
}

/// Keeps the gateway's ids of intents that have none yet. Locks their rows, in the order of their keys.
///
/// # Errors
/// When the database refuses.
pub async fn keep_gateway_ids(
    db: &impl ConnectionTrait,
    mut ids: Vec<NewGatewayId>,
) -> Result<(), DbErr> {
    ids.sort_unstable_by_key(|new| (new.booking, new.generation));
    let Some(last) = ids.last() else {
        return Ok(());
    };
    // Padded like a list of keys: the last branch of a CASE that fits is never reached twice.
    let last = last.clone();
    ids.resize(ids.len().next_power_of_two(), last);
    let named = |new: &NewGatewayId| {
        let (booking, generation) = (row::Column::BookingId, row::Column::Generation);
        booking.eq(new.booking.0).and(generation.eq(new.generation))
    };
    let id = ids.iter().fold(CaseStatement::new(), |case, new| {
        case.case(named(new), new.gateway_id.as_str())
    });
    let any = ids
        .iter()
        .fold(Condition::any(), |any, new| any.add(named(new)));
    row::Entity::update_many()
        .col_expr(row::Column::IntentId, id.into())
        .filter(any)
        .filter(row::Column::IntentId.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Ends the lease of `holder`, if it is still that one's. Locks the row.
///
/// # Errors
/// When the database refuses.
pub async fn release(
    db: &impl ConnectionTrait,
    booking: BookingId,
    generation: u16,
    holder: MessageId,
) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::LeaseId, Expr::value(None::<Uuid>))
        .col_expr(row::Column::LeasedUntil, Expr::value(None::<DateTimeUtc>))
        .filter(row::Column::BookingId.eq(booking.0))
        .filter(row::Column::Generation.eq(generation))
        .filter(row::Column::LeaseId.eq(holder.0))
        .exec(db)
        .await?;
    Ok(())
}

fn from_row(row: row::Model) -> Result<Intent, DbErr> {
    let state = IntentState::ALL
        .into_iter()
        .find(|state| state.as_str() == row.state)
        .ok_or_else(|| DbErr::Type(format!("payment_intents.state is {:?}", row.state)))?;
    let currency = Currency::new(&row.currency).map_err(|e| DbErr::Type(e.to_string()))?;
    let tender = Tender::from_text(&row.tender)
        .ok_or_else(|| DbErr::Type(format!("payment_intents.tender is {:?}", row.tender)))?;
    let lease = row.lease_id.zip(row.leased_until);
    Ok(Intent {
        tender,
        booking: BookingId(row.booking_id),
        generation: row.generation,
        gateway_id: row.intent_id,
        state,
        amount: Money::new(row.amount_minor, currency),
        captured_minor: row.captured_minor,
        refunded_outside_minor: row.refunded_outside_minor,
        capture_try: row.capture_try,
        cancel_try: row.cancel_try,
        lease: lease.map(|(holder, until)| Lease {
            holder: MessageId(holder),
            until,
        }),
    })
}
