//! Shows, given relative to the day of the import.

pub(in crate::mysql) mod rows;

use super::{Change, ENTRIES_MAX, ImportError, Refusal, Report, local_time::to_utc, slug};
use crate::reading::{Node, Problems};
use boxoffice_contracts::{FilmId, Instant, ShowId};
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use rows::{
    ShowRow, film_runtime, find_place, layout_categories, open_areas, pinned_layout, write_prices,
};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, BTreeSet, HashSet};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShowEntry {
    /// In its file.
    index: usize,
    slug: String,
    film: String,
    venue: String,
    hall: String,
    /// 0 is the day of the import, at the venue.
    day: u16,
    /// On the clock at the venue.
    time: NaiveTime,
    /// Minor units by category.
    prices: BTreeMap<String, i64>,
    sales_cutoff_min: u16,
    hold_min: u16,
    /// Instead of `hold_min` and the house's rules: a show to demonstrate with, whose holds lapse in seconds.
    hold_secs: Option<u16>,
    /// Customers may cancel until so long before the start.
    cancel_cutoff_min: u16,
    /// Kept per cancelled position; minor units.
    cancel_fee_minor: i64,
}

const HOLD_MIN_DEFAULT: u16 = 8;
const CANCEL_CUTOFF_MIN_DEFAULT: u16 = 120;
const PRICE_MAX: i64 = 100_000_000;
const KNOWN: &[&str] = &[
    "slug",
    "film",
    "venue",
    "hall",
    "day",
    "time",
    "prices",
    "sales_cutoff_min",
    "hold_min",
    "hold_secs",
    "cancel_cutoff_min",
    "cancel_fee_minor",
];

/// Reads `{"shows": […]}`.
pub(super) fn read(root: &Node<'_>, problems: &mut Problems) -> Vec<ShowEntry> {
    root.pass_over_except(&["shows"], problems);
    let mut seen = HashSet::new();
    root.list("shows", ENTRIES_MAX, problems)
        .enumerate()
        .filter_map(|(index, node)| show(index, &node, &mut seen, problems))
        .collect()
}

fn show(
    index: usize,
    node: &Node<'_>,
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) -> Option<ShowEntry> {
    node.pass_over_except(KNOWN, problems);
    // The date is appended to it.
    let slug = slug::read(node, 53, seen, problems);
    let film = slug::reference(node, "film", 64, problems);
    let venue = slug::reference(node, "venue", 32, problems);
    let hall = slug::reference(node, "hall", 31, problems);
    let day = node.whole("day", 0..=365, problems);
    let time = time(node, problems);
    let mut minutes = |field, range| {
        node.optional_whole(field, range, problems)
            .and_then(|minutes| u16::try_from(minutes).ok())
    };
    let sales_cutoff_min = minutes("sales_cutoff_min", 0..=10_080);
    let hold_min = minutes("hold_min", 1..=30);
    let hold_secs = minutes("hold_secs", 1..=1_800);
    let cancel_cutoff_min = minutes("cancel_cutoff_min", 0..=10_080);
    let cancel_fee_minor = node.optional_whole("cancel_fee_minor", 0..=PRICE_MAX, problems);
    let prices = prices(node, problems);
    Some(ShowEntry {
        index,
        slug: slug?,
        film: film?,
        venue: venue?,
        hall: hall?,
        day: u16::try_from(day?).ok()?,
        time: time?,
        prices,
        sales_cutoff_min: sales_cutoff_min.unwrap_or_default(),
        hold_min: hold_min.unwrap_or(HOLD_MIN_DEFAULT),
        hold_secs,
        cancel_cutoff_min: cancel_cutoff_min.unwrap_or(CANCEL_CUTOFF_MIN_DEFAULT),
        cancel_fee_minor: cancel_fee_minor.unwrap_or_default(),
    })
}

fn time(node: &Node<'_>, problems: &mut Problems) -> Option<NaiveTime> {
    let text = node.text("time", 16, problems)?;
    let time = NaiveTime::parse_from_str(&text, "%H:%M").ok();
    problems.demand(
        time.is_some(),
        &node.at("time"),
        "time_malformed",
        format!("{text:?}"),
    );
    time
}

fn prices(node: &Node<'_>, problems: &mut Problems) -> BTreeMap<String, i64> {
    let entries = node.entries("prices", problems);
    if entries.is_empty() && node.has("prices") {
        problems.add(&node.at("prices"), "prices_missing", "one per category");
    }
    entries
        .into_iter()
        .filter_map(|(category, price)| {
            Some((
                category.to_owned(),
                price.as_whole(0..=PRICE_MAX, problems)?,
            ))
        })
        .collect()
}

pub(super) async fn store(
    db: &impl ConnectionTrait,
    shows: &[ShowEntry],
    file: &str,
    holds: HoldRules,
    now: Instant,
) -> Result<Report, ImportError> {
    let mut problems = Problems::default();
    let mut report = Report::default();
    for show in shows {
        let at = |field: &str| format!("/shows/{}/{field}", show.index);
        let film = FilmId::from_slug(&show.film);
        match film_runtime(db, film).await? {
            None => problems.add(
                &at("film"),
                "film_unknown",
                format!("no film {:?}", show.film),
            ),
            Some(0) => {
                let detail = format!("nobody knows how long {:?} lasts", show.film);
                problems.add(&at("film"), "film_without_runtime", detail);
            }
            Some(_) => {}
        }
        let Some(place) = find_place(db, show).await? else {
            let detail = format!("no hall {:?} of a venue {:?}", show.hall, show.venue);
            problems.add(&at("hall"), "hall_unknown", detail);
            continue;
        };
        let Some(times) = Times::of(show, place.zone, now) else {
            problems.add(&at("day"), "number_out_of_range", "the calendar ends");
            continue;
        };
        let slug = format!("{}-{}", show.slug, times.date);
        let id = ShowId::from_slug(&slug);
        // A show keeps the layout that it was first imported with: places may have been sold.
        let layout = pinned_layout(db, id).await?.unwrap_or(place.layout);
        let categories = layout_categories(db, layout).await?;
        if let Some(detail) = difference(&show.prices, &categories) {
            problems.add(&at("prices"), "prices_differ_from_plan", detail);
        }
        if !problems.is_empty() {
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
        let opened = open_areas(db, id, layout).await?;
        report.count(match written {
            Change::Unchanged if priced || opened => Change::Updated,
            written => written,
        });
    }
    if problems.is_empty() {
        return Ok(report);
    }
    // The caller rolls back what was written before the first problem.
    Err(ImportError::Refused(vec![Refusal {
        file: file.to_owned(),
        problems: problems.into_list(),
    }]))
}

/// What prices and categories of the hall don't have in common.
fn difference(prices: &BTreeMap<String, i64>, categories: &BTreeSet<String>) -> Option<String> {
    let unpriced: Vec<&String> = categories
        .iter()
        .filter(|category| !prices.contains_key(*category))
        .collect();
    let unknown: Vec<&String> = prices
        .keys()
        .filter(|category| !categories.contains(*category))
        .collect();
    match (unpriced.is_empty(), unknown.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("no price for {unpriced:?}")),
        (true, false) => Some(format!("the hall has no {unknown:?}")),
        (false, false) => Some(format!(
            "no price for {unpriced:?}; the hall has no {unknown:?}"
        )),
    }
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
        let starts_at = to_utc(NaiveDateTime::new(date, show.time), zone);
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
    use super::super::Import;
    use super::*;

    fn demo() -> Vec<ShowEntry> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/shows.json");
        let file = std::fs::read(file).unwrap();
        Import::shows("shows.json", &file).unwrap().shows
    }

    #[test]
    fn today_is_the_day_at_the_venue() {
        let show = ShowEntry {
            day: 1,
            time: NaiveTime::from_hms_opt(20, 0, 0).unwrap(),
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
            "time": "24:00", "prices": {"Standard": -1, "A/B": "7"}, "hold_min": 0},
            {"slug": "a", "film": "f", "venue": "v", "hall": "h", "day": 0, "time": "20:00", "prices": {}}]}"#;
        let Err(ImportError::Refused(refusals)) = Import::shows("shows.json", file) else {
            panic!("taken")
        };
        let told: Vec<_> = refusals[0]
            .problems
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
                ("/shows/0/prices/A~1B", "field_mistyped"),
                ("/shows/0/prices/Standard", "number_out_of_range"),
                ("/shows/1/prices", "prices_missing"),
            ]
        );
    }

    #[test]
    fn what_prices_and_halls_do_not_share_is_named() {
        let prices = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), 1)).collect();
        let hall: BTreeSet<String> = ["Seat", "Standing"].map(str::to_owned).into();
        assert_eq!(difference(&prices(&["Seat", "Standing"]), &hall), None);
        let told = difference(&prices(&["Seat", "standing"]), &hall).unwrap();
        assert_eq!(
            told,
            r#"no price for ["Standing"]; the hall has no ["standing"]"#
        );
    }
}
