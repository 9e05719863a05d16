//! When a booking wants a `Tick`. The shell keeps it in an indexed column; no timer lives in memory.

use crate::{
    Booking, Capture, IntentState, Phase, Policy, Status,
    booking::{Hold, RefundState},
};
use boxoffice_contracts::Instant;
use chrono::{DateTime, TimeDelta, Utc};

impl Booking {
    /// The next deadline, or none at rest.
    ///
    /// Every advance that a `Tick` brings moves it past that tick: a due row cannot spin.
    #[must_use]
    pub fn wake_at(&self, policy: &Policy) -> Option<Instant> {
        match self.status {
            Status::Held => Some(self.held_until()),
            Status::Authorizing(phase) => {
                let answer_by = match phase {
                    Phase::InFlight => after(self.since, policy.authorize_answer_secs),
                    Phase::ActionRequired => after(self.since, policy.action_secs),
                    Phase::Unknown => self.resend_at(policy),
                };
                Some(answer_by.min(self.cap_at()))
            }
            Status::Confirmed(Capture::InFlight) | Status::Cancelling => {
                Some(self.resend_at(policy))
            }
            Status::Confirmed(Capture::Failed { pay_again_until }) => {
                let closed_by = self.close_again_at(policy).unwrap_or(pay_again_until);
                Some(closed_by.min(pay_again_until))
            }
            Status::Confirmed(Capture::Repaying {
                pay_again_until, ..
            }) => {
                let answer_by = if self.resends == 0 {
                    after(self.since, policy.authorize_answer_secs)
                } else {
                    self.resend_at(policy)
                };
                Some(answer_by.min(repaid_by(pay_again_until, policy)))
            }
            Status::Paid => Some(after(self.since, policy.document_wait_secs)),
            // The mail waits for the document of the new revision, but not for ever.
            Status::Completed if self.mailed_revision < self.ticket_revision => {
                Some(after(self.since, policy.document_wait_secs))
            }
            Status::Completed if self.lacks_document() => Some(self.resend_at(policy)),
            Status::Refunding => {
                let running = |r: &crate::booking::Refund| r.state == RefundState::Requested;
                Some(if self.refunds.iter().any(running) {
                    self.resend_at(policy)
                } else {
                    after(self.since, policy.refund_retry_secs.max(1))
                })
            }
            // An intent that may still reserve or take money is not at rest.
            Status::Expired | Status::PaymentFailed | Status::Cancelled | Status::Refunded => {
                match self.payment.intent {
                    IntentState::Open => Some(self.resend_at(policy)),
                    IntentState::Closing => self.close_again_at(policy),
                    IntentState::None | IntentState::Closed | IntentState::Captured => None,
                }
            }
            Status::Waiting | Status::Completed | Status::Rejected => None,
        }
    }

    /// Tickets are valid, and nobody said that their document is stored.
    #[must_use]
    pub fn lacks_document(&self) -> bool {
        self.rendered_revision < self.ticket_revision && self.positions_live() > 0
    }

    /// When the seats of an unpaid hold are given back. A held booking without a hold is over at once.
    pub(crate) fn held_until(&self) -> Instant {
        self.hold
            .as_ref()
            .map_or(self.since, |Hold { grace_until, .. }| *grace_until)
    }

    /// When the seats are given back whatever the gateway says.
    pub(crate) fn cap_at(&self) -> Instant {
        self.hold
            .as_ref()
            .map_or(self.since, |Hold { cap_at, .. }| *cap_at)
    }

    /// When the void that is under way is ordered again.
    fn close_again_at(&self, policy: &Policy) -> Option<Instant> {
        (self.payment.intent == IntentState::Closing).then(|| self.resend_at(policy))
    }

    /// When the current command is sent again: waits double up to a limit, so an outage is no storm.
    fn resend_at(&self, policy: &Policy) -> Instant {
        let doubled = policy
            .resend_secs
            .max(1)
            .saturating_mul(1 << self.resends.min(16));
        after(self.since, doubled.min(policy.resend_max_secs.max(1)))
    }
}

/// A payment that begins at the last moment of the pay-again window still gets its answer.
pub(crate) fn repaid_by(pay_again_until: Instant, policy: &Policy) -> Instant {
    after(pay_again_until, policy.authorize_answer_secs)
}

/// Saturates at the end of time: configuration and the database's clock come from outside.
pub(crate) fn after(instant: Instant, secs: u32) -> Instant {
    instant
        .checked_add_signed(TimeDelta::seconds(i64::from(secs)))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
