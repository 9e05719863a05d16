//! Who of the staff did what, and why: in pages, and as a whole.

use crate::{AppState, Problem, bookings::put, params::Options};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{Code, Instant};
use boxoffice_store::mysql::audit::{self, AuditFilter, From, row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 500;
/// Rows that an export reads at once.
const PORTION: u64 = 500;
/// Media type of JSON lines.
const JSON_LINES: &str = "application/x-ndjson";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditOptions {
    subject: Option<String>,
    action: Option<String>,
    target: Option<String>,
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportOptions {
    subject: Option<String>,
    action: Option<String>,
    target: Option<String>,
    after: Option<u64>,
}

/// A page of the audit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditPage")]
pub(crate) struct PageView {
    pub deeds: Vec<DeedView>,
    /// Number to give as `before`, or as `after` where that was given; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One deed. What it tells of messages is without personal data.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deed")]
pub(crate) struct DeedView {
    pub id: u64,
    pub at: Instant,
    pub subject: String,
    pub role: String,
    pub action: String,
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub detail: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl DeedView {
    fn of(row: row::Model) -> Self {
        Self {
            id: row.id,
            at: row.at,
            subject: row.subject,
            role: row.role,
            action: row.action,
            target: row.target,
            reason: row.reason,
            detail: row.detail,
            trace_id: row.trace_id,
        }
    }
}

/// `GET /v1/backoffice/audit`: the latest first; with `after` the oldest first.
pub(crate) async fn list(
    State(state): State<AppState>,
    Options(options): Options<AuditOptions>,
) -> Result<Json<PageView>, Problem> {
    let limit = options.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = "`limit` is from 1 to 500.";
        return Err(Problem::because(Code::ValidationFailed, detail));
    }
    let from = match (options.before, options.after) {
        (Some(_), Some(_)) => {
            let detail = "`before` goes back and `after` goes on: give one of them.";
            return Err(Problem::because(Code::ValidationFailed, detail));
        }
        (_, Some(after)) => From::After(after),
        (before, None) => From::Before(before.unwrap_or(LATEST)),
    };
    let filter = AuditFilter {
        subject: options.subject,
        action: options.action,
        target: options.target,
    };
    let mut rows = audit::page(&state.db, &filter, from, limit + 1).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row| row.id);
    let deeds = rows.into_iter().map(DeedView::of).collect();
    Ok(Json(PageView { deeds, next }))
}

/// Beyond every number that a row has.
const LATEST: u64 = i64::MAX as u64;

/// `GET /v1/backoffice/audit/export`: one deed per line, oldest first, as many as there are.
pub(crate) async fn export(
    State(state): State<AppState>,
    Options(options): Options<ExportOptions>,
) -> Result<Response, Problem> {
    let filter = AuditFilter {
        subject: options.subject,
        action: options.action,
        target: options.target,
    };
    let after = options.after.unwrap_or(0);
    // The first portion tells whether the database answers at all.
    let first = audit::page(&state.db, &filter, From::After(after), PORTION).await?;
    let lines = futures::stream::try_unfold(Some(first), move |portion| {
        let (state, filter) = (state.clone(), filter.clone());
        async move {
            let Some(rows) = portion else {
                return Ok(None);
            };
            let last = rows.last().map(|row| row.id);
            let next = match last {
                Some(last) if rows.len() as u64 == PORTION => {
                    Some(audit::page(&state.db, &filter, From::After(last), PORTION).await?)
                }
                _ => None,
            };
            Ok::<_, sea_orm::DbErr>(Some((text(rows), next)))
        }
    });
    let mut response = Body::from_stream(lines).into_response();
    put(&mut response, header::CONTENT_TYPE, JSON_LINES);
    put(&mut response, header::CACHE_CONTROL, "private, no-store");
    Ok(response)
}

fn text(rows: Vec<row::Model>) -> String {
    let mut lines = String::new();
    for row in rows {
        // Texts, numbers and a value that was JSON already: this can't fail.
        lines.push_str(&serde_json::to_string(&DeedView::of(row)).unwrap_or_default());
        lines.push('\n');
    }
    lines
}
