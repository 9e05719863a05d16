//! Parked messages for staff: grouped by trouble, searched, shown without personal data, archived and restored.

use super::{
    Actor,
    filter::{self, SearchOptions},
    reason,
};
use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json as Body,
    fields::{Fields, Mistakes},
    layers::Trace,
    params::Options,
    problem::FieldError,
};
use axum::{
    Json,
    extract::{Path, State},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use boxoffice_contracts::{
    BookingId, Code, Instant, MessageId,
    mend::{self, Explained, explain, redacted},
};
use boxoffice_runtime::{pool, stored};
use boxoffice_store::mysql::parked::{
    self, Cursor, Filter, Key, Parked, Whole,
    change::{self, count},
    groups,
};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const LIMIT: u32 = 50;
const LIMIT_MAX: u32 = 500;

/// Troubles, latest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedGroups")]
pub(crate) struct GroupsView {
    pub groups: Vec<GroupView>,
    /// There are more groups than the limit.
    pub more: bool,
}

/// Messages with the same trouble: same queue, code, kind, and reason but for ids and numbers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedGroup")]
pub(crate) struct GroupView {
    pub group: String,
    pub queue: String,
    pub code: String,
    pub cause: Explained,
    pub kind: String,
    /// The reason of one of them.
    pub reason: String,
    /// Messages that wait for a person.
    pub open: i64,
    /// On their way back to their queue.
    pub retrying: i64,
    pub archived: i64,
    pub resolved: i64,
    pub superseded: i64,
    /// Sent back at least once.
    pub retried: i64,
    /// Sent back, and waiting again.
    pub failed_again: i64,
    /// Something failed after the group had been archived.
    pub reopened: bool,
    pub first_failed_at: Instant,
    pub last_failed_at: Instant,
}

/// `GET /v1/backoffice/parked/groups`.
pub(crate) async fn list_groups(
    State(state): State<AppState>,
    Options(options): Options<SearchOptions>,
) -> Result<Json<GroupsView>, Problem> {
    let limit = limit_of(&options)?;
    let mut found = groups::list(&state.db, &options.filter()?, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let groups = found.into_iter().map(group_view).collect();
    Ok(Json(GroupsView { groups, more }))
}

fn group_view(group: groups::Group) -> GroupView {
    GroupView {
        group: hex::encode(group.id),
        cause: explain(&group.code),
        queue: group.queue,
        code: group.code,
        kind: group.kind,
        reason: group.reason,
        open: group.open,
        retrying: group.retrying,
        archived: group.archived,
        resolved: group.resolved,
        superseded: group.superseded,
        retried: group.retried,
        failed_again: group.failed_again,
        reopened: group.reopened,
        first_failed_at: group.first_failed_at,
        last_failed_at: group.last_failed_at,
    }
}

/// A page of parked messages, latest failure first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedPage")]
pub(crate) struct PageView {
    pub messages: Vec<ParkedView>,
    /// `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A parked message without its body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedMessage")]
pub(crate) struct ParkedView {
    pub queue: String,
    pub message_id: MessageId,
    pub group: String,
    pub code: String,
    pub reason: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<BookingId>,
    /// `parked`, `replaying`, `resolved`, `archived` or `superseded`.
    pub status: &'static str,
    /// It failed anew after it had been archived.
    pub reopened: bool,
    /// Times that it was given up.
    pub failures: u32,
    /// Times that it was sent back.
    pub replays: u32,
    pub first_failed_at: Instant,
    pub last_failed_at: Instant,
}

impl ParkedView {
    fn of(parked: Parked) -> Self {
        Self {
            queue: parked.key.queue,
            message_id: parked.key.message,
            group: hex::encode(parked.group),
            code: parked.code,
            reason: parked.reason,
            kind: parked.kind,
            booking_id: parked.booking,
            status: parked.status.as_str(),
            reopened: parked.reopened,
            failures: parked.failures,
            replays: parked.replays,
            first_failed_at: parked.first_failed_at,
            last_failed_at: parked.last_failed_at,
        }
    }
}

/// `GET /v1/backoffice/parked`.
pub(crate) async fn search(
    State(state): State<AppState>,
    Options(options): Options<SearchOptions>,
) -> Result<Json<PageView>, Problem> {
    let limit = limit_of(&options)?;
    let after = match options.cursor.as_deref().map(decode) {
        None => None,
        Some(Some(cursor)) => Some(cursor),
        Some(None) => {
            let detail = "`cursor` is not one that a page gave.";
            return Err(Problem::because(Code::ValidationFailed, detail));
        }
    };
    let filter = options.filter()?;
    let mut found = parked::search(&state.db, &filter, after.as_ref(), limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| more).map(|last| {
        encode(&Cursor {
            last_failed_at: last.last_failed_at,
            key: last.key.clone(),
        })
    });
    let messages = found.into_iter().map(ParkedView::of).collect();
    Ok(Json(PageView {
        messages,
        next_cursor,
    }))
}

fn limit_of(options: &SearchOptions) -> Result<u32, Problem> {
    let limit = options.limit.unwrap_or(LIMIT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        let detail = "`limit` is from 1 to 500.";
        Err(Problem::because(Code::ValidationFailed, detail))
    }
}

fn encode(cursor: &Cursor) -> String {
    let Key { queue, message } = &cursor.key;
    let micros = cursor.last_failed_at.timestamp_micros();
    BASE64_URL_SAFE_NO_PAD.encode(format!("{micros} {message} {queue}"))
}

fn decode(text: &str) -> Option<Cursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut parts = text.splitn(3, ' ');
    let micros = parts.next()?.parse().ok()?;
    let message = parts.next()?.parse().ok()?;
    let queue = parts.next()?.to_owned();
    Some(Cursor {
        last_failed_at: DateTime::from_timestamp_micros(micros)?,
        key: Key { queue, message },
    })
}

/// A parked message with all that staff may see of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedMessageWhole")]
pub(crate) struct WholeView {
    #[serde(flatten)]
    pub message: ParkedView,
    pub cause: Explained,
    /// What came with it: AMQP properties and headers.
    pub headers: Value,
    pub body: BodyView,
    /// Every time that it was given up, latest first.
    pub history: Vec<FailureView>,
    pub links: LinksView,
}

/// A body without personal data.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedBody")]
pub(crate) struct BodyView {
    pub bytes: usize,
    /// Names the content without telling it.
    pub sha256: String,
    /// Whether it is what its kind promises.
    pub is_sound: bool,
    /// The body, when it is JSON at all. `[redacted]` stands where something is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// What is wrong with it by the schema of its kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<FieldError>,
}

/// One time that a message was given up.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedFailure")]
pub(crate) struct FailureView {
    pub no: u32,
    pub at: Instant,
    pub code: String,
    pub reason: String,
    /// Times that it was handled before it was given up.
    pub attempts: u32,
    /// Which retry it was; 0 for the first time.
    pub replay: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedLinks")]
pub(crate) struct LinksView {
    pub group: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<String>,
    /// The edited message that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<MessageId>,
    /// The message that it took the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit_of: Option<String>,
}

/// `GET /v1/backoffice/parked/{queue}/{message_id}`.
pub(crate) async fn show(
    State(state): State<AppState>,
    Path((queue, message)): Path<(String, String)>,
) -> Result<Json<WholeView>, Problem> {
    let key = key_of(queue, &message)?;
    let whole = parked::find(&state.db, &key, false).await?;
    let whole = whole.ok_or_else(|| Problem::new(Code::NotFound))?;
    let history = parked::failures(&state.db, &key).await?;
    let edit_of = parked::predecessor(&state.db, key.message).await?;
    Ok(Json(whole_view(whole, history, edit_of)))
}

/// The message that a path names; what is none names nothing.
pub(super) fn key_of(queue: String, message: &str) -> Result<Key, Problem> {
    let message = message.parse();
    let message = message.map_err(|_error| Problem::new(Code::NotFound))?;
    Ok(Key { queue, message })
}

fn whole_view(whole: Whole, history: Vec<parked::Failed>, edit_of: Option<Key>) -> WholeView {
    let parked = whole.parked;
    let booking = parked.booking;
    let links = LinksView {
        group: format!(
            "/v1/backoffice/parked?status=all&group={}",
            hex::encode(&parked.group)
        ),
        booking: booking.map(|id| format!("/v1/bookings/{id}")),
        timeline: booking.map(|id| format!("/v1/bookings/{id}/timeline")),
        superseded_by: parked.superseded_by,
        edit_of: edit_of.map(|key| format!("/v1/backoffice/parked/{}/{}", key.queue, key.message)),
    };
    let history = history.into_iter().map(|failed| FailureView {
        no: failed.no,
        at: failed.at,
        code: failed.code,
        reason: failed.reason,
        attempts: failed.attempts,
        replay: failed.replay,
    });
    WholeView {
        cause: explain(&parked.code),
        headers: headers_view(&whole.envelope),
        body: body_view(&parked.kind, &whole.body),
        history: history.collect(),
        links,
        message: ParkedView::of(parked),
    }
}

/// The envelope in its own words. A tenant is no person; nothing else in it is free text.
fn headers_view(envelope: &str) -> Value {
    match stored::envelope_from_json(envelope) {
        Ok(_) => serde_json::from_str(envelope).unwrap_or(Value::Null),
        Err(_unreadable) => Value::Null,
    }
}

fn body_view(kind: &str, body: &[u8]) -> BodyView {
    let is_sound = mend::decodes(kind, body);
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let mistakes = match &json {
        Some(json) if !is_sound => mend::check(kind, json).err().unwrap_or_default(),
        _ => Vec::new(),
    };
    let mistakes = mistakes.into_iter().map(|mistake| FieldError {
        pointer: shown_pointer(&mistake.pointer),
        ..mistake
    });
    BodyView {
        bytes: body.len(),
        sha256: hex::encode(Sha256::digest(body)),
        is_sound,
        json: json.map(|json| redacted(&json, is_sound)),
        mistakes: mistakes.collect(),
    }
}

/// The name of an unknown field is the sender's text.
fn shown_pointer(pointer: &str) -> String {
    let tame = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_/".contains(&b);
    if pointer.bytes().all(tame) {
        pointer.to_owned()
    } else {
        mend::REDACTED.to_owned()
    }
}

/// How many messages a decision concerned.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ParkedChanged")]
pub(crate) struct ChangedView {
    /// Changed, or what would be when it was a dry run.
    pub messages: u64,
    pub dry_run: bool,
}

/// `POST /v1/backoffice/parked/archive`: nothing is to be done about these.
pub(crate) async fn archive(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Body(body): Body,
) -> Result<Json<ChangedView>, Problem> {
    let wish = Wish::read(body)?;
    let now = state.now();
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    if wish.dry_run {
        return wish.counted(&state, "parked").await;
    }
    let tx = pool::begin(&state.db).await?;
    let messages = change::archive(&tx, &wish.filter, now).await?;
    wish.audit(&actor, &tx, "parked.archive", messages).await?;
    tx.commit().await?;
    Ok(Json(ChangedView {
        messages,
        dry_run: false,
    }))
}

/// `POST /v1/backoffice/parked/restore`: these wait for a person again.
pub(crate) async fn restore(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Body(body): Body,
) -> Result<Json<ChangedView>, Problem> {
    let wish = Wish::read(body)?;
    let actor = Actor {
        caller: &caller,
        trace,
        now: state.now(),
    };
    if wish.dry_run {
        return wish.counted(&state, "archived").await;
    }
    let tx = pool::begin(&state.db).await?;
    let messages = change::restore(&tx, &wish.filter).await?;
    wish.audit(&actor, &tx, "parked.restore", messages).await?;
    tx.commit().await?;
    Ok(Json(ChangedView {
        messages,
        dry_run: false,
    }))
}

/// What is to be archived or restored, and why.
struct Wish {
    filter: Filter,
    /// As it was given, for the audit.
    given: Value,
    reason: String,
    dry_run: bool,
}

impl Wish {
    fn read(body: Value) -> Result<Self, Problem> {
        let given = body.get("filter").cloned().unwrap_or(Value::Null);
        let mut mistakes = Mistakes::default();
        let (mut filter, mut why, mut dry_run) = (None, None, None);
        if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
            filter = fields.required("filter", &mut mistakes, filter::of_body);
            why = reason(&mut fields, &mut mistakes);
            dry_run = fields.optional("dry_run", &mut mistakes, yes_or_no);
            fields.finish(&mut mistakes);
        }
        mistakes.refuse()?;
        let incomplete = || Problem::new(Code::ValidationFailed);
        Ok(Self {
            filter: filter.ok_or_else(incomplete)?,
            given,
            reason: why.ok_or_else(incomplete)?,
            dry_run: dry_run.unwrap_or(false),
        })
    }

    async fn counted(&self, state: &AppState, status: &str) -> Result<Json<ChangedView>, Problem> {
        let standing = if status == "parked" {
            parked::Standing::Open
        } else {
            parked::Standing::Archived
        };
        let filter = Filter {
            standing,
            ..self.filter.clone()
        };
        let messages = count(&state.db, &filter).await?;
        Ok(Json(ChangedView {
            messages: u64::try_from(messages).unwrap_or(0),
            dry_run: true,
        }))
    }

    async fn audit(
        &self,
        actor: &Actor<'_>,
        db: &impl sea_orm::ConnectionTrait,
        action: &str,
        messages: u64,
    ) -> Result<(), Problem> {
        let detail = json!({"filter": self.given, "messages": messages});
        let target = target_of(&self.filter);
        actor
            .audit(db, action, &target, Some(&self.reason), detail)
            .await?;
        Ok(())
    }
}

/// What the audit calls the messages of a filter.
pub(super) fn target_of(filter: &Filter) -> String {
    match (&filter.group, filter.messages.as_slice(), &filter.queue) {
        (Some(group), [], _) => format!("group:{}", hex::encode(group)),
        (_, [one], Some(queue)) => format!("parked:{queue}/{one}"),
        (_, [one], None) => format!("parked:{one}"),
        (_, _, Some(queue)) => format!("queue:{queue}"),
        _ => "parked".to_owned(),
    }
}

pub(super) fn yes_or_no(value: Value, at: &str, mistakes: &mut Mistakes) -> Option<bool> {
    let found = value.as_bool();
    if found.is_none() {
        mistakes.add(at, ("wrong_type", "must be true or false"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_what_is_none_is_refused() {
        let cursor = Cursor {
            last_failed_at: DateTime::from_timestamp_micros(1_795_000_000_123_456).unwrap(),
            key: Key {
                queue: "reservations.submit".to_owned(),
                message: MessageId(uuid::Uuid::nil()),
            },
        };
        assert_eq!(decode(&encode(&cursor)), Some(cursor));
        for broken in ["", "!", "MQ", &BASE64_URL_SAFE_NO_PAD.encode("x y z")] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_body_that_is_none_is_measured_and_not_told() {
        let view = body_view("booking.submit.v1", b"{\"name\": \"Ada Byron\"");
        assert_eq!((view.bytes, view.is_sound, view.json), (20, false, None));
        let view = body_view(
            "booking.submit.v1",
            br#"{"Ada Byron": 1, "name": "Ada Byron"}"#,
        );
        assert!(!format!("{view:?}").contains("Ada"), "{view:?}");
        assert!(view.mistakes.iter().any(|m| m.pointer == "/booking_id"));
    }
}
