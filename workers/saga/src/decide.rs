//! The rule of the business. One row per state, one file per row; every file matches every input.

mod authorizing;
mod cancelling;
mod confirmed;
mod ended;
mod give_back;
mod held;
mod mend;
mod money;
mod refunding;
mod release;
mod repaying;
mod settled;
mod step;
mod unborn;

use crate::{Booking, Capture, Decision, Input, Policy, Status, Why};
use boxoffice_contracts::Instant;

/// What to do next.
///
/// `now` is the database's clock, read after the locks were taken. A repetition of an operation or a message
/// does not get here (the inbox keeps it), but the same news in another message does: it must be harmless.
#[must_use]
pub fn decide(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    let Some(booking) = booking else {
        return unborn::decide(input, now);
    };
    // Due rows are selected before they are locked: whoever came first has moved the deadline.
    let due = booking.wake_at(policy).is_some_and(|at| at <= now);
    if *input == Input::Tick && !due {
        return Decision::Stay(Why::NotDue);
    }
    row(booking, input, now, policy)
}

/// The row of the booking's state.
fn row(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match booking.status {
        // Reserved for the waiting room: nothing leads here yet.
        Status::Waiting => {
            if let Input::Mend(order) = input {
                mend::decide(booking, order, now, policy, &[])
            } else {
                Decision::Refuse(Why::Impossible)
            }
        }
        Status::Held => held::decide(booking, input, now, policy),
        Status::Authorizing(phase) => authorizing::decide(booking, phase, input, now, policy),
        Status::Confirmed(Capture::InFlight) => confirmed::in_flight(booking, input, now, policy),
        Status::Confirmed(Capture::Failed { pay_again_until }) => {
            confirmed::failed(booking, pay_again_until, input, now, policy)
        }
        Status::Confirmed(Capture::Repaying {
            pay_again_until,
            phase,
        }) => repaying::decide(booking, pay_again_until, phase, input, now, policy),
        Status::Paid | Status::Completed => settled::decide(booking, input, now, policy),
        Status::Cancelling => cancelling::decide(booking, input, now, policy),
        Status::Refunding => refunding::decide(booking, input, now, policy),
        Status::Rejected => ended::rejected(booking, input, now, policy),
        Status::Expired => ended::expired(booking, input, now, policy),
        Status::PaymentFailed | Status::Cancelled | Status::Refunded => {
            ended::closed(booking, input, now, policy)
        }
    }
}
