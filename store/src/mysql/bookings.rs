//! Bookings and the log of every decision about them.

use super::rows;
use boxoffice_contracts::{
    BookingId, Instant, Owner,
    message::booking::CancelReason,
    planted::{self, Bug},
};
use boxoffice_saga::{Booking, Policy};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict},
};
use std::collections::HashMap;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "bookings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub tenant: String,
        pub subject: String,
        #[sea_orm(column_type = "Binary(32)")]
        pub request_hash: Vec<u8>,
        pub show_id: Uuid,
        pub status: String,
        pub phase: Option<String>,
        pub version: u32,
        pub code: Option<String>,
        pub attention: Option<String>,
        #[sea_orm(column_type = "Char(Some(3))")]
        pub currency: String,
        pub total_minor: i64,
        pub captured_minor: i64,
        pub refunded_minor: i64,
        pub hold_expires_at: Option<DateTimeUtc>,
        pub wake_at: Option<DateTimeUtc>,
        pub stuck_at: Option<DateTimeUtc>,
        pub customer_email: String,
        pub customer_name: String,
        pub customer_locale: String,
        pub saga: Json,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod event_row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "booking_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: u32,
        pub at: DateTimeUtc,
        pub input: String,
        pub cause_id: Uuid,
        pub from_status: String,
        pub to_status: String,
        pub to_phase: Option<String>,
        pub code: Option<String>,
        pub effects: Json,
        pub reason: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is written once, when a booking is born: who asked, and for whom.
#[derive(Clone)]
pub struct Birth {
    pub owner: Owner,
    pub request_hash: Vec<u8>,
    pub email: String,
    pub name: String,
    pub locale: String,
}

impl std::fmt::Debug for Birth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Birth")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Locks the bookings in the order of their ids and returns those that exist, each with its tenant.
///
/// # Errors
/// When the database refuses, or a saga cannot be read.
pub async fn lock(
    db: &impl ConnectionTrait,
    ids: &[BookingId],
) -> Result<HashMap<BookingId, (Booking, String)>, DbErr> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut find = row::Entity::find()
        .select_only()
        .columns([row::Column::Id, row::Column::Saga, row::Column::Tenant])
        .filter(row::Column::Id.is_in(rows::padded(ids.iter().map(|id| id.0))))
        .order_by_asc(row::Column::Id);
    if !planted::is(Bug::LostUpdate) {
        find = find.lock_exclusive();
    }
    let rows: Vec<(Uuid, Json, String)> = find.into_tuple().all(db).await?;
    rows.into_iter()
        .map(|(id, saga, tenant)| Ok((BookingId(id), (decode(saga)?, tenant))))
        .collect()
}

/// Ids of bookings that are due, oldest first, locked; rows that another transaction has are passed over.
///
/// # Errors
/// When the database refuses.
pub async fn lock_due(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<Booking>, DbErr> {
    let rows: Vec<Json> = row::Entity::find()
        .select_only()
        .column(row::Column::Saga)
        .filter(Expr::col(row::Column::WakeAt).lte(Expr::cust("UTC_TIMESTAMP(6)")))
        .order_by_asc(row::Column::WakeAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(db)
        .await?;
    rows.into_iter().map(decode).collect()
}

/// Ids in their order, from the first after `after` on.
///
/// # Errors
/// When the database refuses.
pub async fn ids_after(
    db: &impl ConnectionTrait,
    after: Option<BookingId>,
    limit: u64,
) -> Result<Vec<BookingId>, DbErr> {
    let mut find = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .order_by_asc(row::Column::Id)
        .limit(limit);
    if let Some(after) = after {
        find = find.filter(row::Column::Id.gt(after.0));
    }
    let ids: Vec<Uuid> = find.into_tuple().all(db).await?;
    Ok(ids.into_iter().map(BookingId).collect())
}

fn decode(saga: Json) -> Result<Booking, DbErr> {
    serde_json::from_value(saga).map_err(|error| DbErr::Type(format!("bookings.saga: {error}")))
}

/// Inserts bookings that were born in this transaction. A repeated id is error 1062.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    db: &impl ConnectionTrait,
    born: &[(&Booking, &Birth)],
    policy: &Policy,
    now: Instant,
) -> Result<(), DbErr> {
    if born.is_empty() {
        return Ok(());
    }
    let rows = born.iter().map(|(booking, birth)| {
        Ok(row::ActiveModel {
            tenant: Set(birth.owner.tenant.clone()),
            subject: Set(birth.owner.subject.clone()),
            request_hash: Set(birth.request_hash.clone()),
            customer_email: Set(birth.email.clone()),
            customer_name: Set(birth.name.clone()),
            customer_locale: Set(birth.locale.clone()),
            created_at: Set(now),
            ..state_of(booking, policy, now)?
        })
    });
    let rows: Vec<row::ActiveModel> = rows.collect::<Result<_, DbErr>>()?;
    rows::insert(db, rows, None).await
}

/// Writes the state of bookings that exist and are locked by this transaction.
///
/// # Errors
/// When the database refuses.
pub async fn update(
    db: &impl ConnectionTrait,
    bookings: &[&Booking],
    policy: &Policy,
    now: Instant,
) -> Result<(), DbErr> {
    if bookings.is_empty() {
        return Ok(());
    }
    // One statement for all: the rows exist, so only the update half ever runs. What is written at birth
    // has no default and gets a filler that the update half does not touch.
    let rows = bookings.iter().map(|booking| {
        Ok(row::ActiveModel {
            tenant: Set(String::new()),
            subject: Set(String::new()),
            request_hash: Set(vec![0; 32]),
            customer_email: Set(String::new()),
            customer_name: Set(String::new()),
            customer_locale: Set(String::new()),
            created_at: Set(now),
            ..state_of(booking, policy, now)?
        })
    });
    let rows: Vec<row::ActiveModel> = rows.collect::<Result<_, DbErr>>()?;
    let changes = OnConflict::column(row::Column::Id)
        // First: assignments run in their order, and this one compares the row with what it becomes.
        .value(row::Column::StuckAt, Expr::cust(STUCK_AT))
        .update_columns([
            row::Column::Status,
            row::Column::Phase,
            row::Column::Version,
            row::Column::Code,
            row::Column::Attention,
            row::Column::TotalMinor,
            row::Column::CapturedMinor,
            row::Column::RefundedMinor,
            row::Column::HoldExpiresAt,
            row::Column::WakeAt,
            row::Column::Saga,
            row::Column::UpdatedAt,
        ])
        .to_owned();
    rows::insert(db, rows, Some(changes)).await
}

/// A booking that stays in its state keeps the limit that it got when it entered it.
const STUCK_AT: &str = "IF(VALUES(stuck_at) IS NOT NULL AND stuck_at IS NOT NULL AND status = VALUES(status) \
     AND phase <=> VALUES(phase) AND attention <=> VALUES(attention), stuck_at, VALUES(stuck_at))";

/// Moves the time of a row that is due and whose state says nothing new.
///
/// # Errors
/// When the database refuses.
pub async fn postpone(
    db: &impl ConnectionTrait,
    id: BookingId,
    until: Instant,
) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::WakeAt, Expr::value(until))
        .filter(row::Column::Id.eq(id.0))
        .exec(db)
        .await?;
    Ok(())
}

/// The columns that are derived from the saga's state, in one place.
fn state_of(booking: &Booking, policy: &Policy, now: Instant) -> Result<row::ActiveModel, DbErr> {
    let held = matches!(
        booking.status,
        boxoffice_saga::Status::Held | boxoffice_saga::Status::Authorizing(_)
    );
    let saga = serde_json::to_value(booking)
        .map_err(|error| DbErr::Type(format!("bookings.saga: {error}")))?;
    Ok(row::ActiveModel {
        id: Set(booking.id.0),
        show_id: Set(booking.show_id.0),
        status: Set(booking.status.as_str().to_owned()),
        phase: Set(booking.status.phase().map(str::to_owned)),
        version: Set(booking.version),
        code: Set(booking.code.map(|code| code.as_str().to_owned())),
        attention: Set(booking.attention.map(|a| a.as_str().to_owned())),
        currency: Set(booking.currency.to_string()),
        total_minor: Set(booking.total_minor()),
        captured_minor: Set(booking.payment.captured_minor),
        refunded_minor: Set(booking.refunded_minor()),
        hold_expires_at: Set(booking
            .hold
            .as_ref()
            .filter(|_| held)
            .map(|hold| hold.expires_at)),
        wake_at: Set(booking.wake_at(policy)),
        stuck_at: Set(match booking.attention {
            Some(_) => Some(now),
            None => booking.stays_until(now, policy),
        }),
        saga: Set(saga),
        updated_at: Set(now),
        ..Default::default()
    })
}

/// One decision, as it is kept for ever.
#[derive(Debug, Clone)]
pub struct Event {
    pub booking: BookingId,
    pub version: u32,
    pub at: Instant,
    pub input: &'static str,
    pub cause: boxoffice_contracts::MessageId,
    pub from_status: &'static str,
    pub to_status: &'static str,
    pub to_phase: Option<&'static str>,
    pub code: Option<&'static str>,
    pub effects: Vec<&'static str>,
    /// What a person gave as the reason of their command.
    pub reason: Option<CancelReason>,
}

/// Appends to the log. A repeated (booking, version) is error 1062: two writers decided the same step.
///
/// # Errors
/// When the database refuses.
pub async fn append_events(db: &impl ConnectionTrait, events: &[Event]) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    let rows = events.iter().map(|event| event_row::ActiveModel {
        booking_id: Set(event.booking.0),
        version: Set(event.version),
        at: Set(event.at),
        input: Set(event.input.to_owned()),
        cause_id: Set(event.cause.0),
        from_status: Set(event.from_status.to_owned()),
        to_status: Set(event.to_status.to_owned()),
        to_phase: Set(event.to_phase.map(str::to_owned)),
        code: Set(event.code.map(str::to_owned)),
        effects: Set(serde_json::json!(event.effects)),
        reason: Set(event.reason.as_ref().map(|why| why.as_str().to_owned())),
    });
    // The key of the log is the second guard against two writers of one step: both must be gone for the bug to show.
    let conflict = planted::is(Bug::LostUpdate).then(|| {
        OnConflict::new()
            .update_column(event_row::Column::Version)
            .to_owned()
    });
    rows::insert(db, rows, conflict).await
}
