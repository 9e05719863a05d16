//! Stripe's objects and errors in our words.

use super::{
    CardError, GatewayError, IntentStatus, IntentView, RefundStatus, RefundView, metadata,
};
use boxoffice_contracts::Currency;
use stripe::{ApiErrors, StripeError};
use stripe_shared::{PaymentIntent, PaymentIntentStatus, Refund};

pub(super) fn intent(object: &PaymentIntent) -> IntentView {
    let redirect = object.next_action.as_ref().and_then(|next| next.redirect_to_url.as_ref());
    IntentView {
        id: object.id.to_string(),
        status: intent_status(&object.status),
        amount: object.amount,
        amount_capturable: object.amount_capturable,
        amount_received: object.amount_received,
        currency: currency(&object.currency),
        client_secret: object.client_secret.clone(),
        action_url: redirect.and_then(|redirect| redirect.url.clone()),
        last_error: object.last_payment_error.as_deref().map(card_error),
        booking: object.metadata.get(metadata::BOOKING_ID).and_then(|id| id.parse().ok()),
        generation: object.metadata.get(metadata::GENERATION).and_then(|n| n.parse().ok()),
    }
}

pub(super) fn refund(object: &Refund) -> RefundView {
    let own = object.metadata.as_ref().and_then(|map| map.get(metadata::REFUND_ID));
    RefundView {
        id: object.id.to_string(),
        status: refund_status(object.status.as_deref()),
        minor: object.amount,
        failure: object.failure_reason.clone(),
        refund: own.and_then(|id| id.parse().ok()),
    }
}

/// What an error says about the effect. Stripe's own text stays behind: it may quote what was sent.
pub(super) fn error(error: StripeError) -> GatewayError {
    match error {
        StripeError::Stripe(errors, status) => refusal(&errors, status),
        StripeError::Timeout => GatewayError::NoAnswer("deadline".to_owned()),
        // hyper's error before a connection stood: no byte of the request has left.
        StripeError::ClientError(text) if text.contains("(Connect)") => {
            GatewayError::Unreachable(text)
        }
        StripeError::ClientError(text) => GatewayError::NoAnswer(text),
        // An error page of something in between, or a body cut short: the status is lost.
        StripeError::JSONDeserialize(_) => GatewayError::ServerError { status: 0 },
        StripeError::ConfigError(text) => GatewayError::Unreachable(text),
    }
}

fn refusal(errors: &ApiErrors, status: u16) -> GatewayError {
    let code = errors.code.as_ref().map_or("", |code| code.as_str());
    let view = || errors.payment_intent.as_ref().map(|object| Box::new(intent(object)));
    let of_key = errors.type_.as_str() == "idempotency_error";
    match status {
        401 | 403 => GatewayError::Credentials { status },
        402 => GatewayError::Declined { error: card_error(errors), view: view() },
        409 => GatewayError::InUse,
        429 if code == "lock_timeout" => GatewayError::InUse,
        429 => GatewayError::RateLimited,
        500.. => GatewayError::ServerError { status },
        _ if of_key => GatewayError::KeyReused,
        _ => GatewayError::Refused { code: code.to_owned(), status, view: view() },
    }
}

fn card_error(errors: &ApiErrors) -> CardError {
    CardError {
        code: errors.code.as_ref().map_or("card_error", |code| code.as_str()).to_owned(),
        decline_code: errors.decline_code.clone(),
    }
}

fn intent_status(status: &PaymentIntentStatus) -> IntentStatus {
    match status {
        PaymentIntentStatus::RequiresPaymentMethod => IntentStatus::RequiresPaymentMethod,
        PaymentIntentStatus::RequiresConfirmation => IntentStatus::RequiresConfirmation,
        PaymentIntentStatus::RequiresAction => IntentStatus::RequiresAction,
        PaymentIntentStatus::Processing => IntentStatus::Processing,
        PaymentIntentStatus::RequiresCapture => IntentStatus::RequiresCapture,
        PaymentIntentStatus::Succeeded => IntentStatus::Succeeded,
        PaymentIntentStatus::Canceled => IntentStatus::Canceled,
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

fn currency(currency: &stripe_types::Currency) -> Option<Currency> {
    Currency::new(&currency.to_string().to_ascii_uppercase()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_not_done_before_it_says_so() {
        assert_eq!(refund_status(Some("succeeded")), RefundStatus::Succeeded);
        assert_eq!(refund_status(Some("canceled")), RefundStatus::Failed);
        for waiting in [None, Some("pending"), Some("requires_action"), Some("in_orbit")] {
            assert_eq!(refund_status(waiting), RefundStatus::Pending);
        }
    }

    #[test]
    fn only_what_was_never_sent_is_unreachable() {
        let of = |text: &str| error(StripeError::ClientError(text.to_owned()));
        assert!(matches!(of("client error (Connect)"), GatewayError::Unreachable(_)));
        assert!(matches!(of("client error (SendRequest)"), GatewayError::NoAnswer(_)));
        assert!(matches!(of("error reading a body"), GatewayError::NoAnswer(_)));
        assert!(matches!(error(StripeError::Timeout), GatewayError::NoAnswer(_)));
        let page = error(StripeError::JSONDeserialize("<html>".into()));
        assert_eq!(page, GatewayError::ServerError { status: 0 });
    }

    #[test]
    fn currencies_are_written_our_way() {
        assert_eq!(currency(&stripe_types::Currency::EUR), Some(Currency::EUR));
        assert_eq!(currency(&stripe_types::Currency::Unknown("??".into())), None);
    }
}
