//! What a batch writes, table by table with one statement each where many rows change alike.

use super::{audit, tables::Tables, told::Told, world::World};
use boxoffice_contracts::{BookingId, Instant};
use boxoffice_runtime::{Cause, Failure};
use boxoffice_saga::{Booking, Policy};
use boxoffice_store::mysql::{
    attempts::NewAttempt,
    bookings::Event,
    claims::{Admission, AdmissionKey, Claim, SeatKey},
    intents::NewIntent,
    mail_orders::MailOrder,
    operations::Operation,
    refunds::NewRefund,
    ticket_states::NewTicket,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Bookings whose state changed.
    pub(super) changed: BTreeSet<BookingId>,
    /// Bookings whose due time must be looked at although nothing changed.
    pub(super) touched: BTreeSet<BookingId>,
    pub(super) places_changed: BTreeSet<BookingId>,
    pub(super) events: Vec<Event>,
    pub(super) operations: Vec<Operation>,
    pub(super) intents: Vec<NewIntent>,
    pub(super) attempts: Vec<NewAttempt>,
    pub(super) closing: Vec<BookingId>,
    pub(super) refunds: Vec<NewRefund>,
    pub(super) tickets: Vec<NewTicket>,
    pub(super) voided: Vec<(BookingId, Vec<u16>)>,
    pub(super) mails: Vec<MailOrder>,
    /// Orders of staff.
    pub(super) mended: Vec<audit::Entry>,
    /// What partners hear of their bookings.
    pub(super) told: Vec<Told>,
}

impl Writes {
    pub(super) async fn flush<T: Tables>(
        mut self,
        tables: &mut T,
        policy: &Policy,
        world: &World,
        now: Instant,
    ) -> Result<(), Failure> {
        inventory(tables, world).await?;
        self.bookings(tables, policy, world, now).await?;
        tables.append_events(&self.events).await?;
        // A command may be pending and done within one batch: its last word counts.
        let mut seen = BTreeSet::new();
        self.operations.reverse();
        self.operations
            .retain(|operation| seen.insert(operation.id));
        tables.save_operations(&self.operations).await?;
        tables.insert_intents(&self.intents, now).await?;
        tables.insert_attempts(&self.attempts, now).await?;
        tables.mark_closing(&self.closing, now).await?;
        tables.insert_refunds(&self.refunds, now).await?;
        tables.issue_tickets(&self.tickets, now).await?;
        for (booking, positions) in &self.voided {
            tables.void_tickets(*booking, positions, now).await?;
        }
        tables.order_mails(&self.mails, policy, now).await?;
        tables.audit(&self.mended, now).await?;
        tables.tell(&self.told, now).await
    }

    async fn bookings<T: Tables>(
        &self,
        tables: &mut T,
        policy: &Policy,
        world: &World,
        now: Instant,
    ) -> Result<(), Failure> {
        let changed: Vec<&Booking> = self
            .changed
            .iter()
            .filter_map(|id| world.bookings.get(id))
            .collect();
        let (old, new): (Vec<&Booking>, Vec<&Booking>) = changed
            .into_iter()
            .partition(|booking| world.known.contains(&booking.id));
        let born: Vec<_> = new
            .into_iter()
            .filter_map(|booking| Some((booking, world.births.get(&booking.id)?)))
            .collect();
        tables.insert_bookings(&born, policy, now).await?;

        // A due row that nothing came of is looked at again when its state says, or a little later.
        let touched = self
            .touched
            .difference(&self.changed)
            .filter_map(|id| world.bookings.get(id));
        let mut update = old;
        for booking in touched {
            if booking.wake_at(policy).is_some_and(|at| at <= now) {
                tables.postpone(booking.id, now + POSTPONE).await?;
            } else {
                update.push(booking);
            }
        }
        tables.update_bookings(&update, policy, now).await?;

        let mut places = Vec::new();
        for (booking, _) in &born {
            places.extend(world.places.get(&booking.id).into_iter().flatten().cloned());
        }
        for id in self
            .places_changed
            .iter()
            .filter(|id| world.known.contains(id))
        {
            places.extend(world.places.get(id).into_iter().flatten().cloned());
        }
        tables.save_places(&places).await?;
        Ok(())
    }
}

/// How long a row that is due and stays due waits until it is looked at again.
const POSTPONE: chrono::Duration = chrono::Duration::seconds(30);

/// Writes the difference between the inventory as it was loaded and as it became.
async fn inventory<T: Tables>(tables: &mut T, world: &World) -> Result<(), Failure> {
    let (mut freed, mut sold, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for (key, before) in &world.claims_before {
        match world.claims.get(key) {
            Some(after) if after == before => {}
            Some(after) if sold_in_place(before, after) => sold.push(key.clone()),
            Some(_) | None => freed.push(key.clone()),
        }
    }
    for (key, after) in &world.claims {
        match world.claims_before.get(key) {
            Some(before) if before == after || sold_in_place(before, after) => {}
            Some(_) | None => taken.push((key.clone(), after.clone())),
        }
    }
    sort(&mut freed);
    sort(&mut sold);
    taken.sort_by(|a, b| a.0.cmp(&b.0));
    expect(tables.delete_claims(&freed).await?, freed.len())?;
    expect(tables.sell_claims(&sold).await?, sold.len())?;
    tables.insert_claims(&taken).await?;

    let counters: BTreeMap<&AdmissionKey, &Admission> = world.admissions.iter().collect();
    for (key, after) in counters {
        let before = world
            .admissions_before
            .get(key)
            .map_or(0, |admission| admission.taken);
        let change = i64::from(after.taken) - i64::from(before);
        if change != 0 && !tables.change_admission(key, change).await? {
            return Err(Failure::Conflict(Cause::new(
                "admission_moved",
                "a counter changed under its lock",
            )));
        }
    }
    Ok(())
}

fn sold_in_place(before: &Claim, after: &Claim) -> bool {
    !before.sold
        && after.sold
        && Claim {
            sold: true,
            ..before.clone()
        } == *after
}

fn sort(keys: &mut [SeatKey]) {
    keys.sort_unstable();
}

/// Claims change only under the lock of their booking: another count is corruption, for a person.
fn expect(found: u64, wanted: usize) -> Result<(), Failure> {
    if found == wanted as u64 {
        return Ok(());
    }
    Err(Failure::Park(Cause::new(
        "claims_differ",
        format!("{found} claims changed instead of {wanted}"),
    )))
}
