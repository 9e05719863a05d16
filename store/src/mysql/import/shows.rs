//! Shows, given relative to the day of the import.

mod rows;

use super::{Change, Check, ImportError, Report, decode, local_time::to_utc};
use boxoffice_contracts::{FilmId, Instant, ShowId};
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use rows::{ShowRow, film_exists, find_place, layout_categories, pinned_layout, write_prices};
use sea_orm::ConnectionTrait;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// The house's limits of a hold; a show sets what is shown, within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldRules {
    /// Shown to nobody, after what is shown.
    pub grace_secs: u32,
    /// From when the seats were first held; never less than shown and grace together.
    pub cap_secs: u32,
    /// Instead of what the file says: a demo or a test that waits for holds to lapse.
    pub shown_secs: Option<u32>,
}

impl Default for HoldRules {
    fn default() -> Self {
        Self {
            grace_secs: 120,
            cap_secs: 1_200,
            shown_secs: None,
        }
    }
}

impl HoldRules {
    /// The rules of a show. A hold given in seconds has a tenth of it as grace and twice as cap.
    fn of(self, show: &ShowEntry) -> Self {
        match show.hold_secs.map(u32::from) {
            None => self,
            Some(secs) => Self {
                shown_secs: Some(secs),
                grace_secs: secs / 10 + 1,
                cap_secs: secs * 2,
            },
        }
    }
}

/// A show as `shows.json` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowEntry {
    slug: String,
    film: String,
    venue: String,
    hall: String,
    /// 0 is the day of the import, at the venue.
    day: u16,
    /// `HH:MM` on the clock at the venue.
    time: String,
    /// Minor units by category.
    prices: BTreeMap<String, i64>,
    #[serde(default)]
    sales_cutoff_min: u16,
    #[serde(default = "default_hold")]
    hold_min: u16,
    /// Instead of `hold_min` and the house's rules: a show to demonstrate with, whose holds lapse in seconds.
    #[serde(default)]
    hold_secs: Option<u16>,
    /// Customers may cancel until so long before the start.
    #[serde(default = "default_cancel_cutoff")]
    cancel_cutoff_min: u16,
    /// Kept per cancelled seat; minor units.
    #[serde(default)]
    cancel_fee_minor: i64,
}

const fn default_hold() -> u16 {
    8
}

const fn default_cancel_cutoff() -> u16 {
    120
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    shows: Vec<ShowEntry>,
}

pub(super) fn read(file: &[u8]) -> Result<Vec<ShowEntry>, ImportError> {
    let File { shows } = decode("shows.json", file)?;
    let mut check = Check::of("shows.json");
    let mut seen = HashSet::new();
    for (index, show) in shows.iter().enumerate() {
        let at = |field: &str| format!("/shows/{index}/{field}");
        // The date is appended to it.
        check.slug(&show.slug, 53, at("slug"));
        check.that(
            seen.insert(&show.slug),
            at("slug"),
            "slug_repeated",
            &show.slug,
        );
        check.that(
            show.day <= 365,
            at("day"),
            "number_out_of_range",
            "0 to 365",
        );
        check.that(time(show).is_some(), at("time"), "time_malformed", "HH:MM");
        let hold = (1..=30).contains(&show.hold_min);
        check.that(
            hold,
            at("hold_min"),
            "number_out_of_range",
            "1 to 30 minutes",
        );
        check.that(
            show.hold_secs
                .is_none_or(|secs| (1..=1_800).contains(&secs)),
            at("hold_secs"),
            "number_out_of_range",
            "1 to 1800 seconds",
        );
        check.that(
            !show.prices.is_empty(),
            at("prices"),
            "prices_missing",
            "one per category",
        );
        let prices = show
            .prices
            .values()
            .all(|price| (0..=100_000_000).contains(price));
        check.that(
            prices,
            at("prices"),
            "number_out_of_range",
            "0 to 100000000 minor units",
        );
        let fee = show.cancel_fee_minor >= 0;
        check.that(
            fee,
            at("cancel_fee_minor"),
            "number_out_of_range",
            "not negative",
        );
    }
    check.finish()?;
    Ok(shows)
}

fn time(show: &ShowEntry) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(&show.time, "%H:%M").ok()
}

pub(super) async fn store(
    db: &impl ConnectionTrait,
    shows: &[ShowEntry],
    holds: HoldRules,
    now: Instant,
) -> Result<Report, ImportError> {
    let mut check = Check::of("shows.json");
    let mut report = Report::default();
    for (index, show) in shows.iter().enumerate() {
        let at = |field: &str| format!("/shows/{index}/{field}");
        let film = FilmId::from_slug(&show.film);
        let known = film_exists(db, film).await?;
        check.that(known, at("film"), "film_unknown", &show.film);
        let Some(place) = find_place(db, show).await? else {
            check.that(
                false,
                at("hall"),
                "hall_unknown",
                format!("{} of {}", show.hall, show.venue),
            );
            continue;
        };
        let Some(times) = Times::of(show, place.zone, now) else {
            check.that(false, at("day"), "number_out_of_range", "the calendar ends");
            continue;
        };
        let slug = format!("{}-{}", show.slug, times.date);
        let id = ShowId::from_slug(&slug);
        // A show keeps the layout that it was first imported with: seats may have been sold.
        let layout = pinned_layout(db, id).await?.unwrap_or(place.layout);
        let categories = layout_categories(db, layout).await?;
        let priced: HashSet<String> = show.prices.keys().cloned().collect();
        let detail = || format!("the hall has {categories:?}");
        check.that(
            priced == categories,
            at("prices"),
            "prices_differ_from_plan",
            detail(),
        );
        if !check.problems.is_empty() {
            continue;
        }
        let row = ShowRow {
            id,
            slug: &slug,
            film,
            layout,
            place: &place,
            times: &times,
            entry: show,
        };
        let written = row.write(db, holds.of(show)).await?;
        let priced = write_prices(db, id, &show.prices).await?;
        report.count(match (written, priced) {
            (Change::Unchanged, true) => Change::Updated,
            (written, _) => written,
        });
    }
    // The caller rolls back what was written before the first problem.
    check.finish()?;
    Ok(report)
}

/// When everything about a show happens.
#[derive(Debug, PartialEq)]
struct Times {
    /// At the venue.
    date: NaiveDate,
    starts_at: Instant,
    sales_from: Instant,
    sales_until: Instant,
    cancel_until: Instant,
}

impl Times {
    fn of(show: &ShowEntry, zone: Tz, now: Instant) -> Option<Self> {
        let today = now.with_timezone(&zone).date_naive();
        let date = today.checked_add_days(Days::new(u64::from(show.day)))?;
        let starts_at = to_utc(NaiveDateTime::new(date, time(show)?), zone);
        let before = |minutes: u16| starts_at - TimeDelta::minutes(i64::from(minutes));
        Some(Self {
            date,
            starts_at,
            sales_from: to_utc(NaiveDateTime::new(today, NaiveTime::MIN), zone),
            sales_until: before(show.sales_cutoff_min),
            cancel_until: before(show.cancel_cutoff_min),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Vec<ShowEntry> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/shows.json");
        read(&std::fs::read(file).unwrap()).unwrap()
    }

    #[test]
    fn today_is_the_day_at_the_venue() {
        let show = ShowEntry {
            day: 1,
            time: "20:00".to_owned(),
            ..demo().swap_remove(0)
        };
        let now: Instant = "2026-11-20T23:30:00Z".parse().unwrap();
        let berlin = Times::of(&show, chrono_tz::Europe::Berlin, now).unwrap();
        assert_eq!(berlin.date.to_string(), "2026-11-22");
        assert_eq!(berlin.starts_at.to_rfc3339(), "2026-11-22T19:00:00+00:00");
        let lisbon = Times::of(&show, chrono_tz::Europe::Lisbon, now).unwrap();
        assert_eq!(lisbon.date.to_string(), "2026-11-21");
        assert!(berlin.sales_from < now && now < berlin.sales_until);
    }

    #[test]
    fn a_refusal_names_each_place() {
        let file =
            br#"{"shows": [{"slug": "a_b", "film": "f", "venue": "v", "hall": "h", "day": 366,
            "time": "24:00", "prices": {"Standard": -1}, "hold_min": 0}]}"#;
        let Err(ImportError::Refused { problems, .. }) = read(file) else {
            panic!("taken")
        };
        let told: Vec<_> = problems
            .iter()
            .map(|p| (p.pointer.as_str(), p.code))
            .collect();
        assert_eq!(
            told,
            [
                ("/shows/0/slug", "slug_malformed"),
                ("/shows/0/day", "number_out_of_range"),
                ("/shows/0/time", "time_malformed"),
                ("/shows/0/hold_min", "number_out_of_range"),
                ("/shows/0/prices", "number_out_of_range"),
            ]
        );
    }
}
