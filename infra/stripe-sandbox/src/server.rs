//! Every address of the sandbox on one screen, and how a request is read.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use axum::routing::{get, post, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::app::App;
use crate::calls::{error_response, run};
use crate::errors::ApiError;
use crate::form::Form;
use crate::operations::Operation as Op;
use crate::{control, pages};

type Shared = State<Arc<App>>;
type Id = Path<String>;

/// More than Stripe's largest form, far less than what hurts.
const BODY_MAX: usize = 64 * 1024;

#[rustfmt::skip]
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/payment_intents",
            post(|State(app): Shared, call: Call| run(app, Op::CreateIntent, call))
            .get(|State(app): Shared, call: Call| run(app, Op::ListIntents, call)))
        .route("/v1/payment_intents/{id}",
             get(|State(app): Shared, Path(id): Id, call: Call| run(app, Op::RetrieveIntent(id), call)))
        .route("/v1/payment_intents/{id}/confirm",
            post(|State(app): Shared, Path(id): Id, call: Call| run(app, Op::Confirm(id), call)))
        .route("/v1/payment_intents/{id}/capture",
            post(|State(app): Shared, Path(id): Id, call: Call| run(app, Op::Capture(id), call)))
        .route("/v1/payment_intents/{id}/cancel",
            post(|State(app): Shared, Path(id): Id, call: Call| run(app, Op::Cancel(id), call)))
        .route("/v1/refunds",
            post(|State(app): Shared, call: Call| run(app, Op::CreateRefund, call))
            .get(|State(app): Shared, call: Call| run(app, Op::ListRefunds, call)))
        .route("/v1/refunds/{id}",
             get(|State(app): Shared, Path(id): Id, call: Call| run(app, Op::RetrieveRefund(id), call)))
        .route("/v1/balance_transactions",
             get(|State(app): Shared, call: Call| run(app, Op::ListBalanceTransactions, call)))
        .route("/v1/events",
             get(|State(app): Shared, call: Call| run(app, Op::ListEvents, call)))
        .route("/v1/events/{id}",
             get(|State(app): Shared, Path(id): Id, call: Call| run(app, Op::RetrieveEvent(id), call)))
        .route("/sandbox/3ds/{id}", get(pages::challenge))
        .route("/sandbox/3ds/{id}/{answer}", post(pages::answer))
        .route("/sandbox/ledger", get(control::ledger))
        .route("/sandbox/ledger/summary", get(control::summary))
        .route("/sandbox/intents/{id}/refund", post(control::refund))
        .route("/sandbox/intents/{id}/dispute", post(control::dispute))
        .route("/sandbox/faults", put(control::set_faults).get(control::faults).delete(control::clear_faults))
        .route("/sandbox/webhooks", put(control::set_webhooks).get(control::webhooks))
        .route("/sandbox/reset", post(control::reset))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_route)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(app)
}

async fn no_such_route(method: Method, uri: Uri) -> Response {
    error_response(&ApiError::no_such_route(method.as_str(), uri.path()))
}

/// A request of `/v1`, read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) form: Form,
    pub(crate) idempotency_key: Option<String>,
    secret_key: Option<String>,
}

impl Call {
    pub(crate) fn by_hand(form: Form) -> Self {
        Self {
            method: String::new(),
            path: String::new(),
            form,
            idempotency_key: None,
            secret_key: None,
        }
    }

    pub(crate) fn authorized_by(&self, secret_key: &str) -> bool {
        self.secret_key.as_deref() == Some(secret_key)
    }
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let query = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
        let secret_key = secret_key(request.headers());
        // Keys belong to requests that change something.
        let idempotency_key = request
            .headers()
            .get("idempotency-key")
            .filter(|_| method == Method::POST)
            .map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
        let form = if method == Method::POST {
            let body = Bytes::from_request(request, state)
                .await
                .map_err(|_too_long| error_response(&ApiError::too_long()))?;
            Form::parse(&body)
        } else {
            query
        };
        Ok(Self {
            method: method.to_string(),
            path,
            form,
            idempotency_key,
            secret_key,
        })
    }
}

/// Stripe takes the key as a bearer token or as the user name of basic auth.
fn secret_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
    let (user, _password) = pair.split_once(':')?;
    Some(user.to_owned())
}
