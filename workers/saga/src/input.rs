//! What can happen to a booking: a message, or a due row. The shell adds the facts that deciding needs.

use crate::booking::{Position, RefundPolicy};
use boxoffice_contracts::{
    BookingId, Code, Currency, Instant, Money, OperationId, RefundId, ShowId,
    message::booking::{CancelledBy, LatePolicy, MendAction, Tender},
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    Submit(Submit),
    Pay {
        operation: OperationId,
        method: Option<String>,
        /// Fact: when the door accepted it. A clock of ours that is ahead gains nothing.
        accepted_at: Instant,
        deadline: Instant,
    },
    Cancel {
        operation: OperationId,
        /// All when absent.
        positions: Option<Vec<u16>>,
        by: CancelledBy,
        deadline: Instant,
        /// Fact: positions whose ticket was scanned.
        scanned: Vec<u16>,
    },
    Authorized {
        attempt: u16,
        amount: Money,
        late: LateFacts,
    },
    ActionRequired {
        attempt: u16,
    },
    Declined {
        attempt: u16,
        code: Code,
    },
    Unknown {
        attempt: u16,
    },
    /// `generation` names the intent, here and below: every repetition of a void is answered, and an answer
    /// about the former intent may come while the next one is in use.
    Captured {
        generation: u16,
        amount: Money,
    },
    CaptureFailed {
        generation: u16,
        code: Code,
    },
    /// A GET shows the intent as canceled.
    Voided {
        generation: u16,
    },
    Refunded {
        refund: RefundId,
        amount: Money,
    },
    RefundFailed {
        refund: RefundId,
        code: Code,
    },
    RefundedOutside {
        amount: Money,
    },
    Disputed,
    Rendered {
        revision: u16,
    },
    /// Staff want something done.
    Mend(Mend),
    /// The row is due.
    Tick,
}

impl Input {
    /// As `booking_events` and the generated table write it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Pay { .. } => "pay",
            Self::Cancel { .. } => "cancel",
            Self::Authorized { .. } => "authorized",
            Self::ActionRequired { .. } => "action_required",
            Self::Declined { .. } => "declined",
            Self::Unknown { .. } => "unknown",
            Self::Captured { .. } => "captured",
            Self::CaptureFailed { .. } => "capture_failed",
            Self::Voided { .. } => "voided",
            Self::Refunded { .. } => "refunded",
            Self::RefundFailed { .. } => "refund_failed",
            Self::RefundedOutside { .. } => "refunded_outside",
            Self::Disputed => "disputed",
            Self::Rendered { .. } => "rendered",
            Self::Mend(mend) => mend.as_str(),
            Self::Tick => "tick",
        }
    }
}

/// An order of staff.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Mend {
    pub operation: OperationId,
    pub action: MendAction,
    pub deadline: Instant,
    /// Fact: positions whose ticket was scanned.
    pub scanned: Vec<u16>,
}

impl Mend {
    /// As the log of decisions writes it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self.action {
            MendAction::Nudge => "mend_nudge",
            MendAction::Reconcile => "mend_reconcile",
            MendAction::Cancel => "mend_cancel",
            MendAction::RetryRefund => "mend_retry_refund",
            MendAction::RenderTickets => "mend_render_tickets",
            MendAction::MailTickets => "mend_mail_tickets",
            MendAction::Acknowledge => "mend_acknowledge",
        }
    }
}

/// A submit with what the database says about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Submit {
    pub booking: BookingId,
    pub operation: OperationId,
    pub show: ShowId,
    pub deadline: Instant,
    pub late_policy: LatePolicy,
    /// Pays at once when the seats are held.
    pub method: Option<String>,
    /// Whether a payment was asked for with the submit, with a method or without.
    pub pays: bool,
    pub tender: Tender,
    /// Fact: a partner sells it, not the house.
    pub by_partner: bool,
    pub offer: Result<Offer, Code>,
}

/// What the show offers for the positions asked for. When it can't, the code says why.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Offer {
    pub currency: Currency,
    pub positions: Vec<Position>,
    /// Fact: no other booking claims any of the seats, and counters have room.
    pub seats_free: bool,
    pub hold_shown_secs: u32,
    pub hold_grace_secs: u32,
    pub hold_cap_secs: u32,
    pub sales_from: Instant,
    pub sales_until: Instant,
    pub cancelled: bool,
    pub refund_policy: RefundPolicy,
}

/// What decides whether late money may be honoured. Read after the locks are taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LateFacts {
    /// The booking's own seats are free, all of them.
    pub seats_free: bool,
    /// The show is on sale and not cancelled.
    pub on_sale: bool,
    /// The prices are those of the booking.
    pub price_unchanged: bool,
}
