//! The payment gateway as the payments worker needs it: a narrow port with types of our own.
//!
//! Every call that changes something takes an idempotency key, which was committed before. No implementation
//! retries by itself: what to do about a missing answer is the worker's decision.

pub mod balance;
pub mod config;
pub mod instant;
pub mod stripe;
mod stripe_http;
mod stripe_view;

pub use config::{GatewayConfig, GatewayKind};

use boxoffice_contracts::{BookingId, Currency, Instant, Money, RefundId};
use std::{fmt, sync::Arc};

/// Metadata that every object of ours carries, so that it is found again without its id.
pub mod metadata {
    pub const BOOKING_ID: &str = "booking_id";
    /// The generation of the intent: a booking whose capture failed gets another intent.
    pub const GENERATION: &str = "generation";
    pub const REFUND_ID: &str = "refund_id";
}

/// What the worker asks of a gateway.
#[async_trait::async_trait]
pub trait Gateway: Send + Sync + fmt::Debug {
    async fn create(&self, key: &str, new: &NewPayment) -> Result<IntentView, GatewayError>;
    async fn confirm(&self, key: &str, id: &str, method: &str) -> Result<IntentView, GatewayError>;
    async fn capture(&self, key: &str, id: &str, minor: i64) -> Result<IntentView, GatewayError>;
    async fn cancel(&self, key: &str, id: &str) -> Result<IntentView, GatewayError>;
    async fn retrieve(&self, id: &str) -> Result<IntentView, GatewayError>;

    /// Looks a payment up by its metadata among those created since `since`. `None`: there is none.
    async fn find(
        &self,
        booking: BookingId,
        generation: u16,
        since: Instant,
    ) -> Result<Option<IntentView>, GatewayError>;

    async fn refund(&self, key: &str, new: &NewRefund) -> Result<RefundView, GatewayError>;
    async fn retrieve_refund(&self, id: &str) -> Result<RefundView, GatewayError>;

    /// All refunds of a payment, whoever made them.
    async fn list_refunds(&self, intent: &str) -> Result<Vec<RefundView>, GatewayError>;

    /// Whether the gateway answers at all.
    async fn probe(&self) -> bool;
}

/// The gateway that the configuration names.
///
/// # Errors
/// When the configuration can't be used; the text says which key and holds no secret.
pub fn build(config: &GatewayConfig) -> Result<Arc<dyn Gateway>, String> {
    Ok(match config.kind {
        GatewayKind::Stripe => Arc::new(stripe::Stripe::new(config)?),
        GatewayKind::Instant => Arc::new(instant::Instantly),
    })
}

/// A payment to be created: nothing in it names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    pub booking: BookingId,
    pub generation: u16,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    pub booking: BookingId,
    pub refund: RefundId,
    pub intent: String,
    pub minor: i64,
}

/// What the gateway says about a payment.
#[derive(Clone, PartialEq, Eq)]
pub struct IntentView {
    pub id: String,
    pub status: IntentStatus,
    pub amount: i64,
    pub amount_capturable: i64,
    pub amount_received: i64,
    /// `None` when it isn't three letters.
    pub currency: Option<Currency>,
    /// For the owner's GET only.
    pub client_secret: Option<String>,
    pub action_url: Option<String>,
    /// Why the last confirm failed.
    pub last_error: Option<CardError>,
    /// Our metadata on it.
    pub booking: Option<BookingId>,
    pub generation: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
    /// One that this program does not know.
    Other,
}

/// The bank's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardError {
    pub code: String,
    pub decline_code: Option<String>,
}

impl CardError {
    /// The more telling of the two.
    #[must_use]
    pub fn word(&self) -> &str {
        self.decline_code.as_deref().unwrap_or(&self.code)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundView {
    pub id: String,
    pub status: RefundStatus,
    pub minor: i64,
    pub failure: Option<String>,
    /// Our metadata on it; one made by hand has none.
    pub refund: Option<RefundId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// The gateway or the customer's bank works on it.
    Pending,
    Succeeded,
    Failed,
}

/// Why a call brought no object. The classes differ in what is known about the effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The bank said no; nothing was reserved or taken.
    #[error("declined: {}", .error.code)]
    Declined { error: CardError },
    /// The request is not possible; it had no effect.
    #[error("refused: {code} ({status})")]
    Refused { code: String, status: u16 },
    /// The gateway doesn't know us. No effect, for any message.
    #[error("credentials refused ({status})")]
    Credentials { status: u16 },
    /// Nothing was sent.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Sent, and nothing came back in time.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The gateway failed, perhaps after the effect.
    #[error("server error {status}")]
    ServerError { status: u16 },
    /// Turned away before anything happened.
    #[error("rate limited")]
    RateLimited,
    /// Another request works on this key or this object.
    #[error("in use")]
    InUse,
    /// The key was used with other parameters: a mistake of ours.
    #[error("key reused with other parameters")]
    KeyReused,
}

impl fmt::Debug for IntentView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntentView")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("amount", &self.amount)
            .field("amount_capturable", &self.amount_capturable)
            .field("amount_received", &self.amount_received)
            .field("currency", &self.currency)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}
