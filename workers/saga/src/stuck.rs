//! How long a booking may stay as it is before somebody should know: one limit per state.
//!
//! Beyond it something outside is broken, for every state leaves by itself before its limit: the sweeper stands, the
//! gateway or a worker does not answer.

use crate::{
    Booking, Capture, Policy, Status,
    wake::{after, repaid_by},
};
use boxoffice_contracts::Instant;

/// Re-sends that may go unanswered: the waits between them double, so all of them take so many times the first.
const RESENDS_WAITS: u32 = 8;
/// For the sweeper to come by, and for the queue that the answer stands in; seconds.
const SLACK_SECS: u32 = 60;

impl Booking {
    /// Until when it may stay in the state that it entered at `entered`; `None` for a booking at rest.
    #[must_use]
    pub fn stays_until(&self, entered: Instant, policy: &Policy) -> Option<Instant> {
        let resent = after(
            entered,
            policy.resend_secs.max(1).saturating_mul(RESENDS_WAITS),
        );
        let limit = match self.status {
            Status::Held | Status::Authorizing(_) => self.cap_at(),
            Status::Confirmed(Capture::InFlight) | Status::Cancelling => resent,
            Status::Confirmed(Capture::Failed { pay_again_until }) => pay_again_until,
            Status::Confirmed(Capture::Repaying {
                pay_again_until, ..
            }) => repaid_by(pay_again_until, policy),
            Status::Paid => after(entered, policy.document_wait_secs),
            Status::Completed if self.mailed_revision < self.ticket_revision => {
                after(entered, policy.document_wait_secs)
            }
            // Ordered again and again: a person looks when even that does not help.
            Status::Completed if self.lacks_document() => after(entered, policy.resend_max_secs),
            // Banks are slow, but the gateway says at once that it has the order.
            Status::Refunding => after(entered, policy.resend_max_secs),
            Status::Expired | Status::PaymentFailed | Status::Cancelled | Status::Refunded
                if self.wake_at(policy).is_some() =>
            {
                after(entered, policy.resend_max_secs)
            }
            Status::Waiting
            | Status::Completed
            | Status::Rejected
            | Status::Expired
            | Status::PaymentFailed
            | Status::Cancelled
            | Status::Refunded => return None,
        };
        Some(after(limit, SLACK_SECS))
    }

    /// What it waits for, for a person who wonders why it stands; `None` at rest.
    #[must_use]
    pub fn waits_for(&self) -> Option<&'static str> {
        Some(match self.status {
            Status::Held => "a payment, or the end of the hold",
            Status::Authorizing(_) => {
                "the gateway's answer to the authorisation, or the end of the hold"
            }
            Status::Confirmed(Capture::InFlight) => "the gateway's answer to the capture",
            Status::Confirmed(Capture::Failed { .. }) => "the customer, who may pay again",
            Status::Confirmed(Capture::Repaying { .. }) => {
                "the gateway's answer to the second payment"
            }
            Status::Paid => "the ticket document",
            Status::Completed if self.mailed_revision < self.ticket_revision => {
                "the ticket document of the positions that are left"
            }
            Status::Completed if self.lacks_document() => "the ticket document",
            Status::Cancelling => "the gateway, which is to close the payment",
            Status::Refunding => "the gateway, which is to give money back",
            Status::Expired | Status::PaymentFailed | Status::Cancelled | Status::Refunded => {
                match self.payment.intent {
                    crate::IntentState::Open => "the gateway, which is asked about late money",
                    crate::IntentState::Closing => "the gateway, which is to close the payment",
                    crate::IntentState::None
                    | crate::IntentState::Closed
                    | crate::IntentState::Captured => return None,
                }
            }
            Status::Waiting | Status::Completed | Status::Rejected => return None,
        })
    }
}
