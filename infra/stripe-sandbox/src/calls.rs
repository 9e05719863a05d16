//! The way of a request: wait, claim the key, maybe fail on purpose, perform, write down, answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;

use crate::app::App;
use crate::clock::now_ms;
use crate::errors::ApiError;
use crate::faults::{Kind, RequestPlan};
use crate::form::Form;
use crate::idempotency::{Claim, StoredAnswer, fingerprint};
use crate::ledger::Change;
use crate::objects::new_id;
use crate::operations::{self, Operation};
use crate::server::Call;

/// How long before its answer an `early` webhook is sent.
const EARLY_BY: Duration = Duration::from_millis(50);

/// What a `decline` makes of any card.
const DECLINED_CARD: &str = "pm_card_chargeDeclined";

/// Runs one request of `/v1`. It goes on when the client has left, as it would at Stripe.
pub(crate) async fn run(app: Arc<App>, operation: Operation, call: Call) -> Response {
    if !call.authorized_by(&app.config.secret_key) {
        return Answer::refused(&ApiError::unauthorized()).into_response(None);
    }
    let key = call.idempotency_key.clone();
    let worker = {
        let app = Arc::clone(&app);
        app.tasks.clone().spawn(async move {
            tokio::select! {
                reply = answer(&app, &operation, &call) => reply,
                () = app.shutdown.cancelled() => Reply::Reset,
            }
        })
    };
    match worker.await {
        Ok(Reply::Answer(answer)) => answer.into_response(key.as_deref()),
        Ok(Reply::Silence(_in_flight)) => {
            app.shutdown.cancelled().await;
            dropped_connection()
        }
        Ok(Reply::Reset) | Err(_) => dropped_connection(),
    }
}

/// What the bank, the customer or somebody at the dashboard does: no key, no wait, no fault.
pub(crate) fn by_hand(app: &Arc<App>, operation: &Operation, form: Form) -> Response {
    let (answer, _early) = execute(app, operation, &Call::by_hand(form), "", None);
    answer.into_response(None)
}

async fn answer(app: &Arc<App>, operation: &Operation, call: &Call) -> Reply {
    wait(app.config.latency).await;
    let print = fingerprint(&call.method, &call.path, &call.form);
    let in_flight = match &call.idempotency_key {
        None => None,
        Some(key) => {
            let claim = app.ledger().keys.claim(key, &print, now_ms());
            match claim {
                Ok(Claim::Fresh) => Some(InFlight(Arc::clone(app), key.clone())),
                Ok(Claim::Replay(stored)) => return Reply::Answer(Answer::replay(stored)),
                Err(error) => return Reply::Answer(Answer::refused(&error)),
            }
        }
    };
    let RequestPlan { delay, strike } = {
        let subject = operation.subject(&call.form, &app.ledger());
        operation
            .op()
            .map(|op| app.faults.for_request(op, &subject))
            .unwrap_or_default()
    };
    wait(delay).await;
    let after = match strike {
        Some((Kind::Hang, _)) => return Reply::Silence(in_flight),
        Some((Kind::Error429, _)) => {
            return Reply::Answer(Answer::refused(&ApiError::rate_limited()));
        }
        Some((Kind::Error400, _)) => {
            return Reply::Answer(Answer::refused(&ApiError::not_allowed()));
        }
        Some((Kind::Error500Before, sticky)) => {
            let answer = Answer::refused(&ApiError::broken(sticky));
            let stored = stored_answer(call, &print, &answer);
            return match app.commit(stored.into_iter().collect()) {
                Ok(_) => Reply::Answer(answer),
                Err(_) => Reply::Reset,
            };
        }
        other => other.map(|(kind, _)| kind),
    };
    let (answer, early) = execute(app, operation, call, &print, after);
    drop(in_flight);
    if early {
        wait(EARLY_BY).await;
    }
    match after {
        Some(Kind::HangAfter) => Reply::Silence(None),
        Some(Kind::ResetAfter) => Reply::Reset,
        _ => Reply::Answer(answer),
    }
}

/// Even a sleep of nothing takes a millisecond, the timer's grain.
async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Performs the operation and writes down, in one line, what changed and what its key replays.
fn execute(
    app: &Arc<App>,
    operation: &Operation,
    call: &Call,
    print: &str,
    strike: Option<Kind>,
) -> (Answer, bool) {
    let mut ledger = app.ledger();
    let around = app.surroundings(call.idempotency_key.as_deref());
    let form = match strike {
        Some(Kind::Decline) => call.form.with("payment_method", DECLINED_CARD),
        _ => call.form.clone(),
    };
    let outcome = operations::perform(operation, &form, &ledger, &around);
    let answer = match (strike, outcome.answer) {
        (Some(Kind::Error500After), _) => Answer::refused(&ApiError::broken(true)),
        (_, Ok(body)) => Answer::ok(body.to_string()),
        (_, Err(error)) => Answer::refused(&error),
    };
    let mut changes = outcome.changes;
    changes.extend(stored_answer(call, print, &answer));
    let committed = app.commit_locked(&mut ledger, changes);
    drop(ledger);
    match committed {
        Ok(effects) => {
            let early = app.follow_up(effects);
            (answer, early)
        }
        Err(error) => {
            tracing::error!(%error, "the ledger cannot be written; nothing was performed");
            (Answer::refused(&ApiError::broken(false)), false)
        }
    }
}

fn stored_answer(call: &Call, print: &str, answer: &Answer) -> Option<Change> {
    let key = call.idempotency_key.clone().filter(|_| answer.kept)?;
    Some(Change::Answer(Box::new(StoredAnswer {
        key,
        fingerprint: print.to_owned(),
        status: answer.status.as_u16(),
        body: answer.body.clone(),
        at_ms: now_ms(),
    })))
}

/// An answer before it is HTTP.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: String,
    kept: bool,
    replayed: bool,
}

enum Reply {
    Answer(Answer),
    /// Never answered; the key stays in flight until the client gives up.
    Silence(Option<InFlight>),
    /// The connection is dropped.
    Reset,
}

/// A claimed key; whoever holds it answers for it.
pub(crate) struct InFlight(Arc<App>, String);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ledger().keys.release(&self.1);
    }
}

impl Answer {
    fn ok(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            kept: true,
            replayed: false,
        }
    }

    fn refused(error: &ApiError) -> Self {
        Self {
            status: error.status,
            body: error.body().to_string(),
            kept: error.kept,
            replayed: false,
        }
    }

    fn replay(stored: StoredAnswer) -> Self {
        Self {
            status: StatusCode::from_u16(stored.status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: stored.body,
            kept: true,
            replayed: true,
        }
    }

    fn into_response(self, key: Option<&str>) -> Response {
        let passing = matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT
        );
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Ok(id) = HeaderValue::from_str(&new_id("req")) {
            headers.insert("request-id", id);
        }
        if let Some(key) = key.and_then(|key| HeaderValue::from_str(key).ok()) {
            headers.insert("idempotency-key", key);
        }
        if self.replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        if passing {
            headers.insert("stripe-should-retry", HeaderValue::from_static("true"));
        }
        response
    }
}

/// An error answer outside of [`run`].
pub(crate) fn error_response(error: &ApiError) -> Response {
    Answer::refused(error).into_response(None)
}

/// A response whose body fails before a byte is flushed: hyper closes the connection without an answer.
fn dropped_connection() -> Response {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let broken = stream::once(std::future::ready(Err::<Bytes, _>(reset)));
    Response::new(Body::from_stream(broken))
}
