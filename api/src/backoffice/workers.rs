//! Every worker process by role.

use super::{holds::HoldView, of_the_house};
use crate::{AppState, Problem, auth::Caller};
use axum::{Json, extract::State};
use boxoffice_contracts::{Instant, topology::roles::ROLES};
use boxoffice_runtime::{
    beats::{self, Beat},
    controls::{self, Target},
};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workers")]
pub(crate) struct WorkersView {
    pub at: Instant,
    pub roles: Vec<RoleView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkerRole")]
pub(crate) struct RoleView {
    pub role: &'static str,
    /// What it does.
    pub does: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldView>,
    /// What each process said last; one that is gone is shown for ten minutes.
    pub processes: Vec<ProcessView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkerProcess")]
pub(crate) struct ProcessView {
    /// Host, process id and a random part.
    pub process: String,
    /// Absent for a role that takes no messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// `starting`, `running`, `paused` (a service is away), `held`, `draining`, `drained`, `stopped`, or `gone`: it
    /// beats no more.
    pub state: String,
    /// The service that is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Messages that it has taken and not settled.
    pub in_hand: u32,
    /// Messages that it settled since it began.
    pub handled: u64,
    /// When it said so.
    pub at: Instant,
}

impl ProcessView {
    fn of(beat: &Beat) -> Self {
        let ended = beat.is_live() || beat.state == "stopped";
        Self {
            process: beat.process.clone(),
            queue: Some(beat.queue.clone()).filter(|queue| !queue.is_empty()),
            state: if ended {
                beat.state.clone()
            } else {
                "gone".to_owned()
            },
            service: beat.service.clone(),
            in_hand: beat.in_hand,
            handled: beat.handled_total,
            at: beat.at,
        }
    }
}

/// `GET /v1/backoffice/workers`.
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<WorkersView>, Problem> {
    of_the_house(&caller)?;
    let beats = beats::all(&state.db).await?;
    let controls = controls::effective(&state.db).await?;
    let roles = ROLES.iter().filter(|role| role.name != "api").map(|role| {
        let target = Target::Role(role.name.to_owned());
        let held = controls.iter().find(|control| control.target == target);
        let processes = beats.iter().filter(|beat| beat.role == role.name);
        RoleView {
            role: role.name,
            does: role.doc,
            held: held.map(HoldView::of),
            processes: processes.map(ProcessView::of).collect(),
        }
    });
    Ok(Json(WorkersView {
        at: state.now(),
        roles: roles.collect(),
    }))
}
