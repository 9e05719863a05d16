//! What the tests sell: a hall of forty seats, a club of forty standing places with a gallery, and as many
//! shows in them as a test wants.

use boxoffice_contracts::{ShowId, topology::lines};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Rows of the hall; the last one is dearer.
const ROWS: [&str; 5] = ["A", "B", "C", "D", "E"];
const SEATS_PER_ROW: u8 = 8;
pub const SEATS: usize = 40;
/// Minor units.
pub const STANDARD: i64 = 1_000;
pub const PREMIUM: i64 = 1_550;

/// Places of the club without numbers.
pub const STANDING_PLACES: u32 = 40;
pub const BAR_PLACES: u32 = 4;
/// Seats of the club, `G-1` and so on.
pub const GALLERY_SEATS: u8 = 8;
/// Minor units.
pub const STANDING: i64 = 800;
pub const BAR: i64 = 1_100;
pub const GALLERY: i64 = 1_900;

/// Rows of the stadium, `R1` and so on.
pub const WIDE_ROWS: u32 = 50;
/// Seats of each, such as `R1-1`.
pub const WIDE_SEATS_PER_ROW: u32 = 100;
/// Places of the field, all standing.
pub const FIELD_PLACES: u32 = 5_000;

/// A show as a test wants it.
#[derive(Debug, Clone)]
pub struct Show {
    pub slug: &'static str,
    /// Known once it is imported.
    pub id: ShowId,
    hold: Hold,
    sales: Sales,
    fee_minor: i64,
    pub hall: Hall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hall {
    Cinema,
    Club,
    /// A stadium: [`WIDE_ROWS`] rows of [`WIDE_SEATS_PER_ROW`] seats.
    Wide,
    /// A field of [`FIELD_PLACES`] places without numbers.
    Field,
}

/// In seconds.
#[derive(Debug, Clone, Copy)]
struct Hold {
    shown: u32,
    grace: u32,
    cap: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sales {
    Open,
    Ended,
}

impl Show {
    /// On sale, with holds that outlast the test.
    #[must_use]
    pub const fn named(slug: &'static str) -> Self {
        Self {
            slug,
            id: ShowId(uuid::Uuid::nil()),
            hold: Hold {
                shown: 600,
                grace: 30,
                cap: 900,
            },
            sales: Sales::Open,
            fee_minor: 0,
            hall: Hall::Cinema,
        }
    }

    /// One of many. A slug gets the day of the import, and with it the show's line: only among many there is surely one
    /// in each.
    #[must_use]
    pub fn one_of_many(n: usize) -> Self {
        Self::named(Box::leak(format!("many-{n}").into_boxed_str()))
    }

    /// The queue that its new submits stand in; of an imported show.
    #[must_use]
    pub fn line(&self) -> &'static str {
        lines::of(self.id).name
    }

    /// General admission, with a few seats.
    #[must_use]
    pub const fn in_the_club(mut self) -> Self {
        self.hall = Hall::Club;
        self
    }

    #[must_use]
    pub const fn at(mut self, hall: Hall) -> Self {
        self.hall = hall;
        self
    }

    /// How long seats are held: as shown, hidden behind it, and at most; in seconds.
    #[must_use]
    pub const fn hold(mut self, shown: u32, grace: u32, cap: u32) -> Self {
        self.hold = Hold { shown, grace, cap };
        self
    }

    #[must_use]
    pub const fn sale_ended(mut self) -> Self {
        self.sales = Sales::Ended;
        self
    }

    /// What is kept per cancelled position; minor units.
    #[must_use]
    pub const fn fee(mut self, minor: i64) -> Self {
        self.fee_minor = minor;
        self
    }
}

/// Ids of all seats, row by row.
#[must_use]
pub fn seats() -> Vec<String> {
    let row = |row: &'static str| (1..=SEATS_PER_ROW).map(move |number| format!("{row}-{number}"));
    ROWS.into_iter().flat_map(row).collect()
}

/// Writes the folder that `boxoffice import all` reads.
pub fn write(folder: &Path, shows: &[Show]) {
    fs::create_dir_all(folder).unwrap();
    let file = |name: &str, value: Value| fs::write(folder.join(name), value.to_string()).unwrap();
    file("hall.json", plan());
    file("club.json", club());
    let mut venues = vec![json!({
        "slug": "corner", "name": "Corner Cinema", "city": "Berlin", "address": "Eckstr. 1, 10437 Berlin",
        "zone": "Europe/Berlin", "currency": "EUR",
        "halls": [{"slug": "one", "name": "One", "entrance": "left", "file": "hall.json"},
            {"slug": "club", "name": "Club", "entrance": "yard", "file": "club.json"}],
    })];
    // Five thousand seats are imported only where they are wanted.
    let large = |show: &Show| matches!(show.hall, Hall::Wide | Hall::Field);
    if shows.iter().any(large) {
        file("wide.json", wide());
        file("field.json", field());
        venues.push(json!({
            "slug": "meadow", "name": "Meadow", "city": "Berlin", "address": "Wiesenweg 9, 10437 Berlin",
            "zone": "Europe/Berlin", "currency": "EUR",
            "halls": [{"slug": "wide", "name": "Wide", "entrance": "west", "file": "wide.json"},
                {"slug": "field", "name": "Field", "entrance": "gate", "file": "field.json"}],
        }));
    }
    file("venues.json", json!({ "venues": venues }));
    file(
        "films.json",
        json!({"films": [{
            "slug": "low-tide", "title": "Low Tide at Noon", "kind": "film", "year": 2025, "runtime_min": 97,
            "certificate": "6", "genres": ["Comedy"], "languages": ["en"], "synopsis": "The sea is late.",
        }]}),
    );
    let shows: Vec<Value> = shows
        .iter()
        .map(|show| {
            let (venue, hall, prices) = match show.hall {
                Hall::Cinema => (
                    "corner",
                    "one",
                    json!({"Standard": STANDARD, "Premium": PREMIUM}),
                ),
                Hall::Club => (
                    "corner",
                    "club",
                    json!({"Standing": STANDING, "Bar": BAR, "Gallery": GALLERY}),
                ),
                Hall::Wide => ("meadow", "wide", json!({ "Standard": STANDARD })),
                Hall::Field => ("meadow", "field", json!({ "Standing": STANDING })),
            };
            json!({
                "slug": show.slug, "film": "low-tide", "venue": venue, "hall": hall, "day": 7,
                "time": "20:00", "prices": prices,
                "cancel_fee_minor": show.fee_minor,
            })
        })
        .collect();
    file("shows.json", json!({ "shows": shows }));
}

/// Finds the imported shows, and gives them what no file can: holds of seconds.
pub async fn adjust(db: &DatabaseConnection, shows: &mut [Show]) {
    for show in shows {
        let slug = format!("{}-____-__-__", show.slug);
        let ask = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT id FROM shows WHERE slug LIKE ?",
            [slug.into()],
        );
        let row = db.query_one_raw(ask).await.unwrap().unwrap();
        show.id = ShowId(row.try_get("", "id").unwrap());
        let Hold { shown, grace, cap } = show.hold;
        let until = match show.sales {
            Sales::Open => "sales_until",
            Sales::Ended => "UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE",
        };
        let update = format!(
            "UPDATE shows SET hold_shown_secs = {shown}, hold_grace_secs = {grace}, hold_cap_secs = {cap}, \
             sales_until = {until} WHERE id = ?"
        );
        let change = Statement::from_sql_and_values(DbBackend::MySql, update, [show.id.0.into()]);
        db.execute_raw(change).await.unwrap();
    }
}

fn plan() -> Value {
    let rows: Vec<Value> = (0_u32..)
        .zip(ROWS)
        .map(|(depth, row)| {
            let category = if row == "E" { "Premium" } else { "Standard" };
            let seats: Vec<Value> = (1..=SEATS_PER_ROW)
                .map(|number| {
                    json!({
                        "seat_guid": format!("{row}-{number}"), "seat_number": number.to_string(),
                        "position": {"x": u32::from(number) * 24, "y": 0}, "category": category,
                    })
                })
                .collect();
            json!({
                "row_number": row, "row_number_position": "both", "position": {"x": 0, "y": depth * 30},
                "uuid": uuid::Uuid::new_v5(&uuid::Uuid::nil(), row.as_bytes()), "seats": seats,
            })
        })
        .collect();
    json!({
        "name": "One", "size": {"width": 300, "height": 220},
        "categories": [{"name": "Standard", "color": "#457b9d"}, {"name": "Premium", "color": "#e76f51"}],
        "zones": [{"name": "Parquet", "position": {"x": 20, "y": 20}, "rows": rows, "areas": []}],
    })
}

fn club() -> Value {
    let seats: Vec<Value> = (1..=GALLERY_SEATS)
        .map(|number| {
            json!({
                "seat_guid": format!("G-{number}"), "seat_number": number.to_string(),
                "position": {"x": u32::from(number) * 24, "y": 0}, "category": "Gallery",
            })
        })
        .collect();
    json!({
        "name": "Club", "size": {"width": 300, "height": 220},
        "categories": [{"name": "Standing"}, {"name": "Bar"}, {"name": "Gallery"}],
        "zones": [{"name": "Gallery", "position": {"x": 20, "y": 20}, "rows": [
            {"row_number": "G", "position": {"x": 0, "y": 0}, "seats": seats}]}],
        "areas": [{"name": "Dance floor", "category": "Standing", "capacity": STANDING_PLACES},
            {"name": "At the bar", "category": "Bar", "capacity": BAR_PLACES}],
    })
}

fn wide() -> Value {
    let row = |row: u32| {
        let seats: Vec<Value> = (1..=WIDE_SEATS_PER_ROW)
            .map(|number| {
                json!({
                    "seat_guid": format!("R{row}-{number}"), "seat_number": number.to_string(),
                    "position": {"x": number * 24, "y": 0}, "category": "Standard",
                })
            })
            .collect();
        json!({"row_number": format!("R{row}"), "position": {"x": 0, "y": row * 30}, "seats": seats})
    };
    let rows: Vec<Value> = (1..=WIDE_ROWS).map(row).collect();
    json!({
        "name": "Wide", "size": {"width": 2_600, "height": 1_700},
        "categories": [{"name": "Standard"}],
        "zones": [{"name": "Stands", "position": {"x": 20, "y": 20}, "rows": rows, "areas": []}],
    })
}

fn field() -> Value {
    json!({
        "name": "Field", "size": {"width": 300, "height": 220},
        "categories": [{"name": "Standing"}],
        "zones": [],
        "areas": [{"name": "Lawn", "category": "Standing", "capacity": FIELD_PLACES}],
    })
}
