//! What is sold under fire, by which processes, and in what time.

use boxoffice_integration::{Show, fixture::Hall};

/// Processes of the workers by their first role; the API is one of its own, and whoever is not named is in `rest`.
pub const PROCESSES: &[&[&str]] = &[
    &["reservations"],
    &["hold-expiry"],
    &["payments"],
    &["tickets"],
    &["mail"],
    &["partner-gate"],
];

/// Clients that come to a hot show before the next one goes on sale.
pub const HOT_CLIENTS: usize = 300;
/// Visits to a wide show before the next one goes on sale: then about half of its seats are gone.
pub const WIDE_CLIENTS: usize = 1_000;
/// Visits to a field before the next one goes on sale: then most places are gone.
pub const FIELD_CLIENTS: usize = 1_600;

/// A hold is shown for so long, hidden for so long, and ends at the latest; seconds.
const HOLD: (u32, u32, u32) = (12, 3, 20);

/// Settings that differ from those of the tests.
pub const SETTINGS: &[(&str, &str)] = &[
    // What it would do at night, it does now and then; every second would be a load of its own.
    ("BOXOFFICE__RETENTION__EVERY_SECS", "10"),
    ("BOXOFFICE__SAGA__ACTION_SECS", "15"),
];

/// Of runs that take accepted intake from the broker.
pub const JOURNAL: &[(&str, &str)] = &[
    ("BOXOFFICE__INTAKE__JOURNAL", "true"),
    ("BOXOFFICE__INTAKE__RESEND_SECS", "3"),
];

/// All shows of a run that expects so many visits, in the order of their sale.
#[derive(Debug, Clone)]
pub struct Shows {
    pub hot: Vec<Show>,
    pub wide: Vec<Show>,
    pub field: Vec<Show>,
    /// Where probes book, and nobody else.
    pub probe: Show,
}

impl Shows {
    /// As many as `visits` need if all of them went to one sort.
    #[must_use]
    pub fn for_visits(visits: usize) -> Self {
        let many = |sort: &str, hall, clients| {
            (0..=visits / clients)
                .map(|number| show(&format!("{sort}-{number}"), hall))
                .collect()
        };
        Self {
            hot: many("hot", Hall::Cinema, HOT_CLIENTS),
            wide: many("wide", Hall::Wide, WIDE_CLIENTS),
            field: many("field", Hall::Field, FIELD_CLIENTS),
            probe: show("probe", Hall::Field),
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Show> {
        let of_all = self.hot.iter().chain(&self.wide).chain(&self.field);
        of_all.chain([&self.probe])
    }

    /// The same shows with the ids that they have since they were imported.
    #[must_use]
    pub fn imported(&self, find: impl Fn(&str) -> Show) -> Self {
        let each = |shows: &[Show]| shows.iter().map(|show| find(show.slug)).collect();
        Self {
            hot: each(&self.hot),
            wide: each(&self.wide),
            field: each(&self.field),
            probe: find(self.probe.slug),
        }
    }
}

fn show(slug: &str, hall: Hall) -> Show {
    // A run makes a few dozen of them and ends with its process.
    let slug: &'static str = Box::leak(slug.to_owned().into_boxed_str());
    let (shown, grace, cap) = HOLD;
    Show::named(slug).at(hall).hold(shown, grace, cap)
}
