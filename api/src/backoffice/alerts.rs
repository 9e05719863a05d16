//! Alerts that are raised, and saying that somebody looks after one.

use super::{Actor, of_the_house, only_reason};
use crate::{
    AppState, Problem,
    auth::Caller,
    body,
    layers::Trace,
    params::{Id, Options},
};
use axum::{Json, extract::State};
use boxoffice_contracts::{Code, Instant};
use boxoffice_runtime::pool;
use boxoffice_store::mysql::alerts::{self, row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOptions {
    /// Those that are over too.
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Alerts")]
pub(crate) struct AlertsView {
    pub at: Instant,
    pub alerts: Vec<AlertView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub(crate) struct AlertView {
    /// `rule:target`.
    pub key: String,
    pub rule: String,
    pub target: String,
    /// `raised`, or `cleared`.
    pub state: String,
    /// `page`: somebody should come now; `ticket`: today.
    pub severity: String,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// How often it was raised.
    pub episode: u32,
    /// When the trouble began.
    pub since: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<Instant>,
    pub last_seen: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<AcknowledgedView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Acknowledged")]
pub(crate) struct AcknowledgedView {
    pub by: String,
    pub at: Instant,
    pub reason: String,
}

impl AlertView {
    pub(crate) fn of(row: row::Model) -> Self {
        let acknowledged = row.acknowledged_by.zip(row.acknowledged_at);
        let reason = row.acknowledged_reason.unwrap_or_default();
        Self {
            key: row.alert_key,
            rule: row.rule,
            target: row.target,
            state: row.state,
            severity: row.severity,
            summary: row.summary,
            value: row.value,
            limit: row.limit_value,
            episode: row.episode,
            since: row.since,
            raised_at: row.raised_at,
            last_seen: row.last_seen,
            cleared_at: row.cleared_at,
            acknowledged: acknowledged.map(|(by, at)| AcknowledgedView { by, at, reason }),
        }
    }
}

/// `GET /v1/backoffice/alerts`.
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Options(ListOptions { all }): Options<ListOptions>,
) -> Result<Json<AlertsView>, Problem> {
    of_the_house(&caller)?;
    let found = alerts::list(&state.db, all).await?;
    Ok(Json(AlertsView {
        at: state.now(),
        alerts: found.into_iter().map(AlertView::of).collect(),
    }))
}

/// `POST /v1/backoffice/alerts/{key}/acknowledge`: it stays raised until the trouble is over.
pub(crate) async fn acknowledge(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(key): Id<String>,
    body::Json(body): body::Json,
) -> Result<Json<AlertView>, Problem> {
    of_the_house(&caller)?;
    let reason = only_reason(body)?;
    let now = state.now();
    let tx = pool::begin(&state.db).await?;
    let found = alerts::lock(&tx, &key).await?;
    let Some(mut row) = found.filter(|row| row.state == alerts::RAISED) else {
        return Err(Problem::new(Code::NotFound));
    };
    row.acknowledged_by = Some(caller.principal.owner.subject.clone());
    row.acknowledged_at = Some(now);
    row.acknowledged_reason = Some(reason.clone());
    alerts::write(&tx, row.clone(), false).await?;
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let detail = json!({"episode": row.episode, "summary": row.summary});
    let target = format!("alert:{key}");
    actor
        .audit(&tx, "alert.acknowledge", &target, Some(&reason), detail)
        .await?;
    tx.commit().await?;
    Ok(Json(AlertView::of(row)))
}
