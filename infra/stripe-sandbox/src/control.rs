//! The judge's side of the sandbox: what really happened, and the levers of a test.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::calls::by_hand;
use crate::faults::Fault;
use crate::form::Form;
use crate::ledger::Ledger;
use crate::objects;
use crate::operations::Operation;
use crate::records::Intent;
use crate::refunds::{Refund, RefundStatus};

/// Everything that was ever asked for, in the judge's words.
#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    metadata: &'a BTreeMap<String, String>,
    status: &'a str,
    payment_method: Option<&'a str>,
    amount: i64,
    currency: &'a str,
    authorised: i64,
    captured: i64,
    refunded: i64,
    captures: u32,
    attempts: u32,
    disputed: bool,
    refunds: Vec<Value>,
}

#[derive(Debug, Default, Serialize)]
struct Money {
    authorised: i64,
    captured: i64,
    refunded: i64,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    intents: usize,
    by_status: BTreeMap<&'static str, usize>,
    by_currency: BTreeMap<String, Money>,
    captures: u64,
    /// Intents whose money was taken more than once: never, or the judge is broken.
    captured_twice: usize,
    /// Intents that gave back more than they took.
    refunded_too_much: usize,
    refunds: usize,
    refunds_by_status: BTreeMap<&'static str, usize>,
    disputes: usize,
    events: usize,
    events_undelivered: usize,
    idempotency_keys: usize,
}

/// `?metadata[booking]=…`, `?status=…` and `?payment_intent=…` narrow the rows, never the totals.
pub(crate) async fn ledger(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let metadata = form.map("metadata");
    let wanted = |intent: &&Intent| {
        form.text("status")
            .is_none_or(|status| status == intent.status.as_str())
            && form
                .text("payment_intent")
                .is_none_or(|id| id == intent.id.as_str())
            && metadata
                .iter()
                .all(|(key, value)| intent.metadata.get(key) == Some(value))
    };
    let ledger = app.ledger();
    let rows: Vec<_> = ledger
        .intents
        .oldest_first()
        .filter(wanted)
        .map(|intent| row(intent, &ledger))
        .collect();
    let body = json!({ "totals": sum_up(&ledger), "intents": rows });
    Json(body).into_response()
}

pub(crate) async fn summary(State(app): State<Arc<App>>) -> Response {
    Json(sum_up(&app.ledger())).into_response()
}

fn row<'a>(intent: &'a Intent, ledger: &Ledger) -> Row<'a> {
    let refunds = intent
        .refunds
        .iter()
        .filter_map(|id| ledger.refunds.get(id));
    Row {
        id: &intent.id,
        metadata: &intent.metadata,
        status: intent.status.as_str(),
        payment_method: intent.payment_method.as_deref(),
        amount: intent.amount,
        currency: &intent.currency,
        authorised: intent.authorised,
        captured: intent.amount_received,
        refunded: intent.refunded,
        captures: intent.captures,
        attempts: intent.attempts,
        disputed: intent.dispute.is_some(),
        refunds: refunds.map(objects::refund).collect(),
    }
}

fn sum_up(ledger: &Ledger) -> Summary {
    let mut summary = Summary {
        intents: ledger.intents.len(),
        refunds: ledger.refunds.len(),
        events: ledger.events.len(),
        events_undelivered: ledger.undelivered.len(),
        idempotency_keys: ledger.keys.len(),
        ..Summary::default()
    };
    for intent in ledger.intents.oldest_first() {
        *summary.by_status.entry(intent.status.as_str()).or_default() += 1;
        let money = summary
            .by_currency
            .entry(intent.currency.clone())
            .or_default();
        money.authorised += intent.authorised;
        money.captured += intent.amount_received;
        money.refunded += intent.refunded;
        summary.captures += u64::from(intent.captures);
        summary.captured_twice += usize::from(intent.captures > 1);
        summary.refunded_too_much += usize::from(intent.refunded > intent.amount_received);
        summary.disputes += usize::from(intent.dispute.is_some());
    }
    for Refund { status, .. } in ledger.refunds.oldest_first() {
        *summary
            .refunds_by_status
            .entry(RefundStatus::as_str(*status))
            .or_default() += 1;
    }
    summary
}

/// As if somebody had refunded in the dashboard; `amount=…` for a part.
pub(crate) async fn refund(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    by_hand(&app, &Operation::DashboardRefund(id), Form::parse(&body))
}

pub(crate) async fn dispute(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    by_hand(&app, &Operation::Dispute(id), Form::default())
}

pub(crate) async fn faults(State(app): State<Arc<App>>) -> Json<Vec<Fault>> {
    Json(app.faults.list())
}

pub(crate) async fn set_faults(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let replaced = serde_json::from_slice(&body)
        .map_err(|error| error.to_string())
        .and_then(|faults| app.faults.replace(faults));
    match replaced {
        Ok(()) => Json(app.faults.list()).into_response(),
        Err(why) => refused(&why),
    }
}

pub(crate) async fn clear_faults(State(app): State<Arc<App>>) -> Response {
    match app.faults.replace(Vec::new()) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => refused(&why),
    }
}

/// Who is told. Tests learn their own port late, so it can be changed while running.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receivers {
    urls: Vec<String>,
}

pub(crate) async fn webhooks(State(app): State<Arc<App>>) -> Json<Receivers> {
    let urls = app.listeners();
    Json(Receivers { urls })
}

pub(crate) async fn set_webhooks(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let receivers: Receivers = match serde_json::from_slice(&body) {
        Ok(receivers) => receivers,
        Err(error) => return refused(&error.to_string()),
    };
    *app.webhook_urls
        .write()
        .unwrap_or_else(PoisonError::into_inner) = receivers.urls;
    webhooks(State(app)).await.into_response()
}

/// Forgets payments, refunds, events, keys and faults.
pub(crate) async fn reset(State(app): State<Arc<App>>) -> Response {
    let forgotten = app.ledger().reset();
    match forgotten {
        Ok(()) => clear_faults(State(app)).await,
        Err(error) => {
            let body = json!({ "error": format!("{error:#}") });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}

fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response()
}
