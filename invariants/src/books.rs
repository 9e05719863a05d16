//! A page of bookings with all rows of theirs, read at one moment.

use crate::snapshot::Snapshot;
use boxoffice_contracts::{BookingId, Instant};
use boxoffice_saga::{Booking, booking::RefundState};
use boxoffice_store::mysql::{
    attempts, bookings, claims, intents, ledger, mails, operations, positions, refunds,
    ticket_states,
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// Bookings that follow each other, as they were at one moment.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) bookings: BTreeMap<BookingId, Entry>,
    /// Bookings whose row can't be read: which, and why.
    pub(crate) unreadable: Vec<(BookingId, String)>,
}

/// A booking with all that is its own.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: bookings::row::Model,
    pub(crate) saga: Booking,
    pub(crate) positions: Vec<positions::row::Model>,
    /// By version.
    pub(crate) events: Vec<bookings::event_row::Model>,
    pub(crate) claims: Vec<claims::row::Model>,
    pub(crate) intents: Vec<intents::row::Model>,
    pub(crate) attempts: Vec<attempts::row::Model>,
    pub(crate) refunds: Vec<refunds::row::Model>,
    pub(crate) ledger: Vec<ledger::row::Model>,
    pub(crate) operations: Vec<operations::row::Model>,
    pub(crate) tickets: Vec<ticket_states::row::Model>,
    pub(crate) mails: Vec<mails::row::Model>,
}

/// The next ids after `after`.
pub(crate) async fn page(
    db: &DatabaseConnection,
    after: Option<BookingId>,
    limit: u64,
) -> Result<Option<(BookingId, BookingId)>, DbErr> {
    let ids = bookings::ids_after(db, after, limit).await?;
    Ok(ids.first().copied().zip(ids.last().copied()))
}

/// All rows of a table between two bookings.
macro_rules! rows {
    ($db:expr, $table:ident, $column:ident, $first:expr, $last:expr) => {{
        use boxoffice_store::mysql::$table::row::{Column, Entity};
        Entity::find()
            .filter(Column::$column.gte($first).and(Column::$column.lte($last)))
            .all($db)
            .await?
    }};
}

impl Books {
    /// Reads the bookings from `first` to `last`.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn read(
        db: &DatabaseConnection,
        first: BookingId,
        last: BookingId,
    ) -> Result<Self, DbErr> {
        let snapshot = Snapshot::open(db).await?;
        let mut books = Self::default();
        let (first, last) = (first.0, last.0);
        let tx = snapshot.db();
        for row in rows!(tx, bookings, Id, first, last) {
            let id = BookingId(row.id);
            match serde_json::from_value(row.saga.clone()) {
                Ok(saga) => drop(books.bookings.insert(id, Entry::new(row, saga))),
                Err(error) => books.unreadable.push((id, error.to_string())),
            }
        }
        macro_rules! spread {
            ($field:ident, $rows:expr) => {
                for row in $rows {
                    books.own(row.booking_id, |entry| entry.$field.push(row));
                }
            };
        }
        spread!(positions, rows!(tx, positions, BookingId, first, last));
        spread!(claims, rows!(tx, claims, BookingId, first, last));
        spread!(intents, rows!(tx, intents, BookingId, first, last));
        spread!(attempts, rows!(tx, attempts, BookingId, first, last));
        spread!(refunds, rows!(tx, refunds, BookingId, first, last));
        spread!(ledger, rows!(tx, ledger, BookingId, first, last));
        spread!(operations, rows!(tx, operations, BookingId, first, last));
        spread!(tickets, rows!(tx, ticket_states, BookingId, first, last));
        spread!(mails, rows!(tx, mails, BookingId, first, last));
        use bookings::event_row::{Column, Entity};
        let events = Entity::find()
            .filter(
                Column::BookingId
                    .gte(first)
                    .and(Column::BookingId.lte(last)),
            )
            .order_by_asc(Column::BookingId)
            .order_by_asc(Column::Version)
            .all(tx)
            .await?;
        spread!(events, events);
        snapshot.close().await?;
        Ok(books)
    }

    /// Rows of bookings that aren't there are found by the checks of the whole.
    fn own(&mut self, booking: Uuid, take: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.bookings.get_mut(&BookingId(booking)) {
            take(entry);
        }
    }
}

impl Entry {
    #[must_use]
    pub(crate) const fn new(row: bookings::row::Model, saga: Booking) -> Self {
        Self {
            row,
            saga,
            positions: Vec::new(),
            events: Vec::new(),
            claims: Vec::new(),
            intents: Vec::new(),
            attempts: Vec::new(),
            refunds: Vec::new(),
            ledger: Vec::new(),
            operations: Vec::new(),
            tickets: Vec::new(),
            mails: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn status(&self) -> &str {
        &self.row.status
    }

    /// Whether it ever had this status.
    #[must_use]
    pub(crate) fn was(&self, status: &str) -> bool {
        self.events.iter().any(|event| event.to_status == status)
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &positions::row::Model> {
        self.positions.iter().filter(|position| position.live)
    }

    /// Status, phase and code, as people write them.
    pub(crate) fn described(&self) -> String {
        let words = [
            Some(self.row.status.as_str()),
            self.row.phase.as_deref(),
            self.row.code.as_deref(),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join("/")
    }

    /// Nothing is due any more. The exception waits for a person: a refund that the gateway refused.
    #[must_use]
    pub(crate) fn is_at_rest(&self) -> bool {
        let lines = &self.saga.refunds;
        let refused = lines.iter().any(|line| line.state == RefundState::Failed)
            && lines
                .iter()
                .all(|line| line.state != RefundState::Requested);
        self.row.wake_at.is_none() || (self.status() == "refunding" && refused)
    }

    /// At rest since before `as_of - grace`: others have had the time to follow.
    #[must_use]
    pub(crate) fn is_settled(&self, as_of: Instant, grace: Duration) -> bool {
        let grace = chrono::TimeDelta::from_std(grace).unwrap_or(chrono::TimeDelta::MAX);
        let since = as_of.checked_sub_signed(grace);
        self.is_at_rest() && since.is_some_and(|since| self.row.updated_at <= since)
    }
}

/// States in which seats are taken.
pub(crate) fn holds_seats(status: &str) -> bool {
    RESERVED.contains(&status) || is_sold(status)
}

pub(crate) const RESERVED: [&str; 2] = ["held", "authorizing"];
pub(crate) const SOLD: [&str; 4] = ["confirmed", "paid", "completed", "refunding"];

pub(crate) fn is_sold(status: &str) -> bool {
    SOLD.contains(&status)
}

/// States with tickets that admit, if a position is live.
pub(crate) fn is_ticketed(status: &str) -> bool {
    matches!(status, "paid" | "completed" | "refunding")
}
