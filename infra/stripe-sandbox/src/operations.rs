//! The endpoints of `/v1`: each reads the ledger and says what should change; the caller commits it.

use serde_json::Value;

use crate::errors::ApiError;
use crate::events::Event;
use crate::faults::{Op, Subject};
use crate::form::Form;
use crate::intents::Step;
use crate::ledger::{Change, Ledger};
use crate::lists;
use crate::objects::{self, EventKind, new_id};
use crate::records::{CaptureMethod, Intent};
use crate::refunds::{Refund, Wanted};

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    CreateIntent,
    RetrieveIntent(String),
    ListIntents,
    Confirm(String),
    Capture(String),
    Cancel(String),
    CreateRefund,
    RetrieveRefund(String),
    ListRefunds,
    ListBalanceTransactions,
    RetrieveEvent(String),
    ListEvents,
    /// The customer's answer on the 3-D Secure page.
    Authenticate {
        id: String,
        passed: bool,
    },
    /// A refund made by hand in the dashboard.
    DashboardRefund(String),
    Dispute(String),
}

/// What an operation needs besides its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings<'a> {
    pub(crate) now_ms: i64,
    pub(crate) public_url: &'a str,
    pub(crate) refund_settle_ms: i64,
    pub(crate) idempotency_key: Option<&'a str>,
}

/// What an operation came to. A declined card is an answer *and* a change.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) changes: Vec<Change>,
    pub(crate) answer: Result<Value, ApiError>,
}

pub(crate) fn perform(
    operation: &Operation,
    form: &Form,
    ledger: &Ledger,
    around: &Surroundings<'_>,
) -> Outcome {
    match try_perform(operation, form, ledger, around) {
        Ok(outcome) => outcome,
        Err(error) => Outcome {
            changes: Vec::new(),
            answer: Err(error),
        },
    }
}

fn try_perform(
    operation: &Operation,
    form: &Form,
    ledger: &Ledger,
    around: &Surroundings<'_>,
) -> Result<Outcome, ApiError> {
    let now_ms = around.now_ms;
    match operation {
        Operation::CreateIntent => create_intent(form, around),
        Operation::RetrieveIntent(id) => {
            let intent = find_intent(ledger, id, None)?;
            Ok(read(shown(intent, form)))
        }
        Operation::ListIntents => Ok(read(lists::intents(form, ledger)?)),
        Operation::Confirm(id) => {
            let mut intent = find_intent(ledger, id, None)?.clone();
            let step = intent.confirm(
                form.text("payment_method"),
                form.text("return_url"),
                action_url(around, id),
                now_ms,
            )?;
            Ok(stepped(intent, step, form, around))
        }
        Operation::Capture(id) => {
            let mut intent = find_intent(ledger, id, None)?.clone();
            let step = intent.capture(form.amount("amount_to_capture")?, now_ms)?;
            Ok(stepped(intent, step, form, around))
        }
        Operation::Cancel(id) => {
            let mut intent = find_intent(ledger, id, None)?.clone();
            let step = intent.cancel(form.text("cancellation_reason"), now_ms)?;
            Ok(stepped(intent, step, form, around))
        }
        Operation::Authenticate { id, passed } => {
            let mut intent = find_intent(ledger, id, None)?.clone();
            let step = intent.authenticate(*passed, now_ms)?;
            Ok(stepped(intent, step, form, around))
        }
        Operation::CreateRefund => {
            let id = form.required("payment_intent")?;
            let intent = find_intent(ledger, id, Some("payment_intent"))?.clone();
            create_refund(intent, form, around)
        }
        Operation::DashboardRefund(id) => {
            create_refund(find_intent(ledger, id, None)?.clone(), form, around)
        }
        Operation::RetrieveRefund(id) => ledger
            .refunds
            .get(id)
            .map(|refund| read(objects::refund(refund)))
            .ok_or_else(|| ApiError::no_such("refund", id, None)),
        Operation::ListRefunds => Ok(read(lists::refunds(form, ledger)?)),
        Operation::ListBalanceTransactions => Ok(read(lists::balance_transactions(form, ledger)?)),
        Operation::RetrieveEvent(id) => ledger
            .events
            .get(id)
            .map(|event| read(event.body()))
            .ok_or_else(|| ApiError::no_such("event", id, None)),
        Operation::ListEvents => Ok(read(lists::events(form, ledger)?)),
        Operation::Dispute(id) => dispute(find_intent(ledger, id, None)?.clone(), around),
    }
}

impl Operation {
    /// The name its faults go by; the side doors of bank and dashboard have none.
    pub(crate) fn op(&self) -> Option<Op> {
        match self {
            Self::CreateIntent => Some(Op::Create),
            Self::Confirm(_) => Some(Op::Confirm),
            Self::Capture(_) => Some(Op::Capture),
            Self::Cancel(_) => Some(Op::Cancel),
            Self::CreateRefund => Some(Op::Refund),
            Self::RetrieveIntent(_)
            | Self::ListIntents
            | Self::RetrieveRefund(_)
            | Self::ListRefunds
            | Self::ListBalanceTransactions
            | Self::RetrieveEvent(_)
            | Self::ListEvents => Some(Op::Retrieve),
            Self::Authenticate { .. } | Self::DashboardRefund(_) | Self::Dispute(_) => None,
        }
    }

    /// The payment it is about, as far as one can tell before it is performed.
    pub(crate) fn subject(&self, form: &Form, ledger: &Ledger) -> Subject {
        let intent = match self {
            Self::CreateIntent => None,
            Self::RetrieveIntent(id)
            | Self::Confirm(id)
            | Self::Capture(id)
            | Self::Cancel(id)
            | Self::Authenticate { id, .. }
            | Self::DashboardRefund(id)
            | Self::Dispute(id) => Some(id.as_str()),
            Self::RetrieveRefund(id) => ledger.refunds.get(id).map(|r| r.payment_intent.as_str()),
            Self::CreateRefund | Self::ListRefunds => form.text("payment_intent"),
            Self::ListIntents
            | Self::ListBalanceTransactions
            | Self::RetrieveEvent(_)
            | Self::ListEvents => None,
        };
        let mut subject = intent
            .and_then(|id| ledger.intents.get(id))
            .map(Subject::of)
            .unwrap_or_default();
        if let Some(payment_method) = form.text("payment_method") {
            subject.payment_method = Some(payment_method.to_owned());
        }
        subject.metadata.extend(form.map("metadata"));
        subject
    }
}

/// Stripe's limit: eight digits.
const AMOUNT_MAX: i64 = 99_999_999;

fn create_intent(form: &Form, around: &Surroundings<'_>) -> Result<Outcome, ApiError> {
    let amount = form
        .amount("amount")?
        .ok_or_else(|| ApiError::missing("amount"))?;
    if amount > AMOUNT_MAX {
        let message = format!("Amount must be no more than {AMOUNT_MAX}.");
        return Err(ApiError::invalid("amount", "amount_too_large", message));
    }
    let currency = form.required("currency")?;
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_alphabetic()) {
        let message = format!("Invalid currency: {currency}.");
        return Err(ApiError::invalid("currency", "invalid_currency", message));
    }
    let capture_method = match form.text("capture_method") {
        Some("manual") => CaptureMethod::Manual,
        None | Some("automatic" | "automatic_async") => CaptureMethod::Automatic,
        Some(other) => {
            let message = format!("Invalid capture_method: {other}");
            return Err(ApiError::invalid(
                "capture_method",
                "parameter_invalid_string",
                message,
            ));
        }
    };
    let mut intent = Intent::new(amount, currency, capture_method, around.now_ms);
    intent.description = form.text("description").map(str::to_owned);
    intent.metadata = form.map("metadata");
    if let Some(payment_method) = form.text("payment_method") {
        intent.choose_card(payment_method)?;
    }
    let step = if form.flag("confirm")? {
        let url = action_url(around, &intent.id);
        intent.confirm(None, form.text("return_url"), url, around.now_ms)?
    } else {
        Step::default()
    };
    Ok(stepped(intent, step, form, around))
}

fn create_refund(
    mut intent: Intent,
    form: &Form,
    around: &Surroundings<'_>,
) -> Result<Outcome, ApiError> {
    let wanted = Wanted {
        amount: form.amount("amount")?,
        reason: form.text("reason").map(str::to_owned),
        metadata: form.map("metadata"),
    };
    let refund = Refund::new(&mut intent, wanted, around.refund_settle_ms, around.now_ms)?;
    let body = objects::refund(&refund);
    let changes = vec![
        event(EventKind::RefundCreated, body.clone(), around),
        event(EventKind::ChargeRefunded, objects::charge(&intent), around),
        Change::Refund(Box::new(refund)),
        Change::Intent(Box::new(intent)),
    ];
    Ok(Outcome {
        changes,
        answer: Ok(body),
    })
}

/// What becomes of a pending refund when its time has come.
pub(crate) fn settle_refund(ledger: &Ledger, id: &str, around: &Surroundings<'_>) -> Vec<Change> {
    let Some(mut refund) = ledger.refunds.get(id).cloned() else {
        return Vec::new();
    };
    let Some(mut intent) = ledger.intents.get(&refund.payment_intent).cloned() else {
        return Vec::new();
    };
    if !refund.settle(&mut intent) {
        return Vec::new();
    }
    let body = objects::refund(&refund);
    let mut changes = vec![event(EventKind::RefundUpdated, body.clone(), around)];
    if refund.will_fail {
        changes.push(event(EventKind::RefundFailed, body, around));
    }
    changes.push(Change::Refund(Box::new(refund)));
    changes.push(Change::Intent(Box::new(intent)));
    changes
}

fn dispute(mut intent: Intent, around: &Surroundings<'_>) -> Result<Outcome, ApiError> {
    if intent.captures == 0 || intent.dispute.is_some() {
        return Err(ApiError::unexpected_state(
            "Only a payment that was taken can be disputed, and once.",
        )
        .with_intent(objects::intent(&intent)));
    }
    let id = new_id("dp");
    let body = objects::dispute(&intent, &id, crate::clock::secs(around.now_ms));
    intent.dispute = Some(id);
    Ok(Outcome {
        changes: vec![
            event(EventKind::DisputeCreated, body.clone(), around),
            Change::Intent(Box::new(intent)),
        ],
        answer: Ok(body),
    })
}

fn read(body: Value) -> Outcome {
    Outcome {
        changes: Vec::new(),
        answer: Ok(body),
    }
}

fn stepped(intent: Intent, step: Step, form: &Form, around: &Surroundings<'_>) -> Outcome {
    let mut changes: Vec<_> = step
        .events
        .into_iter()
        .map(|kind| event(kind, objects::intent(&intent), around))
        .collect();
    let answer = match step.refused {
        Some(error) => Err(error),
        None => Ok(shown(&intent, form)),
    };
    changes.push(Change::Intent(Box::new(intent)));
    Outcome { changes, answer }
}

fn event(kind: EventKind, object: Value, around: &Surroundings<'_>) -> Change {
    Change::Event(Box::new(Event::new(
        kind,
        object,
        around.idempotency_key,
        around.now_ms,
    )))
}

/// The intent, its charge written out if `expand[]=latest_charge` asks for it.
pub(crate) fn shown(intent: &Intent, form: &Form) -> Value {
    let mut body = objects::intent(intent);
    if form.lists("expand", "latest_charge") || form.lists("expand", "data.latest_charge") {
        body["latest_charge"] = objects::charge(intent);
    }
    body
}

pub(crate) fn find_intent<'a>(
    ledger: &'a Ledger,
    id: &str,
    param: Option<&str>,
) -> Result<&'a Intent, ApiError> {
    ledger
        .intents
        .get(id)
        .ok_or_else(|| ApiError::no_such("payment_intent", id, param))
}

fn action_url(around: &Surroundings<'_>, id: &str) -> String {
    format!("{}/sandbox/3ds/{id}", around.public_url)
}
