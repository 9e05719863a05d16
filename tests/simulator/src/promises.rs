//! What must hold at every commit, and what must have become of everything when all is quiet.

use crate::{
    gateway::Stands,
    sim::{State, short},
};
use boxoffice_contracts::{
    BookingId, MessageId, OperationId,
    topology::{RESERVATIONS, RESERVATIONS_SUBMIT},
};
use boxoffice_saga::{Booking, Status};
use std::collections::{BTreeMap, BTreeSet};

/// What the judge remembers, whatever the house forgets.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Commands that a client had a 202 for.
    pub accepted: BTreeMap<OperationId, MessageId>,
    /// Messages that ever reached the broker.
    pub arrived: BTreeSet<MessageId>,
    /// Messages whose row in the outbox was committed.
    pub written: BTreeSet<MessageId>,
    pub transactions: u64,
    pub commits: u64,
    pub crashes: u64,
}

impl State {
    /// Judges the tables after a commit that changed these bookings.
    pub fn committed(&mut self, touched: &[BookingId]) {
        if let Some(promise) = self.always(touched) {
            self.broke(promise);
        }
    }

    /// An accepted command is decided, or it is somewhere.
    fn is_forgotten(&self, operation: OperationId, id: MessageId) -> bool {
        let queues = [RESERVATIONS.name, RESERVATIONS_SUBMIT.name];
        let data = &self.data;
        !data.operations.contains_key(&operation)
            && !queues
                .iter()
                .any(|queue| data.inbox.contains_key(&(*queue, id)))
            && !queues
                .iter()
                .any(|queue| data.parked.contains_key(&((*queue).to_owned(), id)))
            && !self.broker.has(id)
    }

    fn always(&self, touched: &[BookingId]) -> Option<String> {
        let data = &self.data;
        let mut accepted = self.ledger.accepted.iter();
        if accepted.any(|(operation, id)| self.is_forgotten(*operation, *id)) {
            return Some("nothing that was accepted is forgotten".to_owned());
        }
        for id in touched {
            let Some(booking) = data.bookings.get(id) else {
                continue;
            };
            let last = data.events.range((*id, 0)..=(*id, u32::MAX)).next_back();
            if last.map(|((_, version), _)| *version) != Some(booking.version) {
                return Some(format!(
                    "the log of decisions ends with the state's version: {id}"
                ));
            }
            if let Some(twice) = self.caused_twice(*id) {
                return Some(twice);
            }
            let (held, sold) = self.claimed(*id);
            let live = live_seats(self, booking);
            let due = match booking.status {
                Status::Held | Status::Authorizing(_) => (live, 0),
                Status::Confirmed(_) | Status::Paid | Status::Completed | Status::Refunding => {
                    (0, live)
                }
                Status::Waiting
                | Status::Cancelling
                | Status::Rejected
                | Status::PaymentFailed
                | Status::Expired
                | Status::Cancelled
                | Status::Refunded => (0, 0),
            };
            if (held, sold) != due {
                return Some(format!(
                    "claims are what the state says: {} has {held} held, {sold} sold",
                    booking.status.as_str()
                ));
            }
            let ticketed = matches!(
                booking.status,
                Status::Paid | Status::Completed | Status::Refunding
            );
            let live = booking.live_positions();
            let tickets = data.tickets.range((*id, 0)..=(*id, u16::MAX));
            let valid: Vec<u16> = tickets
                .filter(|(_, valid)| **valid)
                .map(|((_, no), _)| *no)
                .collect();
            if valid != if ticketed { live } else { Vec::new() } {
                return Some("tickets are valid for sold positions only".to_owned());
            }
        }
        let taken: u32 = data
            .admissions
            .values()
            .map(|admission| admission.taken)
            .sum();
        let live: usize = data
            .bookings
            .values()
            .filter(|b| holds(b))
            .map(|b| live_places(self, b))
            .sum();
        if taken as usize != live {
            return Some(format!(
                "the counter is the sum of live admissions: {taken} taken, {live} live"
            ));
        }
        None
    }

    /// Ticks apart, whose cause is the row itself, a message moves a booking once.
    fn caused_twice(&self, id: BookingId) -> Option<String> {
        let mut causes = BTreeSet::new();
        let all = self.data.events.range((id, 0)..=(id, u32::MAX));
        let mut messages = all.filter(|(_, (_, input))| *input != "tick");
        let twice = messages.find(|(_, (cause, _))| !causes.insert(*cause))?;
        Some(format!(
            "a message is handled once: {} of {:016x}",
            twice.1.1,
            short(twice.1.0)
        ))
    }

    fn claimed(&self, id: BookingId) -> (usize, usize) {
        let own = self
            .data
            .claims
            .values()
            .filter(|claim| claim.booking == id);
        let (sold, held): (Vec<_>, Vec<_>) = own.partition(|claim| claim.sold);
        (held.len(), sold.len())
    }

    /// A capture that is about to happen.
    pub fn is_sold(&mut self, booking: BookingId) {
        let Some(seen) = self.seen.get(&booking) else {
            return self.broke("nothing is captured before its booking is there");
        };
        let late = matches!(
            seen.status,
            Status::Refunding | Status::Refunded | Status::Cancelled
        );
        if !holds(seen) && !late {
            let what = format!(
                "nothing is captured unless its seats are sold: {}",
                seen.status.as_str()
            );
            self.broke(what);
        }
    }

    /// Of a booking at the gateway: paid once, and no more back than was taken.
    pub fn money_at_the_gateway(&mut self, booking: BookingId) {
        let all = self
            .gateway
            .intents
            .range((booking, 0)..=(booking, u16::MAX));
        if all.filter(|(_, there)| there.captured > 0).count() > 1 {
            self.broke("a booking is paid once");
        }
    }

    fn money(&self, booking: BookingId) -> (i64, i64) {
        let all = self
            .gateway
            .intents
            .range((booking, 0)..=(booking, u16::MAX));
        let captured = all.map(|(_, there)| there.captured).sum();
        let back = self
            .gateway
            .refunds
            .iter()
            .filter(|((id, _), _)| *id == booking);
        (captured, back.map(|(_, minor)| minor).sum())
    }

    /// What is not yet as it must be at the end; `None` when all is.
    #[must_use]
    pub fn unfinished(&self) -> Option<String> {
        let data = &self.data;
        if let Some(queue) = self.broker.busy() {
            return Some(format!("something is in {queue}"));
        }
        if let Some(row) = data.outbox.values().next() {
            return Some(format!("the outbox keeps {:016x}", short(row.message)));
        }
        if let Some(((queue, _), why)) = data.parked.iter().next() {
            return Some(format!("an innocent message is parked in {queue}: {why}"));
        }
        if self.broker.parked().next().is_some() {
            return Some("an innocent message is in the queue of parked ones".to_owned());
        }
        for operation in self.ledger.accepted.keys() {
            match data.operations.get(operation) {
                None => return Some("a command that was accepted has no outcome".to_owned()),
                Some(&"pending") => return Some("a command is pending".to_owned()),
                Some(_) => {}
            }
        }
        for wish in &self.settings.bookings {
            let Some(booking) = data.bookings.get(&wish.booking) else {
                return Some("a submit was never decided".to_owned());
            };
            if let Some(why) = self.unended(booking) {
                return Some(format!(
                    "{why}: {} ({})",
                    booking.id,
                    booking.status.as_str()
                ));
            }
        }
        None
    }

    fn unended(&self, booking: &Booking) -> Option<&'static str> {
        let completed = booking.status == Status::Completed;
        if !completed && !booking.status.is_terminal() {
            return Some("a booking has not come to its end");
        }
        if booking.wake_at(&self.settings.policy).is_some() {
            return Some("a booking is due");
        }
        let (captured, refunded) = self.money(booking.id);
        let value = if completed { booking.total_minor() } else { 0 };
        if captured - refunded != value + booking.retained_minor() {
            return Some("captured - refunded is not tickets + retained fees");
        }
        if booking.payment.captured_minor != captured || booking.refunded_minor() != refunded {
            return Some("the saga does not know what the gateway knows");
        }
        let mut intents = self
            .gateway
            .intents
            .range((booking.id, 0)..=(booking.id, u16::MAX));
        let open = |stands| {
            matches!(
                stands,
                Stands::Open | Stands::Action | Stands::Authorized | Stands::Lapsed
            )
        };
        if intents.any(|(_, there)| open(there.state)) {
            return Some("an intent is left open");
        }
        if completed
            && !self
                .data
                .documents
                .contains_key(&(booking.id, booking.ticket_revision))
        {
            return Some("the tickets have no document");
        }
        if completed && booking.mailed_revision != booking.ticket_revision {
            return Some("the tickets that are valid were not mailed");
        }
        None
    }
}

fn holds(booking: &Booking) -> bool {
    matches!(
        booking.status,
        Status::Held
            | Status::Authorizing(_)
            | Status::Confirmed(_)
            | Status::Paid
            | Status::Completed
            | Status::Refunding
    )
}

fn live_seats(state: &State, booking: &Booking) -> usize {
    let places = state.data.places.get(&booking.id);
    let live = places.into_iter().flatten().filter(|place| place.live);
    live.filter(|place| place.seat.is_some()).count()
}

fn live_places(state: &State, booking: &Booking) -> usize {
    let places = state.data.places.get(&booking.id);
    let live = places.into_iter().flatten().filter(|place| place.live);
    live.filter(|place| place.seat.is_none()).count()
}
