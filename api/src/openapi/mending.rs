//! What the routes do that staff mend with.

mod bodies;

use super::{
    Shapes,
    describe::{Body, Description, MENDING, json_request, with},
    parts::{answer, id, instant, json_body, parameter, query, string, whole},
};
use crate::backoffice::{
    audit::PageView as AuditPage,
    edit::EditView,
    parked::{ChangedView, GroupsView, PageView, WholeView},
    proposals::{ProposalView, ProposalsView},
    retries::{RetriesView, RetryView},
};
use bodies::{ChangeRequest, EditRequest, ReasonRequest, RetryRequest};
use boxoffice_contracts::Code;
use schemars::JsonSchema;
use serde_json::{Value, json};
use utoipa::openapi::{
    Content, Response,
    path::{Parameter, ParameterIn},
};

const GROUP: &str = "4be1f3c6a2d95e0718f6b3d24c7a9e01d35f6b8a7c9e0d1f2a3b4c5d6e7f8091";
const MESSAGE: &str = "1f0c0de0-8a3e-5d0b-9f5e-3b1d2c4a5f60";
const RETRY: &str = "0199c3a0-6f1e-7b52-a3d4-0f5b6c7d8e90";
const PROPOSAL: &str = "0199c3a1-2b3c-7d4e-8f50-617283940a1b";
const BOOKING: &str = "5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11";
const AT: &str = "2026-11-21T18:30:00Z";

/// Refusals of everything that reads the store.
const OF_READS: &[Code] = &[Code::ValidationFailed, Code::Unavailable];
const OF_CHANGES: &[Code] = &[Code::Unavailable];
const OF_MOVES: &[Code] = &[Code::Unavailable, Code::StateConflict];
const OF_APPROVALS: &[Code] = &[Code::Unavailable, Code::StateConflict, Code::OwnProposal];

fn described(
    id: &'static str,
    summary: &'static str,
    text: &'static str,
    refusals: &'static [Code],
) -> Description {
    Description {
        id,
        tag: MENDING,
        summary,
        text,
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        refusals,
    }
}

fn ok<T: JsonSchema>(shapes: &mut Shapes, text: &str, example: Value) -> Vec<(u16, Response)> {
    let body = json_body(shapes.answer::<T>(), example);
    vec![(200, with(answer(text, &[]), "application/json", body))]
}

fn search_options() -> Vec<Parameter> {
    let short = || string().min_length(Some(1)).max_length(Some(200));
    let uuid = || {
        string().format(Some(utoipa::openapi::SchemaFormat::Custom(
            "uuid".to_owned(),
        )))
    };
    let standing =
        || string().enum_values(Some(["open", "archived", "resolved", "superseded", "all"]));
    let group = string().pattern(Some("^[0-9a-f]{64}$"));
    vec![
        query("group", group, "Of this group.", json!(GROUP)),
        query(
            "queue",
            short(),
            "Failed in this queue.",
            json!("reservations"),
        ),
        query(
            "code",
            short(),
            "Failed with this code.",
            json!("saga_refused"),
        ),
        query(
            "kind",
            short(),
            "Of this kind.",
            json!("payment.captured.v1"),
        ),
        query("booking", uuid(), "About this booking.", json!(BOOKING)),
        query("message", uuid(), "With this id.", json!(MESSAGE)),
        query(
            "text",
            short(),
            "Part of the reason.",
            json!("cannot happen"),
        ),
        query("since", instant(), "Failed last at or after.", json!(AT)),
        query(
            "until",
            instant(),
            "Failed last before.",
            json!("2026-11-22T00:00:00Z"),
        ),
        query(
            "status",
            standing(),
            "Where they stand; open when left out.",
            json!("open"),
        ),
        query(
            "replays",
            whole(0, Some(u32::MAX)),
            "Sent back at least so often.",
            json!(1),
        ),
        query(
            "cursor",
            string().pattern(Some("^[A-Za-z0-9_-]+$")),
            "`next_cursor` of the page before.",
            json!("MTc5NSBhIG1haWw"),
        ),
        query(
            "limit",
            whole(1, Some(500)),
            "Most on a page; 50 when left out.",
            json!(50),
        ),
    ]
}

pub(super) fn search_parked(shapes: &mut Shapes) -> Description {
    let example = json!({"messages": [parked_example()]});
    Description {
        parameters: search_options(),
        answers: ok::<PageView>(shapes, "A page.", example),
        ..described(
            "searchParked",
            "Messages that failed for good",
            "Latest failure first. Everything that is asked for must hold.",
            OF_READS,
        )
    }
}

pub(super) fn group_parked(shapes: &mut Shapes) -> Description {
    let example = json!({"more": false, "groups": [{
        "group": GROUP, "queue": "reservations", "code": "saga_refused", "cause": cause(),
        "kind": "payment.captured.v1", "reason": "held: Captured cannot happen", "open": 3, "retrying": 0,
        "archived": 0, "resolved": 0, "superseded": 0, "retried": 1, "failed_again": 1, "reopened": false,
        "first_failed_at": AT, "last_failed_at": AT,
    }]});
    Description {
        parameters: search_options(),
        answers: ok::<GroupsView>(shapes, "The groups.", example),
        ..described(
            "groupParked",
            "What failed, by trouble",
            "Messages with the same queue, code, kind, and reason but for ids and numbers are one group. A group is \
             open while one of its messages is; counts are of all its messages that match.",
            OF_READS,
        )
    }
}

fn cause() -> Value {
    json!(boxoffice_contracts::mend::explain("saga_refused"))
}

fn parked_example() -> Value {
    json!({
        "queue": "reservations", "message_id": MESSAGE, "group": GROUP, "code": "saga_refused",
        "reason": "held: Captured cannot happen", "kind": "payment.captured.v1", "booking_id": BOOKING,
        "status": "parked", "reopened": false, "failures": 2, "replays": 1, "first_failed_at": AT,
        "last_failed_at": AT,
    })
}

fn message_path() -> Vec<Parameter> {
    let queue = string().max_length(Some(60));
    let message = string();
    vec![
        parameter(
            "queue",
            ParameterIn::Path,
            true,
            queue,
            "Where it failed.",
            json!("reservations"),
        ),
        parameter(
            "message_id",
            ParameterIn::Path,
            true,
            message,
            "The message.",
            json!(MESSAGE),
        ),
    ]
}

pub(super) fn read_parked(shapes: &mut Shapes) -> Description {
    let mut example = parked_example();
    example["cause"] = cause();
    example["headers"] =
        json!({"message_id": MESSAGE, "kind": "payment.captured.v1", "tenant": "house"});
    example["body"] = json!({
        "bytes": 120, "sha256": GROUP, "is_sound": true,
        "json": {"booking_id": BOOKING, "generation": 1, "amount": {"minor": 3000, "currency": "EUR"}},
    });
    example["history"] = json!([{
        "no": 1, "at": AT, "code": "saga_refused", "reason": "held: Captured cannot happen", "attempts": 1,
        "replay": 0,
    }]);
    example["links"] = json!({"group": format!("/v1/backoffice/parked?status=all&group={GROUP}")});
    Description {
        parameters: message_path(),
        answers: ok::<WholeView>(shapes, "The message.", example),
        ..described(
            "readParked",
            "A parked message",
            "With its headers, the history of its failures, and its body: `[redacted]` stands where personal data \
             or a secret would. A body that is not JSON is measured, not shown.",
            OF_READS,
        )
    }
}

fn change(shapes: &mut Shapes, what: (&'static str, &'static str, &'static str)) -> Description {
    let example = json!({"filter": {"group": GROUP}, "reason": "Sender was told."});
    let answered = json!({"messages": 3, "dry_run": false});
    Description {
        body: Some(json_request::<ChangeRequest>(shapes, example, true)),
        answers: ok::<ChangedView>(shapes, "How many.", answered),
        ..described(what.0, what.1, what.2, OF_CHANGES)
    }
}

pub(super) fn archive_parked(shapes: &mut Shapes) -> Description {
    change(
        shapes,
        (
            "archiveParked",
            "Decide that nothing is to be done",
            "The messages stay on record. Whatever fails anew opens its group again, marked as reopened.",
        ),
    )
}

pub(super) fn restore_parked(shapes: &mut Shapes) -> Description {
    change(
        shapes,
        (
            "restoreParked",
            "Take archived messages up again",
            "They wait for a person as before.",
        ),
    )
}

fn retry_example(state: &str) -> Value {
    json!({
        "id": RETRY, "state": state, "filter": {"group": GROUP}, "reason": "Deployed the fix.",
        "started_by": "olga", "rate_per_sec": 500, "stages": [1, 10], "eligible": 250,
        "not_eligible": [{"why": "resolved", "meaning": "It was handled meanwhile.", "messages": 2}],
        "progress": {"sent": 0, "done": 0, "failed_again": 0, "skipped": 0, "left": 250},
        "created_at": AT,
    })
}

pub(super) fn list_retries(shapes: &mut Shapes) -> Description {
    let example = json!({"retries": [retry_example("running")]});
    Description {
        answers: ok::<RetriesView>(shapes, "The latest hundred.", example),
        ..described("listRetries", "Retries", "Youngest first.", OF_READS)
    }
}

pub(super) fn create_retry(shapes: &mut Shapes) -> Description {
    let example = json!({"filter": {"group": GROUP}, "reason": "Deployed the fix."});
    Description {
        body: Some(json_request::<RetryRequest>(shapes, example, true)),
        answers: ok::<RetryView>(shapes, "The plan.", retry_example("planned")),
        ..described(
            "createRetry",
            "Plan a retry, or start one at once",
            "A plan says which messages can be sent back and why others can't; nothing is sent until it is started. \
             Each goes to the queue where it failed, under its own id: handled twice it has one effect.",
            OF_CHANGES,
        )
    }
}

fn retry_id() -> Vec<Parameter> {
    vec![id("The retry.", RETRY)]
}

pub(super) fn read_retry(shapes: &mut Shapes) -> Description {
    Description {
        parameters: retry_id(),
        answers: ok::<RetryView>(shapes, "How far it is.", retry_example("running")),
        ..described(
            "readRetry",
            "A retry",
            "Each message is followed to its outcome.",
            OF_READS,
        )
    }
}

fn order(
    shapes: &mut Shapes,
    what: (&'static str, &'static str, &'static str),
    state: &str,
) -> Description {
    Description {
        parameters: retry_id(),
        body: Some(reason_request(shapes)),
        answers: ok::<RetryView>(shapes, "As it is now.", retry_example(state)),
        ..described(what.0, what.1, what.2, OF_MOVES)
    }
}

fn reason_request(shapes: &mut Shapes) -> Body {
    let example = json!({"reason": "Looked at the first eleven."});
    json_request::<ReasonRequest>(shapes, example, true)
}

pub(super) fn start_retry(shapes: &mut Shapes) -> Description {
    let text = "Stage by stage; stops by itself when too many fail again.";
    order(
        shapes,
        ("startRetry", "Start a planned retry", text),
        "running",
    )
}

pub(super) fn pause_retry(shapes: &mut Shapes) -> Description {
    let text = "What was sent is followed to its end; nothing more is sent.";
    order(shapes, ("pauseRetry", "Pause a retry", text), "paused")
}

pub(super) fn resume_retry(shapes: &mut Shapes) -> Description {
    let text = "One that stopped by itself does so no more: somebody has seen why.";
    order(shapes, ("resumeRetry", "Resume a retry", text), "running")
}

pub(super) fn cancel_retry(shapes: &mut Shapes) -> Description {
    let text = "For good. What was not sent stays parked.";
    order(shapes, ("cancelRetry", "Cancel a retry", text), "cancelled")
}

pub(super) fn edit_parked(shapes: &mut Shapes) -> Description {
    let changes = json!([{"pointer": "/generation", "was": 0, "is": 1}]);
    let request =
        json!({"body": {"booking_id": BOOKING, "generation": 1}, "reason": "Generation was 0."});
    let answered = json!({
        "outcome": "proposed", "queue": "payments", "kind": "payment.void.v1", "needs_second_person": true,
        "changes": changes, "proposal": PROPOSAL,
    });
    Description {
        parameters: message_path(),
        body: Some(json_request::<EditRequest>(shapes, request, true)),
        answers: ok::<EditView>(shapes, "What became of it.", answered),
        ..described(
            "editParked",
            "Edit a message and retry it, or redirect it",
            "The body must be what its kind promises, and about the same thing as before. The edited message gets an \
             id of its own; the original is kept as superseded. What moves money waits for a second person.",
            OF_MOVES,
        )
    }
}

fn proposal_example(state: &str) -> Value {
    json!({
        "id": PROPOSAL, "state": state, "queue": "payments", "message_id": MESSAGE, "to_queue": "payments",
        "kind": "payment.void.v1", "changes": [{"pointer": "/generation", "was": 0, "is": 1}],
        "reason": "Generation was 0.", "proposed_by": "olga", "proposed_at": AT,
    })
}

pub(super) fn list_proposals(shapes: &mut Shapes) -> Description {
    let states = string().enum_values(Some(["pending", "approved", "refused", "stale", "all"]));
    let example = json!({"proposals": [proposal_example("pending")]});
    Description {
        parameters: vec![query(
            "state",
            states,
            "Pending when left out.",
            json!("pending"),
        )],
        answers: ok::<ProposalsView>(shapes, "The proposals.", example),
        ..described(
            "listProposals",
            "Edits that wait for a second person",
            "Youngest first.",
            OF_READS,
        )
    }
}

fn proposal_id() -> Vec<Parameter> {
    vec![id("The proposal.", PROPOSAL)]
}

pub(super) fn approve_proposal(shapes: &mut Shapes) -> Description {
    Description {
        parameters: proposal_id(),
        body: Some(reason_request(shapes)),
        answers: ok::<ProposalView>(shapes, "Done, and retrying.", proposal_example("approved")),
        ..described(
            "approveProposal",
            "Approve an edit",
            "By another person than who proposed it.",
            OF_APPROVALS,
        )
    }
}

pub(super) fn refuse_proposal(shapes: &mut Shapes) -> Description {
    Description {
        parameters: proposal_id(),
        body: Some(reason_request(shapes)),
        answers: ok::<ProposalView>(shapes, "Refused.", proposal_example("refused")),
        ..described(
            "refuseProposal",
            "Refuse an edit",
            "Whoever proposed it may withdraw it so.",
            OF_MOVES,
        )
    }
}

fn audit_options() -> Vec<Parameter> {
    let text = || string().max_length(Some(191));
    vec![
        query("subject", text(), "Done by this person.", json!("olga")),
        query(
            "action",
            text(),
            "This action; `parked.` means all that begin so.",
            json!("parked.edit"),
        ),
        query(
            "target",
            text(),
            "Done to this.",
            json!(format!("group:{GROUP}")),
        ),
    ]
}

pub(super) fn list_audit(shapes: &mut Shapes) -> Description {
    let number = || whole(0, None);
    let mut parameters = audit_options();
    parameters.extend([
        query(
            "before",
            number(),
            "Older than this number, the latest first.",
            json!(1200),
        ),
        query(
            "after",
            number(),
            "Younger than this number, the oldest first.",
            json!(1100),
        ),
        query(
            "limit",
            whole(1, Some(500)),
            "Most on a page; 50 when left out.",
            json!(50),
        ),
    ]);
    let example = json!({"deeds": [deed()], "next": 1100});
    Description {
        parameters,
        answers: ok::<AuditPage>(shapes, "A page.", example),
        ..described(
            "listAudit",
            "Who did what, and why",
            "The latest first. Deeds are added with what they tell, and never changed.",
            OF_READS,
        )
    }
}

fn deed() -> Value {
    json!({
        "id": 1101, "at": AT, "subject": "olga", "role": "operator", "action": "retry.start",
        "target": format!("group:{GROUP}"), "reason": "Deployed the fix.",
        "detail": {"retry": RETRY, "eligible": 250}, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    })
}

pub(super) fn export_audit() -> Description {
    let mut parameters = audit_options();
    parameters.push(query(
        "after",
        whole(0, None),
        "Younger than this number.",
        json!(0),
    ));
    let mut lines = Content::default();
    lines.example = Some(json!(format!("{}\n", deed())));
    let export = with(
        answer("One deed per line.", &[]),
        "application/x-ndjson",
        lines,
    );
    Description {
        parameters,
        answers: vec![(200, export)],
        ..described(
            "exportAudit",
            "The audit as JSON lines",
            "Oldest first, to its end.",
            OF_READS,
        )
    }
}
