//! Calls of the gateway. They are wake-ups: kept as they came, handed on, never believed by themselves.
//!
//! Nothing but the signature is looked at before the signature is good.

use crate::{
    AppState, Problem, body,
    config::{Secret, WebhookConfig},
    intake,
    layers::Trace,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
};
use boxoffice_contracts::{
    BookingId, Code, Envelope, Instant, MessageId,
    message::payment::Webhook,
    metric,
    planted::{self, Bug},
};
use boxoffice_store::mysql::{
    status,
    webhooks::{NewWebhookEvent, insert_event},
};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// Largest body; the gateway's own are a few kilobytes.
const WEBHOOK_BYTES_MAX: usize = 64 * 1024;
/// Signatures that are tried: two secrets, two schemes, and some room.
const SIGNATURES_MAX: usize = 8;
/// Width of the columns.
const EVENT_TEXT_MAX: usize = 255;

/// The few fields that we understand; everything else may change as the gateway likes.
#[derive(Debug, Deserialize)]
struct GatewayEvent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    livemode: bool,
    data: GatewayData,
}

#[derive(Debug, Deserialize)]
struct GatewayData {
    #[serde(default)]
    object: serde_json::Value,
}

/// `POST /v1/webhooks/stripe`.
///
/// Safe to receive twice: the event's id is the row's key and names the message.
pub(crate) async fn stripe(
    State(state): State<AppState>,
    Trace(trace): Trace,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let now = state.now();
    let config = &state.config.webhook;
    let raw = body::read(&headers, body, WEBHOOK_BYTES_MAX).await?;
    check_signature(config, &headers, &raw, now).map_err(|reason| {
        metrics::counter!(metric::WEBHOOKS_REFUSED_TOTAL, "reason" => reason).increment(1);
        Problem::new(Code::SignatureInvalid)
    })?;
    let event = parse(&raw)?;
    if config
        .livemode
        .is_some_and(|livemode| livemode != event.livemode)
    {
        tracing::error!(event.id = event.id, "an event of the gateway's other mode");
        return Err(Problem::because(
            Code::ValidationFailed,
            "An event of the other mode.",
        ));
    }
    let intent = event.intent();
    let mut booking = event.booking();
    if let (None, Some(intent)) = (booking, intent) {
        booking = status::booking_of_intent(&state.db, intent).await?;
    }
    let kept = NewWebhookEvent {
        event_id: event.id.clone(),
        event_type: event.kind.clone(),
        intent_id: intent.map(str::to_owned),
        booking,
        body: raw.to_vec(),
    };
    insert_event(&state.db, &kept, now).await?;

    let Some(booking_id) = booking.filter(|_| event.is_about_money()) else {
        metrics::counter!(metric::WEBHOOKS_TOTAL, "use" => "kept_only").increment(1);
        return Ok(StatusCode::OK);
    };
    let message_id = if planted::is(Bug::WebhookTwice) {
        MessageId(uuid::Uuid::new_v4())
    } else {
        MessageId::of_outside_event(&event.id)
    };
    let envelope = Envelope::root::<Webhook>(message_id, booking_id, now, trace);
    let wake_up = Webhook {
        booking_id,
        event_id: event.id,
        event_type: event.kind,
    };
    intake::send(state.intake.as_ref(), envelope, &wake_up).await?;
    metrics::counter!(metric::WEBHOOKS_TOTAL, "use" => "handed_on").increment(1);
    Ok(StatusCode::OK)
}

fn parse(raw: &[u8]) -> Result<GatewayEvent, Problem> {
    let unreadable = || {
        tracing::error!("a signed webhook can't be read");
        Problem::because(Code::BodyMalformed, "Not an event with an id and a type.")
    };
    let event: GatewayEvent = serde_json::from_slice(raw).map_err(|_error| unreadable())?;
    let fits = |text: &str| (1..=EVENT_TEXT_MAX).contains(&text.len());
    if fits(&event.id) && fits(&event.kind) {
        Ok(event)
    } else {
        Err(unreadable())
    }
}

impl GatewayEvent {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.data.object.pointer(pointer)?.as_str()
    }

    /// The intent that the event is about: the object itself, or what the object belongs to.
    fn intent(&self) -> Option<&str> {
        let intent = match self.text("/object") {
            Some("payment_intent") => self.text("/id"),
            Some(_) | None => self.text("/payment_intent").or_else(|| self.text("/id")),
        };
        intent.filter(|id| id.starts_with("pi_") && id.len() <= EVENT_TEXT_MAX)
    }

    fn booking(&self) -> Option<BookingId> {
        self.text("/metadata/booking_id")?.parse().ok()
    }

    fn is_about_money(&self) -> bool {
        ["payment_intent.", "charge.", "refund."]
            .iter()
            .any(|area| self.kind.starts_with(area))
    }
}

/// `t=<secs>,v1=<hex>[,v1=<hex>]`: HMAC-SHA256 of `<secs>.<body>` with one of the secrets.
fn check_signature(
    config: &WebhookConfig,
    headers: &HeaderMap,
    raw: &Bytes,
    now: Instant,
) -> Result<(), &'static str> {
    let line = headers.get("stripe-signature").ok_or("missing")?;
    let line = line.to_str().map_err(|_error| "garbled")?;
    let mut time = None;
    let mut signatures = Vec::new();
    for part in line.split(',').take(2 * SIGNATURES_MAX) {
        match part.trim().split_once('=') {
            Some(("t", secs)) => time = Some(secs),
            Some(("v1", hex)) if signatures.len() < SIGNATURES_MAX => {
                signatures.extend(hex::decode(hex).ok());
            }
            Some(_) | None => {}
        }
    }
    let time = time.ok_or("garbled")?;
    let secs: i64 = time.parse().map_err(|_error| "garbled")?;
    if now.timestamp().abs_diff(secs) > u64::from(config.tolerance_secs) {
        return Err("time");
    }
    let fits = |secret: &Secret, signature: &[u8]| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
            return false;
        };
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(raw);
        // Compares in constant time.
        mac.verify_slice(signature).is_ok()
    };
    let good = signatures
        .iter()
        .any(|signature| config.secrets.iter().any(|secret| fits(secret, signature)));
    if good { Ok(()) } else { Err("signature") }
}

#[cfg(test)]
#[path = "webhooks_tests.rs"]
mod tests;
