//! Refunds: one row per order, its id derived from the operation that ordered it.
//!
//! Guarded by the lock of the intent that was captured.

use super::rows;
use boxoffice_contracts::{BookingId, Currency, Instant, Money, OperationId, RefundId};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, Set, entity::prelude::*, sea_query::OnConflict,
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refunds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub booking_id: Uuid,
        pub operation_id: Option<Uuid>,
        pub amount_minor: i64,
        pub currency: String,
        pub positions: Json,
        pub state: String,
        pub code: Option<String>,
        pub r#try: u16,
        pub gateway_refund_id: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Written by the saga.
    Requested,
    /// The gateway works on it.
    Pending,
    Succeeded,
    /// Refused for good.
    Failed,
}

impl RefundState {
    pub const ALL: [Self; 4] = [
        Self::Requested,
        Self::Pending,
        Self::Succeeded,
        Self::Failed,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub booking: BookingId,
    pub amount: Money,
    pub state: RefundState,
    /// The gateway's own word for a failure.
    pub code: Option<String>,
    /// Rises when the gateway proved that the former had no effect.
    pub r#try: u16,
    pub gateway_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    pub id: RefundId,
    pub booking: BookingId,
    pub operation: Option<OperationId>,
    pub amount: Money,
    /// Positions that it pays back.
    pub positions: Vec<u16>,
}

/// Inserts requested refunds; one that is there already is left alone.
///
/// # Errors
/// When the database refuses.
pub async fn insert_refunds(
    db: &impl ConnectionTrait,
    refunds: &[NewRefund],
    now: Instant,
) -> Result<(), DbErr> {
    if refunds.is_empty() {
        return Ok(());
    }
    let rows = refunds.iter().map(|refund| row::ActiveModel {
        id: Set(refund.id.0),
        booking_id: Set(refund.booking.0),
        operation_id: Set(refund.operation.map(|id| id.0)),
        amount_minor: Set(refund.amount.minor),
        currency: Set(refund.amount.currency.as_str().to_owned()),
        positions: Set(serde_json::json!(refund.positions)),
        state: Set(RefundState::Requested.as_str().to_owned()),
        code: Set(None),
        r#try: Set(1),
        gateway_refund_id: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let keep = OnConflict::new().update_column(row::Column::Id).to_owned();
    rows::insert(db, rows, Some(keep)).await
}

/// All refunds of a booking, oldest first. Locks nothing; they change only under the lock of the intent.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn of_booking(
    db: &impl ConnectionTrait,
    booking: BookingId,
) -> Result<Vec<Refund>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::BookingId.eq(booking.0))
        .all(db)
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// Writes what was learned of a refund. The caller holds the lock of the intent.
///
/// # Errors
/// When the database refuses.
pub async fn save(db: &impl ConnectionTrait, refund: &Refund, now: Instant) -> Result<(), DbErr> {
    let changes = row::ActiveModel {
        state: Set(refund.state.as_str().to_owned()),
        code: Set(refund.code.clone()),
        r#try: Set(refund.r#try),
        gateway_refund_id: Set(refund.gateway_id.clone()),
        updated_at: Set(now),
        ..Default::default()
    };
    row::Entity::update_many()
        .set(changes)
        .filter(row::Column::Id.eq(refund.id.0))
        .exec(db)
        .await?;
    Ok(())
}

fn from_row(row: row::Model) -> Result<Refund, DbErr> {
    let state = RefundState::ALL
        .into_iter()
        .find(|state| state.as_str() == row.state)
        .ok_or_else(|| DbErr::Type(format!("refunds.state is {:?}", row.state)))?;
    let currency = Currency::new(&row.currency).map_err(|e| DbErr::Type(e.to_string()))?;
    Ok(Refund {
        id: RefundId(row.id),
        booking: BookingId(row.booking_id),
        amount: Money::new(row.amount_minor, currency),
        state,
        code: row.code,
        r#try: row.r#try,
        gateway_id: row.gateway_refund_id,
    })
}
