//! What the routes do that show and hold queues and workers, and tell of alerts.

use super::{
    Shapes,
    describe::{Body, Description, json_request, with},
    examples,
    parts::{answer, json_body, parameter, query, string},
};
use crate::{
    backoffice::{
        alerts::{AcknowledgedView, AlertView, AlertsView},
        holds::{HeldView, HoldView, ReleasedView},
        prefetch::PrefetchView,
        queues::{
            CriticalView, DepthView, HistoryView, LimitsView, MinuteView, QueueView, QueuesView,
            RatesView,
        },
        workers::{ProcessView, RoleView, WorkersView},
    },
    permissions::Action,
};
use boxoffice_contracts::{Code, Instant};
use boxoffice_runtime::prefetch::PREFETCH_MAX;
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::{
    ObjectBuilder, Response, Type,
    path::{Parameter, ParameterIn},
};

pub(super) const OPERATIONS: &str = "operations";

/// How long something is held, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct HoldRequest {
    /// Why; the audit keeps it.
    #[schemars(length(min = 1, max = 500), regex(pattern = REASON))]
    reason: String,
    /// When it ends by itself, at most 30 days ahead. Goes without `for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Instant>,
    /// How long, such as `90s`, `15m`, `2h`, `1d`. Goes without `until`.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,9}[smhd]$"))]
    lasting: Option<String>,
}

/// Why an operator does it; the audit keeps it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct OperatorReason {
    #[schemars(length(min = 1, max = 500), regex(pattern = REASON))]
    reason: String,
}

/// How many messages a consumer takes ahead, and why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PrefetchRequest {
    /// Messages of each consumer. Left out: what the topology says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = PREFETCH_MAX))]
    prefetch: Option<u16>,
    #[schemars(length(min = 1, max = 500), regex(pattern = REASON))]
    reason: String,
}

/// Something else than spaces, and no control characters.
const REASON: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

const OF_READS: &[Code] = &[Code::ValidationFailed, Code::Unavailable];
const OF_ONE: &[Code] = &[Code::NotFound, Code::Unavailable];
const OF_ORDERS: &[Code] = &[Code::NotFound, Code::ValidationFailed, Code::Unavailable];

/// One of the routes of this file.
pub(super) fn describe(action: Action, shapes: &mut Shapes) -> Description {
    match action {
        Action::QueueHistory => read_history(shapes),
        Action::PauseQueue => hold(shapes, "Queue", "pauseQueue", "Hold a queue", PAUSES),
        Action::DrainQueue => hold(shapes, "Queue", "drainQueue", "Drain a queue", DRAINS),
        Action::ResumeQueue => release(shapes, "Queue", "resumeQueue", "Release a queue"),
        Action::SetPrefetch => set_prefetch(shapes),
        Action::PauseWorker => hold(shapes, "Role", "pauseWorker", "Hold a role", PAUSES),
        Action::DrainWorker => hold(shapes, "Role", "drainWorker", "Drain a role", DRAINS),
        Action::ResumeWorker => release(shapes, "Role", "resumeWorker", "Release a role"),
        Action::ListWorkers => list_workers(shapes),
        Action::ListAlerts => list_alerts(shapes),
        Action::AckAlert => acknowledge(shapes),
        _ => list_queues(shapes),
    }
}

const PAUSES: &str = "Its consumers are cancelled within three seconds, in every process and in those that start \
                      later; what is in hand is finished, and nothing counts as an attempt. An order takes the \
                      place of the one before.";
const DRAINS: &str = "As a pause, and `state` says `drained` when nothing is in hand any more.";

fn list_queues(shapes: &mut Shapes) -> Description {
    let body = json_body(shapes.answer::<QueuesView>(), value(&queues()));
    Description {
        id: "listQueues",
        tag: OPERATIONS,
        summary: "Every queue as it stands",
        text: "Depth, rates of the last minute, age of the oldest message, critical time against its objective, \
               the time until a limit is passed, holds and alerts. From the broker's exporter and the workers' own \
               figures, as `queue-watch` saw them last.",
        parameters: Vec::new(),
        body: None,
        answers: ok("Every queue, by name.", body),
        refusals: &[Code::Unavailable],
    }
}

fn read_history(shapes: &mut Shapes) -> Description {
    let body = json_body(shapes.answer::<HistoryView>(), value(&history()));
    Description {
        id: "readQueueHistory",
        tag: OPERATIONS,
        summary: "A day of a queue, minute by minute",
        text: "The last 24 hours; minutes in which nobody looked are missing.",
        parameters: vec![name("name", "The queue.", "tickets")],
        body: None,
        answers: ok("The minutes, first one first.", body),
        refusals: OF_ONE,
    }
}

fn hold(
    shapes: &mut Shapes,
    what: &str,
    id: &'static str,
    summary: &'static str,
    text: &'static str,
) -> Description {
    let request = HoldRequest {
        reason: "The renderer is being replaced.".to_owned(),
        until: None,
        lasting: Some("15m".to_owned()),
    };
    let held = HeldView {
        hold: held("tickets"),
        warning: Some("Bookings complete without their documents after a minute."),
    };
    let body = json_body(shapes.answer::<HeldView>(), value(&held));
    Description {
        id,
        tag: OPERATIONS,
        summary,
        text,
        parameters: vec![target(what)],
        body: Some(json_request::<HoldRequest>(shapes, value(&request), true)),
        answers: ok("The order that holds it, and what that means.", body),
        refusals: OF_ORDERS,
    }
}

fn release(
    shapes: &mut Shapes,
    what: &str,
    id: &'static str,
    summary: &'static str,
) -> Description {
    let released = ReleasedView {
        was: Some(held("tickets")),
        still: Vec::new(),
    };
    let body = json_body(shapes.answer::<ReleasedView>(), value(&released));
    Description {
        id,
        tag: OPERATIONS,
        summary,
        text: "Takes the order back. A queue whose role is held stays held: `still` says so.",
        parameters: vec![target(what)],
        body: Some(because(shapes, "The renderer is back.")),
        answers: ok("What held it, and what still does.", body),
        refusals: OF_ORDERS,
    }
}

fn set_prefetch(shapes: &mut Shapes) -> Description {
    let request = PrefetchRequest {
        prefetch: Some(8),
        reason: "The renderer needs much memory.".to_owned(),
    };
    let body = json_body(shapes.answer::<PrefetchView>(), value(&prefetch()));
    Description {
        id: "setPrefetch",
        tag: OPERATIONS,
        summary: "Let the consumers of a queue take more or fewer messages ahead",
        text: "Every process obeys within seconds, and so do those that start later, until the number is set back by \
               leaving it out. What is in hand is finished; nothing is lost and nothing counts as an attempt. A \
               consumer begins with one message, whatever is ordered.",
        parameters: vec![target("Queue")],
        body: Some(json_request::<PrefetchRequest>(
            shapes,
            value(&request),
            true,
        )),
        answers: ok("What is taken ahead from now on.", body),
        refusals: OF_ORDERS,
    }
}

fn prefetch() -> PrefetchView {
    PrefetchView {
        messages: 8,
        default: 64,
        reason: Some("The renderer needs much memory.".to_owned()),
        by: Some("grace".to_owned()),
        at: Some(at(0)),
    }
}

fn list_workers(shapes: &mut Shapes) -> Description {
    let workers = WorkersView {
        at: at(0),
        roles: vec![RoleView {
            role: "tickets",
            does: "Makes documents.",
            held: None,
            processes: vec![ProcessView {
                process: "box-1/4711/9c1185a5".to_owned(),
                queue: Some("tickets".to_owned()),
                state: "running".to_owned(),
                service: None,
                in_hand: 2,
                handled: 1_204,
                at: at(-2),
            }],
        }],
    };
    let body = json_body(shapes.answer::<WorkersView>(), value(&workers));
    Description {
        id: "listWorkers",
        tag: OPERATIONS,
        summary: "Every role and its processes",
        text: "What each process said last; they speak every three seconds.",
        parameters: Vec::new(),
        body: None,
        answers: ok("Every role, by name.", body),
        refusals: &[Code::Unavailable],
    }
}

fn list_alerts(shapes: &mut Shapes) -> Description {
    let alerts = AlertsView {
        at: at(0),
        alerts: vec![alert(None)],
    };
    let body = json_body(shapes.answer::<AlertsView>(), value(&alerts));
    let flag = ObjectBuilder::new().schema_type(Type::Boolean);
    Description {
        id: "listAlerts",
        tag: OPERATIONS,
        summary: "Alerts that are raised",
        text: "Rules and limits come from the topology; see the operations manual.",
        parameters: vec![query(
            "all",
            flag,
            "Those of the last 30 days that are over, too.",
            json!(false),
        )],
        body: None,
        answers: ok("Alerts by key.", body),
        refusals: OF_READS,
    }
}

fn acknowledge(shapes: &mut Shapes) -> Description {
    let acknowledged = AcknowledgedView {
        by: "grace".to_owned(),
        at: at(0),
        reason: "I look after it.".to_owned(),
    };
    let body = json_body(
        shapes.answer::<AlertView>(),
        value(&alert(Some(acknowledged))),
    );
    Description {
        id: "acknowledgeAlert",
        tag: OPERATIONS,
        summary: "Say that somebody looks after an alert",
        text: "It stays raised until the trouble is over; the next time it begins unacknowledged.",
        parameters: vec![name("key", "The alert.", "no_consumer:tickets")],
        body: Some(because(shapes, "I look after it.")),
        answers: ok("The alert.", body),
        refusals: OF_ORDERS,
    }
}

fn because(shapes: &mut Shapes, reason: &str) -> Body {
    let request = OperatorReason {
        reason: reason.to_owned(),
    };
    json_request::<OperatorReason>(shapes, value(&request), true)
}

fn ok(text: &str, body: utoipa::openapi::Content) -> Vec<(u16, Response)> {
    vec![(200, with(answer(text, &[]), "application/json", body))]
}

fn target(what: &str) -> Parameter {
    if what == "Queue" {
        name("name", "The queue.", "tickets")
    } else {
        name("role", "The role.", "tickets")
    }
}

fn name(parameter_name: &str, meaning: &str, example: &str) -> Parameter {
    let schema = string().max_length(Some(120));
    let place = ParameterIn::Path;
    parameter(parameter_name, place, true, schema, meaning, json!(example))
}

fn at(secs: i64) -> Instant {
    examples::now() + TimeDelta::seconds(secs)
}

fn held(queue: &str) -> HoldView {
    HoldView {
        target: "queue",
        name: queue.to_owned(),
        mode: "pause",
        reason: "The renderer is being replaced.".to_owned(),
        by: "grace".to_owned(),
        at: at(0),
        until: Some(at(900)),
    }
}

fn queues() -> QueuesView {
    QueuesView {
        at: at(0),
        watched_at: Some(at(-3)),
        stale: false,
        queues: vec![QueueView {
            name: "tickets".to_owned(),
            role: Some("tickets"),
            state: "running",
            depth: Some(DepthView {
                ready: 120,
                unacked: 16,
                consumers: 1,
                utilisation: Some(0.2),
                seen_at: at(-3),
            }),
            rates: RatesView {
                arrived_per_sec: Some(14.0),
                delivered_per_sec: Some(9.5),
                settled_per_sec: Some(9.5),
            },
            oldest_secs: Some(12.5),
            critical: CriticalView {
                messages: 2_850,
                p50_ms: Some(6_889),
                p95_ms: Some(11_585),
                p99_ms: Some(13_777),
                objective_ms: Some(30_000),
                met: Some(true),
            },
            prefetch: Some(prefetch()),
            limits: Some(LimitsView {
                depth_max: 5_000,
                age_max_secs: 120,
            }),
            breach_secs: Some(1_081.0),
            parked: 0,
            held: None,
            alerts: Vec::new(),
        }],
    }
}

fn history() -> HistoryView {
    HistoryView {
        name: "tickets".to_owned(),
        minutes: vec![MinuteView {
            minute: at(-60),
            ready: 118,
            unacked: 16,
            depth_peak: 141,
            consumers: 1,
            arrived: 812,
            delivered: 570,
            settled: 569,
            utilisation: Some(0.2),
            oldest_secs: Some(12.5),
            critical_p50_ms: Some(6_889),
            critical_p99_ms: Some(13_777),
            parked: 0,
        }],
    }
}

fn alert(acknowledged: Option<AcknowledgedView>) -> AlertView {
    AlertView {
        key: "no_consumer:tickets".to_owned(),
        rule: "no_consumer".to_owned(),
        target: "tickets".to_owned(),
        state: "raised".to_owned(),
        severity: "page".to_owned(),
        summary: "nobody consumes tickets; 12 messages wait".to_owned(),
        value: Some(0.0),
        limit: None,
        episode: 1,
        since: at(-40),
        raised_at: Some(at(-22)),
        last_seen: at(-2),
        cleared_at: None,
        acknowledged,
    }
}

fn value<T: Serialize>(example: &T) -> Value {
    #[allow(clippy::expect_used, reason = "constants that a test serializes")]
    serde_json::to_value(example).expect("a plain value")
}
