//! A PaymentIntent as the ledger keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::secs;
use crate::objects::new_id;
use crate::table::Row;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Succeeded,
    Canceled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaptureMethod {
    Automatic,
    Manual,
}

/// One PaymentIntent with everything the judge wants to know about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) client_secret: String,
    pub(crate) status: Status,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) capture_method: CaptureMethod,
    pub(crate) description: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) payment_method: Option<String>,
    pub(crate) amount_capturable: i64,
    pub(crate) amount_received: i64,
    pub(crate) created: i64,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) last_error: Option<CardError>,
    pub(crate) return_url: Option<String>,
    /// Where the customer proves who they are; set while the status is `requires_action`.
    pub(crate) action_url: Option<String>,
    pub(crate) charge: Option<Charge>,
    pub(crate) dispute: Option<String>,
    pub(crate) refunds: Vec<String>,
    /// Confirms that reached the bank.
    pub(crate) attempts: u32,
    /// Everything ever authorised, released or not.
    pub(crate) authorised: i64,
    /// How often money was taken: never more than once, whoever asks.
    pub(crate) captures: u32,
    /// Refunds that succeeded or still may.
    pub(crate) refunded: i64,
}

/// The latest try to charge the card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) payment_method: String,
    pub(crate) amount: i64,
    pub(crate) created: i64,
    pub(crate) paid: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CardError {
    pub(crate) code: String,
    pub(crate) decline_code: Option<String>,
    pub(crate) message: String,
}

impl Intent {
    pub(crate) fn new(
        amount: i64,
        currency: &str,
        capture_method: CaptureMethod,
        now_ms: i64,
    ) -> Self {
        let id = new_id("pi");
        Self {
            client_secret: format!("{id}_{}", new_id("secret")),
            id,
            status: Status::RequiresPaymentMethod,
            amount,
            currency: currency.to_lowercase(),
            capture_method,
            description: None,
            metadata: BTreeMap::new(),
            payment_method: None,
            amount_capturable: 0,
            amount_received: 0,
            created: secs(now_ms),
            canceled_at: None,
            cancellation_reason: None,
            last_error: None,
            return_url: None,
            action_url: None,
            charge: None,
            dispute: None,
            refunds: Vec::new(),
            attempts: 0,
            authorised: 0,
            captures: 0,
            refunded: 0,
        }
    }
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

impl Row for Intent {
    fn id(&self) -> &str {
        &self.id
    }
}
