//! The JSON shapes that leave the sandbox. Required fields follow async-stripe 1.0.0-rc.10,
//! whose parser fails on a missing one; optional fields without a value are left out.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::records::{CaptureMethod, Intent, Status};
use crate::refunds::{Refund, RefundStatus};

/// How long a card authorisation lasts: Visa's seven days.
const AUTHORISED_FOR_SECS: i64 = 7 * 24 * 3600;

/// What webhooks tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EventKind {
    AmountCapturableUpdated,
    RequiresAction,
    PaymentFailed,
    Succeeded,
    Canceled,
    RefundCreated,
    RefundUpdated,
    RefundFailed,
    ChargeRefunded,
    DisputeCreated,
}

impl EventKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AmountCapturableUpdated => "payment_intent.amount_capturable_updated",
            Self::RequiresAction => "payment_intent.requires_action",
            Self::PaymentFailed => "payment_intent.payment_failed",
            Self::Succeeded => "payment_intent.succeeded",
            Self::Canceled => "payment_intent.canceled",
            Self::RefundCreated => "refund.created",
            Self::RefundUpdated => "refund.updated",
            Self::RefundFailed => "refund.failed",
            Self::ChargeRefunded => "charge.refunded",
            Self::DisputeCreated => "charge.dispute.created",
        }
    }
}

/// `pi_`, `re_`, `evt_`… and enough randomness.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::new_v4().simple())
}

pub(crate) fn intent(intent: &Intent) -> Value {
    let mut body = json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_received": intent.amount_received,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": match intent.capture_method {
            CaptureMethod::Automatic => "automatic",
            CaptureMethod::Manual => "manual",
        },
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "description": intent.description,
        "last_payment_error": null,
        "latest_charge": intent.charge.as_ref().map(|charge| &charge.id),
        "livemode": false,
        "metadata": intent.metadata,
        "next_action": null,
        "payment_method": intent.payment_method,
        "payment_method_types": ["card"],
        "status": intent.status.as_str(),
    });
    if let Some(error) = &intent.last_error {
        body["last_payment_error"] = json!({
            "type": "card_error",
            "code": error.code,
            "decline_code": error.decline_code,
            "message": error.message,
            "charge": intent.charge.as_ref().map(|charge| &charge.id),
        });
    }
    if let Some(url) = &intent.action_url {
        body["next_action"] = json!({
            "type": "redirect_to_url",
            "redirect_to_url": { "url": url, "return_url": intent.return_url },
        });
    }
    body
}

/// The charge behind an intent; `null` before the bank was asked.
pub(crate) fn charge(intent: &Intent) -> Value {
    let Some(charge) = &intent.charge else {
        return Value::Null;
    };
    let captured = charge.paid && intent.captures > 0;
    json!({
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": if captured { intent.amount_received } else { 0 },
        "amount_refunded": intent.refunded,
        "billing_details": {},
        "captured": captured,
        "created": charge.created,
        "currency": intent.currency,
        "disputed": intent.dispute.is_some(),
        "livemode": false,
        "metadata": intent.metadata,
        "paid": charge.paid,
        "payment_intent": intent.id,
        "payment_method": charge.payment_method,
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": "visa",
                "exp_month": 12,
                "exp_year": 2040,
                "last4": "4242",
                "capture_before": (charge.paid && intent.status == Status::RequiresCapture)
                    .then_some(charge.created + AUTHORISED_FOR_SECS),
            },
        },
        "refunded": captured && intent.refunded == intent.amount_received,
        "status": if charge.paid { "succeeded" } else { "failed" },
    })
}

pub(crate) fn refund(refund: &Refund) -> Value {
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "failure_reason": (refund.status == RefundStatus::Failed).then_some("lost_or_stolen_card"),
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "pending_reason": (refund.status == RefundStatus::Pending).then_some("processing"),
        "reason": refund.reason,
        "status": refund.status.as_str(),
    })
}

pub(crate) fn dispute(intent: &Intent, id: &str, created: i64) -> Value {
    json!({
        "id": id,
        "object": "dispute",
        "amount": intent.amount_received,
        "balance_transactions": [],
        "charge": intent.charge.as_ref().map(|charge| &charge.id),
        "created": created,
        "currency": intent.currency,
        "enhanced_eligibility_types": [],
        "evidence": { "enhanced_evidence": {} },
        "evidence_details": {
            "due_by": created + AUTHORISED_FOR_SECS,
            "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false,
            "submission_count": 0,
        },
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": intent.id,
        "reason": "fraudulent",
        "status": "needs_response",
    })
}

/// One page of a list, newest first.
pub(crate) fn list(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "data": data, "has_more": has_more })
}
