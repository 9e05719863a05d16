//! The HTTP side: every route on one screen.

use std::io;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::json;
use uuid::Uuid;

use crate::faults::{Fault, Faults};
use crate::pages;
use crate::store::{Query, Store};

/// No script ever, nothing from elsewhere. Styles may be inline, because mails bring theirs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// What a mail carries is never a page of ours, whatever it claims to be.
const POLICY_FOREIGN: &str = "sandbox; default-src 'none'";

#[derive(Clone)]
struct App {
    store: Arc<Store>,
    faults: Arc<Faults>,
}

pub(crate) fn router(store: Arc<Store>, faults: Arc<Faults>) -> Router {
    Router::new()
        .route("/", get(list_page))
        .route("/mail/{id}", get(mail_page))
        .route("/api/messages", get(list).delete(clear))
        .route("/api/messages/{id}", get(detail))
        .route("/api/messages/{id}/raw", get(raw))
        .route("/api/messages/{id}/attachments/{index}", get(attachment))
        .route(
            "/api/faults",
            put(put_fault).get(list_faults).delete(clear_faults),
        )
        .route("/healthz", get(|| async { "ok" }))
        .layer(map_response(harden))
        .with_state(App { store, faults })
}

async fn list_page(
    State(app): State<App>,
    query: Result<UrlQuery<Query>, QueryRejection>,
) -> Result<Html<String>, Problem> {
    let UrlQuery(query) = query?;
    Ok(Html(pages::list(
        &app.store.list(&query),
        app.store.len(),
        &query,
    )))
}

async fn mail_page(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Html<String>, Problem> {
    let detail = blocking(app, id, |store, id| store.detail(id)).await?;
    Ok(Html(pages::mail(&detail)))
}

async fn list(
    State(app): State<App>,
    query: Result<UrlQuery<Query>, QueryRejection>,
) -> Result<Response, Problem> {
    let UrlQuery(query) = query?;
    Ok(Json(app.store.list(&query)).into_response())
}

async fn clear(State(app): State<App>) -> Result<StatusCode, Problem> {
    tokio::task::spawn_blocking(move || app.store.clear())
        .await
        .map_err(io::Error::other)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn detail(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(Json(blocking(app, id, |store, id| store.detail(id)).await?).into_response())
}

async fn raw(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let raw = blocking(app, id, |store, id| store.raw(id)).await?;
    Ok(foreign("message/rfc822", None, raw))
}

async fn attachment(
    State(app): State<App>,
    Path((id, index)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let index = index.parse().ok().ok_or(Problem::NotFound)?;
    let (about, bytes) = blocking(app, id, move |store, id| store.attachment(id, index)).await?;
    Ok(foreign(&about.content_type, Some(&about.name), bytes))
}

async fn put_fault(
    State(app): State<App>,
    fault: Result<Json<Fault>, JsonRejection>,
) -> Result<Json<Vec<Fault>>, Problem> {
    let Json(fault) = fault?;
    app.faults.put(fault);
    Ok(Json(app.faults.list()))
}

async fn list_faults(State(app): State<App>) -> Json<Vec<Fault>> {
    Json(app.faults.list())
}

async fn clear_faults(State(app): State<App>) -> StatusCode {
    app.faults.clear();
    StatusCode::NO_CONTENT
}

/// Looks a mail up off the async threads, because it may be on disk.
async fn blocking<T, F>(app: App, id: String, look_up: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(&Store, Uuid) -> io::Result<Option<T>> + Send + 'static,
{
    let id = Uuid::try_parse(&id).ok().ok_or(Problem::NotFound)?;
    let found = tokio::task::spawn_blocking(move || look_up(&app.store, id))
        .await
        .map_err(io::Error::other)?;
    found?.ok_or(Problem::NotFound)
}

/// Bytes that a stranger wrote: downloaded, never rendered.
fn foreign(content_type: &str, name: Option<&str>, bytes: Vec<u8>) -> Response {
    let content_type = HeaderValue::from_str(content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let mut response = ([(CONTENT_TYPE, content_type)], bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY_FOREIGN),
    );
    if let Some(name) = name
        && let Ok(disposition) = HeaderValue::from_str(&disposition(name))
    {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

/// RFC 6266: a plain name for the old, the true one percent-encoded (RFC 8187).
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || ".-_ ".contains(letter) {
                letter
            } else {
                '_'
            }
        })
        .collect();
    let encoded: String = name
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

async fn harden<B>(mut response: HttpResponse<B>) -> HttpResponse<B> {
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(CONTENT_SECURITY_POLICY, POLICY);
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(REFERRER_POLICY, "no-referrer");
    default(CACHE_CONTROL, "no-store");
    response
}

enum Problem {
    BadRequest(String),
    NotFound,
    Unreadable(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        // Dropped for a newer one between the list and the disk.
        if error.kind() == io::ErrorKind::NotFound {
            Self::NotFound
        } else {
            Self::Unreadable(error)
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title) = match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, why),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "no such mail or attachment".to_owned(),
            ),
            Self::Unreadable(error) => {
                tracing::error!(%error, "a stored mail could not be read");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the mail could not be read".to_owned(),
                )
            }
        };
        let body = Json(json!({ "status": status.as_u16(), "title": title }));
        (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_file_name_stays_inside_its_quotes() {
        assert_eq!(
            disposition("a\"b\r\n;ü.pdf"),
            "attachment; filename=\"a_b____.pdf\"; filename*=UTF-8''a%22b%0D%0A%3B%C3%BC.pdf"
        );
    }
}
