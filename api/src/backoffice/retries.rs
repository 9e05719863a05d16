//! Campaigns of retries: planned by a dry run, started, paused, resumed, cancelled, watched. The mender runs them.

use super::{
    Actor, filter, only_reason,
    parked::{target_of, yes_or_no},
    reason,
};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json as Body,
    documents::NoOptions,
    fields::{Fields, Mistakes, list, whole},
    layers::Trace,
    params::{Id, Options},
};
use axum::{Json, extract::State};
use boxoffice_contracts::{Code, Instant};
use boxoffice_runtime::pool;
use boxoffice_store::mysql::{
    parked::Filter,
    retries::{
        self, Order, Retry, RetryState,
        plan::{self, LeftOut, MESSAGES_MAX, NewRetry, Plan},
    },
};
use futures::{FutureExt, future::BoxFuture};
use schemars::JsonSchema;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

const RATE_PER_SEC: u32 = 500;
const RATE_PER_SEC_MAX: u32 = 1_000;
/// One to see whether it is mended, ten to see whether it is true, then all.
const STAGES: [u32; 2] = [1, 10];
const STAGES_MAX: usize = 10;
/// Share of a stage that may fail again before a campaign stops by itself.
const STOP_PERCENT: u32 = 20;
/// Campaigns of a list, and messages in trouble of one.
const LIST_MAX: u32 = 100;
const TROUBLES_MAX: u32 = 50;

/// A campaign of retries: what was chosen, and how far it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Retry")]
pub(crate) struct RetryView {
    pub id: Uuid,
    /// `planned`, `running`, `paused`, `stopped` (by itself), `cancelled` or `done`.
    pub state: &'static str,
    /// As it was given.
    pub filter: Value,
    pub reason: String,
    pub started_by: String,
    pub rate_per_sec: u32,
    pub stages: Vec<u32>,
    /// Messages that may be sent: when it was planned.
    pub eligible: u32,
    /// Messages that were left out when it was planned, and why.
    pub not_eligible: Vec<LeftOutView>,
    pub progress: ProgressView,
    /// Why it stopped by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_why: Option<String>,
    pub created_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Instant>,
    /// Messages that failed again, or had nothing left to retry when it was their turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<TroubleView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetryProgress")]
pub(crate) struct ProgressView {
    /// On their way; their outcome isn't known.
    pub sent: u32,
    /// Handled.
    pub done: u32,
    /// Parked again.
    pub failed_again: u32,
    /// Handled, archived or sent by somebody else before it was their turn.
    pub skipped: u32,
    /// Not sent yet.
    pub left: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetryLeftOut")]
pub(crate) struct LeftOutView {
    pub why: String,
    pub meaning: &'static str,
    pub messages: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetryTrouble")]
pub(crate) struct TroubleView {
    pub queue: String,
    pub message_id: Uuid,
    /// `failed` or `skipped`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Campaigns, youngest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Retries")]
pub(crate) struct RetriesView {
    pub retries: Vec<RetryView>,
}

/// `POST /v1/backoffice/parked/retries`: plans one, or starts it at once when `dry_run` is false.
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Body(body): Body,
) -> Result<Json<RetryView>, Problem> {
    let wish = Wish::read(body)?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let tx = pool::begin(&state.db).await?;
    let plan = plan::plan(&tx, &wish.filter, now).await?;
    if plan.is_cut {
        let detail = format!("A retry has at most {MESSAGES_MAX} messages: narrow the filter.");
        return Err(Problem::because(Code::ValidationFailed, detail));
    }
    let id = write(&tx, &actor, &wish, &plan).await?;
    let action = if wish.is_started {
        "retry.start"
    } else {
        "retry.plan"
    };
    let detail = json!({
        "retry": id, "filter": wish.given, "eligible": plan.eligible.len(),
        "not_eligible": plan.left_out.values().sum::<u32>(), "rate_per_sec": wish.rate_per_sec,
    });
    let target = target_of(&wish.filter);
    actor
        .audit(&tx, action, &target, Some(&wish.reason), detail)
        .await?;
    let view = view(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(view))
}

async fn write(
    db: &impl ConnectionTrait,
    actor: &Actor<'_>,
    wish: &Wish,
    plan: &Plan,
) -> Result<Uuid, Problem> {
    let id = Uuid::now_v7();
    let new = NewRetry {
        id,
        filter: wish.given.clone(),
        reason: &wish.reason,
        subject: &actor.caller.principal.owner.subject,
        rate_per_sec: wish.rate_per_sec,
        stages: &wish.stages,
        stop_percent: wish.stop_percent,
        is_started: wish.is_started,
    };
    plan::create(db, &new, plan, actor.now).await?;
    Ok(id)
}

/// A campaign of one message that begins at once, for a message that was edited.
pub(super) async fn start_one(
    db: &impl ConnectionTrait,
    actor: &Actor<'_>,
    key: &boxoffice_store::mysql::parked::Key,
    reason: &str,
) -> Result<Uuid, Problem> {
    let filter = Filter {
        queue: Some(key.queue.clone()),
        messages: vec![key.message],
        ..Filter::default()
    };
    let wish = Wish {
        filter,
        given: json!({"queue": key.queue, "messages": [key.message]}),
        reason: reason.to_owned(),
        rate_per_sec: RATE_PER_SEC,
        stages: STAGES.to_vec(),
        stop_percent: STOP_PERCENT,
        is_started: true,
    };
    let plan = Plan {
        eligible: vec![key.clone()],
        ..Plan::default()
    };
    write(db, actor, &wish, &plan).await
}

/// `GET /v1/backoffice/parked/retries`.
pub(crate) async fn list_all(
    State(state): State<AppState>,
    Options(NoOptions {}): Options<NoOptions>,
) -> Result<Json<RetriesView>, Problem> {
    let mut found = Vec::new();
    for retry in retries::list(&state.db, LIST_MAX).await? {
        let progress = retries::progress(&state.db, retry.id).await?;
        found.push(view_of(retry, progress, Vec::new()));
    }
    Ok(Json(RetriesView { retries: found }))
}

/// `GET /v1/backoffice/parked/retries/{id}`.
pub(crate) async fn read(
    State(state): State<AppState>,
    Id(id): Id<Uuid>,
) -> Result<Json<RetryView>, Problem> {
    Ok(Json(view(&state.db, id).await?))
}

async fn view(db: &impl ConnectionTrait, id: Uuid) -> Result<RetryView, Problem> {
    let retry = retries::find(db, id, false).await?;
    let retry = retry.ok_or_else(|| Problem::new(Code::NotFound))?;
    let progress = retries::progress(db, id).await?;
    let troubles = retries::troubles(db, id, TROUBLES_MAX).await?;
    let troubles = troubles.into_iter().map(|trouble| TroubleView {
        queue: trouble.queue,
        message_id: trouble.message,
        state: trouble.state,
        code: trouble.code,
    });
    Ok(view_of(retry, progress, troubles.collect()))
}

fn view_of(retry: Retry, progress: retries::Progress, troubles: Vec<TroubleView>) -> RetryView {
    let left_out = retry
        .skipped
        .into_iter()
        .map(|(why, messages)| LeftOutView {
            meaning: LeftOut::meaning_of(&why),
            why,
            messages,
        });
    RetryView {
        id: retry.id,
        state: retry.state.as_str(),
        filter: retry.filter,
        reason: retry.reason,
        started_by: retry.subject,
        rate_per_sec: retry.rate_per_sec,
        stages: retry.stages,
        eligible: retry.total,
        not_eligible: left_out.collect(),
        progress: ProgressView {
            sent: progress.sent,
            done: progress.done,
            failed_again: progress.failed,
            skipped: progress.skipped,
            left: progress.waiting,
        },
        stopped_why: retry.stopped_why,
        created_at: retry.created_at,
        started_at: retry.started_at,
        finished_at: retry.finished_at,
        troubles,
    }
}

/// Handler of `POST /v1/backoffice/parked/retries/{id}/{start|pause|resume|cancel}`. What was sent before a pause is
/// followed; one that stopped by itself and is resumed does so no more: a person has seen why; cancelled is for good.
pub(crate) fn orderer(
    wanted: Order,
) -> impl Fn(State<AppState>, Caller, Trace, Id<Uuid>, Body) -> Answer + Clone + Send + Sync + 'static
{
    move |state, caller, trace, id, body| order(wanted, state, caller, trace, id, body).boxed()
}

/// What [`orderer`] answers.
type Answer = BoxFuture<'static, Result<Json<RetryView>, Problem>>;

async fn order(
    order: Order,
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(id): Id<Uuid>,
    Body(body): Body,
) -> Result<Json<RetryView>, Problem> {
    let why = only_reason(body)?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let tx = pool::begin(&state.db).await?;
    let retry = retries::find(&tx, id, true).await?;
    let retry = retry.ok_or_else(|| Problem::new(Code::NotFound))?;
    let Some(next) = order.from(retry.state) else {
        let detail = format!("The retry is {}.", retry.state.as_str());
        return Err(Problem::because(Code::StateConflict, detail));
    };
    if retry.state == RetryState::Stopped && next == RetryState::Running {
        retries::never_stop(&tx, id).await?;
    }
    retries::set_state(&tx, &retry, next, None, now).await?;
    let action = format!("retry.{}", order.as_str());
    let detail = json!({"from": retry.state.as_str(), "eligible": retry.total});
    actor
        .audit(&tx, &action, &format!("retry:{id}"), Some(&why), detail)
        .await?;
    let view = view(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// What is to be retried, how, and why.
struct Wish {
    filter: Filter,
    /// As it was given.
    given: Value,
    reason: String,
    rate_per_sec: u32,
    stages: Vec<u32>,
    stop_percent: u32,
    is_started: bool,
}

impl Wish {
    fn read(body: Value) -> Result<Self, Problem> {
        let given = body.get("filter").cloned().unwrap_or(Value::Null);
        let mut mistakes = Mistakes::default();
        let (mut filter, mut why) = (None, None);
        let (mut rate, mut stages, mut percent, mut dry_run) = (None, None, None, None);
        if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
            let found = &mut mistakes;
            filter = fields.required("filter", found, filter::of_body);
            why = reason(&mut fields, found);
            rate = fields.optional(
                "rate_per_sec",
                found,
                whole(1..=u64::from(RATE_PER_SEC_MAX)),
            );
            let stage = whole(1..=MESSAGES_MAX as u64);
            stages = fields.optional("stages", found, list(STAGES_MAX, stage));
            percent = fields.optional("stop_percent", found, whole(0..=100));
            dry_run = fields.optional("dry_run", found, yes_or_no);
            fields.finish(found);
        }
        mistakes.refuse()?;
        let incomplete = || Problem::new(Code::ValidationFailed);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Self {
            filter: filter.ok_or_else(incomplete)?,
            given,
            reason: why.ok_or_else(incomplete)?,
            rate_per_sec: rate.map_or(RATE_PER_SEC, small),
            stages: stages.map_or(STAGES.to_vec(), |s| s.into_iter().map(small).collect()),
            stop_percent: percent.map_or(STOP_PERCENT, small),
            is_started: !dry_run.unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_a_dry_run_unless_it_is_said_otherwise() {
        let body = json!({"filter": {"queue": "mail"}, "reason": "mended"});
        let wish = Wish::read(body.clone()).unwrap();
        assert_eq!((wish.is_started, wish.rate_per_sec), (false, RATE_PER_SEC));
        assert_eq!(wish.stages, STAGES);
        let mut now = body.clone();
        now["dry_run"] = json!(false);
        assert!(Wish::read(now).unwrap().is_started);
        let mut wrong = body;
        wrong["rate_per_sec"] = json!(0);
        wrong["stages"] = json!([0]);
        wrong["moon"] = json!(1);
        let problem = Wish::read(wrong).err().unwrap();
        let places: Vec<&str> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(places, ["/rate_per_sec", "/stages/0", "/moon"]);
    }
}
