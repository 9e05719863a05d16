//! What to offer instead of seats that are taken: pure functions over a seat map.

use boxoffice_store::mysql::catalogue::SeatEntry;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// What a booking that came too late may ask for instead, as the show stands now. Nothing is kept for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Alternatives {
    /// Seats that were asked for and that somebody has now.
    pub taken: Vec<String>,
    /// Free seats side by side, as many as were asked for of this category, nearest first.
    pub groups: Vec<Group>,
    /// Places without numbers that are left, where some were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admissions: Vec<Left>,
}

/// Free seats side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SeatGroup")]
pub(crate) struct Group {
    pub category: String,
    pub seats: Vec<Place>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FreeSeat")]
pub(crate) struct Place {
    pub seat_id: String,
    pub row: String,
    pub number: String,
}

/// Places without numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PlacesLeft")]
pub(crate) struct Left {
    pub category: String,
    pub available: u32,
}

/// Groups offered for each category.
const GROUPS_MAX: usize = 3;
/// How many seats to the side are as far as one row ahead.
const SEATS_PER_ROW_STEP: f64 = 2.0;
/// A wider gap than so many usual distances is an aisle: who sits across it doesn't sit together.
const AISLE: f64 = 1.5;

/// Rows of a hall from the stage on, the seats of each from left to right.
struct Plan<'a> {
    rows: Vec<Row<'a>>,
    /// Distance of two neighbours, in the plan's units.
    pitch: f64,
}

struct Row<'a> {
    seats: Vec<&'a SeatEntry>,
}

/// Which of the wanted seats are taken, and free groups near them. Costs one look at each seat of the hall.
pub(crate) fn of(seats: &[SeatEntry], wanted: &[String]) -> (Vec<String>, Vec<Group>) {
    let by_id: HashMap<&str, &SeatEntry> = seats
        .iter()
        .map(|seat| (seat.seat_id.as_str(), seat))
        .collect();
    let wanted: Vec<&SeatEntry> = wanted
        .iter()
        .filter_map(|id| by_id.get(id.as_str()).copied())
        .collect();
    let taken = wanted
        .iter()
        .filter(|seat| seat.claim.is_some())
        .map(|seat| seat.seat_id.clone())
        .collect();
    let plan = Plan::of(seats);
    let mut by_category: BTreeMap<&str, Vec<&SeatEntry>> = BTreeMap::new();
    for seat in wanted {
        by_category.entry(&seat.category).or_default().push(seat);
    }
    let groups = by_category
        .into_iter()
        .flat_map(|(category, wanted)| plan.near(category, &wanted))
        .collect();
    (taken, groups)
}

impl<'a> Plan<'a> {
    fn of(seats: &'a [SeatEntry]) -> Self {
        let mut by_row: BTreeMap<(&str, &str), Vec<&SeatEntry>> = BTreeMap::new();
        for seat in seats {
            by_row
                .entry((&seat.zone, &seat.row))
                .or_default()
                .push(seat);
        }
        let mut rows: Vec<Row<'_>> = by_row.into_values().map(Row::of).collect();
        rows.sort_by(|a, b| a.depth().total_cmp(&b.depth()));
        let mut gaps: Vec<f64> = rows
            .iter()
            .flat_map(|row| row.seats.windows(2).map(|pair| gap(pair[0], pair[1])))
            .filter(|gap| *gap > 0.0)
            .collect();
        gaps.sort_by(f64::total_cmp);
        let pitch = gaps.get(gaps.len() / 2).copied().unwrap_or(1.0);
        Self { rows, pitch }
    }

    /// Free groups of as many seats as `wanted` has, nearest to their middle first. No seat is in two.
    fn near(&self, category: &str, wanted: &[&SeatEntry]) -> Vec<Group> {
        let size = wanted.len();
        let middle = self.middle(wanted);
        let mut found = Vec::new();
        for (rank, row) in self.rows.iter().enumerate() {
            for start in row.runs(category, size, self.pitch * AISLE) {
                let group = &row.seats[start..start + size];
                let distance = self.distance((rank as f64, mean_x(group)), middle);
                found.push((distance, rank, start));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        for (_, rank, start) in found {
            if chosen.len() == GROUPS_MAX {
                break;
            }
            let overlaps =
                |other: &(usize, usize)| other.0 == rank && other.1.abs_diff(start) < size;
            if !chosen.iter().any(overlaps) {
                chosen.push((rank, start));
            }
        }
        chosen
            .into_iter()
            .map(|(rank, start)| Group {
                category: category.to_owned(),
                seats: self.rows[rank].seats[start..start + size]
                    .iter()
                    .map(|seat| place(seat))
                    .collect(),
            })
            .collect()
    }

    /// The middle of seats: which row from the stage, and how far to the right.
    fn middle(&self, wanted: &[&SeatEntry]) -> (f64, f64) {
        let is_in = |row: &Row<'_>, seat: &SeatEntry| {
            row.seats
                .first()
                .is_some_and(|first| first.zone == seat.zone && first.row == seat.row)
        };
        let ranks = wanted
            .iter()
            .filter_map(|seat| self.rows.iter().position(|row| is_in(row, seat)));
        let sum: usize = ranks.sum();
        (sum as f64 / wanted.len().max(1) as f64, mean_x(wanted))
    }

    /// In seats to the side.
    fn distance(&self, a: (f64, f64), b: (f64, f64)) -> f64 {
        let rows = (a.0 - b.0).abs() * SEATS_PER_ROW_STEP;
        rows.hypot((a.1 - b.1) / self.pitch)
    }
}

impl<'a> Row<'a> {
    fn of(mut seats: Vec<&'a SeatEntry>) -> Self {
        // Straight rows sort by x; what lies above one another, by y.
        seats.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
        Self { seats }
    }

    fn depth(&self) -> f64 {
        let sum: f64 = self.seats.iter().map(|seat| seat.y).sum();
        sum / self.seats.len().max(1) as f64
    }

    /// Where `size` free seats of the category begin that stand side by side.
    fn runs(&self, category: &str, size: usize, gap_max: f64) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut run = 0;
        for (i, seat) in self.seats.iter().enumerate() {
            let fits = seat.claim.is_none() && seat.category == category;
            let beside = i > 0 && gap(self.seats[i - 1], seat) <= gap_max;
            run = match (fits, beside) {
                (false, _) => 0,
                (true, true) => run + 1,
                (true, false) => 1,
            };
            if size > 0 && run >= size {
                starts.push(i + 1 - size);
            }
        }
        starts
    }
}

fn place(seat: &SeatEntry) -> Place {
    Place {
        seat_id: seat.seat_id.clone(),
        row: seat.row.clone(),
        number: seat.number.clone(),
    }
}

fn gap(a: &SeatEntry, b: &SeatEntry) -> f64 {
    (b.x - a.x).hypot(b.y - a.y)
}

fn mean_x(seats: &[&SeatEntry]) -> f64 {
    let sum: f64 = seats.iter().map(|seat| seat.x).sum();
    sum / seats.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of letters: `.` free, `x` taken, `_` an aisle, `v` free and of another category.
    fn hall(rows: &[&str]) -> Vec<SeatEntry> {
        let mut seats = Vec::new();
        for (y, row) in rows.iter().enumerate() {
            let label = char::from(b'A' + u8::try_from(y).unwrap()).to_string();
            for (x, sign) in row.chars().enumerate().filter(|(_, sign)| *sign != '_') {
                seats.push(SeatEntry {
                    seat_id: format!("{label}{}", x + 1),
                    row: label.clone(),
                    number: (x + 1).to_string(),
                    zone: "Stalls".to_owned(),
                    category: if sign == 'v' { "Lounge" } else { "Standard" }.to_owned(),
                    x: 24.0 * x as f64,
                    y: 30.0 * y as f64,
                    claim: (sign == 'x').then(|| "held".to_owned()),
                });
            }
        }
        seats
    }

    fn ask(rows: &[&str], wanted: &[&str]) -> (Vec<String>, Vec<String>) {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let (taken, groups) = of(&hall(rows), &wanted);
        let groups = groups
            .iter()
            .map(|group| {
                let ids: Vec<&str> = group.seats.iter().map(|s| s.seat_id.as_str()).collect();
                ids.join("+")
            })
            .collect();
        (taken, groups)
    }

    #[test]
    fn the_nearest_free_neighbours_are_offered_and_the_taken_seat_named() {
        let (taken, groups) = ask(&["......", "..xx..", "......"], &["B3", "B4"]);
        assert_eq!(taken, ["B3", "B4"]);
        // One row ahead, one behind, two to the side: as near as each other, the front first.
        assert_eq!(groups, ["A3+A4", "B1+B2", "B5+B6"]);
        let (taken, groups) = ask(&["..x..."], &["A3", "A4"]);
        assert_eq!(taken, ["A3"]);
        assert_eq!(groups, ["A4+A5", "A1+A2"], "one that was wanted is as good");
    }

    #[test]
    fn nobody_is_sent_across_an_aisle_or_into_another_category() {
        let (_, groups) = ask(&["x._.vv", "x.x..v"], &["A1", "B1"]);
        assert_eq!(groups, ["B4+B5"]);
        let (_, groups) = ask(&["xvvv", "x..v"], &["A1", "A2"]);
        assert_eq!(
            groups,
            ["A2", "A3", "A4", "B2", "B3"],
            "each category for itself"
        );
    }

    #[test]
    fn a_hall_that_is_sold_out_offers_nothing_and_unknown_seats_ask_for_nothing() {
        assert_eq!(ask(&["xxx"], &["A1"]).1, Vec::<String>::new());
        assert_eq!(ask(&["..."], &["Z9"]), (vec![], vec![]));
        assert_eq!(ask(&[], &["A1"]), (vec![], vec![]));
    }

    #[test]
    fn the_largest_hall_is_looked_through_in_a_moment() {
        let row = ".x..".repeat(50);
        let rows: Vec<&str> = std::iter::repeat_n(row.as_str(), 100).collect();
        let mut seats = Vec::new();
        for (zone, rows) in rows.chunks(25).enumerate() {
            seats.extend(hall(rows).into_iter().map(|mut seat| {
                seat.zone = zone.to_string();
                seat.seat_id = format!("{zone}-{}", seat.seat_id);
                seat.y += 30.0 * 25.0 * zone as f64;
                seat
            }));
        }
        assert_eq!(seats.len(), 20_000);
        let began = std::time::Instant::now();
        let wanted: Vec<String> = (1..=10).map(|n| format!("0-A{n}")).collect();
        let (taken, groups) = of(&seats, &wanted);
        assert_eq!((taken.len(), groups.len()), (3, 0), "no ten stand together");
        assert!(began.elapsed().as_millis() < 1_000);
    }
}
