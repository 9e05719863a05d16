//! What must hold in every world, and what must hold in every world at rest.

use crate::world::{Gate, Op, POLICY, Scenario, Side, World};
use boxoffice_saga::{Booking, Capture, Status};

/// The first promise that this world breaks.
pub(crate) fn always(world: &World, scenario: &Scenario) -> Option<&'static str> {
    if world.broken.is_some() {
        return world.broken;
    }
    for (index, side) in world.sides.iter().enumerate() {
        let Some(booking) = side.booking.as_deref() else {
            continue;
        };
        let (held, sold) = (claimed(world, index, false), claimed(world, index, true));
        let live = seats_of(scenario, index, booking);
        let (held_due, sold_due) = match booking.status {
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
        if (held, sold) != (held_due, sold_due) {
            return Some("claims are what the status says");
        }
        if side.intents.iter().filter(|i| i.captured > 0).count() > 1 {
            return Some("a booking is paid once");
        }
        if refunded(side) > captured(side) {
            return Some("no more goes back than was taken");
        }
        let ticketed = matches!(
            booking.status,
            Status::Paid | Status::Completed | Status::Refunding
        );
        if side.tickets != if ticketed { live_bits(booking) } else { 0 } {
            return Some("tickets are valid for sold positions only");
        }
    }
    None
}

/// Nothing is under way and nobody waits for a clock.
pub(crate) fn is_at_rest(world: &World) -> bool {
    world.queue.is_empty()
        && world
            .sides
            .iter()
            .filter_map(|side| side.booking.as_deref())
            .all(|booking| booking.wake_at(&POLICY).is_none())
}

/// The first promise that a world at rest breaks.
pub(crate) fn at_rest(world: &World, scenario: &Scenario) -> Option<&'static str> {
    for (index, side) in world.sides.iter().enumerate() {
        let Some(booking) = side.booking.as_deref() else {
            return Some("every submit is answered");
        };
        let completed = booking.status == Status::Completed;
        if !completed && !booking.status.is_terminal() {
            return Some("every booking comes to an end");
        }
        let value = if completed { booking.total_minor() } else { 0 };
        if captured(side) - refunded(side) != value + booking.retained_minor() {
            return Some("money equals valid tickets and retained fees");
        }
        if booking.payment.captured_minor != captured(side)
            || booking.refunded_minor() != refunded(side)
        {
            return Some("the saga knows what the gateway knows");
        }
        let open = |gate| {
            matches!(
                gate,
                Gate::Open | Gate::Action | Gate::Authorized | Gate::Lapsed
            )
        };
        if side.intents.iter().any(|intent| open(intent.state)) {
            return Some("no intent is left open");
        }
        for (number, op) in side.operations.iter().enumerate() {
            let given = number == 0
                || scenario.commands.iter().any(|(booking, msg)| {
                    *booking == index && crate::explore::operation_of(*msg) == Some(number)
                });
            if given && matches!(op, Op::Open | Op::Pending) {
                return Some("every operation has an outcome");
            }
        }
        if completed && booking.mailed_revision != booking.ticket_revision {
            return Some("the tickets that are valid were mailed");
        }
        if completed && booking.lacks_document() {
            return Some("the tickets that are valid have their document");
        }
    }
    None
}

fn captured(side: &Side) -> i64 {
    side.intents.iter().map(|intent| intent.captured).sum()
}

fn refunded(side: &Side) -> i64 {
    side.refunds.iter().map(|(_, amount)| amount).sum()
}

/// Bit n: seat n.
fn claimed(world: &World, index: usize, sold: bool) -> u8 {
    let mut bits = 0;
    for (seat, claim) in world.seats.iter().enumerate() {
        if claim.is_some_and(|c| c.booking == index && c.sold == sold) {
            bits |= 1 << seat;
        }
    }
    bits
}

fn seats_of(scenario: &Scenario, index: usize, booking: &Booking) -> u8 {
    let seat = |no: u16| scenario.wants[index][usize::from(no) - 1];
    booking
        .positions
        .iter()
        .filter(|p| p.live)
        .fold(0, |bits, p| bits | 1 << seat(p.no))
}

fn live_bits(booking: &Booking) -> u16 {
    booking
        .positions
        .iter()
        .filter(|p| p.live)
        .fold(0, |bits, p| bits | 1 << p.no)
}

/// Stories worth telling: the exploration must have met each.
pub(crate) fn story(before: &Booking, after: &Booking) -> Option<&'static str> {
    let moved = (before.status, after.status);
    match moved {
        (Status::Expired, Status::Confirmed(_)) => Some("late money honoured"),
        (Status::Expired, Status::Expired)
            if before.payment.intent != after.payment.intent
                && after.payment.intent == boxoffice_saga::IntentState::Closing =>
        {
            Some("late money refused")
        }
        (Status::Authorizing(_), Status::Cancelling) if before.pending_cancel.is_some() => {
            Some("cancelled while authorizing")
        }
        (Status::Confirmed(_), Status::Refunding) => Some("cancelled while capturing"),
        (Status::Authorizing(_), Status::Confirmed(_)) if after.payment.attempt > 1 => {
            Some("declined, then paid")
        }
        (Status::Authorizing(_), Status::PaymentFailed) => Some("payment failed"),
        (Status::Authorizing(_), Status::Expired) => Some("expired while paying"),
        (Status::Confirmed(Capture::Repaying { .. }), Status::Confirmed(Capture::InFlight)) => {
            Some("capture failed, then paid again")
        }
        (Status::Confirmed(Capture::Failed { .. }), Status::PaymentFailed) => {
            Some("capture failed for good")
        }
        (Status::Refunding, Status::Refunded) => Some("refunded"),
        (Status::Refunding, Status::Completed) => Some("partly refunded"),
        (Status::Cancelling, Status::Cancelled) => Some("cancelled"),
        (Status::Cancelling | Status::Expired | Status::PaymentFailed, Status::Refunding) => {
            Some("captured without seats, given back")
        }
        _ => None,
    }
}
