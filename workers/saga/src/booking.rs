//! The state of a booking, as the database keeps it.

use boxoffice_contracts::{
    BookingId, Code, Currency, Instant, OperationId, RefundId, ShowId,
    message::booking::{CancelledBy, LatePolicy, Tender},
};
use serde::{Deserialize, Serialize};

/// Everything that decisions about a booking depend on. No personal data.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Booking {
    pub id: BookingId,
    pub show_id: ShowId,
    /// Number of decisions taken; every advance and every rejection adds one.
    pub version: u32,
    pub status: Status,
    /// When the status was entered or its command last re-sent: deadlines count from here.
    pub since: Instant,
    /// How often the current command was re-sent without an answer; spaces the next one out.
    #[serde(default)]
    pub resends: u16,
    /// Fencing number of the hold: a claim of an older epoch never confirms.
    pub epoch: u32,
    pub currency: Currency,
    pub positions: Vec<Position>,
    pub hold: Option<Hold>,
    /// What pays, for all attempts; rows of the time before tenders have none, and paid by card.
    #[serde(default)]
    pub tender: Tender,
    pub payment: Payment,
    #[serde(default)]
    pub refunds: Vec<Refund>,
    /// A cancellation that waits for money to come to rest.
    #[serde(default)]
    pub pending_cancel: Option<PendingCancel>,
    pub late_policy: LatePolicy,
    pub refund_policy: RefundPolicy,
    /// Rises when the set of valid tickets changes; 0 before any was issued.
    #[serde(default)]
    pub ticket_revision: u16,
    /// The revision whose document is known to be stored; behind [`Self::ticket_revision`] it is ordered again.
    #[serde(default)]
    pub rendered_revision: u16,
    /// The revision that the last confirmation mail was ordered for.
    #[serde(default)]
    pub mailed_revision: u16,
    /// Copies of that mail which staff ordered.
    #[serde(default)]
    pub mail_copies: u16,
    /// Why it was rejected or failed.
    #[serde(default)]
    pub code: Option<Code>,
    /// Why a person must look at it.
    #[serde(default)]
    pub attention: Option<Attention>,
    #[serde(default)]
    pub disputed: bool,
}

/// Where a booking stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The show's admission cap is reached; the place is known. (Reserved for the waiting room.)
    Waiting,
    /// Seats are claimed and the price is fixed; waits for a payment.
    Held,
    /// An attempt to pay is in progress.
    Authorizing(Phase),
    /// The pivot: funds reserved, seats sold. From here only forward.
    Confirmed(Capture),
    /// Captured, or nothing to pay; tickets are issued.
    Paid,
    /// Tickets are valid; documents are made or due.
    Completed,
    /// Seats are free again; the intent is being closed.
    Cancelling,
    /// Tickets are void and seats free; money is on its way back.
    Refunding,
    Rejected,
    PaymentFailed,
    Expired,
    Cancelled,
    Refunded,
}

/// What an attempt in progress waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The gateway's answer.
    InFlight,
    /// The customer, who must pass 3-D Secure or finish with the gateway.
    ActionRequired,
    /// The gateway gave no answer. It is asked again; nothing is compensated on a guess.
    Unknown,
}

/// What a confirmed booking waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// The gateway's answer to the capture.
    InFlight,
    /// The authorisation is gone: the customer may pay again until then.
    Failed { pay_again_until: Instant },
    /// A new attempt after a failed capture is in progress.
    Repaying {
        pay_again_until: Instant,
        phase: Phase,
    },
}

/// One seat or admission of a booking.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Position {
    /// From 1.
    pub no: u16,
    /// Minor units of the booking's currency.
    pub price_minor: i64,
    /// Kept back when it is cancelled by the customer; minor units.
    #[serde(default)]
    pub retained_minor: i64,
    /// Not cancelled.
    pub live: bool,
}

/// The life of a hold. Nothing that a client does moves `cap_at`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Hold {
    pub first_held_at: Instant,
    /// What the customer is shown.
    pub expires_at: Instant,
    /// A payment that began before `expires_at` is honoured until here; shown to nobody.
    pub grace_until: Instant,
    /// The absolute end, counted from `first_held_at`.
    pub cap_at: Instant,
}

/// What is known of the booking's money.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Payment {
    /// Number of the last attempt begun; 0 before the first.
    pub attempt: u16,
    /// Attempts begun under the present hold or pay-again window.
    #[serde(default)]
    pub attempts_in_hold: u16,
    /// Number of the intent, 1 for the first; another one only after a failed capture ended the former.
    #[serde(default)]
    pub generation: u16,
    /// First attempt on the present intent: answers about earlier ones concern an intent that is closed.
    #[serde(default)]
    pub first_attempt: u16,
    pub intent: IntentState,
    /// Minor units.
    #[serde(default)]
    pub captured_minor: i64,
    /// Refunded at the gateway without an order of ours; minor units.
    #[serde(default)]
    pub refunded_outside_minor: i64,
}

/// The intent at the gateway, as far as the saga ordered or learned it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentState {
    /// None was ever ordered.
    #[default]
    None,
    /// It may be confirmed by an attempt.
    Open,
    /// A void is ordered: nothing authorises, captures or revives it any more.
    Closing,
    /// The gateway shows it as canceled.
    Closed,
    Captured,
}

/// Money that goes back, one line per order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Refund {
    pub id: RefundId,
    pub operation_id: Option<OperationId>,
    /// Positions that it pays back; a position is in at most one refund.
    pub positions: Vec<u16>,
    pub amount_minor: i64,
    pub state: RefundState,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    Requested,
    Succeeded,
    /// Refused for good by the gateway; a person must act.
    Failed,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PendingCancel {
    pub operation_id: OperationId,
    /// All when absent.
    pub positions: Option<Vec<u16>>,
    pub by: CancelledBy,
}

/// The show's rules for refunds as they were when the booking was made.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RefundPolicy {
    /// Customers cannot cancel a paid booking after this.
    pub cancel_until: Instant,
    /// Kept per cancelled position, at most its price; minor units.
    pub fee_minor: i64,
}

/// Why a person must look.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    AmountMismatch,
    CaptureFailed,
    CapturedWithoutSeats,
    RefundFailed,
    RefundedOutside,
}

impl Status {
    /// As tables, messages and GET write it. Phases are told apart by [`Status::phase`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Authorizing(_) => "authorizing",
            Self::Confirmed(_) => "confirmed",
            Self::Paid => "paid",
            Self::Completed => "completed",
            Self::Cancelling => "cancelling",
            Self::Refunding => "refunding",
            Self::Rejected => "rejected",
            Self::PaymentFailed => "payment_failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// The sub-state that a customer may see.
    #[must_use]
    pub const fn phase(self) -> Option<&'static str> {
        match self {
            Self::Authorizing(Phase::ActionRequired) => Some("action_required"),
            Self::Authorizing(Phase::Unknown) => Some("unknown"),
            Self::Confirmed(Capture::Failed { .. }) => Some("capture_failed"),
            Self::Confirmed(Capture::Repaying { phase, .. }) => match phase {
                Phase::ActionRequired => Some("action_required"),
                Phase::InFlight | Phase::Unknown => Some("repaying"),
            },
            Self::Authorizing(Phase::InFlight)
            | Self::Confirmed(Capture::InFlight)
            | Self::Waiting
            | Self::Held
            | Self::Paid
            | Self::Completed
            | Self::Cancelling
            | Self::Refunding
            | Self::Rejected
            | Self::PaymentFailed
            | Self::Expired
            | Self::Cancelled
            | Self::Refunded => None,
        }
    }

    /// Nothing more will happen by itself, except to late money.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::PaymentFailed | Self::Expired | Self::Cancelled | Self::Refunded
        )
    }
}

impl Attention {
    pub const ALL: [Self; 5] = [
        Self::AmountMismatch,
        Self::CaptureFailed,
        Self::CapturedWithoutSeats,
        Self::RefundFailed,
        Self::RefundedOutside,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmountMismatch => "amount_mismatch",
            Self::CaptureFailed => "capture_failed",
            Self::CapturedWithoutSeats => "captured_without_seats",
            Self::RefundFailed => "refund_failed",
            Self::RefundedOutside => "refunded_outside",
        }
    }
}
