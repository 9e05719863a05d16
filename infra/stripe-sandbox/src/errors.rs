//! What the sandbox answers when it says no: Stripe's error envelope.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// An error as Stripe words it.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) decline_code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    /// The intent as it is after the refusal, so that the caller needs no second call.
    pub(crate) payment_intent: Option<Box<Value>>,
    /// Whether an idempotency key replays this answer. Stripe keeps what an endpoint
    /// answered once it ran, and forgets what was refused before it ran.
    pub(crate) kept: bool,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            decline_code: None,
            message: message.into(),
            param: None,
            payment_intent: None,
            kept: false,
        }
    }

    fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    fn param(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    pub(crate) fn with_intent(mut self, intent: Value) -> Self {
        self.payment_intent = Some(Box::new(intent));
        self
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            "Invalid API Key provided.",
        )
    }

    pub(crate) fn missing(param: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            format!("Missing required param: {param}."),
        )
        .code("parameter_missing")
        .param(param)
    }

    pub(crate) fn invalid(param: &str, code: &'static str, message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
            .code(code)
            .param(param)
    }

    /// Something of that name does not exist: 404 in the path, 400 in a parameter.
    pub(crate) fn no_such(what: &str, id: &str, param: Option<&str>) -> Self {
        let status = match param {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::NOT_FOUND,
        };
        Self::new(
            status,
            "invalid_request_error",
            format!("No such {what}: '{id}'"),
        )
        .code("resource_missing")
        .param(param.unwrap_or("id"))
    }

    pub(crate) fn no_such_route(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            format!("Unrecognized request URL ({method}: {path})."),
        )
    }

    pub(crate) fn too_long() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request_error",
            "The request is too long.",
        )
    }

    /// The object is in a state which does not allow this.
    pub(crate) fn unexpected_state(message: impl Into<String>) -> Self {
        Self::refused("payment_intent_unexpected_state", message)
    }

    /// The request was well formed and the endpoint ran, but the answer is no.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
            .code(code)
            .kept()
    }

    pub(crate) fn declined(
        code: &'static str,
        decline_code: Option<&'static str>,
        message: &str,
    ) -> Self {
        let mut error = Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", message)
            .code(code)
            .kept();
        error.decline_code = decline_code;
        error
    }

    pub(crate) fn key_reused(key: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "idempotency_error",
            format!(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. \
                 Try using a key other than '{key}' if you meant to execute a different request."
            ),
        )
    }

    pub(crate) fn key_in_use(key: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "idempotency_error",
            format!(
                "There is currently another in-progress request using this idempotency key ('{key}')."
            ),
        )
        .code("idempotency_key_in_use")
    }

    pub(crate) fn rate_limited() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "invalid_request_error",
            "Request rate limit exceeded.",
        )
        .code("rate_limit")
    }

    pub(crate) fn not_allowed() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "Your account cannot currently make this request.",
        )
        .code("account_invalid")
    }

    /// A 500: the caller cannot know whether anything happened.
    pub(crate) fn broken(kept: bool) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "api_error",
            "An unknown error occurred.",
        );
        error.kept = kept;
        error
    }

    pub(crate) fn body(&self) -> Value {
        let mut error = Map::new();
        error.insert("type".into(), json!(self.kind));
        error.insert("message".into(), json!(self.message));
        let optional = [
            ("code", self.code),
            ("decline_code", self.decline_code),
            ("param", self.param.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                error.insert(name.into(), json!(value));
            }
        }
        if let Some(intent) = &self.payment_intent {
            error.insert("payment_intent".into(), Value::clone(intent));
            if let Some(charge) = intent["latest_charge"].as_str() {
                error.insert("charge".into(), json!(charge));
            }
        }
        json!({ "error": error })
    }
}
