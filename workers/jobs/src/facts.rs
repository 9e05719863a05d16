//! What the orders of one transaction say about their bookings, read for all of them when the first asks.

use boxoffice_contracts::BookingId;
use boxoffice_runtime::{Failure, Tx};
use boxoffice_store::mysql::show_facts::{self, BookingFacts};
use std::collections::HashMap;

/// The desk of tickets and mails.
#[derive(Debug, Default)]
pub struct Facts {
    bookings: Vec<BookingId>,
    /// None: nobody has asked. Who only records an answer never does.
    read: Option<HashMap<BookingId, BookingFacts>>,
}

impl Facts {
    pub(crate) fn of(bookings: impl Iterator<Item = BookingId>) -> Self {
        let mut bookings: Vec<_> = bookings.collect();
        bookings.sort_unstable();
        bookings.dedup();
        Self {
            bookings,
            read: None,
        }
    }

    /// Of one booking; `None` when there is none of this id.
    pub(crate) async fn find(
        &mut self,
        tx: &Tx,
        booking: BookingId,
    ) -> Result<Option<BookingFacts>, Failure> {
        let read = match &mut self.read {
            Some(read) => read,
            unread => unread.insert(show_facts::of_bookings(tx.db(), &self.bookings).await?),
        };
        Ok(read.get(&booking).cloned())
    }
}
