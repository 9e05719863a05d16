//! Worker `hold-expiry`: looks for bookings that are due and takes them a step, and for mails that nobody sends.

use crate::{
    mail::order_again,
    reservations::{Happening, Layouts, What, advance},
};
use boxoffice_contracts::{Envelope, MessageId, principal::TENANT_HOUSE, trace::TraceParent};
use boxoffice_runtime::{Failure, Sweep, Tx};
use boxoffice_saga::{Booking, Policy};
use boxoffice_store::mysql::bookings;
use std::time::Duration;

/// Rows handled in one transaction.
const BATCH: u64 = 200;

/// Ends holds, re-sends the command of any booking that waits too long for its answer, and the order of a mail that
/// has not ended.
///
/// A due row is an input, not a message: nothing is lost with a queue or a process.
///
/// Safe to run twice: rows are taken with SKIP LOCKED, and a step moves or postpones the row that caused it.
#[derive(Debug, Clone)]
pub struct HoldExpiry {
    pub policy: Policy,
    pub layouts: Layouts,
}

impl Sweep for HoldExpiry {
    const NAME: &'static str = "hold-expiry";
    const EVERY: Duration = Duration::from_millis(500);

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let due = bookings::lock_due(tx.db(), BATCH).await?;
        let ticks = ticks(&due);
        if !ticks.is_empty() {
            advance(tx, &self.policy, &self.layouts, &ticks).await?;
        }
        let wait = Duration::from_secs(self.policy.mail_wait_secs.into());
        Ok(ticks.len() + order_again(tx, wait).await?)
    }
}

/// What due rows are to the saga.
#[must_use]
pub fn ticks(due: &[Booking]) -> Vec<Happening<'static>> {
    let ticked = |booking: &Booking| Happening {
        booking: booking.id,
        cause: tick(booking),
        what: What::Tick,
    };
    due.iter().map(ticked).collect()
}

/// The envelope of a due row: the same row at the same version is the same cause.
fn tick(booking: &Booking) -> Envelope {
    let message_id =
        MessageId::of_outside_event(&format!("tick:{}:{}", booking.id, booking.version));
    Envelope {
        message_id,
        kind: "tick".to_owned(),
        correlation_id: Some(booking.id),
        causation_id: None,
        sent_at: None,
        trace: TraceParent::root(booking.id.0).child(message_id.0),
        tenant: TENANT_HOUSE.to_owned(),
        deadline: None,
        attempt: 0,
        replay_of: None,
    }
}
