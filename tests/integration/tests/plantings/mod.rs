//! What is wrong, and the check that must say so.

mod sources;
mod tables;

use boxoffice_contracts::BookingId;
use boxoffice_invariants::Sources;
use futures::future::BoxFuture;
use mongodb::Database;

pub use sources::{restore_documents, silent};

/// An error, planted where its check looks.
pub struct Planting {
    pub check: &'static str,
    pub what: &'static str,
    pub how: How,
}

pub enum How {
    /// Statements; `{completed}` and the like are ids of bookings.
    Sql(&'static [&'static str]),
    Documents(for<'a> fn(&'a Database, BookingId) -> BoxFuture<'a, ()>),
    /// Somebody else says something wrong.
    Source(fn(&mut Sources, BookingId)),
}

/// Every error of every check.
pub struct Plantings;

impl Plantings {
    pub fn iter(&self) -> impl Iterator<Item = &'static Planting> {
        tables::PLANTINGS.iter().chain(sources::PLANTINGS)
    }
}

impl IntoIterator for Plantings {
    type Item = &'static Planting;
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + Send>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(tables::PLANTINGS.iter().chain(sources::PLANTINGS))
    }
}

pub const PLANTINGS: Plantings = Plantings;
