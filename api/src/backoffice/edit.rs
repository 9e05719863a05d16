//! Edit and retry, and redirect: a mended message takes the place of a parked one. What moves money, or says of
//! itself what nobody else says, needs a second person.

use super::{
    Actor,
    parked::{key_of, yes_or_no},
    reason, retries,
};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json as Body,
    fields::{Fields, Mistakes, text},
    layers::Trace,
    problem::FieldError,
};
use axum::{
    Json,
    extract::{Path, State},
};
use boxoffice_contracts::{
    BookingId, Code, Envelope, MessageId,
    mend::{self, Change},
    message::entry,
    principal::TENANT_HOUSE,
    topology,
    trace::TraceParent,
};
use boxoffice_runtime::{pool, stored};
use boxoffice_store::mysql::{
    parked::{
        self, Key, Status, Whole,
        change::{self, Replacement, edited_id},
    },
    proposals::{self, Proposal, ProposalState},
};
use schemars::JsonSchema;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// What became of an edit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Edit")]
pub(crate) struct EditView {
    /// `dry_run`, `proposed` (a second person must approve) or `retrying`.
    pub outcome: &'static str,
    pub queue: String,
    pub kind: String,
    pub needs_second_person: bool,
    /// What is different, without personal data.
    pub changes: Vec<Change>,
    /// The edited message, which has an id of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The retry that sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Uuid>,
    /// What another person is to approve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Uuid>,
}

/// `POST /v1/backoffice/parked/{queue}/{message_id}/edit`.
pub(crate) async fn edit(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Path((queue, message)): Path<(String, String)>,
    Body(body): Body,
) -> Result<Json<EditView>, Problem> {
    let key = key_of(queue, &message)?;
    let wish = Wish::read(body)?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let tx = pool::begin(&state.db).await?;
    let whole = parked::find(&tx, &key, true).await?;
    let whole = whole.ok_or_else(|| Problem::new(Code::NotFound))?;
    if whole.parked.status != Status::Parked {
        let detail = format!("The message is {}.", whole.parked.status.as_str());
        return Err(Problem::because(Code::StateConflict, detail));
    }
    let edited = judge(&whole, &wish)?;
    let mut view = EditView {
        outcome: "dry_run",
        queue: edited.queue.clone(),
        kind: edited.kind.clone(),
        needs_second_person: edited.needs_second_person,
        changes: edited.changes.clone(),
        message_id: None,
        retry: None,
        proposal: None,
    };
    if wish.dry_run {
        return Ok(Json(view));
    }
    if edited.needs_second_person {
        let id = propose(&tx, &actor, &whole, &edited, &wish.reason).await?;
        (view.outcome, view.proposal) = ("proposed", Some(id));
    } else {
        let done = apply(&tx, &actor, &whole, &edited, &wish.reason).await?;
        let detail = json!({
            "changes": edited.changes, "to_queue": edited.queue, "kind": edited.kind,
            "message": done.message, "retry": done.retry,
        });
        let target = target(&key);
        actor
            .audit(&tx, "parked.edit", &target, Some(&wish.reason), detail)
            .await?;
        view.outcome = "retrying";
        (view.message_id, view.retry) = (Some(done.message), Some(done.retry));
    }
    tx.commit().await?;
    Ok(Json(view))
}

pub(super) fn target(key: &Key) -> String {
    format!("parked:{}/{}", key.queue, key.message)
}

/// What is wanted.
struct Wish {
    body: Value,
    queue: Option<String>,
    kind: Option<String>,
    reason: String,
    dry_run: bool,
}

impl Wish {
    fn read(body: Value) -> Result<Self, Problem> {
        let mut mistakes = Mistakes::default();
        let (mut new, mut why, mut queue, mut kind, mut dry_run) = (None, None, None, None, None);
        if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
            let found = &mut mistakes;
            new = fields.required("body", found, |value, at, found| {
                if value.is_object() {
                    return Some(value);
                }
                found.add(at, ("wrong_type", "must be an object"));
                None
            });
            why = reason(&mut fields, found);
            queue = fields.optional("queue", found, text(Ok));
            kind = fields.optional("kind", found, text(Ok));
            dry_run = fields.optional("dry_run", found, yes_or_no);
            fields.finish(found);
        }
        mistakes.refuse()?;
        let incomplete = || Problem::new(Code::ValidationFailed);
        Ok(Self {
            body: new.ok_or_else(incomplete)?,
            queue,
            kind,
            reason: why.ok_or_else(incomplete)?,
            dry_run: dry_run.unwrap_or(false),
        })
    }
}

/// An edit that may be.
pub(super) struct Edited {
    pub queue: String,
    pub kind: String,
    pub body: Vec<u8>,
    pub changes: Vec<Change>,
    pub needs_second_person: bool,
}

/// Pure: whether the edited message is what its kind promises, goes where that kind is known, and is still about the
/// same thing.
fn judge(whole: &Whole, wish: &Wish) -> Result<Edited, Problem> {
    let parked = &whole.parked;
    let mut wrong = Vec::new();
    let kind = wish.kind.clone().unwrap_or_else(|| parked.kind.clone());
    if kind != parked.kind && entry(&parked.kind).is_some() {
        wrong.push(FieldError::new(
            "/kind",
            "locked",
            "a kind that is known can't be changed",
        ));
    }
    let queue = wish
        .queue
        .clone()
        .unwrap_or_else(|| parked.key.queue.clone());
    let accepts = topology::queue(&queue).is_some_and(|found| {
        found
            .accepts
            .iter()
            .any(|accepted| accepted.as_str() == kind)
    });
    if entry(&kind).is_some() && !accepts {
        let (at, detail) = match &wish.queue {
            Some(_) => ("/queue", "does not accept messages of this kind"),
            None => (
                "/queue",
                "is to be given: the message's own does not accept its kind",
            ),
        };
        wrong.push(FieldError::new(at, "out_of_range", detail));
    }
    let original: Option<Value> = serde_json::from_slice(&whole.body).ok();
    let mut body = wish.body.clone();
    if let Some(original) = &original {
        mend::restore(&mut body, original);
    }
    let below = |mistake: FieldError| {
        FieldError::new(
            format!("/body{}", mistake.pointer),
            mistake.code,
            mistake.detail,
        )
    };
    wrong.extend(
        mend::check(&kind, &body)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(below),
    );
    let correlation = stored::envelope_from_json(&whole.envelope)
        .ok()
        .and_then(|envelope| envelope.correlation_id);
    let proven = match mend::identity_broken(original.as_ref(), correlation, &body) {
        Ok(proven) => proven,
        Err(broken) => {
            wrong.extend(broken.into_iter().map(below));
            true
        }
    };
    let is_sound = mend::decodes(&parked.kind, &whole.body);
    let changes = mend::changes(original.as_ref(), is_sound, &body);
    let moves_money = mend::moves_money(&kind) || mend::moves_money(&parked.kind);
    let is_same = changes.is_empty() && kind == parked.kind && queue == parked.key.queue;
    if wrong.is_empty() && is_same && !moves_money {
        wrong.push(FieldError::new(
            "/body",
            "unchanged",
            "nothing is changed: retry it instead",
        ));
    }
    if !wrong.is_empty() {
        return Err(Problem::of_fields(wrong));
    }
    Ok(Edited {
        queue,
        kind,
        body: body.to_string().into_bytes(),
        changes,
        needs_second_person: moves_money || !proven,
    })
}

async fn propose(
    db: &impl ConnectionTrait,
    actor: &Actor<'_>,
    whole: &Whole,
    edited: &Edited,
    why: &str,
) -> Result<Uuid, Problem> {
    let id = Uuid::now_v7();
    let proposal = Proposal {
        id,
        state: ProposalState::Pending,
        original: whole.parked.key.clone(),
        failures: whole.parked.failures,
        to_queue: edited.queue.clone(),
        to_kind: edited.kind.clone(),
        body: edited.body.clone(),
        changes: edited.changes.clone(),
        reason: why.to_owned(),
        proposed_by: actor.caller.principal.owner.subject.clone(),
        proposed_at: actor.now,
        decided_by: None,
        decided_at: None,
        decision_reason: None,
    };
    proposals::add(db, &proposal).await?;
    let detail = json!({
        "proposal": id, "changes": edited.changes, "to_queue": edited.queue, "kind": edited.kind,
    });
    let target = target(&whole.parked.key);
    actor
        .audit(db, "parked.propose_edit", &target, Some(why), detail)
        .await?;
    Ok(id)
}

/// An edit that was carried out.
pub(super) struct Applied {
    pub message: MessageId,
    pub retry: Uuid,
}

/// Puts the edited message in the place of the original, which the transaction has locked, and starts its retry.
pub(super) async fn apply(
    db: &impl ConnectionTrait,
    actor: &Actor<'_>,
    whole: &Whole,
    edited: &Edited,
    why: &str,
) -> Result<Applied, Problem> {
    let original = &whole.parked.key;
    let key = Key {
        queue: edited.queue.clone(),
        message: edited_id(original, &edited.queue, &edited.kind, &edited.body),
    };
    let envelope = envelope(whole, edited, key.message);
    let new = Replacement {
        key: key.clone(),
        kind: edited.kind.clone(),
        booking: envelope.correlation_id.map(|booking| booking.0),
        envelope: stored::envelope_to_json(&envelope),
        body: edited.body.clone(),
    };
    if !change::supersede(db, whole, &new, actor.now).await? {
        let detail = "The message was handled meanwhile.";
        return Err(Problem::because(Code::StateConflict, detail));
    }
    let retry = retries::start_one(db, actor, &key, why).await?;
    Ok(Applied {
        message: key.message,
        retry,
    })
}

/// The original's, under a new id: everything else that came with it stays.
fn envelope(whole: &Whole, edited: &Edited, id: MessageId) -> Envelope {
    let of_body = serde_json::from_slice::<Value>(&edited.body).ok();
    let of_body: Option<BookingId> =
        of_body.and_then(|body| body.get("booking_id")?.as_str()?.parse().ok());
    let mut envelope =
        stored::envelope_from_json(&whole.envelope).unwrap_or_else(|_unreadable| Envelope {
            message_id: id,
            kind: String::new(),
            correlation_id: None,
            causation_id: None,
            sent_at: None,
            trace: TraceParent::root(id.0),
            tenant: TENANT_HOUSE.to_owned(),
            deadline: None,
            attempt: 0,
            replay_of: None,
        });
    envelope.causation_id = Some(whole.parked.key.message);
    envelope.message_id = id;
    envelope.kind.clone_from(&edited.kind);
    envelope.correlation_id = envelope.correlation_id.or(of_body);
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::Instant;
    use boxoffice_store::mysql::parked::Parked;

    const BOOKING: &str = "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11";

    fn whole(queue: &str, kind: &str, body: &str) -> Whole {
        Whole {
            parked: Parked {
                key: Key {
                    queue: queue.to_owned(),
                    message: MessageId(Uuid::nil()),
                },
                group: vec![0; 32],
                code: "undecodable".to_owned(),
                reason: String::new(),
                kind: kind.to_owned(),
                booking: None,
                status: Status::Parked,
                reopened: false,
                failures: 1,
                replays: 0,
                first_failed_at: Instant::UNIX_EPOCH,
                last_failed_at: Instant::UNIX_EPOCH,
                superseded_by: None,
            },
            envelope: "{}".to_owned(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn wish(body: Value) -> Wish {
        Wish {
            body,
            queue: None,
            kind: None,
            reason: "mended".to_owned(),
            dry_run: false,
        }
    }

    fn places(problem: Result<Edited, Problem>) -> Vec<String> {
        let problem = problem.err().unwrap();
        problem.errors.into_iter().map(|e| e.pointer).collect()
    }

    #[test]
    fn an_edit_keeps_its_identity_and_money_needs_a_second_person() {
        let broken = json!({"booking_id": BOOKING}).to_string();
        let render = whole("tickets", "tickets.render.v1", &broken);
        let good = json!({"booking_id": BOOKING, "revision": 1});
        let edited = judge(&render, &wish(good.clone())).unwrap();
        assert!(!edited.needs_second_person);
        assert_eq!(edited.changes[0].pointer, "/revision");

        let other = json!({"booking_id": Uuid::nil(), "revision": 0});
        assert_eq!(
            places(judge(&render, &wish(other))),
            ["/body/revision", "/body/booking_id"]
        );
        let kind = Wish {
            kind: Some("mail.send.v1".to_owned()),
            ..wish(good)
        };
        assert!(places(judge(&render, &kind)).contains(&"/kind".to_owned()));

        let void = whole("payments", "payment.void.v1", &broken);
        let good = json!({"booking_id": BOOKING, "generation": 1});
        assert!(
            judge(&void, &wish(good.clone()))
                .unwrap()
                .needs_second_person
        );
        // Who has nothing to compare with can't vouch alone.
        let rubbish = whole("tickets", "tickets.render.v1", "{");
        let good = json!({"booking_id": BOOKING, "revision": 1});
        assert!(judge(&rubbish, &wish(good)).unwrap().needs_second_person);
    }

    #[test]
    fn a_message_is_redirected_only_to_where_its_kind_is_known() {
        let body = json!({"booking_id": BOOKING, "revision": 1});
        let lost = whole("payments", "tickets.render.v1", &body.to_string());
        assert_eq!(places(judge(&lost, &wish(body.clone()))), ["/queue"]);
        let to = |queue: &str| Wish {
            queue: Some(queue.to_owned()),
            ..wish(body.clone())
        };
        assert_eq!(places(judge(&lost, &to("mail"))), ["/queue"]);
        let edited = judge(&lost, &to("tickets")).unwrap();
        assert_eq!(
            (edited.queue.as_str(), edited.changes.len()),
            ("tickets", 0)
        );
        // Nothing to do: that is a retry.
        let same = whole("tickets", "tickets.render.v1", &body.to_string());
        assert_eq!(places(judge(&same, &wish(body))), ["/body"]);
    }
}
