//! Every queue as it stands, and its last day.

use super::{holds::HoldView, of_the_house, prefetch::PrefetchView};
use crate::{AppState, Problem, auth::Caller, params::Id};
use axum::{Json, extract::State};
use boxoffice_contracts::{
    Code, Instant,
    topology::{self, QUEUES, Queue},
};
use boxoffice_runtime::{
    beats::{self, Beat},
    controls::{self, Control},
    prefetch::{self, Prefetch},
};
use boxoffice_store::mysql::{
    alerts,
    queues::{self, minute, now},
};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// `queue-watch` looks every five seconds; three looks missed, and what is shown is old.
const STALE_AFTER: TimeDelta = TimeDelta::seconds(20);

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Queues")]
pub(crate) struct QueuesView {
    pub at: Instant,
    /// When `queue-watch` looked last; absent when it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_at: Option<Instant>,
    /// Nobody looks: what is shown is as old as `watched_at`.
    pub stale: bool,
    pub queues: Vec<QueueView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Queue")]
pub(crate) struct QueueView {
    pub name: String,
    /// The role that consumes it; absent where messages only wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// What its workers do: `running`, `paused` (a service is away), `held`, `draining`, `drained`, `starting`,
    /// `unattended`, or `waiting` where messages only wait.
    pub state: &'static str,
    /// Absent while the broker's exporter has not been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<DepthView>,
    pub rates: RatesView,
    /// Age of the oldest message, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_secs: Option<f64>,
    pub critical: CriticalView,
    /// What each consumer takes ahead; absent where messages only wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefetch: Option<PrefetchView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsView>,
    /// Seconds until a limit is passed if it goes on like this; 0 when one is; absent when none comes nearer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breach_secs: Option<f64>,
    /// Messages of this queue that failed for good and wait for a person.
    pub parked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldView>,
    /// Keys of alerts on it that are raised.
    pub alerts: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QueueDepth")]
pub(crate) struct DepthView {
    pub ready: u64,
    pub unacked: u64,
    pub consumers: u32,
    /// Share of the time in which the consumers could take more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    /// When the broker told this.
    pub seen_at: Instant,
}

/// Messages per second over the last minute; absent until it is known.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QueueRates")]
pub(crate) struct RatesView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_per_sec: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_per_sec: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_per_sec: Option<f64>,
}

/// From when a message was sent until it was done, over the last five minutes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CriticalTime")]
pub(crate) struct CriticalView {
    pub messages: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u64>,
    /// What the 99th percentile should stay within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective_ms: Option<u64>,
    /// Whether it does; absent when nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// Beyond these an alert is raised.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QueueLimits")]
pub(crate) struct LimitsView {
    pub depth_max: u32,
    pub age_max_secs: u64,
}

/// A queue, minute by minute, first one first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QueueHistory")]
pub(crate) struct HistoryView {
    pub name: String,
    pub minutes: Vec<MinuteView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QueueMinute")]
pub(crate) struct MinuteView {
    /// Its beginning.
    pub minute: Instant,
    pub ready: u64,
    pub unacked: u64,
    pub depth_peak: u64,
    pub consumers: u32,
    pub arrived: u64,
    pub delivered: u64,
    pub settled: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_secs: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_p50_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_p99_ms: Option<u64>,
    pub parked: u64,
}

/// `GET /v1/backoffice/queues`.
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<QueuesView>, Problem> {
    of_the_house(&caller)?;
    let db = &state.db;
    let rows = queues::all(db).await?;
    let controls = controls::effective(db).await?;
    let prefetches = prefetch::all(db).await?;
    let beats = beats::all(db).await?;
    let raised = alerts::list(db, false).await?;
    let now = state.now();
    let watched_at = rows.iter().map(|row| row.at).max();
    let mut rows: BTreeMap<String, Option<now::Model>> = rows
        .into_iter()
        .map(|row| (row.queue.clone(), Some(row)))
        .collect();
    for queue in QUEUES {
        rows.entry(queue.name.to_owned()).or_default();
    }
    let view = |(name, row): (String, Option<now::Model>)| {
        let keys = raised.iter().filter(|alert| alert.target == name);
        let keys = keys.map(|alert| alert.alert_key.clone()).collect();
        view(name, row, &controls, &prefetches, &beats, keys)
    };
    Ok(Json(QueuesView {
        at: now,
        watched_at,
        stale: watched_at.is_none_or(|at| now - at > STALE_AFTER),
        queues: rows.into_iter().map(view).collect(),
    }))
}

fn view(
    name: String,
    row: Option<now::Model>,
    controls: &[Control],
    prefetches: &[Prefetch],
    beats: &[Beat],
    alerts: Vec<String>,
) -> QueueView {
    let queue: Option<&'static Queue> = topology::queue(&name);
    let role = queue.map(Queue::role);
    let mut held = controls
        .iter()
        .filter(|control| role.is_some_and(|role| control.concerns(role, &name)));
    let objective_ms = queue.map(|queue| millis(queue.alert.critical_p99));
    let row = row.as_ref();
    let p99_ms = row.and_then(|row| row.critical_p99_ms);
    QueueView {
        role,
        state: state_of(beats, &name, role.is_some()),
        depth: row.and_then(|row| {
            Some(DepthView {
                seen_at: row.seen_at?,
                ready: row.ready,
                unacked: row.unacked,
                consumers: row.consumers,
                utilisation: row.utilisation,
            })
        }),
        rates: RatesView {
            arrived_per_sec: row.and_then(|row| row.arrived_per_sec),
            delivered_per_sec: row.and_then(|row| row.delivered_per_sec),
            settled_per_sec: row.and_then(|row| row.settled_per_sec),
        },
        oldest_secs: row.and_then(|row| row.oldest_secs),
        critical: CriticalView {
            messages: row.map_or(0, |row| row.critical_messages),
            p50_ms: row.and_then(|row| row.critical_p50_ms),
            p95_ms: row.and_then(|row| row.critical_p95_ms),
            p99_ms,
            objective_ms,
            met: p99_ms.zip(objective_ms).map(|(p99, most)| p99 <= most),
        },
        prefetch: queue.map(|queue| PrefetchView::of(queue, prefetches)),
        limits: queue.map(|queue| LimitsView {
            depth_max: queue.alert.depth_max,
            age_max_secs: queue.alert.age_max.as_secs(),
        }),
        breach_secs: row.and_then(|row| row.breach_secs),
        parked: row.map_or(0, |row| row.parked),
        held: held.next().map(HoldView::of),
        alerts,
        name,
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the workers of a queue do, in one word: the one that an operator must know first.
fn state_of(beats: &[Beat], queue: &str, has_worker: bool) -> &'static str {
    const ORDER: [&str; 6] = [
        "paused", "draining", "running", "starting", "held", "drained",
    ];
    if !has_worker {
        return "waiting";
    }
    let live = |state: &str| {
        beats
            .iter()
            .any(|beat| beat.queue == queue && beat.is_live() && beat.state == state)
    };
    ORDER
        .into_iter()
        .find(|state| live(state))
        .unwrap_or("unattended")
}

/// `GET /v1/backoffice/queues/{name}/history`: the last 24 hours.
pub(crate) async fn history(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<HistoryView>, Problem> {
    of_the_house(&caller)?;
    let since = state.now() - TimeDelta::hours(24);
    let minutes = queues::history(&state.db, &name, since).await?;
    if minutes.is_empty() && topology::queue(&name).is_none() {
        return Err(Problem::new(Code::NotFound));
    }
    let view = |row: minute::Model| MinuteView {
        minute: row.minute,
        ready: row.ready,
        unacked: row.unacked,
        depth_peak: row.depth_peak,
        consumers: row.consumers,
        arrived: row.arrived,
        delivered: row.delivered,
        settled: row.settled,
        utilisation: row.utilisation,
        oldest_secs: row.oldest_secs,
        critical_p50_ms: row.critical_p50_ms,
        critical_p99_ms: row.critical_p99_ms,
        parked: row.parked,
    };
    Ok(Json(HistoryView {
        name,
        minutes: minutes.into_iter().map(view).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock_at;
    use std::time::Duration;

    fn beat(state: &str, age_secs: u64) -> Beat {
        Beat {
            process: "h/1/x".to_owned(),
            role: "mail".to_owned(),
            queue: "mail".to_owned(),
            at: clock_at(0),
            age: Duration::from_secs(age_secs),
            state: state.to_owned(),
            service: None,
            in_hand: 0,
            handled_total: 0,
            oldest_at: None,
            taken_at: None,
        }
    }

    #[test]
    fn the_state_is_what_an_operator_must_know_first() {
        let state = |beats: &[Beat]| state_of(beats, "mail", true);
        assert_eq!(state(&[]), "unattended");
        assert_eq!(state(&[beat("running", 60)]), "unattended", "it is gone");
        assert_eq!(state(&[beat("stopped", 1)]), "unattended");
        assert_eq!(
            state(&[beat("drained", 1), beat("draining", 1)]),
            "draining"
        );
        assert_eq!(state(&[beat("drained", 1), beat("drained", 1)]), "drained");
        assert_eq!(state(&[beat("running", 1), beat("paused", 1)]), "paused");
        assert_eq!(state_of(&[], "unroutable", false), "waiting");
    }

    #[test]
    fn a_queue_that_was_never_seen_is_shown_with_its_limits() {
        let view = view("mail".to_owned(), None, &[], &[], &[], Vec::new());
        assert!(view.depth.is_none() && view.critical.met.is_none());
        assert_eq!(view.limits.unwrap().depth_max, 5_000);
        assert_eq!(view.critical.objective_ms, Some(60_000));
    }
}
