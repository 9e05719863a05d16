//! Stripe through async-stripe, or anything of Stripe's shape at another address.
//!
//! Each call has one key and one deadline. The client's own retry strategies are never used: they send random
//! keys. Errors are translated and dropped: Stripe's text, which may quote the client secret, is never printed.

use super::{
    Gateway, GatewayConfig, GatewayError, IntentView, NewPayment, NewRefund, RefundView, metadata,
    stripe_view,
};
use boxoffice_contracts::{BookingId, Instant};
use std::{collections::HashMap, fmt};
use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeRequest};
use stripe_core::{
    payment_intent::{
        CancelPaymentIntent, CapturePaymentIntent, ConfirmPaymentIntent, CreatePaymentIntent,
        ListPaymentIntent, RetrievePaymentIntent,
    },
    refund::{CreateRefund, ListRefund, RetrieveRefund},
};
use stripe_shared::{PaymentIntentAllowedPaymentMethodTypes, PaymentIntentCaptureMethod};
use stripe_types::{RangeBoundsTs, RangeQueryTs};

/// A client of Stripe. Cheap to clone, and printed without its key.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
    return_url: Option<String>,
}

/// Stripe's largest page.
const PAGE: i64 = 100;
/// Refunds of one payment that are looked at: more than any booking has positions.
const REFUND_PAGES_MAX: usize = 20;
/// Payments that are looked through for one without an id.
const FIND_PAGES_MAX: usize = 100;
/// Our clock and Stripe's may differ by so much.
const CLOCK_SLACK_SECS: i64 = 300;
/// A create whose answer was lost took effect within this time, or never.
const FIND_WINDOW_SECS: i64 = 21 * 3600;

impl Stripe {
    /// # Errors
    /// When a value of the configuration can't be used.
    pub fn new(config: &GatewayConfig) -> Result<Self, String> {
        if config.secret_key.is_empty() {
            return Err("gateway.secret_key is missing".to_owned());
        }
        let mut builder =
            ClientBuilder::new(config.secret_key.clone()).timeout(config.timeout());
        if let Some(url) = &config.url {
            builder = builder.url(format!("{}/", url.trim_end_matches('/')));
        }
        let client = builder
            .build()
            .map_err(|error| format!("gateway.url or gateway.secret_key: {error}"))?;
        Ok(Self { client, return_url: config.return_url.clone() })
    }

    /// Asks without a key: only what changes nothing.
    async fn ask<R: StripeRequest>(&self, request: &R) -> Result<R::Output, GatewayError>
    where
        R::Output: miniserde::Deserialize,
    {
        request.customize().send(&self.client).await.map_err(stripe_view::error)
    }

    async fn send<R: StripeRequest>(
        &self,
        key: &str,
        request: &R,
    ) -> Result<R::Output, GatewayError>
    where
        R::Output: miniserde::Deserialize,
    {
        let Ok(key) = IdempotencyKey::new(key) else { return Err(GatewayError::KeyReused) };
        let request = request.customize().request_strategy(RequestStrategy::Idempotent(key));
        request.send(&self.client).await.map_err(stripe_view::error)
    }
}

#[async_trait::async_trait]
impl Gateway for Stripe {
    async fn create(&self, key: &str, new: &NewPayment) -> Result<IntentView, GatewayError> {
        let code = new.amount.currency.as_str().to_ascii_lowercase();
        let currency = code.parse().unwrap_or(stripe_types::Currency::Unknown(code));
        let request = CreatePaymentIntent::new(new.amount.minor, currency)
            .capture_method(PaymentIntentCaptureMethod::Manual)
            .allowed_payment_method_types(vec![PaymentIntentAllowedPaymentMethodTypes::Card])
            .description(format!("Booking {}", new.booking))
            .metadata(HashMap::from([
                (metadata::BOOKING_ID.to_owned(), new.booking.to_string()),
                (metadata::GENERATION.to_owned(), new.generation.to_string()),
            ]));
        Ok(stripe_view::intent(&self.send(key, &request).await?))
    }

    async fn confirm(&self, key: &str, id: &str, method: &str) -> Result<IntentView, GatewayError> {
        let mut request = ConfirmPaymentIntent::new(id).payment_method(method);
        if let Some(url) = &self.return_url {
            // The key belongs to one booking, so the address is the same whenever it is sent again.
            let booking = key.split(':').nth(1).unwrap_or_default();
            request = request.return_url(url.replace("{booking}", booking));
        }
        Ok(stripe_view::intent(&self.send(key, &request).await?))
    }

    async fn capture(&self, key: &str, id: &str, minor: i64) -> Result<IntentView, GatewayError> {
        let request = CapturePaymentIntent::new(id).amount_to_capture(minor);
        Ok(stripe_view::intent(&self.send(key, &request).await?))
    }

    async fn cancel(&self, key: &str, id: &str) -> Result<IntentView, GatewayError> {
        Ok(stripe_view::intent(&self.send(key, &CancelPaymentIntent::new(id)).await?))
    }

    async fn retrieve(&self, id: &str) -> Result<IntentView, GatewayError> {
        Ok(stripe_view::intent(&self.ask(&RetrievePaymentIntent::new(id)).await?))
    }

    async fn find(
        &self,
        booking: BookingId,
        generation: u16,
        since: Instant,
    ) -> Result<Option<IntentView>, GatewayError> {
        let from = since.timestamp();
        let window = RangeQueryTs::Bounds(RangeBoundsTs {
            gte: Some(from - CLOCK_SLACK_SECS),
            lte: Some(from + FIND_WINDOW_SECS),
            ..RangeBoundsTs::default()
        });
        let mut request = ListPaymentIntent::new().created(window).limit(PAGE);
        for _ in 0..FIND_PAGES_MAX {
            let page = self.ask(&request).await?;
            let mut views = page.data.iter().map(stripe_view::intent);
            let ours = |view: &IntentView| {
                view.booking == Some(booking) && view.generation == Some(generation)
            };
            if let Some(found) = views.find(ours) {
                return Ok(Some(found));
            }
            match page.data.last() {
                Some(last) if page.has_more => {
                    request = request.starting_after(last.id.to_string());
                }
                _ => return Ok(None),
            }
        }
        Err(GatewayError::Refused {
            code: "too_many_to_look_through".to_owned(),
            status: 0,
            view: None,
        })
    }

    async fn refund(&self, key: &str, new: &NewRefund) -> Result<RefundView, GatewayError> {
        let request = CreateRefund::new()
            .payment_intent(new.intent.as_str())
            .amount(new.minor)
            .metadata(HashMap::from([
                (metadata::BOOKING_ID.to_owned(), new.booking.to_string()),
                (metadata::REFUND_ID.to_owned(), new.refund.to_string()),
            ]));
        Ok(stripe_view::refund(&self.send(key, &request).await?))
    }

    async fn retrieve_refund(&self, id: &str) -> Result<RefundView, GatewayError> {
        Ok(stripe_view::refund(&self.ask(&RetrieveRefund::new(id)).await?))
    }

    async fn list_refunds(&self, intent: &str) -> Result<Vec<RefundView>, GatewayError> {
        let mut request = ListRefund::new().payment_intent(intent).limit(PAGE);
        let mut all = Vec::new();
        for _ in 0..REFUND_PAGES_MAX {
            let page = self.ask(&request).await?;
            all.extend(page.data.iter().map(stripe_view::refund));
            match page.data.last() {
                Some(last) if page.has_more => {
                    request = request.starting_after(last.id.to_string());
                }
                _ => break,
            }
        }
        Ok(all)
    }

    async fn probe(&self) -> bool {
        match self.ask(&ListPaymentIntent::new().limit(1)).await {
            Ok(_) => true,
            Err(
                GatewayError::Unreachable(_)
                | GatewayError::NoAnswer(_)
                | GatewayError::ServerError { .. }
                | GatewayError::RateLimited
                | GatewayError::Credentials { .. },
            ) => false,
            Err(
                GatewayError::Declined { .. }
                | GatewayError::Refused { .. }
                | GatewayError::InUse
                | GatewayError::KeyReused,
            ) => true,
        }
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").finish_non_exhaustive()
    }
}
