//! The tables that a step of the saga reads and writes, as narrow as it uses them.
//!
//! In production they are MySQL's. `tests/simulator` has them in memory, with the same keys and conditions, and runs
//! the very step over them.

use super::{
    audit,
    facts::Layouts,
    told::{self, Told},
    world::Categories,
};
use boxoffice_contracts::{BookingId, Instant, ShowId};
use boxoffice_runtime::{Failure, Outbox, Tx};
use boxoffice_saga::{Booking, Policy};
use boxoffice_store::mysql::{
    attempts::{self, NewAttempt},
    bookings::{self, Birth, Event},
    claims::{self, Admission, AdmissionKey, Claim, SeatKey},
    intents::{self, NewIntent},
    mail_orders::{self, MailOrder},
    operations::{self, Operation},
    positions::{self, Place},
    refunds::{self, NewRefund},
    shows::{self, Show},
    ticket_states::{self, NewTicket},
};
use sea_orm::prelude::Uuid;
use std::{collections::HashMap, future::Future, time::Duration};

/// The answer of a table.
macro_rules! answer {
    ($type:ty) => { impl Future<Output = Result<$type, Failure>> + Send };
}

/// What is locked stays locked until the transaction ends; what is written counts with its commit.
pub trait Tables: Send {
    /// What is to be sent with the commit.
    fn outbox(&mut self) -> &mut Outbox;

    /// The clock, asked for after the locks are taken; the same for all of a transaction.
    fn now(&mut self) -> answer!(Instant);

    /// Locks bookings; with each its tenant.
    fn lock_bookings(
        &mut self,
        ids: &[BookingId],
    ) -> answer!(HashMap<BookingId, (Booking, String)>);

    /// Positions of bookings.
    fn places(&mut self, ids: &[BookingId]) -> answer!(Vec<Place>);

    fn shows(&mut self, ids: &[ShowId]) -> answer!(HashMap<ShowId, Show>);

    /// The same, kept as they are until the commit.
    fn shows_kept(&mut self, ids: &[ShowId]) -> answer!(HashMap<ShowId, Show>);

    /// Category of each seat of a layout.
    fn categories(&mut self, layout: Uuid) -> answer!(Categories);

    fn lock_admissions(
        &mut self,
        keys: &[AdmissionKey],
    ) -> answer!(HashMap<AdmissionKey, Admission>);

    fn lock_claims(&mut self, seats: &[SeatKey]) -> answer!(HashMap<SeatKey, Claim>);

    /// Positions of bookings whose ticket was scanned.
    fn scanned(&mut self, bookings: &[BookingId]) -> answer!(HashMap<BookingId, Vec<u16>>);

    /// How many were there.
    fn delete_claims(&mut self, seats: &[SeatKey]) -> answer!(u64);

    /// How many were there.
    fn sell_claims(&mut self, seats: &[SeatKey]) -> answer!(u64);

    /// A seat that is taken is a conflict.
    fn insert_claims(&mut self, claims: &[(SeatKey, Claim)]) -> answer!(());

    /// `false` when the counter is not there or would leave its bounds.
    fn change_admission(&mut self, key: &AdmissionKey, change: i64) -> answer!(bool);

    /// A booking that is there is a conflict.
    fn insert_bookings(
        &mut self,
        born: &[(&Booking, &Birth)],
        policy: &Policy,
        now: Instant,
    ) -> answer!(());

    fn update_bookings(
        &mut self,
        bookings: &[&Booking],
        policy: &Policy,
        now: Instant,
    ) -> answer!(());

    /// Moves the time at which a booking is due.
    fn postpone(&mut self, id: BookingId, until: Instant) -> answer!(());

    fn save_places(&mut self, places: &[Place]) -> answer!(());

    /// A second event of one version is a conflict.
    fn append_events(&mut self, events: &[Event]) -> answer!(());

    fn save_operations(&mut self, operations: &[Operation]) -> answer!(());

    fn insert_intents(&mut self, intents: &[NewIntent], now: Instant) -> answer!(());

    fn insert_attempts(&mut self, attempts: &[NewAttempt], now: Instant) -> answer!(());

    /// Intents of these bookings that are closed for everything but their end.
    fn mark_closing(&mut self, bookings: &[BookingId], now: Instant) -> answer!(());

    fn insert_refunds(&mut self, refunds: &[NewRefund], now: Instant) -> answer!(());

    fn issue_tickets(&mut self, tickets: &[NewTicket], now: Instant) -> answer!(());

    fn void_tickets(&mut self, booking: BookingId, positions: &[u16], now: Instant) -> answer!(());

    /// Mails that are due as long as they have not ended.
    fn order_mails(&mut self, orders: &[MailOrder], policy: &Policy, now: Instant) -> answer!(());

    /// Orders of staff.
    fn audit(&mut self, entries: &[audit::Entry], now: Instant) -> answer!(());

    /// What partners hear.
    fn tell(&mut self, told: &[Told], now: Instant) -> answer!(());
}

/// The tables within a transaction of MySQL.
pub(super) struct Mysql<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) layouts: &'a Layouts,
}

impl Tables for Mysql<'_> {
    fn outbox(&mut self) -> &mut Outbox {
        self.tx.outbox_mut()
    }

    async fn now(&mut self) -> Result<Instant, Failure> {
        self.tx.now().await
    }

    async fn lock_bookings(
        &mut self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, (Booking, String)>, Failure> {
        Ok(bookings::lock(self.tx.db(), ids).await?)
    }

    async fn places(&mut self, ids: &[BookingId]) -> Result<Vec<Place>, Failure> {
        Ok(positions::of_bookings(self.tx.db(), ids).await?)
    }

    async fn shows(&mut self, ids: &[ShowId]) -> Result<HashMap<ShowId, Show>, Failure> {
        Ok(shows::find(self.tx.db(), ids).await?)
    }

    async fn shows_kept(&mut self, ids: &[ShowId]) -> Result<HashMap<ShowId, Show>, Failure> {
        Ok(shows::find_kept(self.tx.db(), ids).await?)
    }

    async fn categories(&mut self, layout: Uuid) -> Result<Categories, Failure> {
        self.layouts.get(self.tx.db(), layout).await
    }

    async fn lock_admissions(
        &mut self,
        keys: &[AdmissionKey],
    ) -> Result<HashMap<AdmissionKey, Admission>, Failure> {
        Ok(claims::lock_admissions(self.tx.db(), keys).await?)
    }

    async fn lock_claims(&mut self, seats: &[SeatKey]) -> Result<HashMap<SeatKey, Claim>, Failure> {
        Ok(claims::lock(self.tx.db(), seats).await?)
    }

    async fn scanned(
        &mut self,
        bookings: &[BookingId],
    ) -> Result<HashMap<BookingId, Vec<u16>>, Failure> {
        Ok(ticket_states::scanned(self.tx.db(), bookings).await?)
    }

    async fn delete_claims(&mut self, seats: &[SeatKey]) -> Result<u64, Failure> {
        Ok(claims::delete(self.tx.db(), seats).await?)
    }

    async fn sell_claims(&mut self, seats: &[SeatKey]) -> Result<u64, Failure> {
        Ok(claims::sell(self.tx.db(), seats).await?)
    }

    async fn insert_claims(&mut self, claims: &[(SeatKey, Claim)]) -> Result<(), Failure> {
        Ok(claims::insert(self.tx.db(), claims).await?)
    }

    async fn change_admission(&mut self, key: &AdmissionKey, change: i64) -> Result<bool, Failure> {
        Ok(claims::change_admission(self.tx.db(), key, change).await?)
    }

    async fn insert_bookings(
        &mut self,
        born: &[(&Booking, &Birth)],
        policy: &Policy,
        now: Instant,
    ) -> Result<(), Failure> {
        Ok(bookings::insert(self.tx.db(), born, policy, now).await?)
    }

    async fn update_bookings(
        &mut self,
        bookings: &[&Booking],
        policy: &Policy,
        now: Instant,
    ) -> Result<(), Failure> {
        Ok(bookings::update(self.tx.db(), bookings, policy, now).await?)
    }

    async fn postpone(&mut self, id: BookingId, until: Instant) -> Result<(), Failure> {
        Ok(bookings::postpone(self.tx.db(), id, until).await?)
    }

    async fn save_places(&mut self, places: &[Place]) -> Result<(), Failure> {
        Ok(positions::save(self.tx.db(), places).await?)
    }

    async fn append_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        Ok(bookings::append_events(self.tx.db(), events).await?)
    }

    async fn save_operations(&mut self, operations: &[Operation]) -> Result<(), Failure> {
        Ok(operations::save(self.tx.db(), operations).await?)
    }

    async fn insert_intents(&mut self, new: &[NewIntent], now: Instant) -> Result<(), Failure> {
        Ok(intents::insert_intents(self.tx.db(), new, now).await?)
    }

    async fn insert_attempts(&mut self, new: &[NewAttempt], now: Instant) -> Result<(), Failure> {
        Ok(attempts::insert_attempts(self.tx.db(), new, now).await?)
    }

    async fn mark_closing(&mut self, ids: &[BookingId], now: Instant) -> Result<(), Failure> {
        Ok(intents::mark_closing(self.tx.db(), ids, now).await?)
    }

    async fn insert_refunds(&mut self, new: &[NewRefund], now: Instant) -> Result<(), Failure> {
        Ok(refunds::insert_refunds(self.tx.db(), new, now).await?)
    }

    async fn issue_tickets(&mut self, new: &[NewTicket], now: Instant) -> Result<(), Failure> {
        Ok(ticket_states::issue(self.tx.db(), new, now).await?)
    }

    async fn void_tickets(
        &mut self,
        booking: BookingId,
        positions: &[u16],
        now: Instant,
    ) -> Result<(), Failure> {
        ticket_states::void(self.tx.db(), booking, positions, now).await?;
        Ok(())
    }

    async fn order_mails(
        &mut self,
        orders: &[MailOrder],
        policy: &Policy,
        now: Instant,
    ) -> Result<(), Failure> {
        let due_at = now + Duration::from_secs(policy.mail_wait_secs.into());
        Ok(mail_orders::keep(self.tx.db(), orders, due_at).await?)
    }

    async fn audit(&mut self, entries: &[audit::Entry], now: Instant) -> Result<(), Failure> {
        audit::write(self.tx, entries, now).await
    }

    async fn tell(&mut self, told: &[Told], now: Instant) -> Result<(), Failure> {
        told::write(self.tx, told, now).await
    }
}
