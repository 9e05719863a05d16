//! What is on sale, as everybody may see it. Few queries, nothing locked.

use super::status::instant;
use boxoffice_contracts::{Instant, ShowId};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, entity::prelude::Uuid,
};

/// A show with the names that people look for.
#[derive(Debug, Clone)]
pub struct ShowEntry {
    pub id: ShowId,
    pub slug: String,
    pub film: FilmEntry,
    pub venue: VenueEntry,
    pub hall_name: String,
    pub layout_id: Uuid,
    pub starts_at: Instant,
    pub sales_from: Instant,
    pub sales_until: Instant,
    pub cancel_until: Instant,
    pub cancel_fee_minor: i64,
    pub cancelled: bool,
    pub currency: String,
    /// The cheapest category; none when nothing is priced.
    pub price_from_minor: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct FilmEntry {
    pub id: Uuid,
    pub slug: String,
    pub title: String,
    pub year: i16,
    pub runtime_min: i16,
    pub certificate: String,
}

#[derive(Debug, Clone)]
pub struct VenueEntry {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub city: String,
    /// IANA name of the zone that the venue's clocks show.
    pub zone: String,
}

/// Which shows are asked for.
#[derive(Debug, Clone)]
pub struct ShowFilter {
    pub from: Instant,
    pub until: Option<Instant>,
    /// Slug or id.
    pub venue: Option<String>,
    /// Slug or id.
    pub film: Option<String>,
    /// Start and id of the last show of the page before.
    pub after: Option<(Instant, ShowId)>,
    pub limit: u32,
}

/// A category with its price and, for places without numbers, how many are left.
#[derive(Debug, Clone)]
pub struct CategoryEntry {
    pub name: String,
    pub amount_minor: i64,
    pub capacity: Option<u32>,
    pub taken: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct SeatEntry {
    pub seat_id: String,
    pub row: String,
    pub number: String,
    pub zone: String,
    pub category: String,
    pub x: f64,
    pub y: f64,
    /// State of the claim; a free seat has none.
    pub claim: Option<String>,
}

const SHOW: &str = "SELECT s.id, s.slug, s.layout_id, s.starts_at, s.sales_from, s.sales_until,
        s.cancel_until, s.cancel_fee_minor, s.cancelled, s.currency,
        f.id AS film_id, f.slug AS film_slug, f.title, f.year, f.runtime_min, f.certificate,
        v.id AS venue_id, v.slug AS venue_slug, v.name AS venue_name, v.city, v.zone,
        h.name AS hall_name,
        (SELECT MIN(p.amount_minor) FROM prices p WHERE p.show_id = s.id) AS price_from_minor
     FROM shows s
     JOIN films f ON f.id = s.film_id
     JOIN venues v ON v.id = s.venue_id
     JOIN halls h ON h.id = s.hall_id";

/// Shows that are not cancelled, by start.
///
/// # Errors
/// When the database refuses.
pub async fn list_shows(
    db: &impl ConnectionTrait,
    filter: &ShowFilter,
) -> Result<Vec<ShowEntry>, DbErr> {
    let mut clauses = vec!["s.cancelled = FALSE", "s.starts_at >= ?"];
    let mut values: Vec<Value> = vec![filter.from.naive_utc().into()];
    if let Some(until) = filter.until {
        clauses.push("s.starts_at < ?");
        values.push(until.naive_utc().into());
    }
    if let Some(venue) = &filter.venue {
        clauses.push("(v.slug = ? OR v.id = ?)");
        values.extend(slug_or_id(venue));
    }
    if let Some(film) = &filter.film {
        clauses.push("(f.slug = ? OR f.id = ?)");
        values.extend(slug_or_id(film));
    }
    if let Some((starts_at, id)) = filter.after {
        clauses.push("(s.starts_at > ? OR (s.starts_at = ? AND s.id > ?))");
        let starts_at = starts_at.naive_utc();
        values.extend([starts_at.into(), starts_at.into(), id.0.into()]);
    }
    values.push(u64::from(filter.limit).into());
    let sql = format!(
        "{SHOW} WHERE {} ORDER BY s.starts_at, s.id LIMIT ?",
        clauses.join(" AND ")
    );
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.query_all_raw(ask).await?.iter().map(show).collect()
}

/// One show; a cancelled one too.
///
/// # Errors
/// When the database refuses.
pub async fn find_show(db: &impl ConnectionTrait, id: ShowId) -> Result<Option<ShowEntry>, DbErr> {
    let sql = format!("{SHOW} WHERE s.id = ?");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, [id.0.into()]);
    db.query_one_raw(ask)
        .await?
        .map(|row| show(&row))
        .transpose()
}

/// Prices of a show, cheapest first, with the counters of places without numbers.
///
/// # Errors
/// When the database refuses.
pub async fn categories(
    db: &impl ConnectionTrait,
    id: ShowId,
) -> Result<Vec<CategoryEntry>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT p.category, p.amount_minor, a.capacity, a.taken
         FROM prices p LEFT JOIN admissions a ON a.show_id = p.show_id AND a.category = p.category
         WHERE p.show_id = ? ORDER BY p.amount_minor, p.category",
        [id.0.into()],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| {
            Ok(CategoryEntry {
                name: row.try_get("", "category")?,
                amount_minor: row.try_get("", "amount_minor")?,
                capacity: row.try_get("", "capacity")?,
                taken: row.try_get("", "taken")?,
            })
        })
        .collect()
}

/// Every seat of the show's layout with the claim that lies on it, in the plan's order.
///
/// # Errors
/// When the database refuses.
pub async fn seats(
    db: &impl ConnectionTrait,
    id: ShowId,
    layout: Uuid,
) -> Result<Vec<SeatEntry>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT t.seat_id, t.row_label, t.number, t.zone, t.category, t.x, t.y, c.state
         FROM seats t LEFT JOIN claims c ON c.show_id = ? AND c.seat_id = t.seat_id
         WHERE t.layout_id = ? ORDER BY t.ordinal",
        [id.0.into(), layout.into()],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| {
            Ok(SeatEntry {
                seat_id: row.try_get("", "seat_id")?,
                row: row.try_get("", "row_label")?,
                number: row.try_get("", "number")?,
                zone: row.try_get("", "zone")?,
                category: row.try_get("", "category")?,
                x: row.try_get("", "x")?,
                y: row.try_get("", "y")?,
                claim: row.try_get("", "state")?,
            })
        })
        .collect()
}

/// A text that is no id matches none.
fn slug_or_id(text: &str) -> [Value; 2] {
    let id = Uuid::try_parse(text).unwrap_or_default();
    [text.into(), id.into()]
}

fn show(row: &QueryResult) -> Result<ShowEntry, DbErr> {
    Ok(ShowEntry {
        id: ShowId(row.try_get("", "id")?),
        slug: row.try_get("", "slug")?,
        film: FilmEntry {
            id: row.try_get("", "film_id")?,
            slug: row.try_get("", "film_slug")?,
            title: row.try_get("", "title")?,
            year: row.try_get("", "year")?,
            runtime_min: row.try_get("", "runtime_min")?,
            certificate: row.try_get("", "certificate")?,
        },
        venue: VenueEntry {
            id: row.try_get("", "venue_id")?,
            slug: row.try_get("", "venue_slug")?,
            name: row.try_get("", "venue_name")?,
            city: row.try_get("", "city")?,
            zone: row.try_get("", "zone")?,
        },
        hall_name: row.try_get("", "hall_name")?,
        layout_id: row.try_get("", "layout_id")?,
        starts_at: instant(row, "starts_at")?,
        sales_from: instant(row, "sales_from")?,
        sales_until: instant(row, "sales_until")?,
        cancel_until: instant(row, "cancel_until")?,
        cancel_fee_minor: row.try_get("", "cancel_fee_minor")?,
        cancelled: row.try_get("", "cancelled")?,
        currency: row.try_get("", "currency")?,
        price_from_minor: row.try_get("", "price_from_minor")?,
    })
}
