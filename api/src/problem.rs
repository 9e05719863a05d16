//! Refusals as RFC 9457 problem details. Every error path of the API is one of these.
//!
//! A handler returns a [`Problem`]; the outermost layer writes it down, because only that knows the path and
//! the trace.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
pub use boxoffice_contracts::request::fields::FieldError;
use boxoffice_contracts::{
    Code,
    request::fields::{Mistakes, code_of},
};
use boxoffice_runtime::Failure;
use schemars::JsonSchema;
use sea_orm::DbErr;
use serde::Serialize;
use std::borrow::Cow;
use url::Url;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub detail: Option<Cow<'static, str>>,
    pub errors: Vec<FieldError>,
    pub retry_after_secs: Option<u32>,
}

/// Why a request is refused (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    pub kind: String,
    /// The same for every problem of this code.
    pub title: &'static str,
    /// The HTTP status again.
    pub status: u16,
    /// What is special about this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// The path that was asked for.
    pub instance: &'a str,
    pub code: Code,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What is wrong, field by field.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldError],
    /// Names the request in the logs of the house.
    pub trace_id: &'a str,
}

/// Media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// When a store or the broker is away: it is asked again every few seconds.
const RETRY_AFTER_OUTAGE_SECS: u32 = 2;

impl Problem {
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after_secs: None,
        }
    }

    #[must_use]
    pub fn because(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(code)
        }
    }

    #[must_use]
    pub fn retry_after(mut self, secs: u32) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    /// Nothing happened; the service is full or can't hand commands on.
    #[must_use]
    pub fn overloaded(retry_after_secs: u32) -> Self {
        Self::because(
            Code::Overloaded,
            "Nothing was accepted. Retry with the same Idempotency-Key.",
        )
        .retry_after(retry_after_secs)
    }

    /// Fields that are wrong. One cause that has a code of its own gives it to the whole.
    #[must_use]
    pub fn of_fields(errors: Vec<FieldError>) -> Self {
        Self {
            code: code_of(&errors),
            detail: None,
            errors,
            retry_after_secs: None,
        }
    }

    /// What a bare status of a library means.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        Self::new(match status.as_u16() {
            400 => Code::BodyMalformed,
            401 => Code::Unauthenticated,
            403 => Code::Forbidden,
            404 => Code::NotFound,
            405 => Code::MethodNotAllowed,
            408 | 504 => Code::Timeout,
            413 => Code::BodyTooLarge,
            415 => Code::MediaTypeUnsupported,
            422 => Code::ValidationFailed,
            429 => Code::RateLimited,
            503 => Code::Unavailable,
            _ => Code::InternalError,
        })
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What the answer says.
    #[must_use]
    pub fn body<'a>(
        &'a self,
        public_url: &Url,
        instance: &'a str,
        trace_id: &'a str,
    ) -> ProblemBody<'a> {
        ProblemBody {
            kind: type_of(public_url, self.code),
            title: self.code.title(),
            status: self.code.http_status(),
            detail: self.detail.as_deref(),
            instance,
            code: self.code,
            retryable: self.code.retryable(),
            errors: &self.errors,
            trace_id,
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn render(&self, public_url: &Url, instance: &str, trace_id: &str) -> Response {
        let body = self.body(public_url, instance, trace_id);
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The `type` of problems with this code: the address of its page in the catalogue.
pub(crate) fn type_of(public_url: &Url, code: Code) -> String {
    let base = public_url.as_str().trim_end_matches('/');
    format!("{base}/problems/{code}")
}

/// Fields that are wrong.
impl From<Mistakes> for Problem {
    fn from(mistakes: Mistakes) -> Self {
        Self::of_fields(mistakes.0)
    }
}

/// Carries the problem to the layer that renders it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A store that can't be reached is 503; one that refuses our statement is an error of ours.
impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        let failure = Failure::from(error);
        if matches!(failure, Failure::Down(..)) {
            tracing::warn!(error = %failure, "the database can't be reached");
            Self::because(Code::Unavailable, "The database can't be reached.")
                .retry_after(RETRY_AFTER_OUTAGE_SECS)
        } else {
            tracing::error!(error = %failure, "the database refused a read");
            Self::new(Code::InternalError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_says_what_why_where_and_whether_to_come_back() {
        let mut problem = Problem::of_fields(vec![FieldError::new(
            "/positions/1/seat_id",
            Code::SeatRepeated.as_str(),
            "asked for twice",
        )]);
        problem.retry_after_secs = Some(3);
        let url = Url::parse("https://tickets.example/").unwrap();
        let response = problem.render(&url, "/v1/bookings", "abc");
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        assert_eq!(response.headers()["retry-after"], "3");
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "https://tickets.example/problems/seat_repeated",
                "title": "The same seat is asked for twice.",
                "status": 422,
                "instance": "/v1/bookings",
                "code": "seat_repeated",
                "retryable": false,
                "errors": [{
                    "pointer": "/positions/1/seat_id", "code": "seat_repeated", "detail": "asked for twice"
                }],
                "trace_id": "abc",
            })
        );
    }

    #[test]
    fn a_card_number_outranks_everything_else_that_is_wrong() {
        let errors = vec![
            FieldError::new("/name", "too_long", ""),
            FieldError::new("/note", Code::CardNumberRefused.as_str(), ""),
        ];
        assert_eq!(Problem::of_fields(errors).code, Code::CardNumberRefused);
    }
}
