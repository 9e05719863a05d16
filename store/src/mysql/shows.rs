//! What a show offers: the facts that a reservation is decided on.

use super::partner_feed;
use boxoffice_contracts::{Currency, Instant, SeatId, ShowId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value, entity::prelude::Uuid};
use std::collections::HashMap;

/// A show with its prices.
#[derive(Debug, Clone)]
pub struct Show {
    pub id: ShowId,
    /// Published by a partner: it may change hall, start and film until the first booking.
    pub is_fed: bool,
    pub layout_id: Uuid,
    pub currency: Currency,
    pub sales_from: Instant,
    pub sales_until: Instant,
    pub cancelled: bool,
    pub cancel_until: Instant,
    pub cancel_fee_minor: i64,
    pub hold_shown_secs: u32,
    pub hold_grace_secs: u32,
    pub hold_cap_secs: u32,
    /// Minor units by category.
    pub prices: HashMap<String, i64>,
}

/// Reads shows and their prices; nothing is locked.
///
/// # Errors
/// When the database refuses or a currency is broken.
pub async fn find(
    db: &impl ConnectionTrait,
    ids: &[ShowId],
) -> Result<HashMap<ShowId, Show>, DbErr> {
    select(db, ids, "").await
}

/// The same, kept as they are until the transaction ends.
///
/// # Errors
/// When the database refuses or a currency is broken.
pub async fn find_kept(
    db: &impl ConnectionTrait,
    ids: &[ShowId],
) -> Result<HashMap<ShowId, Show>, DbErr> {
    select(db, ids, "LOCK IN SHARE MODE").await
}

async fn select(
    db: &impl ConnectionTrait,
    ids: &[ShowId],
    lock: &str,
) -> Result<HashMap<ShowId, Show>, DbErr> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let marks = vec!["?"; ids.len()].join(",");
    let values = || ids.iter().map(|id| Value::from(id.0));
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        format!(
            "SELECT s.id, s.slug, s.layout_id, s.currency, s.sales_from, s.sales_until, s.cancelled, s.cancel_until,
                    s.cancel_fee_minor, s.hold_shown_secs, s.hold_grace_secs, s.hold_cap_secs,
                    p.category, p.amount_minor
             FROM shows s LEFT JOIN prices p ON p.show_id = s.id WHERE s.id IN ({marks}) {lock}"
        ),
        values(),
    );
    let mut shows: HashMap<ShowId, Show> = HashMap::new();
    for row in db.query_all_raw(ask).await? {
        let id = ShowId(row.try_get("", "id")?);
        let show = match shows.entry(id) {
            std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => free.insert(show(id, &row)?),
        };
        if let Some(category) = row.try_get::<Option<String>>("", "category")? {
            show.prices
                .insert(category, row.try_get("", "amount_minor")?);
        }
    }
    Ok(shows)
}

fn show(id: ShowId, row: &sea_orm::QueryResult) -> Result<Show, DbErr> {
    let currency: String = row.try_get("", "currency")?;
    Ok(Show {
        id,
        is_fed: partner_feed::is_fed(&row.try_get::<String>("", "slug")?),
        layout_id: row.try_get("", "layout_id")?,
        currency: Currency::new(&currency).map_err(|error| DbErr::Type(error.to_string()))?,
        sales_from: row.try_get("", "sales_from")?,
        sales_until: row.try_get("", "sales_until")?,
        cancelled: row.try_get("", "cancelled")?,
        cancel_until: row.try_get("", "cancel_until")?,
        cancel_fee_minor: row.try_get("", "cancel_fee_minor")?,
        hold_shown_secs: row.try_get::<i32>("", "hold_shown_secs")?.unsigned_abs(),
        hold_grace_secs: row.try_get::<i32>("", "hold_grace_secs")?.unsigned_abs(),
        hold_cap_secs: row.try_get::<i32>("", "hold_cap_secs")?.unsigned_abs(),
        prices: HashMap::new(),
    })
}

/// Category of every seat of a layout. A layout never changes, so callers may keep the answer.
///
/// # Errors
/// When the database refuses.
pub async fn layout_categories(
    db: &impl ConnectionTrait,
    layout: Uuid,
) -> Result<HashMap<SeatId, String>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT seat_id, category FROM seats WHERE layout_id = ?",
        [layout.into()],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.into_iter()
        .map(|row| {
            let seat = SeatId::new(row.try_get::<String>("", "seat_id")?)
                .map_err(|error| DbErr::Type(error.to_string()))?;
            Ok((seat, row.try_get("", "category")?))
        })
        .collect()
}
