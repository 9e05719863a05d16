//! Commands that customers, staff and partners give on bookings.

use crate::{BookingId, Instant, OperationId, Owner, Role, SeatId, ShowId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most positions that one booking may have.
pub const POSITIONS_MAX: usize = 10;

/// Books seats of a show. The booking's id is derived from who asks and their idempotency key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    pub booking_id: BookingId,
    pub operation_id: OperationId,
    pub owner: Owner,
    pub show_id: ShowId,
    #[schemars(length(min = 1, max = 10))]
    pub positions: Vec<PositionRequest>,
    pub customer: Customer,
    /// Pays at once when the seats are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentMethod>,
    /// What pays. With `partner_credit` the booking is paid at once when the seats are held, and names no method.
    #[serde(default, skip_serializing_if = "Tender::is_card")]
    #[schemars(extend("default" = "card"))]
    pub tender: Tender,
    #[serde(default)]
    pub late_policy: LatePolicy,
    /// SHA-256 of the canonical request, in hex: tells a repetition from a reused key.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub request_hash: String,
    /// Given up, with `deadline_exceeded`, when not decided by then.
    pub deadline: Instant,
}

/// A seat by name, or a number of places of a category without numbered seats.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PositionRequest {
    Seat(SeatRequest),
    Admission(AdmissionRequest),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatRequest {
    pub seat_id: SeatId,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmissionRequest {
    #[schemars(length(min = 1, max = 64))]
    pub category: String,
    #[schemars(range(min = 1, max = 10))]
    pub count: u8,
}

/// Who the tickets are for. Personal data: printed to nobody but the customer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    #[schemars(length(min = 3, max = 254))]
    pub email: String,
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// BCP 47 language tag of mails and documents.
    #[schemars(length(min = 2, max = 35))]
    pub locale: String,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Customer(***)")
    }
}

/// How to pay: a payment method of the gateway, never a card number.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentMethod {
    /// The gateway's id of the method, such as `pm_card_visa`.
    #[schemars(regex(pattern = "^pm_[A-Za-z0-9_]{1,120}$"))]
    pub method: String,
}

impl PaymentMethod {
    /// Whether the id has the shape that the schema asks for.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.method.strip_prefix("pm_").is_some_and(|rest| {
            (1..=120).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    }
}

/// What pays for a booking, from its first attempt to its last refund.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tender {
    /// The customer's own card, by the gateway.
    #[default]
    Card,
    /// The credit that the house gives to the partner that sells.
    PartnerCredit,
}

impl Tender {
    pub const ALL: [Self; 2] = [Self::Card, Self::PartnerCredit];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::PartnerCredit => "partner_credit",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tender| tender.as_str() == text)
    }

    /// Not written down: whoever is older than tenders reads what it always read.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands a reference to it"
    )]
    #[must_use]
    pub const fn is_card(&self) -> bool {
        matches!(self, Self::Card)
    }
}

/// What to do with money that arrives after the hold lapsed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// Claim the same seats again if they are free, else give the money back.
    #[default]
    SameSeats,
    /// Always give the money back.
    Refuse,
}

/// Pays a held booking, or begins a payment that the client finishes with the gateway itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    pub booking_id: BookingId,
    pub operation_id: OperationId,
    /// Without one the owner's GET shows a client secret to finish with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentMethod>,
    /// When it was accepted at the door: a payment begun before the shown end of the hold is honoured, however
    /// long it queued, until the hidden grace ends.
    pub accepted_at: Instant,
    pub deadline: Instant,
}

/// Cancels a booking, or the named positions of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    pub booking_id: BookingId,
    pub operation_id: OperationId,
    /// Numbers of positions, from 1; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10))]
    pub positions: Option<Vec<u16>>,
    pub by: CancelledBy,
    /// Why, in the words of whoever cancelled; kept with the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(min = 1, max = 200))]
    pub reason: Option<CancelReason>,
    pub deadline: Instant,
}

/// Free text of a person, who may have written anything: never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct CancelReason(String);

impl CancelReason {
    /// Most characters that are kept.
    pub const CHARS_MAX: usize = 200;

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Cuts to what is kept.
impl From<String> for CancelReason {
    fn from(text: String) -> Self {
        Self(text.chars().take(Self::CHARS_MAX).collect())
    }
}

impl fmt::Debug for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelReason(***)")
    }
}

/// On whose behalf a booking is cancelled: decides which refund policy applies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// By the policy that was snapshotted at purchase.
    Customer,
    /// Everything goes back.
    Staff,
    /// The show was cancelled: everything goes back, fees included.
    Show,
}

/// Staff mend a booking. Only what the booking's state allows is done; the rest is refused as its outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mend {
    pub booking_id: BookingId,
    pub operation_id: OperationId,
    pub action: MendAction,
    /// Who ordered it, for the audit.
    pub by: Owner,
    pub role: Role,
    /// Why, in their words; kept with the decision and in the audit.
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub reason: CancelReason,
    pub deadline: Instant,
}

/// What staff may order. The list grows: a worker that is older than an action parks the order for it.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
pub enum MendAction {
    /// Send the order that waits for its answer once more, now; or do what is due.
    Nudge,
    /// Ask the gateway what is true.
    Reconcile,
    /// Cancel all of it on behalf of the house: everything goes back.
    Cancel,
    /// Order the refunds again that the gateway refused.
    RetryRefund,
    /// Make the ticket document if it is missing.
    RenderTickets,
    /// Send the mail with the tickets once more.
    MailTickets,
    /// A person has looked; the booking needs no attention any more.
    Acknowledge,
}

impl MendAction {
    pub const ALL: [Self; 7] = [
        Self::Nudge,
        Self::Reconcile,
        Self::Cancel,
        Self::RetryRefund,
        Self::RenderTickets,
        Self::MailTickets,
        Self::Acknowledge,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nudge => "nudge",
            Self::Reconcile => "reconcile",
            Self::Cancel => "cancel",
            Self::RetryRefund => "retry_refund",
            Self::RenderTickets => "render_tickets",
            Self::MailTickets => "mail_tickets",
            Self::Acknowledge => "acknowledge",
        }
    }

    /// What it does, for people who choose.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Nudge => {
                "sends the order that waits for its answer once more, or does what is due"
            }
            Self::Reconcile => "asks the gateway what is true",
            Self::Cancel => "cancels all of it on behalf of the house; everything goes back",
            Self::RetryRefund => "orders the refunds again that the gateway refused",
            Self::RenderTickets => "makes the ticket document if it is missing",
            Self::MailTickets => "sends the mail with the tickets once more",
            Self::Acknowledge => "takes the mark away that a person must look",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}
