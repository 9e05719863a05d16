//! The importer: venues, halls with their seats, films and shows from files. Format: `demo/README.md`.
//!
//! A file is taken whole or refused whole, with a list of what is wrong and where. Ids follow from slugs, so
//! that importing the same file again changes nothing.

mod films;
mod halls;
mod local_time;
mod shows;
mod upsert;
mod venues;

pub use halls::import_hall;
pub use local_time::to_utc;
pub use shows::HoldRules;
pub use venues::{HallEntry, VenueEntry, read_venues};

use crate::seating_plan::Problem;
use boxoffice_contracts::Instant;
use mongodb::Database;
use sea_orm::{DatabaseConnection, DbErr, TransactionTrait};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, io};

/// How the rows of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    pub created: u32,
    pub updated: u32,
    pub unchanged: u32,
}

/// How one row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    Updated,
    Unchanged,
}

impl Report {
    pub(crate) fn count(&mut self, change: Change) {
        match change {
            Change::Created => self.created += 1,
            Change::Updated => self.updated += 1,
            Change::Unchanged => self.unchanged += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            created,
            updated,
            unchanged,
        } = self;
        write!(
            f,
            "{created} created, {updated} updated, {unchanged} unchanged"
        )
    }
}

/// Everything that [`import_all`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    pub venues: Report,
    pub halls: Report,
    pub films: Report,
    pub shows: Report,
}

/// Why nothing of a file was stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{file} was refused: {}", list(.problems))]
    Refused {
        file: String,
        problems: Vec<Problem>,
    },
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: String, error: io::Error },
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error(transparent)]
    Documents(#[from] mongodb::error::Error),
}

fn list(problems: &[Problem]) -> String {
    let line =
        |problem: &Problem| format!("{} {}: {}", problem.pointer, problem.code, problem.detail);
    problems.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// Imports a folder of files in the order in which they need each other.
///
/// `read` gives the bytes of a file of the folder, by its path from there.
///
/// # Errors
/// What is wrong with a file; the files before it are stored.
pub async fn import_all(
    db: &DatabaseConnection,
    documents: Option<&Database>,
    read: impl Fn(&str) -> io::Result<Vec<u8>>,
    holds: HoldRules,
    now: Instant,
) -> Result<Imported, ImportError> {
    let open = |file: &str| {
        read(file).map_err(|error| ImportError::Unreadable {
            file: file.to_owned(),
            error,
        })
    };
    let venues = read_venues(&open("venues.json")?)?;
    let mut imported = Imported {
        venues: import_venues(db, &venues).await?,
        ..Imported::default()
    };
    for venue in &venues {
        for hall in &venue.halls {
            let plan = open(&hall.file)?;
            imported
                .halls
                .add(import_hall(db, documents, venue, hall, &plan, now).await?);
        }
    }
    imported.films = import_films(db, &open("films.json")?).await?;
    imported.shows = import_shows(db, &open("shows.json")?, holds, now).await?;
    Ok(imported)
}

/// Stores venues without their halls.
///
/// # Errors
/// When the database refuses.
pub async fn import_venues(
    db: &DatabaseConnection,
    venues: &[VenueEntry],
) -> Result<Report, ImportError> {
    let tx = db.begin().await?;
    let report = venues::store(&tx, venues).await?;
    tx.commit().await?;
    Ok(report)
}

/// Stores the films of `films.json`.
///
/// # Errors
/// What is wrong with the file, or when the database refuses.
pub async fn import_films(db: &DatabaseConnection, file: &[u8]) -> Result<Report, ImportError> {
    let films = films::read(file)?;
    let tx = db.begin().await?;
    let report = films::store(&tx, &films).await?;
    tx.commit().await?;
    Ok(report)
}

/// Stores the shows of `shows.json`, counted from the day that `now` is at each venue.
///
/// Their slugs end in their date: importing on another day adds shows and moves none.
///
/// # Errors
/// What is wrong with the file, or when the database refuses.
pub async fn import_shows(
    db: &DatabaseConnection,
    file: &[u8],
    holds: HoldRules,
    now: Instant,
) -> Result<Report, ImportError> {
    let entries = shows::read(file)?;
    let tx = db.begin().await?;
    let report = shows::store(&tx, &entries, holds, now).await?;
    tx.commit().await?;
    Ok(report)
}

/// Reads a file of ours; what is wrong with its form has line and column in the detail.
fn decode<T: DeserializeOwned>(name: &str, file: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(file).map_err(|error| {
        let problem = Problem {
            pointer: String::new(),
            code: "malformed",
            detail: error.to_string(),
        };
        ImportError::Refused {
            file: name.to_owned(),
            problems: vec![problem],
        }
    })
}

/// Collects what is wrong with the meaning of a file.
struct Check {
    file: &'static str,
    problems: Vec<Problem>,
}

impl Check {
    const fn of(file: &'static str) -> Self {
        Self {
            file,
            problems: Vec::new(),
        }
    }

    fn that(&mut self, good: bool, pointer: String, code: &'static str, detail: impl fmt::Display) {
        if !good {
            self.problems.push(Problem {
                pointer,
                code,
                detail: detail.to_string(),
            });
        }
    }

    /// Lower case letters, digits and single hyphens between them.
    fn slug(&mut self, slug: &str, len_max: usize, pointer: String) {
        let good = !slug.is_empty()
            && slug.len() <= len_max
            && slug.split('-').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            });
        self.that(
            good,
            pointer,
            "slug_malformed",
            format!("a-z, 0-9 and -, at most {len_max}"),
        );
    }

    fn length(&mut self, text: &str, chars_max: usize, pointer: String) {
        let good = !text.trim().is_empty() && text.chars().count() <= chars_max;
        self.that(
            good,
            pointer,
            "text_length",
            format!("1 to {chars_max} characters"),
        );
    }

    fn finish(self) -> Result<(), ImportError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(ImportError::Refused {
            file: self.file.to_owned(),
            problems: self.problems,
        })
    }
}
