//! Reads a JSON body: its type, its size, its syntax. What it says is for [`boxoffice_contracts::request`].

use crate::{AppState, Problem};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use boxoffice_contracts::{Code, request::card::refuse_cards};
use serde_json::Value;

/// A body of JSON. An empty one is `{}`.
pub(crate) struct Json(pub Value);

impl FromRequest<AppState> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let reading = read(&parts.headers, body, state.config.body_bytes_max);
        // A client that sends a byte a second keeps a place from others.
        let bytes = tokio::time::timeout(state.config.request_timeout(), reading)
            .await
            .map_err(|_elapsed| Problem::new(Code::Timeout))??;
        if bytes.is_empty() {
            return Ok(Self(Value::Object(serde_json::Map::new())));
        }
        if !is_json(&parts.headers) {
            return Err(Problem::because(
                Code::MediaTypeUnsupported,
                "Send application/json in UTF-8, not compressed.",
            ));
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let detail = format!("Not JSON at line {line}, column {column}.");
            Problem::because(Code::BodyMalformed, detail)
        })?;
        let mut errors = Vec::new();
        refuse_cards(&value, String::new(), &mut errors);
        if errors.is_empty() {
            Ok(Self(value))
        } else {
            Err(Problem::of_fields(errors))
        }
    }
}

/// The bytes of a body, if they are not too many.
///
/// # Errors
/// 413, or 400 when the client broke off.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::because(
            Code::BodyTooLarge,
            format!("A body has at most {bytes_max} bytes."),
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|error| {
            // The limit is the usual cause; the other is a client that went away.
            tracing::debug!(%error, "a body was not read");
            too_large()
        })
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let plain = text(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    let essence = text(header::CONTENT_TYPE)
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    plain && essence == "application/json"
}
