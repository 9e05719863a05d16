//! The published contracts of messages, as this program was built with them.

use crate::Problem;
use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{Code, message, partner::kinds};
use serde_json::Value;

/// Generated; `cargo xtask gen --check` keeps it fresh.
const ASYNCAPI: &str = include_str!("../../docs/asyncapi.yaml");

/// They change with a new version of the program only.
const CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=300");

pub(crate) async fn asyncapi() -> Response {
    let yaml = (header::CONTENT_TYPE, "application/yaml");
    ([yaml, CACHE], ASYNCAPI).into_response()
}

/// `{kind}.json`.
///
/// # Errors
/// 404 for a kind that isn't published.
pub(crate) async fn schema(Path(file): Path<String>) -> Result<Response, Problem> {
    let entry = file.strip_suffix(".json").and_then(message::entry);
    published(entry.map(message::Entry::document))
}

/// `{kind}.json` of what partners send and get, or `cloudevent.json`.
///
/// # Errors
/// 404 for a kind that isn't published.
pub(crate) async fn partner_schema(Path(file): Path<String>) -> Result<Response, Problem> {
    let name = file.strip_suffix(".json");
    published(match name {
        Some(kinds::ENVELOPE) => Some(kinds::envelope_document()),
        Some(kind) => kinds::entry(kind).map(kinds::PartnerEntry::document),
        None => None,
    })
}

fn published(document: Option<Value>) -> Result<Response, Problem> {
    let document = document.ok_or_else(|| Problem::new(Code::NotFound))?;
    let json = (header::CONTENT_TYPE, "application/schema+json");
    Ok(([json, CACHE], document.to_string()).into_response())
}

#[cfg(test)]
#[path = "contracts_tests.rs"]
mod tests;
