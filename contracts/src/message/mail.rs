//! Commands to the mail worker.

use crate::BookingId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sends a mail. Whether it is still true is checked when it is sent, not when it was ordered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub booking_id: BookingId,
    pub template: Template,
    /// A new revision is a new mail; the same one is never sent twice.
    #[schemars(range(min = 1))]
    pub revision: u16,
}

/// The mails there are. The list grows: a worker that is older than a template parks the order for it.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
pub enum Template {
    /// Tickets, or the ones that remain after some were cancelled.
    Confirmation,
    /// The hold lapsed.
    Expired,
    /// Attempts to pay ended without success.
    PaymentFailed,
    /// Cancelled, and nothing had been taken.
    Cancelled,
    /// Money went back.
    Refunded,
    /// Late money could not be honoured and went back.
    Apology,
    /// The capture failed; a link to pay again.
    PayAgain,
    /// The confirmation once more, because staff ordered a copy; the revision counts the copies.
    ConfirmationAgain,
}

impl Template {
    pub const ALL: [Self; 8] = [
        Self::Confirmation,
        Self::Expired,
        Self::PaymentFailed,
        Self::Cancelled,
        Self::Refunded,
        Self::Apology,
        Self::PayAgain,
        Self::ConfirmationAgain,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Expired => "expired",
            Self::PaymentFailed => "payment_failed",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::Apology => "apology",
            Self::PayAgain => "pay_again",
            Self::ConfirmationAgain => "confirmation_again",
        }
    }

    /// Whether it brings the tickets.
    #[must_use]
    pub const fn brings_tickets(self) -> bool {
        matches!(self, Self::Confirmation | Self::ConfirmationAgain)
    }
}
