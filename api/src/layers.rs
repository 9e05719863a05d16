//! What surrounds every request: the trace, the log line, panics, problems and headers outside; the limits,
//! the token and the role at the door of each route.

use crate::{
    AppState, Problem,
    auth::Caller,
    client::Client,
    limits::{Price, Standing},
    permissions::{Access, Route},
    problem::PROBLEM_JSON,
    waiters::Waiting,
};
use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{Code, trace::TraceParent};
use futures::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;

/// The trace of the request, for messages that it causes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(pub TraceParent);

/// The request's place among those in work. Given back early by whoever begins to wait for news.
#[derive(Clone)]
pub(crate) struct Slot {
    place: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    client: Client,
}

/// Longest that a request may wait for news.
pub(crate) const WAIT_SECS_MAX: u64 = 30;

/// When all places are taken.
const RETRY_AFTER_FULL_SECS: u32 = 1;
/// When something that a request needs takes too long.
const RETRY_AFTER_SLOW_SECS: u32 = 2;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_LEN_MAX: usize = 128;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The outermost layer: whatever happens inside leaves as an answer, with one log line.
pub(crate) async fn surround(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let trace = trace_of(request.headers());
    let trace_id = format!("{:032x}", trace.trace_id);
    let request_id = request_id(request.headers()).unwrap_or_else(|| trace_id.clone());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |route| route.as_str().to_owned());
    request.extensions_mut().insert(Trace(trace));

    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => {
            metrics::counter!("http_panics_total").increment(1);
            tracing::error!(
                http.route = route,
                trace.id = trace_id,
                "a handler panicked"
            );
            Problem::new(Code::InternalError).into_response()
        }
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let standing = response.extensions_mut().remove::<Standing>();
    if let Some(problem) = problem_in(&response) {
        response = problem.render(&state.config.public_url, &path, &trace_id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    let secure = state.config.public_url.scheme() == "https";
    decorate(response.headers_mut(), &request_id, secure);

    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    let labels = [
        ("method", method_label(&method)),
        ("route", route.clone()),
        ("status", status.to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_seconds", &labels[..2]).record(elapsed.as_secs_f64());
    tracing::info!(
        http.method = labels[0].1,
        http.route = route,
        http.status = status,
        duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        trace.id = trace_id,
        request.id = request_id,
        "request"
    );
    response
}

/// The door of one route: a principal, a role, what the client has left, a place, a deadline.
pub(crate) async fn admit(
    State((state, line)): State<(AppState, &'static Route)>,
    request: Request,
    next: Next,
) -> Response {
    let mut standing = None;
    let mut response = match let_in(&state, line, request, next, &mut standing).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if let Some(standing) = standing {
        response.extensions_mut().insert(standing);
    }
    response
}

async fn let_in(
    state: &AppState,
    line: &Route,
    mut request: Request,
    next: Next,
    standing: &mut Option<Standing>,
) -> Result<Response, Problem> {
    let (client, caller) = identify(state, line, &request);
    // Before anything else: one client's flood costs others no place.
    match state.limits.take(&client, Price::of(line.action)) {
        Ok(after) => *standing = after,
        Err((problem, refused)) => {
            *standing = Some(refused);
            return Err(problem);
        }
    }
    if let Some(caller) = caller? {
        request.extensions_mut().insert(caller);
    }
    let permit = Arc::clone(&state.slots)
        .try_acquire_owned()
        .map_err(|_full| {
            metrics::counter!("http_shed_total").increment(1);
            Problem::overloaded(RETRY_AFTER_FULL_SECS)
        })?;
    // Held until the answer is there, whatever the handler drops.
    let slot = Slot {
        place: Arc::new(Mutex::new(Some(permit))),
        client,
    };
    request.extensions_mut().insert(slot.clone());

    let mut answering = std::pin::pin!(next.run(request));
    let mut answer = tokio::time::timeout(state.config.request_timeout(), answering.as_mut()).await;
    // Only who has begun to wait for news gets the time for it: what hangs before that is given up.
    if answer.is_err() && line.waits && slot.is_given_back() {
        answer = tokio::time::timeout(Duration::from_secs(WAIT_SECS_MAX), answering).await;
    }
    let mut response = answer
        .map_err(|_elapsed| Problem::new(Code::Timeout).retry_after(RETRY_AFTER_SLOW_SECS))?;
    if matches!(line.access, Access::Roles(_) | Access::RolesOrLink(_)) {
        let headers = response.headers_mut();
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(
                header::CACHE_CONTROL,
                HeaderValue::from_static("private, no-store"),
            );
        }
        headers.append(header::VARY, HeaderValue::from_static("Authorization"));
    }
    Ok(response)
}

/// Who the request is counted for, and who may act. Nobody acts where no token is needed.
fn identify(
    state: &AppState,
    line: &Route,
    request: &Request,
) -> (Client, Result<Option<Caller>, Problem>) {
    let headers = request.headers();
    let address = || Client::at(request.extensions(), headers, &state.config.trusted_proxies);
    let needs_token = match line.access {
        Access::Signed => return (address(), Ok(None)),
        Access::Public => false,
        // A signed link in place of the token; its handler looks at it.
        Access::RolesOrLink(_) => {
            headers.contains_key(header::AUTHORIZATION)
                || !request.uri().query().is_some_and(is_signed_link)
        }
        Access::Roles(_) => true,
    };
    if !needs_token && !headers.contains_key(header::AUTHORIZATION) {
        return (address(), Ok(None));
    }
    match state.verifier.authenticate(headers) {
        Ok(principal) => {
            let client = Client::of(&principal);
            let caller = needs_token.then(|| line.access.admit(principal));
            let caller = caller.map(|caller| caller.ok_or_else(|| Problem::new(Code::Forbidden)));
            (client, caller.transpose())
        }
        Err(_) if !needs_token => (address(), Ok(None)),
        Err(problem) => (address(), Err(problem)),
    }
}

fn is_signed_link(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("signature="))
}

impl Slot {
    /// Whether the request waits for news.
    fn is_given_back(&self) -> bool {
        self.place
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    /// Lets another request in while this one waits. Waiting has a limit of its own.
    ///
    /// # Errors
    /// 429 when too many of this client's wait, 503 when too many do.
    pub(crate) fn begin_to_wait(&self, state: &AppState) -> Result<Waiting, Problem> {
        let waiting = state.waiters.enter(&self.client)?;
        drop(
            self.place
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        Ok(waiting)
    }
}

/// The answer of a handler of ours, or of a library that knows no problems.
fn problem_in(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let written = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == PROBLEM_JSON);
    (failed && !written).then(|| Problem::of_status(status))
}

fn decorate(headers: &mut HeaderMap, request_id: &str, secure: bool) {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Our few pages name what they load; data loads nothing.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    if secure {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    // What doesn't say that it may be kept, is not kept.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
}

fn trace_of(headers: &HeaderMap) -> TraceParent {
    let step = uuid::Uuid::new_v4();
    headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<TraceParent>().ok())
        .map_or_else(|| TraceParent::root(step), |parent| parent.child(step))
}

/// The client's own id, if it can be repeated without harm.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let tame = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    let fits = !text.is_empty() && text.len() <= REQUEST_ID_LEN_MAX;
    (fits && text.bytes().all(tame)).then(|| text.to_owned())
}

/// Methods are free text: a label for each would fill the metrics.
fn method_label(method: &axum::http::Method) -> String {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Trace {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let trace = parts.extensions.get::<Self>().copied();
        trace.ok_or_else(|| Problem::new(Code::InternalError))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Slot {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let slot = parts.extensions.get::<Self>().cloned();
        slot.ok_or_else(|| Problem::new(Code::InternalError))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{Router, body::Body, middleware::from_fn_with_state, routing::get};
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_panic_and_a_bare_status_leave_as_problems_too() {
        let state = world().state;
        let router: Router = Router::new()
            .route(
                "/panic",
                get(async || -> &'static str { panic!("on purpose") }),
            )
            .route(
                "/bare",
                get(async || axum::http::StatusCode::SERVICE_UNAVAILABLE),
            )
            .layer(from_fn_with_state(state, surround));
        for (path, status) in [("/panic", 500), ("/bare", 503)] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        }
    }
}
