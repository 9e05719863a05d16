//! A house that is large enough to be loaded: one hall, and as many shows in it as are asked for.

use anyhow::Context as _;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Seats of the hall; a booking takes two, so a show carries half as many bookings.
pub(crate) const ROWS: usize = 40;
pub(crate) const SEATS_PER_ROW: usize = 50;
pub(crate) const PAIRS: usize = ROWS * SEATS_PER_ROW / 2;
/// Seats of the show that everybody wants.
pub(crate) const HOT_SEATS: usize = 100;
pub(crate) const HOT_SHOW: &str = "hot";
pub(crate) const WIDE_SHOW: &str = "wide";

const HOT_ROWS: usize = 5;
/// As long as nobody holds a show elsewhere in the hall: every four hours.
const SHOWS_PER_DAY: usize = 6;

/// Writes it in the format of `boxoffice import all`.
pub(crate) fn write(folder: &Path, shows: usize) -> anyhow::Result<()> {
    let halls = folder.join("halls");
    fs::create_dir_all(&halls).with_context(|| halls.display().to_string())?;
    let put = |path: &Path, value: &Value| {
        let text = serde_json::to_vec_pretty(value)?;
        fs::write(path, text).with_context(|| path.display().to_string())
    };
    put(&halls.join("wide.json"), &hall("wide", ROWS, SEATS_PER_ROW))?;
    put(
        &halls.join("hot.json"),
        &hall("hot", HOT_ROWS, HOT_SEATS / HOT_ROWS),
    )?;
    put(&folder.join("venues.json"), &venues())?;
    put(&folder.join("films.json"), &films())?;
    put(&folder.join("shows.json"), &all_shows(shows))
}

/// The two seats of the `n`th pair.
pub(crate) fn pair(n: usize) -> [String; 2] {
    let per_row = SEATS_PER_ROW / 2;
    let (row, first) = (n / per_row, n % per_row * 2);
    [first, first + 1].map(|seat| guid("wide", row, seat))
}

pub(crate) fn hot_seat(n: usize) -> String {
    let per_row = HOT_SEATS / HOT_ROWS;
    guid("hot", n / per_row, n % per_row)
}

/// Of the `n`th show.
pub(crate) fn slug(n: usize) -> String {
    format!("{WIDE_SHOW}-{n:04}")
}

fn guid(hall: &str, row: usize, seat: usize) -> String {
    format!("{hall}-{}-{}", row + 1, seat + 1)
}

fn hall(name: &str, rows: usize, seats: usize) -> Value {
    let row = |row: usize| {
        let seat = |seat: usize| {
            json!({
                "seat_guid": guid(name, row, seat),
                "seat_number": (seat + 1).to_string(),
                "position": {"x": seat * 24, "y": 0},
                "category": "Standard",
            })
        };
        json!({
            "row_number": (row + 1).to_string(),
            "row_number_position": "both",
            "position": {"x": 20, "y": row * 30},
            "uuid": uuid::Uuid::from_u128(row as u128 + 1),
            "seats": (0..seats).map(seat).collect::<Vec<_>>(),
        })
    };
    let all: Vec<Value> = (0..rows).map(row).collect();
    json!({
        "name": name,
        "categories": [{"name": "Standard", "color": "#457b9d"}],
        "size": {"width": seats * 24 + 80, "height": rows * 30 + 120},
        "zones": [{"name": "Stalls", "position": {"x": 40, "y": 90}, "rows": all, "areas": []}],
    })
}

fn venues() -> Value {
    let halls = [("wide", "Great Hall"), ("hot", "Small Hall")].map(
        |(slug, name)| json!({"slug": slug, "name": name, "file": format!("halls/{slug}.json")}),
    );
    json!({"venues": [{
        "slug": "bench", "name": "Theatre of Measures", "city": "Berlin", "address": "Lange Zeile 14, 10437 Berlin",
        "zone": "Europe/Berlin", "currency": "EUR", "halls": halls,
    }]})
}

fn films() -> Value {
    json!({"films": [{
        "slug": "the-long-queue", "title": "The Long Queue", "kind": "film", "year": 2026, "runtime_min": 90,
        "certificate": "6", "genres": ["Drama"], "languages": ["en"], "synopsis": "Everybody comes at once.",
    }]})
}

fn all_shows(count: usize) -> Value {
    let show = |slug: &str, hall: &str, n: usize| {
        json!({
            "slug": slug, "film": "the-long-queue", "venue": "bench", "hall": hall,
            // Tomorrow and later: nothing begins while it is measured.
            "day": 2 + n / SHOWS_PER_DAY,
            "time": format!("{:02}:00", n % SHOWS_PER_DAY * 4),
            "prices": {"Standard": 1250}, "sales_cutoff_min": 15, "hold_min": 10,
        })
    };
    let mut all: Vec<Value> = (0..count).map(|n| show(&slug(n), "wide", n)).collect();
    all.push(show(HOT_SHOW, "hot", 0));
    json!({ "shows": all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_seat_is_in_two_pairs() {
        let seats: BTreeSet<String> = (0..PAIRS).flat_map(pair).collect();
        assert_eq!(seats.len(), ROWS * SEATS_PER_ROW);
        let plan = hall("wide", ROWS, SEATS_PER_ROW).to_string();
        assert!(
            seats
                .iter()
                .all(|seat| plan.contains(&format!("\"{seat}\"")))
        );
        let hot: BTreeSet<String> = (0..HOT_SEATS).map(hot_seat).collect();
        assert_eq!(hot.len(), HOT_SEATS);
    }
}
