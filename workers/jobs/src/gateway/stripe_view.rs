//! Stripe's objects and errors in our words: leniently read, since Stripe adds fields and values at will.

use super::{
    CardError, GatewayError, IntentStatus, IntentView, RefundStatus, RefundView, metadata,
};
use boxoffice_contracts::Currency;
use hyper::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::HashMap;

#[derive(Deserialize)]
pub(super) struct IntentBody {
    pub(super) id: String,
    status: String,
    amount: i64,
    #[serde(default)]
    amount_capturable: i64,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    client_secret: Option<String>,
    next_action: Option<NextAction>,
    last_payment_error: Option<ErrorBody>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<Redirect>,
}

#[derive(Deserialize)]
struct Redirect {
    url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RefundBody {
    pub(super) id: String,
    status: Option<String>,
    amount: i64,
    failure_reason: Option<String>,
    metadata: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// Stripe's text is left out: it may quote what was sent.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    code: Option<String>,
    decline_code: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: ErrorBody,
}

impl From<IntentBody> for IntentView {
    fn from(body: IntentBody) -> Self {
        let redirect = body.next_action.and_then(|next| next.redirect_to_url);
        let booking = body.metadata.get(metadata::BOOKING_ID);
        let generation = body.metadata.get(metadata::GENERATION);
        Self {
            status: intent_status(&body.status),
            amount: body.amount,
            amount_capturable: body.amount_capturable,
            amount_received: body.amount_received,
            currency: Currency::new(&body.currency.to_ascii_uppercase()).ok(),
            client_secret: body.client_secret,
            action_url: redirect.and_then(|redirect| redirect.url),
            last_error: body.last_payment_error.map(card_error),
            booking: booking.and_then(|id| id.parse().ok()),
            generation: generation.and_then(|number| number.parse().ok()),
            id: body.id,
        }
    }
}

impl From<RefundBody> for RefundView {
    fn from(body: RefundBody) -> Self {
        let own = body
            .metadata
            .as_ref()
            .and_then(|map| map.get(metadata::REFUND_ID));
        Self {
            status: refund_status(body.status.as_deref()),
            minor: body.amount,
            refund: own.and_then(|id| id.parse().ok()),
            failure: body.failure_reason,
            id: body.id,
        }
    }
}

/// An answer's object. One that can't be read leaves open what happened.
pub(super) fn object<T: DeserializeOwned>(
    status: StatusCode,
    body: &[u8],
) -> Result<T, GatewayError> {
    if !status.is_success() {
        return Err(error(status.as_u16(), body));
    }
    match serde_json::from_slice(body) {
        Ok(object) => Ok(object),
        Err(_unreadable) => Err(GatewayError::ServerError {
            status: status.as_u16(),
        }),
    }
}

/// What an error says about the effect.
fn error(status: u16, body: &[u8]) -> GatewayError {
    let error = match serde_json::from_slice::<Failed>(body) {
        Ok(failed) => failed.error,
        // A page of something in between: only the status speaks.
        Err(_unreadable) => ErrorBody {
            kind: String::new(),
            code: None,
            decline_code: None,
        },
    };
    let code = error.code.clone().unwrap_or_default();
    match status {
        401 | 403 => GatewayError::Credentials { status },
        402 => GatewayError::Declined {
            error: card_error(error),
        },
        409 => GatewayError::InUse,
        429 if code == "lock_timeout" => GatewayError::InUse,
        429 => GatewayError::RateLimited,
        400 | 404 if error.kind == "idempotency_error" => GatewayError::KeyReused,
        400..=499 => GatewayError::Refused { code, status },
        _ => GatewayError::ServerError { status },
    }
}

fn card_error(error: ErrorBody) -> CardError {
    CardError {
        code: error.code.unwrap_or_else(|| "card_error".to_owned()),
        decline_code: error.decline_code,
    }
}

fn intent_status(status: &str) -> IntentStatus {
    match status {
        "requires_payment_method" => IntentStatus::RequiresPaymentMethod,
        "requires_confirmation" => IntentStatus::RequiresConfirmation,
        "requires_action" => IntentStatus::RequiresAction,
        "processing" => IntentStatus::Processing,
        "requires_capture" => IntentStatus::RequiresCapture,
        "succeeded" => IntentStatus::Succeeded,
        "canceled" => IntentStatus::Canceled,
        _ => IntentStatus::Other,
    }
}

fn refund_status(status: Option<&str>) -> RefundStatus {
    match status {
        Some("succeeded") => RefundStatus::Succeeded,
        Some("failed" | "canceled") => RefundStatus::Failed,
        // `pending`, `requires_action`, and what may come: not done until it says so.
        _ => RefundStatus::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refund_is_not_done_before_it_says_so() {
        assert_eq!(refund_status(Some("succeeded")), RefundStatus::Succeeded);
        assert_eq!(refund_status(Some("canceled")), RefundStatus::Failed);
        for waiting in [
            None,
            Some("pending"),
            Some("requires_action"),
            Some("in_orbit"),
        ] {
            assert_eq!(refund_status(waiting), RefundStatus::Pending);
        }
    }

    #[test]
    fn errors_are_told_apart_by_their_effect() {
        let of = |status, kind: &str, code: &str| {
            let body = json!({ "error": { "type": kind, "code": code, "message": "secret" } });
            error(status, body.to_string().as_bytes())
        };
        assert!(matches!(
            of(402, "card_error", "expired_card"),
            GatewayError::Declined { .. }
        ));
        assert_eq!(of(400, "idempotency_error", ""), GatewayError::KeyReused);
        assert_eq!(
            of(409, "idempotency_error", "idempotency_key_in_use"),
            GatewayError::InUse
        );
        assert_eq!(
            of(429, "invalid_request_error", "lock_timeout"),
            GatewayError::InUse
        );
        assert_eq!(
            of(429, "invalid_request_error", "rate_limit"),
            GatewayError::RateLimited
        );
        assert_eq!(
            of(500, "api_error", ""),
            GatewayError::ServerError { status: 500 }
        );
        assert_eq!(
            error(502, b"<html>"),
            GatewayError::ServerError { status: 502 }
        );
        assert_eq!(error(401, b""), GatewayError::Credentials { status: 401 });
        let refused = of(404, "invalid_request_error", "resource_missing");
        assert!(!format!("{refused:?} {refused}").contains("secret"));
    }

    #[test]
    fn an_unknown_status_and_unknown_fields_are_read() {
        let body = json!({
            "id": "pi_1", "status": "in_orbit", "amount": 5, "currency": "jpy", "moon": {},
            "metadata": { "booking_id": "not ours" },
        });
        let body: IntentBody = object(StatusCode::OK, body.to_string().as_bytes()).unwrap();
        let view = IntentView::from(body);
        assert_eq!((view.status, view.booking), (IntentStatus::Other, None));
        assert_eq!(view.currency.unwrap().as_str(), "JPY");
    }

    #[test]
    fn what_cannot_be_read_leaves_the_outcome_open() {
        let cut = object::<IntentBody>(StatusCode::OK, b"{\"id\":");
        assert!(matches!(
            cut,
            Err(GatewayError::ServerError { status: 200 })
        ));
    }
}
