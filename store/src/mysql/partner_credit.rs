//! What the house lets a partner owe: one row per partner and currency.
//!
//! An authorisation reserves, a capture turns what was reserved into what is used, a void gives it free, a refund
//! takes it off what is used. Each is one statement that compares and sets, in the transaction of the attempt, the
//! intent or the refund that it is recorded in: the record says whether it was done, so that it is done once.
//!
//! Lock order: these rows come last, after the intents of the bookings, by partner and currency.

use super::{partners::PartnerState, rows};
use boxoffice_contracts::{BookingId, Currency, Instant, Money, partner::PartnerId};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, QueryOrder, QuerySelect, Set,
    Statement, UpdateMany, Value,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use std::collections::BTreeSet;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_credit")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partner_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub limit_minor: i64,
        pub reserved_minor: i64,
        pub used_minor: i64,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// How a partner's credit stands in one currency; minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    pub partner: PartnerId,
    pub currency: Currency,
    /// Nothing is authorised beyond it. It may be lowered below what is used.
    pub limit_minor: i64,
    /// Authorised and neither captured nor void.
    pub reserved_minor: i64,
    /// Captured and not refunded: what the partner owes.
    pub used_minor: i64,
    pub updated_at: Instant,
}

impl Credit {
    /// What may still be authorised; minor units.
    #[must_use]
    pub const fn available_minor(&self) -> i64 {
        let left = self
            .limit_minor
            .saturating_sub(self.reserved_minor)
            .saturating_sub(self.used_minor);
        if left < 0 { 0 } else { left }
    }

    fn of(row: row::Model) -> Result<Self, DbErr> {
        let broken =
            |what: &str| DbErr::Type(format!("partner_credit.{what} of {}", row.partner_id));
        Ok(Self {
            partner: row
                .partner_id
                .parse()
                .map_err(|_error| broken("partner_id"))?,
            currency: Currency::new(&row.currency).map_err(|_error| broken("currency"))?,
            limit_minor: row.limit_minor,
            reserved_minor: row.reserved_minor,
            used_minor: row.used_minor,
            updated_at: row.updated_at,
        })
    }
}

/// All of a partner, by currency. Locks nothing.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn of_partner(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
) -> Result<Vec<Credit>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .order_by_asc(row::Column::Currency)
        .all(db)
        .await?;
    rows.into_iter().map(Credit::of).collect()
}

/// One row. Locks it until the transaction ends.
///
/// # Errors
/// When the database refuses or holds what was never written.
pub async fn lock(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    currency: Currency,
) -> Result<Option<Credit>, DbErr> {
    let key = (partner.as_str().to_owned(), currency.as_str().to_owned());
    let row = row::Entity::find_by_id(key)
        .lock_exclusive()
        .one(db)
        .await?;
    row.map(Credit::of).transpose()
}

/// The partner that sold a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    pub partner: PartnerId,
    /// Nothing is authorised for one that is suspended or removed. What was authorised comes to its end.
    pub is_active: bool,
}

/// The partners that sold these bookings. Locks all rows of their credit, in the order of the keys, until the
/// transaction ends; the bookings are not locked, for they never change hands.
///
/// # Errors
/// When the database refuses.
pub async fn lock_of_bookings(
    db: &impl ConnectionTrait,
    bookings: Vec<BookingId>,
) -> Result<Vec<(BookingId, Seller)>, DbErr> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows::padded(bookings);
    let marks = vec!["?"; ids.len()].join(",");
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        format!(
            "SELECT b.id, b.tenant, p.state FROM bookings b LEFT JOIN partners p ON p.id = b.tenant
             WHERE b.id IN ({marks})"
        ),
        ids.iter().map(|id| Value::from(id.0)),
    );
    let mut sellers = Vec::new();
    for row in db.query_all_raw(ask).await? {
        let (tenant, state): (String, Option<String>) =
            (row.try_get("", "tenant")?, row.try_get("", "state")?);
        // Whoever is no partner has no credit.
        if let Ok(partner) = tenant.parse() {
            let is_active = state.as_deref() == Some(PartnerState::Active.as_str());
            let seller = Seller { partner, is_active };
            sellers.push((BookingId(row.try_get("", "id")?), seller));
        }
    }
    let partners: BTreeSet<&str> = sellers.iter().map(|(_, s)| s.partner.as_str()).collect();
    if !partners.is_empty() {
        row::Entity::find()
            .filter(row::Column::PartnerId.is_in(rows::padded(partners)))
            .order_by_asc(row::Column::PartnerId)
            .order_by_asc(row::Column::Currency)
            .lock_exclusive()
            .all(db)
            .await?;
    }
    Ok(sellers)
}

/// Sets how much a partner may owe. What is reserved and used stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn set_limit(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    limit: Money,
    now: Instant,
) -> Result<(), DbErr> {
    let new = row::ActiveModel {
        partner_id: Set(partner.as_str().to_owned()),
        currency: Set(limit.currency.as_str().to_owned()),
        limit_minor: Set(limit.minor),
        reserved_minor: Set(0),
        used_minor: Set(0),
        updated_at: Set(now),
    };
    let changes = OnConflict::new()
        .update_columns([row::Column::LimitMinor, row::Column::UpdatedAt])
        .to_owned();
    rows::insert(db, [new], Some(changes)).await
}

/// Reserves an amount, if the limit leaves room for it. Without a row there is no room.
///
/// # Errors
/// When the database refuses.
pub async fn reserve(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    amount: Money,
    now: Instant,
) -> Result<bool, DbErr> {
    let taken = Expr::col(row::Column::ReservedMinor)
        .add(Expr::col(row::Column::UsedMinor))
        .add(amount.minor);
    let reserved = Expr::col(row::Column::ReservedMinor).add(amount.minor);
    let change = change(partner, amount.currency, now)
        .col_expr(row::Column::ReservedMinor, reserved)
        .filter(taken.lte(Expr::col(row::Column::LimitMinor)));
    done(db, change).await
}

/// Uses `used` of what was reserved for a booking, and sets the rest of it free. False: so much was never reserved.
///
/// # Errors
/// When the database refuses.
pub async fn capture(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    reserved: Money,
    used_minor: i64,
    now: Instant,
) -> Result<bool, DbErr> {
    let less = Expr::col(row::Column::ReservedMinor).sub(reserved.minor);
    let more = Expr::col(row::Column::UsedMinor).add(used_minor);
    let change = change(partner, reserved.currency, now)
        .col_expr(row::Column::ReservedMinor, less)
        .col_expr(row::Column::UsedMinor, more)
        .filter(row::Column::ReservedMinor.gte(reserved.minor));
    done(db, change).await
}

/// Sets what was reserved for a booking free. False: so much was never reserved.
///
/// # Errors
/// When the database refuses.
pub async fn release(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    reserved: Money,
    now: Instant,
) -> Result<bool, DbErr> {
    capture(db, partner, reserved, 0, now).await
}

/// Takes a refund off what is used. False: so much is not used.
///
/// # Errors
/// When the database refuses.
pub async fn give_back(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    amount: Money,
    now: Instant,
) -> Result<bool, DbErr> {
    let less = Expr::col(row::Column::UsedMinor).sub(amount.minor);
    let change = change(partner, amount.currency, now)
        .col_expr(row::Column::UsedMinor, less)
        .filter(row::Column::UsedMinor.gte(amount.minor));
    done(db, change).await
}

fn change(partner: &PartnerId, currency: Currency, now: Instant) -> UpdateMany<row::Entity> {
    row::Entity::update_many()
        .col_expr(row::Column::UpdatedAt, Expr::value(now))
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::Currency.eq(currency.as_str()))
}

async fn done(db: &impl ConnectionTrait, change: UpdateMany<row::Entity>) -> Result<bool, DbErr> {
    Ok(change.exec(db).await?.rows_affected == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_less_than_nothing() {
        let credit = |limit_minor, reserved_minor, used_minor| Credit {
            partner: "acme".parse().unwrap(),
            currency: Currency::EUR,
            limit_minor,
            reserved_minor,
            used_minor,
            updated_at: Instant::default(),
        };
        assert_eq!(credit(100, 30, 20).available_minor(), 50);
        assert_eq!(credit(100, 50, 50).available_minor(), 0);
        assert_eq!(
            credit(10, 50, 50).available_minor(),
            0,
            "the limit was lowered"
        );
    }
}
