//! What is on sale. Public.

use crate::{
    AppState, Problem,
    bookings::put,
    documents::NoOptions,
    params::{Id, Options},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use boxoffice_contracts::{Code, Currency, Instant, Money, ShowId};
use boxoffice_store::mysql::catalogue::{self, ShowEntry, ShowFilter};
use chrono::{DateTime, Datelike, SecondsFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOptions {
    /// Starts at or after; now when left out.
    from: Option<Instant>,
    /// Starts before.
    to: Option<Instant>,
    /// Slug or id.
    venue: Option<String>,
    /// Slug or id.
    film: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

const PAGE_DEFAULT: u32 = 20;
const PAGE_MAX: u32 = 100;
/// Longest slug.
const NAME_LEN_MAX: usize = 64;

/// A page of shows, by start.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShowsPage {
    pub shows: Vec<ShowView>,
    /// Asks for the next page; none on the last.
    pub next_cursor: Option<String>,
}

/// A performance.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Show")]
pub(crate) struct ShowView {
    pub id: ShowId,
    pub slug: String,
    pub film: FilmView,
    pub venue: VenueView,
    pub hall: String,
    pub starts_at: Instant,
    /// What the clock at the venue shows then.
    pub starts_at_local: Option<String>,
    pub zone: String,
    pub sales: SalesView,
    pub cancelled: bool,
    pub price_from: Option<Money>,
    pub links: ShowLinks,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Film")]
pub(crate) struct FilmView {
    pub id: uuid::Uuid,
    pub slug: String,
    pub title: String,
    pub year: i16,
    pub runtime_min: i16,
    pub certificate: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Venue")]
pub(crate) struct VenueView {
    pub id: uuid::Uuid,
    pub slug: String,
    pub name: String,
    pub city: String,
}

/// When and on which terms tickets are sold.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sales")]
pub(crate) struct SalesView {
    pub from: Instant,
    pub until: Instant,
    pub open: bool,
    /// Until when a customer may cancel, and what is kept per place then.
    pub cancel_until: Instant,
    pub cancel_fee: Money,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShowLinks {
    #[serde(rename = "self")]
    pub this: String,
    pub seats: String,
}

/// `GET /v1/shows`.
pub(crate) async fn list(
    State(state): State<AppState>,
    Options(options): Options<ListOptions>,
) -> Result<Response, Problem> {
    let now = state.now();
    let limit = options.limit.unwrap_or(PAGE_DEFAULT);
    let named = [&options.venue, &options.film];
    if !(1..=PAGE_MAX).contains(&limit)
        || named.into_iter().flatten().any(|n| n.len() > NAME_LEN_MAX)
    {
        return Err(Problem::because(
            Code::ValidationFailed,
            "limit is 1 to 100; a venue or a film is a slug or an id.",
        ));
    }
    if [options.from, options.to]
        .into_iter()
        .flatten()
        .any(is_beyond)
    {
        return Err(Problem::because(
            Code::ValidationFailed,
            "from and to are of the years 1 to 9999.",
        ));
    }
    let after = options.cursor.as_deref().map(parse_cursor).transpose()?;
    let filter = ShowFilter {
        from: options.from.unwrap_or(now),
        until: options.to,
        venue: options.venue,
        film: options.film,
        after,
        // One more tells whether there is a next page.
        limit: limit + 1,
    };
    let mut entries = catalogue::list_shows(&state.db, &filter).await?;
    let is_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next_cursor = entries
        .last()
        .filter(|_| is_more)
        .map(|last| cursor(last.starts_at, last.id));
    let shows = entries
        .into_iter()
        .map(|entry| show_view(entry, now))
        .collect::<Result<_, _>>()?;
    let mut response = axum::Json(ShowsPage { shows, next_cursor }).into_response();
    put(&mut response, header::CACHE_CONTROL, "public, max-age=5");
    Ok(response)
}

/// `GET /v1/shows/{id}`.
pub(crate) async fn read(
    State(state): State<AppState>,
    Id(id): Id<ShowId>,
    Options(NoOptions {}): Options<NoOptions>,
) -> Result<Response, Problem> {
    let entry = catalogue::find_show(&state.db, id).await?;
    let entry = entry.ok_or_else(|| Problem::new(Code::ShowNotFound))?;
    let mut response = axum::Json(show_view(entry, state.now())?).into_response();
    put(&mut response, header::CACHE_CONTROL, "public, max-age=5");
    Ok(response)
}

fn show_view(entry: ShowEntry, now: Instant) -> Result<ShowView, Problem> {
    let currency = currency_of(&entry)?;
    let open = !entry.cancelled && entry.sales_from <= now && now < entry.sales_until;
    Ok(ShowView {
        id: entry.id,
        slug: entry.slug,
        film: FilmView {
            id: entry.film.id,
            slug: entry.film.slug,
            title: entry.film.title,
            year: entry.film.year,
            runtime_min: entry.film.runtime_min,
            certificate: entry.film.certificate,
        },
        hall: entry.hall_name,
        starts_at: entry.starts_at,
        starts_at_local: local_time(entry.starts_at, &entry.venue.zone),
        zone: entry.venue.zone,
        venue: VenueView {
            id: entry.venue.id,
            slug: entry.venue.slug,
            name: entry.venue.name,
            city: entry.venue.city,
        },
        sales: SalesView {
            from: entry.sales_from,
            until: entry.sales_until,
            open,
            cancel_until: entry.cancel_until,
            cancel_fee: Money::new(entry.cancel_fee_minor, currency),
        },
        cancelled: entry.cancelled,
        price_from: entry
            .price_from_minor
            .map(|minor| Money::new(minor, currency)),
        links: ShowLinks {
            this: format!("/v1/shows/{}", entry.id),
            seats: format!("/v1/shows/{}/seats", entry.id),
        },
    })
}

/// Whether the database has no such day. The driver would break its connection over it.
fn is_beyond(at: Instant) -> bool {
    !(1..=9999).contains(&at.year())
}

fn local_time(at: Instant, zone: &str) -> Option<String> {
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    Some(
        at.with_timezone(&zone)
            .to_rfc3339_opts(SecondsFormat::Secs, false),
    )
}

pub(crate) fn currency_of(show: &ShowEntry) -> Result<Currency, Problem> {
    Currency::new(&show.currency).map_err(|error| {
        tracing::error!(show.id = %show.id, %error, "a show's currency is broken");
        Problem::new(Code::InternalError)
    })
}

/// Where a page ended: start and id of its last show.
pub(crate) fn cursor(starts_at: Instant, id: ShowId) -> String {
    B64.encode(format!(
        "{}.{}",
        starts_at.timestamp_micros(),
        id.0.simple()
    ))
}

fn parse_cursor(text: &str) -> Result<(Instant, ShowId), Problem> {
    let parse = || {
        let text = String::from_utf8(B64.decode(text).ok()?).ok()?;
        let (micros, id) = text.split_once('.')?;
        let starts_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some((starts_at, id.parse().ok()?))
    };
    parse()
        .filter(|(starts_at, _)| !is_beyond(*starts_at))
        .ok_or_else(|| Problem::because(Code::ValidationFailed, "The cursor is not one of ours."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock_at;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_others_are_refused() {
        let id = ShowId::from_slug("x");
        let at = clock_at(5) + chrono::TimeDelta::microseconds(7);
        assert_eq!(parse_cursor(&cursor(at, id)).unwrap(), (at, id));
        let far = cursor(DateTime::<chrono::Utc>::MAX_UTC, id);
        for bad in ["", "x", "MS4y", &B64.encode("1.2.3"), &far] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shows_start_by_the_clock_of_the_venue() {
        let at = DateTime::parse_from_rfc3339("2026-11-21T19:00:00Z")
            .unwrap()
            .to_utc();
        assert_eq!(
            local_time(at, "Europe/Berlin").unwrap(),
            "2026-11-21T20:00:00+01:00"
        );
        assert_eq!(local_time(at, "Mars/Olympus"), None);
    }
}
