//! A house that is large enough to be loaded: one hall, and as many shows in it as are asked for.

use anyhow::Context as _;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A hall of rows that are all alike. Who books takes two neighbours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hall {
    /// Of the hall, and of each show in it before its number.
    pub(crate) slug: &'static str,
    name: &'static str,
    rows: usize,
    seats_per_row: usize,
}

/// Where most is sold.
pub(crate) const WIDE: Hall = Hall {
    slug: "wide",
    name: "Great Hall",
    rows: 40,
    seats_per_row: 50,
};
/// Whose map is read.
pub(crate) const STUDIO: Hall = Hall {
    slug: "studio",
    name: "Studio",
    rows: 20,
    seats_per_row: 50,
};
/// Of the one show that everybody wants.
pub(crate) const HOT: Hall = Hall {
    slug: "hot",
    name: "Small Hall",
    rows: 5,
    seats_per_row: 20,
};
const HALLS: [&Hall; 3] = [&WIDE, &STUDIO, &HOT];

/// Shows in the hall whose map is read.
const STUDIO_SHOWS: usize = 24;
/// As long as nobody holds a show elsewhere in the hall: every four hours.
const SHOWS_PER_DAY: usize = 6;

impl Hall {
    pub(crate) const fn seats(&self) -> usize {
        self.rows * self.seats_per_row
    }

    /// Bookings of two seats that a show in it can have.
    pub(crate) const fn pairs(&self) -> usize {
        self.seats() / 2
    }

    /// The two seats of the `n`th pair.
    pub(crate) fn pair(&self, n: usize) -> [String; 2] {
        [2 * n, 2 * n + 1].map(|seat| self.seat(seat))
    }

    /// The `n`th, row by row.
    pub(crate) fn seat(&self, n: usize) -> String {
        self.guid(n / self.seats_per_row, n % self.seats_per_row)
    }

    /// Of the `n`th show in it.
    pub(crate) fn show(&self, n: usize) -> String {
        format!("{}-{n:04}", self.slug)
    }

    fn guid(&self, row: usize, seat: usize) -> String {
        format!("{}-{}-{}", self.slug, row + 1, seat + 1)
    }

    /// As a hall is imported.
    fn plan(&self) -> Value {
        let row = |row: usize| {
            let seat = |seat: usize| {
                json!({
                    "seat_guid": self.guid(row, seat),
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
                "seats": (0..self.seats_per_row).map(seat).collect::<Vec<_>>(),
            })
        };
        let all: Vec<Value> = (0..self.rows).map(row).collect();
        json!({
            "name": self.slug,
            "categories": [{"name": "Standard", "color": "#457b9d"}],
            "size": {"width": self.seats_per_row * 24 + 80, "height": self.rows * 30 + 120},
            "zones": [{"name": "Stalls", "position": {"x": 40, "y": 90}, "rows": all, "areas": []}],
        })
    }
}

/// Writes it in the format of `boxoffice import all`.
pub(crate) fn write(folder: &Path, shows: usize) -> anyhow::Result<()> {
    let halls = folder.join("halls");
    fs::create_dir_all(&halls).with_context(|| halls.display().to_string())?;
    let put = |path: &Path, value: &Value| {
        let text = serde_json::to_vec_pretty(value)?;
        fs::write(path, text).with_context(|| path.display().to_string())
    };
    for hall in HALLS {
        put(&halls.join(format!("{}.json", hall.slug)), &hall.plan())?;
    }
    put(&folder.join("venues.json"), &venues())?;
    put(&folder.join("films.json"), &films())?;
    put(&folder.join("shows.json"), &all_shows(shows))
}

fn venues() -> Value {
    let halls = HALLS.map(|hall| {
        let file = format!("halls/{}.json", hall.slug);
        json!({"slug": hall.slug, "name": hall.name, "file": file})
    });
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

/// Of the great hall so many.
fn all_shows(count: usize) -> Value {
    let show = |slug: String, hall: &Hall, n: usize| {
        json!({
            "slug": slug, "film": "the-long-queue", "venue": "bench", "hall": hall.slug,
            // Tomorrow and later: nothing begins while it is measured.
            "day": 2 + n / SHOWS_PER_DAY,
            "time": format!("{:02}:00", n % SHOWS_PER_DAY * 4),
            "prices": {"Standard": 1250}, "sales_cutoff_min": 15, "hold_min": 10,
        })
    };
    let wide = (0..count).map(|n| show(WIDE.show(n), &WIDE, n));
    let studio = (0..STUDIO_SHOWS).map(|n| show(STUDIO.show(n), &STUDIO, n));
    let hot = show(HOT.slug.to_owned(), &HOT, 0);
    let all: Vec<Value> = wide.chain(studio).chain([hot]).collect();
    json!({ "shows": all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_seat_is_in_two_pairs() {
        for hall in HALLS {
            let seats: BTreeSet<String> =
                (0..hall.pairs()).flat_map(|pair| hall.pair(pair)).collect();
            assert_eq!(seats.len(), hall.seats());
            let plan = hall.plan().to_string();
            assert!(
                seats
                    .iter()
                    .all(|seat| plan.contains(&format!("\"{seat}\"")))
            );
        }
        assert_eq!(
            (WIDE.pairs(), STUDIO.seats(), HOT.seats()),
            (1_000, 1_000, 100)
        );
    }
}
