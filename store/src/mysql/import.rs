//! The importer: venues, halls with their seats, films and shows from files. Format: `docs/import.md`.
//!
//! First everything is read and judged ([`Import`]), then everything is stored in one transaction
//! ([`Import::store`]). Whatever is refused, nothing of it is stored. Ids follow from slugs, so that importing
//! the same files again changes nothing.

mod films;
mod halls;
mod local_time;
mod report;
pub(super) mod shows;
mod slug;
mod store;
pub(super) mod upsert;
mod venues;

pub use local_time::to_utc;
pub use report::{Imported, LayoutReport, PassedOver, Refusal, Report};
pub use shows::HoldRules;
pub use store::Mode;
pub use venues::{HallEntry, VenueEntry};

use crate::{
    reading::{self, Node, Problem, Problems},
    seating_plan::{self, SeatingPlan},
};
use report::Change;
use sea_orm::DbErr;
use std::io;

/// What files say, read and judged, and not stored yet.
#[derive(Debug, Default)]
pub struct Import {
    venues: Vec<VenueEntry>,
    halls: Vec<HallPlan>,
    films: Vec<films::FilmEntry>,
    shows: Vec<shows::ShowEntry>,
    /// Which file the shows are from, for what only the database can refuse.
    shows_file: String,
    passed_over: Vec<PassedOver>,
}

/// A hall with the plan of its seats.
#[derive(Debug)]
struct HallPlan {
    venue: String,
    hall: HallEntry,
    plan: SeatingPlan,
    /// The file as it was, for pages that draw it.
    text: String,
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{}", report::in_one_line(.0))]
    Refused(Vec<Refusal>),
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error(transparent)]
    Documents(#[from] mongodb::error::Error),
}

impl ImportError {
    /// For callers that read the files themselves.
    #[must_use]
    pub fn unreadable(file: &str, error: &io::Error) -> Self {
        Self::Refused(vec![unreadable(file, error)])
    }
}

impl Import {
    /// Reads a folder of files: `venues.json` with the plans that it names, `films.json` and `shows.json`.
    ///
    /// `read` gives the bytes of a file of the folder, by its path from there.
    ///
    /// # Errors
    /// What is wrong with all of the files.
    pub fn folder(read: impl Fn(&str) -> io::Result<Vec<u8>>) -> Result<Self, ImportError> {
        let mut import = Self::default();
        let mut refusals = Vec::new();
        let mut take = |name: &str, what: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>| {
            let taken = open(&read, name).and_then(|bytes| what(&bytes));
            refusals.extend(taken.err());
        };
        take("venues.json", &mut |bytes| {
            import.add_venues("venues.json", bytes)
        });
        for (venue, hall) in import.named_halls() {
            let name = hall.file.clone();
            take(&name, &mut |bytes| import.add_hall(&venue, &hall, bytes));
        }
        take("films.json", &mut |bytes| {
            import.add_films("films.json", bytes)
        });
        take("shows.json", &mut |bytes| {
            import.add_shows("shows.json", bytes)
        });
        if refusals.is_empty() {
            Ok(import)
        } else {
            Err(ImportError::Refused(refusals))
        }
    }

    /// Reads one hall: `slug` is its own, or `venue.hall` where two venues have a hall of that name.
    ///
    /// # Errors
    /// What is wrong with the venues or with the plan.
    pub fn hall(
        venues: (&str, &[u8]),
        slug: &str,
        plan: (&str, &[u8]),
    ) -> Result<Self, ImportError> {
        let mut import = Self::default();
        let named = import.add_venues(venues.0, venues.1).and_then(|()| {
            let mut found = import.named_halls();
            found.retain(|(venue, hall)| {
                hall.slug == slug || format!("{venue}.{}", hall.slug) == slug
            });
            match (found.pop(), found.is_empty()) {
                (Some(only), true) => Ok(only),
                (Some(_), false) => Err(format!(
                    "several venues have a hall {slug:?}: write venue.hall"
                )),
                (None, _) => Err(format!("no venue has a hall {slug:?}")),
            }
            .map_err(|detail| Refusal::of(venues.0, "/venues", "venue_unknown", detail))
        });
        // The plan is judged all the same: one list of everything that is wrong.
        let (venue, mut hall) = match &named {
            Ok((venue, hall)) => (venue.clone(), hall.clone()),
            Err(_) => (String::new(), HallEntry::default()),
        };
        plan.0.clone_into(&mut hall.file);
        let added = import.add_hall(&venue, &hall, plan.1);
        let refusals: Vec<Refusal> = [named.err(), added.err()].into_iter().flatten().collect();
        if !refusals.is_empty() {
            return Err(ImportError::Refused(refusals));
        }
        import.venues.retain(|entry| entry.slug == venue);
        Ok(import)
    }

    /// Reads a file of films.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn films(name: &str, file: &[u8]) -> Result<Self, ImportError> {
        let mut import = Self::default();
        match import.add_films(name, file) {
            Ok(()) => Ok(import),
            Err(refusal) => Err(ImportError::Refused(vec![refusal])),
        }
    }

    /// Reads a file of shows.
    ///
    /// # Errors
    /// What is wrong with it, as far as the file alone tells.
    pub fn shows(name: &str, file: &[u8]) -> Result<Self, ImportError> {
        let mut import = Self::default();
        match import.add_shows(name, file) {
            Ok(()) => Ok(import),
            Err(refusal) => Err(ImportError::Refused(vec![refusal])),
        }
    }

    /// Every hall that the venues name, with the slug of its venue.
    fn named_halls(&self) -> Vec<(String, HallEntry)> {
        let of = |venue: &VenueEntry| {
            let slug = venue.slug.clone();
            let halls = venue.halls.clone();
            halls.into_iter().map(move |hall| (slug.clone(), hall))
        };
        self.venues.iter().flat_map(of).collect()
    }

    fn add_venues(&mut self, name: &str, file: &[u8]) -> Result<(), Refusal> {
        self.venues = self.read(name, file, venues::read)?;
        Ok(())
    }

    fn add_hall(&mut self, venue: &str, hall: &HallEntry, file: &[u8]) -> Result<(), Refusal> {
        let plan = seating_plan::parse(file).map_err(|problems| Refusal {
            file: hall.file.clone(),
            problems,
        })?;
        self.halls.push(HallPlan {
            venue: venue.to_owned(),
            hall: hall.clone(),
            plan,
            text: String::from_utf8_lossy(file).into_owned(),
        });
        Ok(())
    }

    fn add_films(&mut self, name: &str, file: &[u8]) -> Result<(), Refusal> {
        self.films = self.read(name, file, films::read)?;
        Ok(())
    }

    fn add_shows(&mut self, name: &str, file: &[u8]) -> Result<(), Refusal> {
        self.shows = self.read(name, file, shows::read)?;
        name.clone_into(&mut self.shows_file);
        Ok(())
    }

    /// Reads a file of ours. What it says beside is passed over, and told.
    fn read<T>(
        &mut self,
        name: &str,
        file: &[u8],
        entries: fn(&Node<'_>, &mut Problems) -> Vec<T>,
    ) -> Result<Vec<T>, Refusal> {
        let refuse = |problems: Vec<Problem>| Refusal {
            file: name.to_owned(),
            problems,
        };
        let document = reading::parse(file).map_err(|problem| refuse(vec![problem]))?;
        let mut problems = Problems::default();
        let found = entries(&Node::root(&document), &mut problems);
        let passed_over = problems.take_passed_over();
        if !problems.is_empty() {
            return Err(refuse(problems.into_list()));
        }
        self.passed_over
            .extend(passed_over.into_iter().map(|pointer| PassedOver {
                file: name.to_owned(),
                pointer,
            }));
        Ok(found)
    }
}

fn open(read: impl Fn(&str) -> io::Result<Vec<u8>>, name: &str) -> Result<Vec<u8>, Refusal> {
    read(name).map_err(|error| unreadable(name, &error))
}

fn unreadable(name: &str, error: &io::Error) -> Refusal {
    Refusal::of(name, "", "unreadable", error.to_string())
}

/// Most entries of a file of ours.
const ENTRIES_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::mutated::{judge_refusal, other_bytes, other_values, rubbish};
    use proptest::prelude::*;
    use serde_json::Value;

    fn demo(file: &str) -> Value {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../demo"));
        serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap()
    }

    fn judge(bytes: &[u8], taken: Result<Import, ImportError>) {
        if let Err(ImportError::Refused(refusals)) = taken {
            judge_refusal(bytes, &refusals[0].problems);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn films_with_other_values(bytes in other_values(demo("films.json"))) {
            judge(&bytes, Import::films("f", &bytes));
        }

        #[test]
        fn shows_with_other_values(bytes in other_values(demo("shows.json"))) {
            judge(&bytes, Import::shows("s", &bytes));
        }

        #[test]
        fn files_with_other_bytes(
            films in other_bytes(demo("films.json")),
            shows in other_bytes(demo("shows.json")),
            rubbish in rubbish(),
        ) {
            judge(&films, Import::films("f", &films));
            judge(&shows, Import::shows("s", &shows));
            judge(&rubbish, Import::films("f", &rubbish));
            judge(&rubbish, Import::shows("s", &rubbish));
        }

        #[test]
        fn venues_with_other_values(bytes in other_values(demo("venues.json"))) {
            let files = |name: &str| match name {
                "venues.json" => Ok(bytes.clone()),
                _ => Err(io::ErrorKind::NotFound.into()),
            };
            let Err(ImportError::Refused(refusals)) = Import::folder(files) else {
                panic!("there are no other files")
            };
            for refusal in refusals.iter().filter(|refusal| refusal.file == "venues.json") {
                judge_refusal(&bytes, &refusal.problems);
            }
        }
    }
}
