//! A gateway that remembers what was asked of it without a key, so that the story of a booking tells of it.

use crate::gateway::{Gateway, GatewayError, IntentView, NewPayment, NewRefund, RefundView};
use boxoffice_contracts::{BookingId, Instant, MessageId};
use boxoffice_store::mysql::looks::Look;
use std::sync::{Arc, Mutex, PoisonError};

/// Stands before the gateway for the calls of one message.
#[derive(Debug)]
pub(super) struct Watched {
    gateway: Arc<dyn Gateway>,
    booking: BookingId,
    message: MessageId,
    seen: Mutex<Vec<Look>>,
}

impl Watched {
    pub(super) fn new(
        gateway: Arc<dyn Gateway>,
        booking: BookingId,
        message: MessageId,
    ) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            booking,
            message,
            seen: Mutex::default(),
        })
    }

    /// What was asked so far; the next call begins anew.
    pub(super) fn take(&self) -> Vec<Look> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn saw<T>(
        &self,
        question: &'static str,
        result: &Result<T, GatewayError>,
        word: impl FnOnce(&T) -> String,
    ) {
        let answer = match result {
            Ok(found) => word(found),
            Err(error) => class(error).to_owned(),
        };
        let look = Look {
            booking: self.booking,
            message: self.message,
            question,
            answer,
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(look);
    }
}

/// Our word for why there was no answer: what the gateway wrote stays out of the records.
const fn class(error: &GatewayError) -> &'static str {
    match error {
        GatewayError::Declined { .. } => "declined",
        GatewayError::Refused { .. } => "refused",
        GatewayError::Credentials { .. } => "credentials_refused",
        GatewayError::Unreachable(_) => "unreachable",
        GatewayError::NoAnswer(_) => "no_answer",
        GatewayError::ServerError { .. } => "server_error",
        GatewayError::RateLimited => "rate_limited",
        GatewayError::InUse => "in_use",
        GatewayError::KeyReused => "key_reused",
    }
}

fn of_intent(view: &IntentView) -> String {
    format!("{:?}", view.status)
}

#[async_trait::async_trait]
impl Gateway for Watched {
    async fn create(&self, key: &str, new: &NewPayment) -> Result<IntentView, GatewayError> {
        self.gateway.create(key, new).await
    }

    async fn confirm(&self, key: &str, id: &str, method: &str) -> Result<IntentView, GatewayError> {
        self.gateway.confirm(key, id, method).await
    }

    async fn capture(&self, key: &str, id: &str, minor: i64) -> Result<IntentView, GatewayError> {
        self.gateway.capture(key, id, minor).await
    }

    async fn cancel(&self, key: &str, id: &str) -> Result<IntentView, GatewayError> {
        self.gateway.cancel(key, id).await
    }

    async fn retrieve(&self, id: &str) -> Result<IntentView, GatewayError> {
        let result = self.gateway.retrieve(id).await;
        self.saw("retrieve", &result, of_intent);
        result
    }

    async fn find(
        &self,
        booking: BookingId,
        generation: u16,
        since: Instant,
    ) -> Result<Option<IntentView>, GatewayError> {
        let result = self.gateway.find(booking, generation, since).await;
        self.saw("find", &result, |found| {
            found.as_ref().map_or("nothing".to_owned(), of_intent)
        });
        result
    }

    async fn refund(&self, key: &str, new: &NewRefund) -> Result<RefundView, GatewayError> {
        self.gateway.refund(key, new).await
    }

    async fn retrieve_refund(&self, id: &str) -> Result<RefundView, GatewayError> {
        let result = self.gateway.retrieve_refund(id).await;
        self.saw("refund", &result, |view| format!("{:?}", view.status));
        result
    }

    async fn list_refunds(&self, intent: &str) -> Result<Vec<RefundView>, GatewayError> {
        let result = self.gateway.list_refunds(intent).await;
        self.saw("refunds", &result, |views| format!("{} found", views.len()));
        result
    }

    async fn probe(&self) -> bool {
        self.gateway.probe().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::instant::Instantly;

    #[tokio::test]
    async fn questions_are_remembered_once_and_orders_are_not() {
        let booking = BookingId::derive("house", "s", "k");
        let message = MessageId::of_outside_event("e");
        let watched = Watched::new(Arc::new(Instantly), booking, message);
        let _ = watched.capture("k", "pi_1", 100).await;
        assert_eq!(watched.take(), []);
        let _ = watched.retrieve("pi_1").await;
        let seen = watched.take();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].question, "retrieve");
        assert_eq!((seen[0].booking, seen[0].message), (booking, message));
        assert_eq!(watched.take(), []);
    }
}
