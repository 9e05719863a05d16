//! The rows of a show, and what it must find.

use super::{HoldRules, ShowEntry, Times};
use crate::mysql::import::{
    Change,
    halls::hall_key,
    upsert::{cell, upsert},
};
use boxoffice_contracts::{FilmId, HallId, ShowId, VenueId};
use chrono_tz::Tz;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The hall of a show and what its venue adds.
pub(super) struct Place {
    pub(super) venue: VenueId,
    pub(super) hall: HallId,
    pub(super) layout: Uuid,
    pub(super) zone: Tz,
    pub(super) currency: String,
}

pub(super) struct ShowRow<'a> {
    pub(super) id: ShowId,
    pub(super) slug: &'a str,
    pub(super) film: FilmId,
    pub(super) layout: Uuid,
    pub(super) place: &'a Place,
    pub(super) times: &'a Times,
    pub(super) entry: &'a ShowEntry,
}

impl ShowRow<'_> {
    pub(super) async fn write(
        &self,
        db: &impl ConnectionTrait,
        holds: HoldRules,
    ) -> Result<Change, DbErr> {
        let Self {
            place,
            times,
            entry,
            ..
        } = self;
        let shown = holds.shown_secs.unwrap_or(u32::from(entry.hold_min) * 60);
        let cap = holds.cap_secs.max(shown + holds.grace_secs);
        let secs = |secs: u32| i32::try_from(secs).unwrap_or(i32::MAX);
        let cells = [
            cell("slug", self.slug),
            cell("film_id", self.film.0),
            cell("venue_id", place.venue.0),
            cell("hall_id", place.hall.0),
            cell("layout_id", self.layout),
            cell("starts_at", times.starts_at),
            cell("sales_from", times.sales_from),
            cell("sales_until", times.sales_until),
            cell("cancel_until", times.cancel_until),
            cell("cancel_fee_minor", entry.cancel_fee_minor),
            cell("currency", place.currency.as_str()),
            cell("hold_shown_secs", secs(shown)),
            cell("hold_grace_secs", secs(holds.grace_secs)),
            cell("hold_cap_secs", secs(cap)),
        ];
        upsert(db, "shows", self.id.0, &cells).await
    }
}

/// Minutes, 0 when nobody knows; `None` when there is no such film.
pub(super) async fn film_runtime(
    db: &impl ConnectionTrait,
    film: FilmId,
) -> Result<Option<i16>, DbErr> {
    let ask = "SELECT runtime_min FROM films WHERE id = ?";
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [film.0.into()]);
    db.query_one_raw(ask)
        .await?
        .map(|row| row.try_get("", "runtime_min"))
        .transpose()
}

pub(super) async fn find_place(
    db: &impl ConnectionTrait,
    show: &ShowEntry,
) -> Result<Option<Place>, DbErr> {
    let (hall, _) = hall_key(&show.venue, &show.hall);
    let ask = "SELECT h.venue_id, h.layout_id, v.zone, v.currency
               FROM halls h JOIN venues v ON v.id = h.venue_id WHERE h.id = ?";
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [hall.0.into()]);
    let Some(row) = db.query_one_raw(ask).await? else {
        return Ok(None);
    };
    let zone: String = row.try_get("", "zone")?;
    Ok(Some(Place {
        venue: VenueId(row.try_get("", "venue_id")?),
        hall,
        layout: row.try_get("", "layout_id")?,
        zone: zone
            .parse()
            .map_err(|_unknown| DbErr::Type(format!("venues.zone: {zone}")))?,
        currency: row.try_get("", "currency")?,
    }))
}

pub(super) async fn pinned_layout(
    db: &impl ConnectionTrait,
    show: ShowId,
) -> Result<Option<Uuid>, DbErr> {
    let ask = "SELECT layout_id FROM shows WHERE id = ? FOR UPDATE";
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [show.0.into()]);
    db.query_one_raw(ask)
        .await?
        .map(|row| row.try_get("", "layout_id"))
        .transpose()
}

/// Categories of seats and of areas.
pub(in crate::mysql) async fn layout_categories(
    db: &impl ConnectionTrait,
    layout: Uuid,
) -> Result<BTreeSet<String>, DbErr> {
    let ask = "SELECT category FROM seats WHERE layout_id = ?
               UNION SELECT category FROM areas WHERE layout_id = ?";
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [layout.into(), layout.into()]);
    db.query_all_raw(ask)
        .await?
        .iter()
        .map(|row| row.try_get("", "category"))
        .collect()
}

/// Writes the prices of a show and returns whether any differed.
pub(in crate::mysql) async fn write_prices(
    db: &impl ConnectionTrait,
    show: ShowId,
    prices: &BTreeMap<String, i64>,
) -> Result<bool, DbErr> {
    let sql = |sql: String, values: Vec<Value>| {
        Statement::from_sql_and_values(DbBackend::MySql, sql, values)
    };
    let ask = "SELECT category, amount_minor FROM prices WHERE show_id = ? FOR UPDATE".to_owned();
    let mut stored = BTreeMap::new();
    for row in db.query_all_raw(sql(ask, vec![show.0.into()])).await? {
        stored.insert(
            row.try_get::<String>("", "category")?,
            row.try_get::<i64>("", "amount_minor")?,
        );
    }
    if &stored == prices {
        return Ok(false);
    }
    let clear = "DELETE FROM prices WHERE show_id = ?".to_owned();
    db.execute_raw(sql(clear, vec![show.0.into()])).await?;
    let marks = vec!["(?,?,?)"; prices.len()].join(",");
    let values = prices
        .iter()
        .flat_map(|(category, minor)| [show.0.into(), category.as_str().into(), (*minor).into()])
        .collect();
    let write = format!("INSERT INTO prices (show_id, category, amount_minor) VALUES {marks}");
    db.execute_raw(sql(write, values)).await?;
    Ok(true)
}

/// Gives the show a counter for each area of its layout, once, and returns whether one was missing. A layout
/// never changes and a show keeps its own, so a counter that is there is right.
pub(in crate::mysql) async fn open_areas(
    db: &impl ConnectionTrait,
    show: ShowId,
    layout: Uuid,
) -> Result<bool, DbErr> {
    let write = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO admissions (show_id, category, capacity, taken)
         SELECT ?, a.category, a.capacity, 0 FROM areas a WHERE a.layout_id = ? AND NOT EXISTS
             (SELECT 1 FROM admissions t WHERE t.show_id = ? AND t.category = a.category)",
        [show.0.into(), layout.into(), show.0.into()],
    );
    Ok(db.execute_raw(write).await?.rows_affected() > 0)
}
