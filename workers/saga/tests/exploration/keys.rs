//! What makes two worlds the same.

use crate::world::{Msg, POLICY, Scenario, World};
use boxoffice_contracts::Instant;
use boxoffice_saga::{Booking, Capture, Status, booking::Hold};
use std::hash::{Hash, Hasher};

/// Two worlds with the same key have the same future: versions are left out, time is relative, and bookings
/// that ask for the same have no names.
pub(crate) fn key(world: &World, scenario: &Scenario) -> u64 {
    let mut sides = [0; 2];
    for (index, side) in world.sides.iter().enumerate() {
        let mut keys = Keys::default();
        if let Some(booking) = side.booking.as_deref() {
            booking_key(booking, world.now, &mut keys);
        }
        side.intents.hash(&mut keys);
        keys.write_usize(side.refunds.len());
        for (_, amount) in &side.refunds {
            amount.hash(&mut keys);
        }
        side.operations.hash(&mut keys);
        keys.write_u16(side.tickets);
        for claim in &world.seats {
            claim
                .filter(|claim| claim.booking == index)
                .map(|claim| (claim.epoch, claim.sold))
                .hash(&mut keys);
        }
        for envelope in world.queue.iter().filter(|e| e.booking == index) {
            match envelope.msg {
                Msg::DoRefund { amount, .. } => (1, amount).hash(&mut keys),
                Msg::Refunded { amount, .. } => (2, amount).hash(&mut keys),
                msg => msg.hash(&mut keys),
            }
            envelope.handled.hash(&mut keys);
        }
        sides[index] = keys.finish();
    }
    if scenario.wants.len() == 2 && scenario.wants[0] == scenario.wants[1] {
        sides.sort_unstable();
    }
    let mut keys = Keys::default();
    sides.hash(&mut keys);
    world.budget.hash(&mut keys);
    world.broken.is_some().hash(&mut keys);
    keys.finish()
}

fn booking_key(booking: &Booking, now: Instant, keys: &mut Keys) {
    // Whatever lies behind is over, however long.
    let ahead = |at: Instant| (at - now).num_seconds().clamp(-1, 100);
    let status = match booking.status {
        Status::Confirmed(Capture::Failed { pay_again_until }) => {
            keys.write_i64(ahead(pay_again_until));
            None
        }
        Status::Confirmed(Capture::Repaying {
            pay_again_until,
            phase,
        }) => {
            keys.write_i64(ahead(pay_again_until).max(-1));
            phase.hash(keys);
            None
        }
        Status::Confirmed(Capture::InFlight)
        | Status::Waiting
        | Status::Held
        | Status::Authorizing(_)
        | Status::Paid
        | Status::Completed
        | Status::Cancelling
        | Status::Refunding
        | Status::Rejected
        | Status::PaymentFailed
        | Status::Expired
        | Status::Cancelled
        | Status::Refunded => Some(booking.status),
    };
    status.hash(keys);
    // Where only a repetition waits, it may come at any time: when does not matter.
    if matches!(
        booking.status,
        Status::Held
            | Status::Authorizing(_)
            | Status::Confirmed(Capture::Failed { .. } | Capture::Repaying { .. })
    ) {
        keys.write_i64(booking.wake_at(&POLICY).map_or(-2, ahead));
    }
    if let (Status::Held | Status::Authorizing(_), Some(hold)) = (booking.status, &booking.hold) {
        let Hold {
            first_held_at: _,
            expires_at,
            grace_until,
            cap_at,
        } = hold;
        for at in [expires_at, grace_until, cap_at] {
            keys.write_i64(ahead(*at));
        }
    }
    (booking.resends > 0).hash(keys);
    booking.epoch.hash(keys);
    booking.positions.hash(keys);
    booking.payment.hash(keys);
    keys.write_usize(booking.refunds.len());
    for line in &booking.refunds {
        line.amount_minor.hash(keys);
        line.state.hash(keys);
    }
    booking.pending_cancel.hash(keys);
    booking.ticket_revision.hash(keys);
    booking.mailed_revision.hash(keys);
    booking.rendered_revision.hash(keys);
    booking.attention.hash(keys);
}

/// FNV over words: keys are compared a million times, nobody attacks them.
#[derive(Clone, Copy)]
pub(crate) struct Keys(u64);

impl Default for Keys {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Keys {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_i64(&mut self, n: i64) {
        self.write_u64(n.cast_unsigned());
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.cast_unsigned() as u64);
    }
}
