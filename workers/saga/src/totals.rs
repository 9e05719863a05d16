//! What a booking counts and sums up; minor units of its currency.

use crate::{Booking, booking::RefundState};

impl Booking {
    /// What the valid positions cost, in minor units: what an attempt authorises and a capture takes.
    ///
    /// Only live positions count. Before money moves a cancelled position is simply not paid for; afterwards
    /// its price went back or is [`Position::retained_minor`]. So at rest captured − refunded = this + retained.
    #[must_use]
    pub fn total_minor(&self) -> i64 {
        sum(self
            .positions
            .iter()
            .filter(|p| p.live)
            .map(|p| p.price_minor))
    }

    /// How many positions are not cancelled.
    #[must_use]
    pub fn positions_live(&self) -> usize {
        self.positions.iter().filter(|p| p.live).count()
    }

    /// Kept back from cancelled positions; minor units.
    #[must_use]
    pub fn retained_minor(&self) -> i64 {
        sum(self.positions.iter().map(|p| p.retained_minor))
    }

    /// Minor units that can still go back: what was taken and neither went back nor is on its way.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        self.payment
            .captured_minor
            .saturating_sub(self.refunds_ordered_minor())
            .saturating_sub(self.payment.refunded_outside_minor)
            .max(0)
    }

    /// Numbers of the positions that are not cancelled.
    #[must_use]
    pub fn live_positions(&self) -> Vec<u16> {
        self.positions
            .iter()
            .filter(|p| p.live)
            .map(|p| p.no)
            .collect()
    }

    /// Minor units that went back or are on their way. A failed line is ordered again, so it counts.
    #[must_use]
    pub fn refunds_ordered_minor(&self) -> i64 {
        sum(self.refunds.iter().map(|r| r.amount_minor))
    }

    /// Minor units that went back by our order.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        sum(self
            .refunds
            .iter()
            .filter(|r| r.state == RefundState::Succeeded)
            .map(|r| r.amount_minor))
    }
}

/// Saturates: prices come from outside, and the saga cannot fail.
fn sum(minors: impl Iterator<Item = i64>) -> i64 {
    minors.fold(0, i64::saturating_add)
}
