//! The tables of the saga's step in memory, with the keys and conditions that MySQL has.

use crate::{
    Planted,
    store::{Attempt, Intent, SimTx},
};
use boxoffice_contracts::{BookingId, Instant, ShowId};
use boxoffice_jobs::reservations::simulation::{Categories, Entry, Tables, Told};
use boxoffice_runtime::{Cause, Failure, simulation::Outbox};
use boxoffice_saga::{Booking, Policy};
use boxoffice_store::mysql::{
    attempts::NewAttempt,
    bookings::{Birth, Event},
    claims::{Admission, AdmissionKey, Claim, SeatKey},
    intents::NewIntent,
    mail_orders::MailOrder,
    operations::Operation,
    positions::Place,
    refunds::NewRefund,
    shows::Show,
    ticket_states::NewTicket,
};
use std::collections::HashMap;
use uuid::Uuid;

fn duplicate(what: &'static str) -> Failure {
    Failure::Conflict(Cause::new("transaction_conflict", format!("1062 {what}")))
}

impl Tables for SimTx {
    fn outbox(&mut self) -> &mut Outbox {
        self.outbox_mut()
    }

    async fn now(&mut self) -> Result<Instant, Failure> {
        self.clock().await
    }

    async fn lock_bookings(
        &mut self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, (Booking, String)>, Failure> {
        Ok(self
            .on(|state| {
                let found = ids
                    .iter()
                    .filter_map(|id| Some((*id, state.data.bookings.get(id)?)));
                found
                    .map(|(id, booking)| (id, (booking.clone(), "house".to_owned())))
                    .collect()
            })
            .await)
    }

    async fn places(&mut self, ids: &[BookingId]) -> Result<Vec<Place>, Failure> {
        Ok(self
            .on(|state| {
                let found = ids.iter().filter_map(|id| state.data.places.get(id));
                found.flatten().cloned().collect()
            })
            .await)
    }

    async fn shows(&mut self, ids: &[ShowId]) -> Result<HashMap<ShowId, Show>, Failure> {
        Ok(self
            .on(|state| {
                let show = &state.data.show;
                let found = ids.iter().filter(|id| **id == show.id);
                found.map(|id| (*id, show.clone())).collect()
            })
            .await)
    }

    async fn shows_kept(&mut self, ids: &[ShowId]) -> Result<HashMap<ShowId, Show>, Failure> {
        self.shows(ids).await
    }

    async fn categories(&mut self, _layout: Uuid) -> Result<Categories, Failure> {
        Ok(self.on(|state| state.data.categories.clone()).await)
    }

    async fn lock_admissions(
        &mut self,
        keys: &[AdmissionKey],
    ) -> Result<HashMap<AdmissionKey, Admission>, Failure> {
        Ok(self
            .on(|state| {
                let found = keys
                    .iter()
                    .filter_map(|key| Some((key, state.data.admissions.get(key)?)));
                found
                    .map(|(key, admission)| (key.clone(), *admission))
                    .collect()
            })
            .await)
    }

    async fn lock_claims(&mut self, seats: &[SeatKey]) -> Result<HashMap<SeatKey, Claim>, Failure> {
        Ok(self
            .on(|state| {
                if state.settings.is(Planted::ClaimsUnseen) {
                    return HashMap::new();
                }
                let found = seats
                    .iter()
                    .filter_map(|key| Some((key, state.data.claims.get(key)?)));
                found
                    .map(|(key, claim)| (key.clone(), claim.clone()))
                    .collect()
            })
            .await)
    }

    async fn scanned(&mut self, _: &[BookingId]) -> Result<HashMap<BookingId, Vec<u16>>, Failure> {
        Ok(HashMap::new())
    }

    async fn delete_claims(&mut self, seats: &[SeatKey]) -> Result<u64, Failure> {
        Ok(self
            .on(|state| {
                let gone = seats.iter().filter(|key| {
                    state
                        .put(|data| &mut data.claims, (*key).clone(), None)
                        .is_some()
                });
                gone.count() as u64
            })
            .await)
    }

    async fn sell_claims(&mut self, seats: &[SeatKey]) -> Result<u64, Failure> {
        Ok(self
            .on(|state| {
                let mut sold = 0;
                for key in seats {
                    if let Some(claim) = state.data.claims.get(key).cloned() {
                        let claim = Claim {
                            sold: true,
                            ..claim
                        };
                        state.put(|data| &mut data.claims, key.clone(), Some(claim));
                        sold += 1;
                    }
                }
                sold
            })
            .await)
    }

    async fn insert_claims(&mut self, claims: &[(SeatKey, Claim)]) -> Result<(), Failure> {
        self.on(|state| {
            for (key, claim) in claims {
                let before = state.put(|data| &mut data.claims, key.clone(), Some(claim.clone()));
                if before.is_some() {
                    // Transactions take turns here: whoever meets a claim has not looked for it.
                    state.broke("at most one live claim per seat");
                    return Err(duplicate("claims"));
                }
            }
            Ok(())
        })
        .await
    }

    async fn change_admission(&mut self, key: &AdmissionKey, change: i64) -> Result<bool, Failure> {
        Ok(self
            .on(|state| {
                let Some(there) = state.data.admissions.get(key).copied() else {
                    return false;
                };
                let twice = change < 0 && state.settings.is(Planted::FreedTwice);
                let taken = i64::from(there.taken) + if twice { 2 * change } else { change };
                let Ok(taken) = u32::try_from(if twice { taken.max(0) } else { taken }) else {
                    return false;
                };
                let after = Admission { taken, ..there };
                if taken <= there.capacity {
                    state.put(|data| &mut data.admissions, key.clone(), Some(after));
                }
                taken <= there.capacity
            })
            .await)
    }

    async fn insert_bookings(
        &mut self,
        born: &[(&Booking, &Birth)],
        policy: &Policy,
        _now: Instant,
    ) -> Result<(), Failure> {
        for (booking, _) in born {
            if self
                .on(|state| state.data.bookings.contains_key(&booking.id))
                .await
            {
                return Err(duplicate("bookings"));
            }
            self.write(booking, policy).await;
        }
        Ok(())
    }

    async fn update_bookings(
        &mut self,
        bookings: &[&Booking],
        policy: &Policy,
        _now: Instant,
    ) -> Result<(), Failure> {
        for booking in bookings {
            self.write(booking, policy).await;
        }
        Ok(())
    }

    async fn postpone(&mut self, id: BookingId, until: Instant) -> Result<(), Failure> {
        self.on(|state| state.put(|data| &mut data.due, id, Some(until)))
            .await;
        Ok(())
    }

    async fn save_places(&mut self, places: &[Place]) -> Result<(), Failure> {
        self.on(|state| {
            for place in places {
                let mut all = state
                    .data
                    .places
                    .get(&place.booking)
                    .cloned()
                    .unwrap_or_default();
                match all.iter_mut().find(|there| there.no == place.no) {
                    Some(there) => *there = place.clone(),
                    None => all.push(place.clone()),
                }
                state.put(|data| &mut data.places, place.booking, Some(all));
            }
        })
        .await;
        Ok(())
    }

    async fn append_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.on(|state| {
            for event in events {
                let (key, value) = ((event.booking, event.version), (event.cause, event.input));
                if state
                    .put(|data| &mut data.events, key, Some(value))
                    .is_some()
                {
                    state.broke("a version is decided once");
                    return Err(duplicate("booking_events"));
                }
                if event.version > 1
                    && !state
                        .data
                        .events
                        .contains_key(&(event.booking, event.version - 1))
                {
                    state.broke("every decision raises the version by one");
                }
                state.note("store", event.to_status, u64::from(event.version));
            }
            Ok(())
        })
        .await
    }

    async fn save_operations(&mut self, operations: &[Operation]) -> Result<(), Failure> {
        self.on(|state| {
            for operation in operations {
                let outcome = operation.outcome;
                let before = state.put(|data| &mut data.operations, operation.id, Some(outcome));
                if before.is_some_and(|before| before != "pending") {
                    state.broke("an operation has one outcome");
                }
            }
        })
        .await;
        Ok(())
    }

    async fn insert_intents(&mut self, new: &[NewIntent], _now: Instant) -> Result<(), Failure> {
        self.on(|state| {
            for intent in new {
                let key = (intent.booking, intent.generation);
                if !state.data.intents.contains_key(&key) {
                    let row = Intent {
                        amount: intent.amount,
                        is_closing: false,
                    };
                    state.put(|data| &mut data.intents, key, Some(row));
                }
            }
        })
        .await;
        Ok(())
    }

    async fn insert_attempts(&mut self, new: &[NewAttempt], _now: Instant) -> Result<(), Failure> {
        self.on(|state| {
            for attempt in new {
                let key = (attempt.booking, attempt.attempt);
                if !state.data.attempts.contains_key(&key) {
                    let row = Attempt {
                        generation: attempt.generation,
                        method: attempt.method.clone(),
                    };
                    state.put(|data| &mut data.attempts, key, Some(row));
                }
            }
        })
        .await;
        Ok(())
    }

    async fn mark_closing(&mut self, bookings: &[BookingId], _now: Instant) -> Result<(), Failure> {
        self.on(|state| {
            for id in bookings {
                let all = state.data.intents.range((*id, 0)..=(*id, u16::MAX));
                let Some((key, intent)) = all.last().map(|(key, intent)| (*key, *intent)) else {
                    continue;
                };
                let closing = Intent {
                    is_closing: true,
                    ..intent
                };
                state.put(|data| &mut data.intents, key, Some(closing));
            }
        })
        .await;
        Ok(())
    }

    async fn insert_refunds(&mut self, new: &[NewRefund], _now: Instant) -> Result<(), Failure> {
        self.on(|state| {
            for refund in new {
                state.put(|data| &mut data.refunds, refund.id, Some(refund.amount));
            }
        })
        .await;
        Ok(())
    }

    async fn issue_tickets(&mut self, tickets: &[NewTicket], _now: Instant) -> Result<(), Failure> {
        self.on(|state| {
            for ticket in tickets {
                state.put(
                    |data| &mut data.tickets,
                    (ticket.booking, ticket.position),
                    Some(true),
                );
            }
        })
        .await;
        Ok(())
    }

    /// Queues lose nothing here: whether orders are sent again is a story of the real database.
    async fn order_mails(
        &mut self,
        _orders: &[MailOrder],
        _policy: &Policy,
        _now: Instant,
    ) -> Result<(), Failure> {
        Ok(())
    }

    async fn void_tickets(
        &mut self,
        booking: BookingId,
        positions: &[u16],
        _now: Instant,
    ) -> Result<(), Failure> {
        self.on(|state| {
            for position in positions {
                if state.data.tickets.contains_key(&(booking, *position)) {
                    state.put(|data| &mut data.tickets, (booking, *position), Some(false));
                }
            }
        })
        .await;
        Ok(())
    }

    async fn audit(&mut self, _entries: &[Entry], _now: Instant) -> Result<(), Failure> {
        Ok(())
    }

    async fn tell(&mut self, _told: &[Told], _now: Instant) -> Result<(), Failure> {
        Ok(())
    }
}

impl SimTx {
    async fn write(&mut self, booking: &Booking, policy: &Policy) {
        let due = booking.wake_at(policy);
        self.on(|state| {
            let mut next = booking.clone();
            if state.settings.is(Planted::LostUpdate) && next.version.is_multiple_of(5) {
                next.version -= 1;
            }
            state.put(|data| &mut data.bookings, booking.id, Some(next));
            state.put(|data| &mut data.due, booking.id, due);
            if let Some(open) = &mut state.open {
                open.touched.push(booking.id);
            }
        })
        .await;
    }
}
