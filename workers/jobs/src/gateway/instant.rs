//! A gateway that says yes at once, in this process: for measuring everything but the gateway.
//!
//! It takes no money and remembers nothing: whatever it is asked about is authorised. Nothing that depends on
//! a gateway's memory (reconciling, refunds made elsewhere) can be tried with it; the sandbox is for that.

use super::{
    Gateway, GatewayError, IntentStatus, IntentView, NewPayment, NewRefund, RefundStatus,
    RefundView,
};
use boxoffice_contracts::{BookingId, Currency, Instant};

/// Says yes.
#[derive(Debug, Clone, Copy)]
pub struct Instantly;

/// The id holds all that the next answer needs: `pi_instant_<booking>_<generation>_<minor>_<currency>`.
const PREFIX: &str = "pi_instant";

#[async_trait::async_trait]
impl Gateway for Instantly {
    async fn create(&self, _key: &str, new: &NewPayment) -> Result<IntentView, GatewayError> {
        let id = format!(
            "{PREFIX}_{}_{}_{}_{}",
            new.booking.0.simple(),
            new.generation,
            new.amount.minor,
            new.amount.currency
        );
        view(&id, IntentStatus::RequiresPaymentMethod)
    }

    async fn confirm(&self, _key: &str, id: &str, _: &str) -> Result<IntentView, GatewayError> {
        view(id, IntentStatus::RequiresCapture)
    }

    async fn capture(&self, _key: &str, id: &str, minor: i64) -> Result<IntentView, GatewayError> {
        let mut view = view(id, IntentStatus::Succeeded)?;
        view.amount_received = minor;
        Ok(view)
    }

    async fn cancel(&self, _key: &str, id: &str) -> Result<IntentView, GatewayError> {
        view(id, IntentStatus::Canceled)
    }

    async fn retrieve(&self, id: &str) -> Result<IntentView, GatewayError> {
        view(id, IntentStatus::RequiresCapture)
    }

    async fn find(
        &self,
        _: BookingId,
        _: u16,
        _: Instant,
    ) -> Result<Option<IntentView>, GatewayError> {
        Ok(None)
    }

    async fn refund(&self, _key: &str, new: &NewRefund) -> Result<RefundView, GatewayError> {
        Ok(RefundView {
            id: format!("re_instant_{}", new.refund.0.simple()),
            status: RefundStatus::Succeeded,
            minor: new.minor,
            failure: None,
            refund: Some(new.refund),
        })
    }

    async fn retrieve_refund(&self, id: &str) -> Result<RefundView, GatewayError> {
        Err(missing(id))
    }

    async fn list_refunds(&self, _: &str) -> Result<Vec<RefundView>, GatewayError> {
        Ok(Vec::new())
    }

    async fn probe(&self) -> bool {
        true
    }
}

fn view(id: &str, status: IntentStatus) -> Result<IntentView, GatewayError> {
    let parts: Vec<&str> = id.split('_').collect();
    let [_, _, booking, generation, minor, currency] = parts[..] else {
        return Err(missing(id));
    };
    let Ok(amount) = minor.parse::<i64>() else {
        return Err(missing(id));
    };
    Ok(IntentView {
        id: id.to_owned(),
        status,
        amount,
        amount_capturable: if status == IntentStatus::RequiresCapture {
            amount
        } else {
            0
        },
        amount_received: if status == IntentStatus::Succeeded {
            amount
        } else {
            0
        },
        currency: Currency::new(currency).ok(),
        client_secret: None,
        action_url: None,
        last_error: None,
        booking: booking.parse().ok(),
        generation: generation.parse().ok(),
    })
}

fn missing(id: &str) -> GatewayError {
    let code = format!("resource_missing: {id}");
    GatewayError::Refused { code, status: 404 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::Money;

    #[tokio::test]
    async fn it_says_yes_to_everything() {
        let amount = Money::new(2500, Currency::EUR);
        let booking = BookingId::derive("t", "s", "k");
        let new = NewPayment {
            booking,
            generation: 1,
            amount,
        };
        let created = Instantly.create("k", &new).await.unwrap();
        let confirmed = Instantly.confirm("k", &created.id, "pm").await.unwrap();
        assert_eq!(confirmed.status, IntentStatus::RequiresCapture);
        assert_eq!(
            (confirmed.amount_capturable, confirmed.currency),
            (2500, Some(Currency::EUR))
        );
        assert_eq!(
            (confirmed.booking, confirmed.generation),
            (Some(booking), Some(1))
        );
        let captured = Instantly.capture("k", &created.id, 2500).await.unwrap();
        assert_eq!(
            (captured.status, captured.amount_received),
            (IntentStatus::Succeeded, 2500)
        );
    }
}
