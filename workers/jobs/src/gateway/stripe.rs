//! Stripe: requests as async-stripe builds them, at Stripe's own address or at one of its shape.
//!
//! Each call has one key and one deadline and is sent once.

use super::{
    Gateway, GatewayConfig, GatewayError, IntentView, NewPayment, NewRefund, RefundView, metadata,
    stripe_http::{Form, Http},
    stripe_view::{IntentBody, Page, RefundBody, object},
};
use boxoffice_contracts::{BookingId, Instant};
use hyper::Method;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use stripe::StripeRequest;
use stripe_core::{
    payment_intent::{
        CancelPaymentIntent, CapturePaymentIntent, ConfirmPaymentIntent, CreatePaymentIntent,
        ListPaymentIntent, RetrievePaymentIntent,
    },
    refund::{CreateRefund, ListRefund, RetrieveRefund},
};
use stripe_shared::{PaymentIntentAllowedPaymentMethodTypes, PaymentIntentCaptureMethod};
use stripe_types::{RangeBoundsTs, RangeQueryTs};

/// A client of Stripe.
#[derive(Debug, Clone)]
pub struct Stripe {
    http: Http,
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
        Ok(Self {
            http: Http::new(config)?,
            return_url: config.return_url.clone(),
        })
    }

    /// Asks without a key: only what changes nothing.
    async fn ask<T: DeserializeOwned>(
        &self,
        request: &impl StripeRequest,
    ) -> Result<T, GatewayError> {
        let (status, body) = self.http.send(Method::GET, None, form(request)).await?;
        object(status, &body)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        key: &str,
        request: &impl StripeRequest,
    ) -> Result<T, GatewayError> {
        let (status, body) = self
            .http
            .send(Method::POST, Some(key), form(request))
            .await?;
        object(status, &body)
    }

    async fn send_about_intent(
        &self,
        key: &str,
        request: &impl StripeRequest,
    ) -> Result<IntentView, GatewayError> {
        self.send::<IntentBody>(key, request)
            .await
            .map(IntentView::from)
    }
}

fn form(request: &impl StripeRequest) -> Form {
    let built = request.build();
    Form {
        path: built.path,
        query: built.query,
        body: built.body,
    }
}

#[async_trait::async_trait]
impl Gateway for Stripe {
    async fn create(&self, key: &str, new: &NewPayment) -> Result<IntentView, GatewayError> {
        let code = new.amount.currency.as_str().to_ascii_lowercase();
        let currency = code
            .parse()
            .unwrap_or(stripe_types::Currency::Unknown(code));
        let request = CreatePaymentIntent::new(new.amount.minor, currency)
            .capture_method(PaymentIntentCaptureMethod::Manual)
            .allowed_payment_method_types(vec![PaymentIntentAllowedPaymentMethodTypes::Card])
            .description(format!("Booking {}", new.booking))
            .metadata(HashMap::from([
                (metadata::BOOKING_ID.to_owned(), new.booking.to_string()),
                (metadata::GENERATION.to_owned(), new.generation.to_string()),
            ]));
        self.send_about_intent(key, &request).await
    }

    async fn confirm(&self, key: &str, id: &str, method: &str) -> Result<IntentView, GatewayError> {
        let mut request = ConfirmPaymentIntent::new(id).payment_method(method);
        if let Some(url) = &self.return_url {
            // The key belongs to one booking, so the address is the same whenever it is sent again.
            let booking = key.split(':').nth(1).unwrap_or_default();
            request = request.return_url(url.replace("{booking}", booking));
        }
        self.send_about_intent(key, &request).await
    }

    async fn capture(&self, key: &str, id: &str, minor: i64) -> Result<IntentView, GatewayError> {
        let request = CapturePaymentIntent::new(id).amount_to_capture(minor);
        self.send_about_intent(key, &request).await
    }

    async fn cancel(&self, key: &str, id: &str) -> Result<IntentView, GatewayError> {
        self.send_about_intent(key, &CancelPaymentIntent::new(id))
            .await
    }

    async fn retrieve(&self, id: &str) -> Result<IntentView, GatewayError> {
        self.ask::<IntentBody>(&RetrievePaymentIntent::new(id))
            .await
            .map(IntentView::from)
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
            let page: Page<IntentBody> = self.ask(&request).await?;
            let last = page.data.last().map(|body| body.id.clone());
            let mut views = page.data.into_iter().map(IntentView::from);
            let ours = |view: &IntentView| {
                view.booking == Some(booking) && view.generation == Some(generation)
            };
            if let Some(found) = views.find(ours) {
                return Ok(Some(found));
            }
            match last {
                Some(last) if page.has_more => request = request.starting_after(last),
                _ => return Ok(None),
            }
        }
        Err(GatewayError::Refused {
            code: "too_many_to_look_through".to_owned(),
            status: 0,
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
        self.send::<RefundBody>(key, &request)
            .await
            .map(RefundView::from)
    }

    async fn retrieve_refund(&self, id: &str) -> Result<RefundView, GatewayError> {
        self.ask::<RefundBody>(&RetrieveRefund::new(id))
            .await
            .map(RefundView::from)
    }

    async fn list_refunds(&self, intent: &str) -> Result<Vec<RefundView>, GatewayError> {
        let mut request = ListRefund::new().payment_intent(intent).limit(PAGE);
        let mut all = Vec::new();
        for _ in 0..REFUND_PAGES_MAX {
            let page: Page<RefundBody> = self.ask(&request).await?;
            let last = page.data.last().map(|body| body.id.clone());
            all.extend(page.data.into_iter().map(RefundView::from));
            match last {
                Some(last) if page.has_more => request = request.starting_after(last),
                _ => break,
            }
        }
        Ok(all)
    }

    async fn probe(&self) -> bool {
        match self
            .ask::<Page<IntentBody>>(&ListPaymentIntent::new().limit(1))
            .await
        {
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
