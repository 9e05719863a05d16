//! What should happen, in the customer's language. One `match` in the shell makes it rows and messages.

use boxoffice_contracts::{Code, OperationId, RefundId, message::mail::Template};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Claim the seats and admissions of all live positions for this epoch.
    Claim {
        epoch: u32,
    },
    /// Turn the claims of this epoch into sold ones.
    Sell {
        epoch: u32,
    },
    /// Give the seats and admissions of these positions back.
    Free {
        positions: Vec<u16>,
    },
    /// Write attempt `attempt` on intent `generation` and order its authorisation.
    Authorize {
        attempt: u16,
        generation: u16,
        method: Option<String>,
    },
    /// Ask the gateway what is true.
    Reconcile {
        attempt: u16,
    },
    /// Take the reserved funds.
    Capture {
        amount_minor: i64,
    },
    /// Mark the intent as closing and order its void.
    CloseIntent,
    /// Order a refund, or order it again.
    Refund {
        refund: RefundId,
        operation: Option<OperationId>,
        amount_minor: i64,
        positions: Vec<u16>,
    },
    /// Insert the tickets of all live positions.
    IssueTickets {
        revision: u16,
    },
    /// Void the tickets of these positions; the shell compares and sets, a scanned one was excluded before.
    VoidTickets {
        positions: Vec<u16>,
    },
    /// Make the ticket document of this revision.
    Render {
        revision: u16,
    },
    Mail {
        template: Template,
        revision: u16,
    },
    /// Write the outcome of a customer's command.
    Settle {
        operation: OperationId,
        outcome: Outcome,
    },
    /// Tell everybody.
    Announce(Fact),
}

/// How a customer's command ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Done,
    /// Recorded; it is taken when money has come to rest.
    Pending,
    Refused(Code),
}

/// Kinds of events, one per `booking.*.v1` event of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fact {
    Held,
    PaymentStarted,
    ActionRequired,
    Declined,
    Confirmed,
    Paid,
    Completed,
    Rejected,
    PaymentFailed,
    Expired,
    Cancelled,
    PositionsCancelled,
    Refunded,
    OperationRefused,
    AttentionNeeded,
}

impl Effect {
    /// As `booking_events` and the generated table write it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Claim { .. } => "claim",
            Self::Sell { .. } => "sell",
            Self::Free { .. } => "free",
            Self::Authorize { .. } => "authorize",
            Self::Reconcile { .. } => "reconcile",
            Self::Capture { .. } => "capture",
            Self::CloseIntent => "close_intent",
            Self::Refund { .. } => "refund",
            Self::IssueTickets { .. } => "issue_tickets",
            Self::VoidTickets { .. } => "void_tickets",
            Self::Render { .. } => "render",
            Self::Mail { .. } => "mail",
            Self::Settle { .. } => "settle",
            Self::Announce(_) => "announce",
        }
    }
}
