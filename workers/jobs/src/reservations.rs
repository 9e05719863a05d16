//! Worker of the queue `reservations` and of all lines of `reservations.submit`: drives the saga of each booking.

mod apply;
mod audit;
mod facts;
mod step;
mod tables;
mod told;
mod world;
mod writes;

pub use facts::Layouts;
pub use step::{Happening, What, advance, attention_from_zero};

/// A step over tables of any kind, for `tests/simulator` alone.
#[doc(hidden)]
pub mod simulation {
    pub use super::{
        audit::Entry, step::advance_over, tables::Tables, told::Told, world::Categories,
    };
    pub use crate::hold_expiry::ticks;
}

use boxoffice_contracts::{
    BookingId,
    message::{booking, payment, ticket},
    topology::{self, Queue, lines},
};
use boxoffice_runtime::{Decide, Failure, Job, Tx, Verdict, accepted};
use boxoffice_saga::Policy;

/// Decides what happens to bookings, and is the only writer of claims.
///
/// Safe to run twice: the inbox row of a message commits with its outcome, a repetition finds it; and a
/// decision is written only on the version that it was made from, under the booking's lock.
#[derive(Debug, Clone)]
pub struct Reservations {
    pub policy: Policy,
    pub layouts: Layouts,
}

accepted! {
    /// Everything that moves a booking.
    pub enum Accepted {
        Submit(booking::Submit),
        Pay(booking::Pay),
        Cancel(booking::Cancel),
        Mend(booking::Mend),
        Authorized(payment::Authorized),
        ActionRequired(payment::ActionRequired),
        Declined(payment::Declined),
        Unknown(payment::Unknown),
        Captured(payment::Captured),
        CaptureFailed(payment::CaptureFailed),
        Voided(payment::Voided),
        Refunded(payment::Refunded),
        RefundFailed(payment::RefundFailed),
        RefundedOutside(payment::RefundedOutside),
        Disputed(payment::Disputed),
        Rendered(ticket::Rendered),
    }
}

impl Decide for Reservations {
    const QUEUES: &'static [Queue] = &[
        topology::RESERVATIONS,
        topology::RESERVATIONS_SUBMIT,
        lines::RESERVATIONS_SUBMIT_1,
        lines::RESERVATIONS_SUBMIT_2,
        lines::RESERVATIONS_SUBMIT_3,
    ];
    type Message = Accepted;

    async fn decide(&self, tx: &mut Tx, jobs: &[Job<Accepted>]) -> Result<Vec<Verdict>, Failure> {
        advance(tx, &self.policy, &self.layouts, &happenings(jobs)).await
    }
}

/// What messages say that happened.
#[must_use]
pub fn happenings(jobs: &[Job<Accepted>]) -> Vec<Happening<'_>> {
    jobs.iter().map(Happening::from).collect()
}

impl<'a> From<&'a Job<Accepted>> for Happening<'a> {
    fn from(job: &'a Job<Accepted>) -> Self {
        Self {
            booking: job.message.booking(),
            cause: job.envelope.clone(),
            what: What::Message(&job.message),
        }
    }
}

impl Accepted {
    /// The booking that the message is about.
    #[must_use]
    pub fn booking(&self) -> BookingId {
        match self {
            Self::Submit(m) => m.booking_id,
            Self::Pay(m) => m.booking_id,
            Self::Cancel(m) => m.booking_id,
            Self::Mend(m) => m.booking_id,
            Self::Authorized(m) => m.booking_id,
            Self::ActionRequired(m) => m.booking_id,
            Self::Declined(m) => m.booking_id,
            Self::Unknown(m) => m.booking_id,
            Self::Captured(m) => m.booking_id,
            Self::CaptureFailed(m) => m.booking_id,
            Self::Voided(m) => m.booking_id,
            Self::Refunded(m) => m.booking_id,
            Self::RefundFailed(m) => m.booking_id,
            Self::RefundedOutside(m) => m.booking_id,
            Self::Disputed(m) => m.booking_id,
            Self::Rendered(m) => m.booking_id,
        }
    }
}
