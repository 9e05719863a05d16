//! Prices of a partner's show, and how many places without numbers it sells.

use crate::mysql::{
    claims::Admission,
    import::shows::rows::{layout_categories, write_prices},
};
use boxoffice_contracts::ShowId;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Categories of seats and of areas of a plan.
///
/// # Errors
/// When the database refuses.
pub async fn categories(
    db: &impl ConnectionTrait,
    layout: Uuid,
) -> Result<BTreeSet<String>, DbErr> {
    layout_categories(db, layout).await
}

/// Writes all prices of a show; bookings keep the price that they were made at.
///
/// # Errors
/// When the database refuses.
pub async fn price(
    db: &impl ConnectionTrait,
    show: ShowId,
    prices: &BTreeMap<String, i64>,
) -> Result<(), DbErr> {
    write_prices(db, show, prices).await.map(drop)
}

/// A counter of a show, and how many places the hall has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub sold: Admission,
    pub hall_capacity: u32,
}

/// Locks all counters of a show, in the order of their keys.
///
/// # Errors
/// When the database refuses.
pub async fn lock_areas(
    db: &impl ConnectionTrait,
    show: ShowId,
    layout: Uuid,
) -> Result<BTreeMap<String, Area>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT category, capacity, taken FROM admissions WHERE show_id = ? ORDER BY category FOR UPDATE",
        [show.0.into()],
    );
    let counters = db.query_all_raw(ask).await?;
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT category, capacity FROM areas WHERE layout_id = ?",
        [layout.into()],
    );
    let mut hall: BTreeMap<String, u32> = BTreeMap::new();
    for row in db.query_all_raw(ask).await? {
        hall.insert(row.try_get("", "category")?, row.try_get("", "capacity")?);
    }
    counters
        .iter()
        .map(|row| {
            let category: String = row.try_get("", "category")?;
            let area = Area {
                sold: Admission {
                    capacity: row.try_get("", "capacity")?,
                    taken: row.try_get("", "taken")?,
                },
                hall_capacity: hall.get(&category).copied().unwrap_or_default(),
            };
            Ok((category, area))
        })
        .collect()
}

/// Sets a capacity, unless more places are taken than that; returns whether it did.
///
/// # Errors
/// When the database refuses.
pub async fn set_capacity(
    db: &impl ConnectionTrait,
    show: ShowId,
    category: &str,
    capacity: u32,
) -> Result<bool, DbErr> {
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE admissions SET capacity = ? WHERE show_id = ? AND category = ? AND taken <= ?",
        [
            capacity.into(),
            show.0.into(),
            category.into(),
            capacity.into(),
        ],
    );
    Ok(db.execute_raw(update).await?.rows_affected() == 1)
}
