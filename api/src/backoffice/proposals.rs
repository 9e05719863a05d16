//! Four eyes: what one person proposed, another approves or refuses.

use super::{
    Actor,
    edit::{self, Edited},
    only_reason,
};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json as Body,
    layers::Trace,
    params::{Id, Options},
};
use axum::{Json, extract::State};
use boxoffice_contracts::{Code, Instant, MessageId, mend::Change};
use boxoffice_runtime::pool;
use boxoffice_store::mysql::{
    parked::{self, Status, Whole},
    proposals::{self, Proposal, ProposalState},
};
use schemars::JsonSchema;
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

const LIST_MAX: u32 = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOptions {
    state: Option<String>,
}

/// Proposals, youngest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Proposals")]
pub(crate) struct ProposalsView {
    pub proposals: Vec<ProposalView>,
}

/// An edit that waits for a second person, or that one decided on.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Proposal")]
pub(crate) struct ProposalView {
    pub id: Uuid,
    /// `pending`, `approved`, `refused` or `stale` (the message changed before anybody decided).
    pub state: &'static str,
    pub queue: String,
    pub message_id: MessageId,
    pub to_queue: String,
    pub kind: String,
    /// What is different, without personal data.
    pub changes: Vec<Change>,
    pub reason: String,
    pub proposed_by: String,
    pub proposed_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_reason: Option<String>,
    /// The retry that sends the edited message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Uuid>,
    /// The edited message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_message_id: Option<MessageId>,
}

impl ProposalView {
    fn of(proposal: Proposal) -> Self {
        Self {
            id: proposal.id,
            state: proposal.state.as_str(),
            queue: proposal.original.queue,
            message_id: proposal.original.message,
            to_queue: proposal.to_queue,
            kind: proposal.to_kind,
            changes: proposal.changes,
            reason: proposal.reason,
            proposed_by: proposal.proposed_by,
            proposed_at: proposal.proposed_at,
            decided_by: proposal.decided_by,
            decided_at: proposal.decided_at,
            decision_reason: proposal.decision_reason,
            retry: None,
            new_message_id: None,
        }
    }
}

/// `GET /v1/backoffice/proposals`.
pub(crate) async fn list(
    State(state): State<AppState>,
    Options(ListOptions { state: wanted }): Options<ListOptions>,
) -> Result<Json<ProposalsView>, Problem> {
    let wanted = match wanted.as_deref() {
        None => Some(ProposalState::Pending),
        Some("all") => None,
        Some(text) => Some(ProposalState::from_text(text).ok_or_else(|| {
            let detail = "`state` is pending, approved, refused, stale or all.";
            Problem::because(Code::ValidationFailed, detail)
        })?),
    };
    let found = proposals::list(&state.db, wanted, LIST_MAX).await?;
    let proposals = found.into_iter().map(ProposalView::of).collect();
    Ok(Json(ProposalsView { proposals }))
}

/// `POST /v1/backoffice/proposals/{id}/approve`: by somebody else than who proposed it.
pub(crate) async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(id): Id<Uuid>,
    Body(body): Body,
) -> Result<Json<ProposalView>, Problem> {
    let why = only_reason(body)?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let tx = pool::begin(&state.db).await?;
    let proposal = pending(&tx, id).await?;
    let subject = &caller.principal.owner.subject;
    if proposal.proposed_by == *subject {
        return Err(Problem::new(Code::OwnProposal));
    }
    let whole = parked::find(&tx, &proposal.original, true).await?;
    let Some(whole) = whole.filter(|whole| is_as_it_was(whole, &proposal)) else {
        proposals::decide(&tx, id, ProposalState::Stale, subject, &why, now).await?;
        let detail = json!({"proposal": id});
        let target = edit::target(&proposal.original);
        actor
            .audit(&tx, "proposal.stale", &target, Some(&why), detail)
            .await?;
        tx.commit().await?;
        let detail = "The message changed since this was proposed; propose it anew.";
        return Err(Problem::because(Code::StateConflict, detail));
    };
    let edited = Edited {
        queue: proposal.to_queue.clone(),
        kind: proposal.to_kind.clone(),
        body: proposal.body.clone(),
        changes: proposal.changes.clone(),
        needs_second_person: true,
    };
    let applied = edit::apply(&tx, &actor, &whole, &edited, &proposal.reason).await?;
    proposals::decide(&tx, id, ProposalState::Approved, subject, &why, now).await?;
    let detail = json!({
        "proposal": id, "proposed_by": proposal.proposed_by, "changes": proposal.changes,
        "to_queue": edited.queue, "kind": edited.kind, "message": applied.message,
        "retry": applied.retry,
    });
    let target = edit::target(&proposal.original);
    actor
        .audit(&tx, "proposal.approve", &target, Some(&why), detail)
        .await?;
    let mut view = decided(&tx, id).await?;
    (view.retry, view.new_message_id) = (Some(applied.retry), Some(applied.message));
    tx.commit().await?;
    Ok(Json(view))
}

/// `POST /v1/backoffice/proposals/{id}/refuse`; whoever proposed it may withdraw it.
pub(crate) async fn refuse(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(id): Id<Uuid>,
    Body(body): Body,
) -> Result<Json<ProposalView>, Problem> {
    let why = only_reason(body)?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let tx = pool::begin(&state.db).await?;
    let proposal = pending(&tx, id).await?;
    let subject = &caller.principal.owner.subject;
    proposals::decide(&tx, id, ProposalState::Refused, subject, &why, now).await?;
    let detail = json!({"proposal": id, "proposed_by": proposal.proposed_by});
    let target = edit::target(&proposal.original);
    actor
        .audit(&tx, "proposal.refuse", &target, Some(&why), detail)
        .await?;
    let view = decided(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(view))
}

async fn pending(db: &impl ConnectionTrait, id: Uuid) -> Result<Proposal, Problem> {
    let proposal = proposals::lock(db, id).await?;
    let proposal = proposal.ok_or_else(|| Problem::new(Code::NotFound))?;
    if proposal.state == ProposalState::Pending {
        return Ok(proposal);
    }
    let detail = format!("The proposal is {}.", proposal.state.as_str());
    Err(Problem::because(Code::StateConflict, detail))
}

async fn decided(db: &impl ConnectionTrait, id: Uuid) -> Result<ProposalView, Problem> {
    let proposal = proposals::lock(db, id).await?;
    proposal
        .map(ProposalView::of)
        .ok_or_else(|| Problem::new(Code::NotFound))
}

fn is_as_it_was(whole: &Whole, proposal: &Proposal) -> bool {
    whole.parked.status == Status::Parked && whole.parked.failures == proposal.failures
}
