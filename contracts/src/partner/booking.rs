//! Bookings as partners command them, and what they are told about them.

use crate::{
    BookingId, Code, Instant, ShowId,
    message::booking::{CancelReason, Customer, LatePolicy, PaymentMethod, PositionRequest},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most characters of a partner's own name for a booking.
pub const REFERENCE_CHARS_MAX: usize = 64;

/// Books seats of a show. The booking's id is derived from the partner and the message's `idempotencykey`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    pub show_id: ShowId,
    /// At most 10 places in all, no seat twice.
    #[schemars(length(min = 1, max = 10))]
    pub positions: Vec<PositionRequest>,
    pub customer: Customer,
    /// What pays. The credit of the partner when neither this nor `payment` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tender: Option<PartnerTender>,
    /// The customer's card, by a method of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentMethod>,
    #[serde(default)]
    pub late_policy: LatePolicy,
    /// What the partner calls the booking; repeated in everything that is told about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub reference: Option<String>,
}

/// What pays for a booking of a partner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
pub enum PartnerTender {
    /// The credit that the house gives to the partner; the booking is paid as soon as its seats are held.
    PartnerCredit,
    /// The card of the customer.
    Card,
}

impl Submit {
    /// What pays.
    #[must_use]
    pub fn tender(&self) -> PartnerTender {
        match (self.tender, &self.payment) {
            (Some(tender), _) => tender,
            (None, Some(_)) => PartnerTender::Card,
            (None, None) => PartnerTender::PartnerCredit,
        }
    }
}

/// Cancels a booking of the partner, or some of its positions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    pub booking_id: BookingId,
    /// Numbers of positions, from 1, none twice; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10))]
    pub positions: Option<Vec<u16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(min = 1, max = 200))]
    pub reason: Option<CancelReason>,
}

/// What became of a booking of the partner: ids, the state reached and why. No personal data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BookingEvent {
    pub booking_id: BookingId,
    /// What the partner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub show_id: ShowId,
    /// Never falls from one event of the booking to the next; events of one step share it. What has a lower one is
    /// older news.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Status after the step, as GET shows it.
    pub status: String,
    pub at: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}
