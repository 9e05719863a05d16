//! Facts about bookings, past tense, for any number of consumers.

use crate::{BookingId, Code, Instant, ShowId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! facts {
    ($($name:ident),+ $(,)?) => {$(
        #[doc = concat!("See the catalogue for `", stringify!($name), "`.")]
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub BookingFact);
    )+};
}

facts!(
    ActionRequired,
    AttentionNeeded,
    Cancelled,
    Completed,
    Confirmed,
    Declined,
    Expired,
    Held,
    OperationRefused,
    Paid,
    PaymentFailed,
    PaymentStarted,
    PositionsCancelled,
    Refunded,
    Rejected,
);

/// Something about a booking was written down that no other event tells. Timelines look at it; the state of the
/// booking did not change in a way that concerns others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub booking_id: BookingId,
    pub part: Part,
    /// Version of the booking after a decision; 0 for other parts.
    pub version: u32,
    pub at: Instant,
}

/// What was written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A step that announces nothing to anybody else.
    Decision,
    /// A call to the gateway.
    Call,
    /// A ticket document.
    Document,
    Mail,
}

/// What every event of a booking says: ids, the state reached and why. No personal data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BookingFact {
    pub booking_id: BookingId,
    pub show_id: ShowId,
    /// Version of the booking after the step; consumers order by it.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Status after the step, as GET shows it.
    pub status: String,
    pub at: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}
