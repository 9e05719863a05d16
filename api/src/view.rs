//! What GET shows of a booking.

use crate::{alternatives::Alternatives, words};
use boxoffice_contracts::{
    BookingId, Code, Currency, Instant, Money, OperationId, ShowId, message::booking::Tender,
};
use boxoffice_store::mysql::status::{OperationStatus, PositionStatus};
use schemars::JsonSchema;
use serde::Serialize;

/// A booking as its owner, or the house, sees it. Outcomes are data, not HTTP errors.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Booking")]
pub(crate) struct BookingView {
    pub id: BookingId,
    /// What people say on the telephone.
    pub reference: String,
    #[schemars(extend("enum" = words::STATUSES))]
    pub status: String,
    /// What a status waits for, where that matters to the client.
    #[schemars(extend("enum" = words::or_null(&words::PHASES)))]
    pub phase: Option<String>,
    /// Rises with every decision; 0 before the first.
    pub version: u32,
    /// Why it was rejected or failed.
    pub code: Option<Code>,
    /// Why a person should look; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    pub server_time: Instant,
    /// What is known once it is decided.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    pub links: Links,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Decided {
    pub show_id: ShowId,
    pub positions: Vec<PositionView>,
    pub total: Money,
    pub currency: Currency,
    /// What pays: the customer's card, or the credit of the partner that sold it.
    pub tender: Tender,
    pub captured: Money,
    pub refunded: Money,
    /// Until when a payment may begin; none when nothing is held any more.
    pub hold_expires_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentView>,
    /// Every command on this booking with its outcome.
    pub operations: Vec<OperationView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickets: Option<TicketsView>,
    /// When the seats were taken: what is free now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternatives: Option<Alternatives>,
}

/// A seat, or a place without a number, of a booking.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Position")]
pub(crate) struct PositionView {
    /// From 1; what a cancellation names it by.
    pub no: u16,
    pub seat_id: Option<String>,
    pub row: Option<String>,
    pub number: Option<String>,
    pub category: String,
    pub price: Money,
    /// Not cancelled.
    pub live: bool,
}

/// Shown to the owner only, and only while the customer has something to do.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "Payment")]
pub(crate) struct PaymentView {
    pub attempt: u16,
    #[schemars(extend("const" = "action_required"))]
    pub state: String,
    /// For the gateway's own library in the customer's browser.
    pub client_secret: Option<String>,
    /// Where the customer passes 3-D Secure, when the gateway wants that.
    pub action_url: Option<String>,
}

/// A command and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Operation")]
pub(crate) struct OperationView {
    pub id: OperationId,
    #[schemars(extend("enum" = words::OPERATIONS))]
    pub kind: String,
    /// `pending` waits for money to come to rest.
    #[schemars(extend("enum" = words::OUTCOMES))]
    pub outcome: String,
    /// Why it was refused: one of the catalogue.
    pub code: Option<String>,
    pub at: Instant,
}

/// Where the documents are, once there are any.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Tickets")]
pub(crate) struct TicketsView {
    pub pdf: String,
}

/// Relative addresses. While a booking is queued they carry the proof that it is on its way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Links {
    #[serde(rename = "self")]
    pub this: String,
    pub events: String,
    pub payment: String,
    pub cancel: String,
    /// Open without a token, for a while: for the owner's eyes and mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickets_pdf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickets_ics: Option<String>,
}

impl BookingView {
    /// Whether the next move is somebody else's than ours, or there is none.
    pub(crate) fn is_at_rest(&self) -> bool {
        if self
            .decided
            .as_ref()
            .is_some_and(|decided| decided.payment.is_some())
        {
            return true;
        }
        match (self.status.as_str(), self.phase.as_deref()) {
            ("queued" | "paid" | "cancelling" | "refunding", _) => false,
            ("authorizing", phase) => phase == Some("action_required"),
            ("confirmed", phase) => phase == Some("capture_failed"),
            _ => true,
        }
    }

    pub(crate) fn is_undecided(&self) -> bool {
        self.decided.is_none() && self.code.is_none()
    }

    /// Whether a command has its last word. `pending` waits for money to come to rest.
    pub(crate) fn has_outcome(&self, operation: OperationId) -> bool {
        self.decided.as_ref().is_some_and(|decided| {
            decided
                .operations
                .iter()
                .any(|o| o.id == operation && o.outcome != "pending")
        })
    }
}

impl Links {
    pub(crate) fn of(id: BookingId, proof: Option<&str>) -> Self {
        let proof = proof
            .map(|proof| format!("?proof={proof}"))
            .unwrap_or_default();
        let link = |path: &str| format!("/v1/bookings/{id}{path}{proof}");
        Self {
            this: link(""),
            events: link("/events"),
            payment: link("/payment"),
            cancel: link("/cancel"),
            tickets_pdf: None,
            tickets_ics: None,
        }
    }
}

impl PositionView {
    pub(crate) fn of(position: &PositionStatus, currency: Currency) -> Self {
        Self {
            no: position.no,
            seat_id: position.seat_id.clone(),
            row: position.row.clone(),
            number: position.number.clone(),
            category: position.category.clone(),
            price: Money::new(position.price_minor, currency),
            live: position.live,
        }
    }
}

impl OperationView {
    pub(crate) fn of(operation: &OperationStatus) -> Self {
        Self {
            id: operation.id,
            kind: operation.kind.clone(),
            outcome: operation.outcome.clone(),
            code: operation.code.clone(),
            at: operation.at,
        }
    }
}

impl std::fmt::Debug for PaymentView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PaymentView")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_the_proof_and_nothing_else() {
        let id: BookingId = "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11".parse().unwrap();
        let links = Links::of(id, Some("1.a.b"));
        assert_eq!(
            links.events,
            format!("/v1/bookings/{id}/events?proof=1.a.b")
        );
        assert_eq!(Links::of(id, None).this, format!("/v1/bookings/{id}"));
    }
}
