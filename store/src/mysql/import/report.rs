//! What an import did, or why it did nothing.

use crate::reading::Problem;
use serde::Serialize;
use std::fmt;

/// How the rows of a kind ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    pub created: u32,
    pub updated: u32,
    pub unchanged: u32,
}

/// How one row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mysql) enum Change {
    Created,
    Updated,
    Unchanged,
}

impl Report {
    pub(super) fn count(&mut self, change: Change) {
        match change {
            Change::Created => self.created += 1,
            Change::Updated => self.updated += 1,
            Change::Unchanged => self.unchanged += 1,
        }
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

/// Everything that an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    pub venues: Report,
    pub halls: Report,
    pub films: Report,
    pub shows: Report,
    /// One per hall.
    pub layouts: Vec<LayoutReport>,
    /// What the files say and we don't know.
    pub passed_over: Vec<PassedOver>,
}

/// The layout that new shows in a hall get from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutReport {
    /// `venue.hall`.
    pub hall: String,
    pub version: u32,
    /// Stored with this import; older versions stay as they are, with the shows that use them.
    pub is_new: bool,
    pub seats: usize,
    /// Places without numbers.
    pub places: u32,
}

/// A field that was not taken: harmless in an export that is newer than we are, or a slip of the pen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    pub file: String,
    pub pointer: String,
}

/// A file and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub file: String,
    pub problems: Vec<Problem>,
}

impl Refusal {
    pub(super) fn of(file: &str, pointer: &str, code: &'static str, detail: String) -> Self {
        let problem = Problem {
            pointer: pointer.to_owned(),
            code,
            detail,
        };
        Self {
            file: file.to_owned(),
            problems: vec![problem],
        }
    }
}

pub(super) fn in_one_line(refusals: &[Refusal]) -> String {
    let line =
        |problem: &Problem| format!("{} {}: {}", problem.pointer, problem.code, problem.detail);
    let file = |refusal: &Refusal| {
        let problems: Vec<String> = refusal.problems.iter().map(line).collect();
        format!("{} was refused: {}", refusal.file, problems.join("; "))
    };
    refusals.iter().map(file).collect::<Vec<_>>().join("; ")
}
