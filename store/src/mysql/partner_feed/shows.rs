//! A partner's show: what it meets in the house, and its rows.

use super::{film_key, show_key};
use crate::mysql::{
    import::{
        HoldRules,
        shows::rows::open_areas,
        upsert::{cell, json_list, upsert},
    },
    status::instant,
};
use boxoffice_contracts::{
    FilmId, HallId, Instant, ShowId, VenueId,
    partner::{PartnerId, feed::PartnerFilm},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

/// A hall of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hall {
    pub id: HallId,
    pub venue: VenueId,
    /// The one that new shows get.
    pub layout: Uuid,
    pub currency: String,
    /// The partner may publish shows of its venue.
    pub is_assigned: bool,
}

/// The hall of this name, `venue.hall`.
///
/// # Errors
/// When the database refuses.
pub async fn find_hall(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    slug: &str,
) -> Result<Option<Hall>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT h.id, h.venue_id, h.layout_id, v.currency, a.venue_id AS assigned
         FROM halls h JOIN venues v ON v.id = h.venue_id
         LEFT JOIN partner_venues a ON a.venue_id = h.venue_id AND a.partner_id = ?
         WHERE h.slug = ?",
        [partner.as_str().into(), slug.into()],
    );
    let Some(row) = db.query_one_raw(ask).await? else {
        return Ok(None);
    };
    Ok(Some(Hall {
        id: HallId(row.try_get("", "id")?),
        venue: VenueId(row.try_get("", "venue_id")?),
        layout: row.try_get("", "layout_id")?,
        currency: row.try_get("", "currency")?,
        is_assigned: row.try_get::<Option<Uuid>>("", "assigned")?.is_some(),
    }))
}

/// A show as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub hall: HallId,
    pub venue: VenueId,
    pub film: FilmId,
    pub layout: Uuid,
    pub starts_at: Instant,
    pub sales_from: Instant,
    /// The partner may publish shows of its venue, still.
    pub is_assigned: bool,
}

/// Locks a show that is there: who books it looks at it under a lock too, so that nothing is booked meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn lock(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    show: ShowId,
) -> Result<Option<Stored>, DbErr> {
    let sql = |sql: &str, values: Vec<Value>| {
        Statement::from_sql_and_values(DbBackend::MySql, sql, values)
    };
    let ask = "SELECT hall_id, venue_id, film_id, layout_id, starts_at, sales_from FROM shows
               WHERE id = ? FOR UPDATE";
    let Some(row) = db.query_one_raw(sql(ask, vec![show.0.into()])).await? else {
        return Ok(None);
    };
    let venue: Uuid = row.try_get("", "venue_id")?;
    let ask = "SELECT venue_id FROM partner_venues WHERE partner_id = ? AND venue_id = ?";
    let assigned = sql(ask, vec![partner.as_str().into(), venue.into()]);
    Ok(Some(Stored {
        hall: HallId(row.try_get("", "hall_id")?),
        venue: VenueId(venue),
        film: FilmId(row.try_get("", "film_id")?),
        layout: row.try_get("", "layout_id")?,
        starts_at: instant(&row, "starts_at")?,
        sales_from: instant(&row, "sales_from")?,
        is_assigned: db.query_one_raw(assigned).await?.is_some(),
    }))
}

/// Whether somebody relies on the show as it is: has places of it, or paid too late and may get them yet.
///
/// # Errors
/// When the database refuses.
pub async fn is_in_use(db: &impl ConnectionTrait, show: ShowId) -> Result<bool, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT b.id FROM bookings b WHERE b.show_id = ?
           AND (b.status NOT IN ('rejected', 'payment_failed', 'expired', 'cancelled', 'refunded')
             OR (b.status = 'expired' AND EXISTS
               (SELECT 1 FROM payment_intents i WHERE i.booking_id = b.id AND i.state = 'open')))
         LIMIT 1",
        [show.0.into()],
    );
    Ok(db.query_one_raw(ask).await?.is_some())
}

/// A show as it is to be.
#[derive(Debug, Clone)]
pub struct NewShow<'a> {
    pub partner: &'a PartnerId,
    pub own_id: &'a str,
    pub film: &'a PartnerFilm,
    /// Of the film, when the partner names none.
    pub year: i16,
    pub hall: &'a Hall,
    /// Kept as long as the show is in its hall: a plan of the hall that came later is for new shows.
    pub layout: Uuid,
    pub starts_at: Instant,
    pub sales_from: Instant,
    pub sales_until: Instant,
    pub cancel_until: Instant,
}

/// Holds of partners' shows, as shown; what is hidden behind it is the house's own.
const HOLD_SHOWN_SECS: i32 = 480;

/// Writes film, show and counters. `moved`: it had another plan, of which nothing may be left.
///
/// # Errors
/// When the database refuses.
pub async fn write(
    db: &impl ConnectionTrait,
    show: &NewShow<'_>,
    moved: bool,
) -> Result<ShowId, DbErr> {
    let (film, film_slug) = film_key(show.partner, &show.film.id);
    let nothing: &[String] = &[];
    let cells = [
        cell("slug", film_slug.as_str()),
        cell("title", show.film.title.as_str()),
        cell("year", show.film.year.unwrap_or(show.year)),
        cell("runtime_min", show.film.runtime_min),
        cell(
            "certificate",
            show.film.certificate.as_deref().unwrap_or_default(),
        ),
        json_list("genres", nothing),
        json_list("languages", nothing),
        json_list("people", nothing),
        cell("synopsis", ""),
    ];
    upsert(db, "films", film.0, &cells).await?;

    let (id, slug) = show_key(show.partner, show.own_id);
    let holds = HoldRules::default();
    let secs = |secs: u32| i32::try_from(secs).unwrap_or(i32::MAX);
    let cells = [
        cell("slug", slug.as_str()),
        cell("film_id", film.0),
        cell("venue_id", show.hall.venue.0),
        cell("hall_id", show.hall.id.0),
        cell("layout_id", show.layout),
        cell("starts_at", show.starts_at),
        cell("sales_from", show.sales_from),
        cell("sales_until", show.sales_until),
        cell("cancel_until", show.cancel_until),
        cell("cancel_fee_minor", 0_i64),
        cell("currency", show.hall.currency.as_str()),
        cell("hold_shown_secs", HOLD_SHOWN_SECS),
        cell("hold_grace_secs", secs(holds.grace_secs)),
        cell("hold_cap_secs", secs(holds.cap_secs)),
    ];
    upsert(db, "shows", id.0, &cells).await?;
    if moved {
        leave_former_plan(db, id, show.layout).await?;
    }
    open_areas(db, id, show.layout).await?;
    Ok(id)
}

/// Counters are made anew by the new plan; prices of categories that it lacks mean nothing.
async fn leave_former_plan(
    db: &impl ConnectionTrait,
    show: ShowId,
    layout: Uuid,
) -> Result<(), DbErr> {
    let sql = |sql: &str, values: Vec<Value>| {
        Statement::from_sql_and_values(DbBackend::MySql, sql, values)
    };
    let counters = "DELETE FROM admissions WHERE show_id = ? AND taken = 0";
    db.execute_raw(sql(counters, vec![show.0.into()])).await?;
    let prices = "DELETE FROM prices WHERE show_id = ?
                  AND category NOT IN (SELECT category FROM seats WHERE layout_id = ?)
                  AND category NOT IN (SELECT category FROM areas WHERE layout_id = ?)";
    let values = vec![show.0.into(), layout.into(), layout.into()];
    db.execute_raw(sql(prices, values)).await?;
    Ok(())
}
