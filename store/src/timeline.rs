//! The timeline of a booking: what was decided, called, rendered and mailed, in order.
//!
//! It is made from what MySQL and the ticket documents hold, never from messages: an event only says where to
//! look. So a timeline that was dropped is made again without loss, by the same function.

use crate::{
    mongo::documents::{self, DocumentFacts},
    mysql::{bookings::event_row, calls, looks, mails, parked_lines, webhooks},
};
use boxoffice_contracts::{
    BookingId, Instant, Message as _, MessageId,
    message::{mail, payment, ticket},
};
use mongodb::Database;
use schemars::JsonSchema;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One line. Ids, words and codes of ours only; no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub booking: BookingId,
    /// Names the line within its booking and never changes.
    pub key: String,
    /// When it began; never changes, so that pages of a timeline do not shift.
    pub at: Instant,
    /// Rises when what the line says changes; 0 for what never does.
    pub rank: i64,
    pub what: What,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(rename = "TimelineEntry")]
pub enum What {
    /// A step of the saga.
    Decision {
        version: u32,
        /// What was decided upon: `submit`, `captured`, `tick` …
        input: String,
        from: String,
        to: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// The message that led to it.
        cause: String,
        effects: Vec<String>,
        /// What was sent because of it.
        messages: Vec<Sent>,
    },
    /// A call to the gateway, by its key: repetitions have the same one.
    Call {
        operation: String,
        idempotency_key: String,
        calls: u32,
        outcome: String,
        last_at: Instant,
    },
    /// A ticket document was stored.
    Document {
        revision: u16,
        sha256: String,
        bytes: u64,
    },
    /// A question to the gateway. It changes nothing, so it has no key.
    Look {
        question: String,
        /// What was seen, in the gateway's word, or why there was no answer.
        answer: String,
        /// The message that asked.
        message_id: String,
    },
    /// An event of the gateway came in. It is a hint: what followed from it are lines of their own.
    Receipt { event_id: String, event: String },
    /// A message could not be handled and was put aside for a person.
    Parked {
        queue: String,
        message_id: String,
        kind: String,
        code: String,
        /// `parked`, `replaying`, `resolved` or `discarded`.
        state: String,
        failures: u32,
        replays: u32,
        last_at: Instant,
    },
    Mail {
        template: String,
        revision: u16,
        message_id: String,
        state: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        last_at: Instant,
    },
}

/// A message of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    pub kind: String,
    pub id: String,
}

/// Where to look: bookings, and which parts of them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Decisions from this version on.
    pub decisions: BTreeMap<BookingId, u32>,
    /// Answers of workers tell of what they wrote down, so their decisions bring these along.
    pub calls: BTreeSet<BookingId>,
    pub documents: BTreeSet<BookingId>,
    pub mails: BTreeSet<BookingId>,
    /// What no event tells of: receipts of the gateway's events, looks at the gateway, parked messages. Rows of
    /// these come and change without the booking, so whoever reads a timeline brings them along.
    pub asides: BTreeSet<BookingId>,
}

impl Wanted {
    /// Everything about these bookings.
    #[must_use]
    pub fn all_of(bookings: &[BookingId]) -> Self {
        let set: BTreeSet<BookingId> = bookings.iter().copied().collect();
        Self {
            decisions: set.iter().map(|id| (*id, 0)).collect(),
            calls: set.clone(),
            documents: set.clone(),
            mails: set.clone(),
            asides: set,
        }
    }
}

/// Why the lines can't be made.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Mysql(#[from] DbErr),
    #[error(transparent)]
    Documents(#[from] mongodb::error::Error),
}

/// The lines of what is wanted, as it stands now. Locks nothing.
///
/// # Errors
/// When a store can't be read.
pub async fn lines(
    db: &impl ConnectionTrait,
    documents: &Database,
    mut wanted: Wanted,
) -> Result<Vec<Line>, SourceError> {
    let mut lines = Vec::new();
    for event in decisions(db, &wanted.decisions).await? {
        let booking = BookingId(event.booking_id);
        match source_of(&event.input) {
            Some(Source::Calls) => drop(wanted.calls.insert(booking)),
            Some(Source::Documents) => drop(wanted.documents.insert(booking)),
            None => {}
        }
        lines.push(decision(event));
    }
    let calls = calls::row::Entity::find()
        .filter(calls::row::Column::BookingId.is_in(wanted.calls.iter().map(|id| id.0)));
    if !wanted.calls.is_empty() {
        lines.extend(calls.all(db).await?.into_iter().map(call));
    }
    let mails = mails::row::Entity::find()
        .filter(mails::row::Column::BookingId.is_in(wanted.mails.iter().map(|id| id.0)));
    if !wanted.mails.is_empty() {
        lines.extend(mails.all(db).await?.into_iter().map(mail));
    }
    lines.extend(asides(db, &wanted.asides).await?);
    if !wanted.documents.is_empty() {
        let ids: Vec<BookingId> = wanted.documents.into_iter().collect();
        let stored = documents::facts_of(documents, &ids).await?;
        lines.extend(stored.into_iter().map(document));
    }
    Ok(lines)
}

/// Receipts, looks and parked messages, as they stand now.
///
/// # Errors
/// When the database refuses.
pub async fn asides(
    db: &impl ConnectionTrait,
    bookings: &BTreeSet<BookingId>,
) -> Result<Vec<Line>, DbErr> {
    if bookings.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<BookingId> = bookings.iter().copied().collect();
    let looks = looks::of_bookings(db, &ids).await?.into_iter().map(look);
    let mut lines: Vec<Line> = looks.collect();
    lines.extend(
        webhooks::receipts_of(db, &ids)
            .await?
            .into_iter()
            .map(receipt),
    );
    let parked = parked_lines::of_bookings(db, &ids).await?;
    lines.extend(parked.into_iter().map(self::parked));
    Ok(lines)
}

/// Lines of the documents of one booking that are stored now.
///
/// # Errors
/// When the documents can't be reached.
pub async fn stored(
    documents: &Database,
    booking: BookingId,
) -> Result<Vec<Line>, mongodb::error::Error> {
    let facts = documents::facts_of(documents, &[booking]).await?;
    Ok(facts.into_iter().map(document).collect())
}

async fn decisions(
    db: &impl ConnectionTrait,
    wanted: &BTreeMap<BookingId, u32>,
) -> Result<Vec<event_row::Model>, DbErr> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut events = event_row::Entity::find()
        .filter(event_row::Column::BookingId.is_in(wanted.keys().map(|id| id.0)))
        .all(db)
        .await?;
    events.retain(|event| {
        let from = wanted.get(&BookingId(event.booking_id));
        from.is_some_and(|from| event.version >= *from)
    });
    Ok(events)
}

enum Source {
    Calls,
    Documents,
}

/// What a worker had written down when it sent the answer that was decided upon.
fn source_of(input: &str) -> Option<Source> {
    match input {
        "rendered" => Some(Source::Documents),
        "submit" | "pay" | "cancel" | "tick" => None,
        order if order.starts_with("mend_") => None,
        _answer_of_payments => Some(Source::Calls),
    }
}

fn decision(event: event_row::Model) -> Line {
    let booking = BookingId(event.booking_id);
    let labels = event.effects.as_array().into_iter().flatten();
    let effects: Vec<String> = labels
        .filter_map(|label| label.as_str().map(str::to_owned))
        .collect();
    let mut messages: Vec<Sent> = Vec::new();
    for (kind, index) in effects.iter().filter_map(|effect| kind_of(effect)).zip(0..) {
        let id = MessageId::of_effect(booking, event.version, index).to_string();
        let kind = kind.to_owned();
        messages.push(Sent { kind, id });
    }
    Line {
        booking,
        key: format!("decision:{:010}", event.version),
        at: event.at,
        rank: 0,
        what: What::Decision {
            version: event.version,
            input: event.input,
            from: event.from_status,
            to: event.to_status,
            phase: event.to_phase,
            code: event.code,
            cause: MessageId(event.cause_id).to_string(),
            effects,
            messages,
        },
    }
}

/// The message that an effect becomes, if it becomes one: messages of a step are numbered in their order.
fn kind_of(effect: &str) -> Option<&str> {
    Some(match effect {
        "authorize" => payment::Authorize::KIND.as_str(),
        "reconcile" => payment::Reconcile::KIND.as_str(),
        "capture" => payment::Capture::KIND.as_str(),
        "close_intent" => payment::Void::KIND.as_str(),
        "refund" => payment::Refund::KIND.as_str(),
        "render" => ticket::Render::KIND.as_str(),
        "mail" => mail::Send::KIND.as_str(),
        // Events stand in the log by their names.
        event if event.contains('.') => event,
        _ => return None,
    })
}

fn call(row: calls::row::Model) -> Line {
    Line {
        booking: BookingId(row.booking_id),
        key: format!("call:{}", row.idempotency_key),
        at: row.first_called_at,
        // The last call's end comes after its announcement, which counts it.
        rank: i64::from(row.calls) * 2
            + i64::from(row.outcome != calls::CallOutcome::Sent.as_str()),
        what: What::Call {
            operation: row.operation,
            idempotency_key: row.idempotency_key,
            calls: row.calls,
            outcome: row.outcome,
            last_at: row.last_called_at,
        },
    }
}

fn look(row: looks::row::Model) -> Line {
    Line {
        booking: BookingId(row.booking_id),
        key: format!("look:{:020}", row.id),
        at: row.at,
        rank: 0,
        what: What::Look {
            question: row.question,
            answer: row.answer,
            message_id: MessageId(row.message_id).to_string(),
        },
    }
}

fn receipt(receipt: webhooks::Receipt) -> Line {
    Line {
        booking: receipt.booking,
        key: format!("receipt:{}", receipt.event_id),
        at: receipt.received_at,
        rank: 0,
        what: What::Receipt {
            event_id: receipt.event_id,
            event: receipt.event_type,
        },
    }
}

fn parked(row: parked_lines::ParkedLine) -> Line {
    Line {
        booking: row.booking,
        key: format!("parked:{}:{}", row.queue, row.message_id),
        at: row.first_failed_at,
        // Its state goes back and forth, so nothing in it only rises: what was read later is newer.
        rank: row.read_at.timestamp_micros(),
        what: What::Parked {
            queue: row.queue,
            message_id: row.message_id.to_string(),
            kind: row.kind,
            code: row.code,
            state: row.status,
            failures: row.failures,
            replays: row.replays,
            last_at: row.last_failed_at,
        },
    }
}

fn mail(row: mails::row::Model) -> Line {
    Line {
        booking: BookingId(row.booking_id),
        key: format!("mail:{}:{:05}", row.template, row.revision),
        at: row.created_at,
        rank: row.updated_at.timestamp_micros(),
        what: What::Mail {
            template: row.template,
            revision: row.revision,
            message_id: row.message_id,
            state: row.state,
            detail: row.detail,
            last_at: row.updated_at,
        },
    }
}

fn document(stored: DocumentFacts) -> Line {
    Line {
        booking: stored.booking,
        key: format!("document:{:05}", stored.revision),
        at: stored.created_at,
        rank: 0,
        what: What::Document {
            revision: stored.revision,
            sha256: stored.sha256,
            bytes: stored.bytes,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_tells_its_messages_under_the_ids_they_were_sent_with() {
        let booking = BookingId::derive("house", "s", "k");
        let line = decision(event_row::Model {
            booking_id: booking.0,
            version: 3,
            at: "2026-11-21T18:30:05.123456Z".parse().unwrap(),
            input: "captured".to_owned(),
            cause_id: MessageId::of_outside_event("e").0,
            from_status: "confirmed".to_owned(),
            to_status: "paid".to_owned(),
            to_phase: None,
            code: None,
            reason: None,
            effects: serde_json::json!(["issue_tickets", "render", "settle", "booking.paid.v1"]),
        });
        let What::Decision { messages, .. } = line.what else {
            panic!("a decision");
        };
        let sent = |kind: &str, index| Sent {
            kind: kind.to_owned(),
            id: MessageId::of_effect(booking, 3, index).to_string(),
        };
        assert_eq!(
            messages,
            [sent("tickets.render.v1", 0), sent("booking.paid.v1", 1)]
        );
        assert_eq!(line.key, "decision:0000000003");
    }

    #[test]
    fn what_happens_to_a_call_later_ranks_higher() {
        let row = |calls, outcome: calls::CallOutcome| {
            call(calls::row::Model {
                idempotency_key: "bk:x:create".to_owned(),
                booking_id: BookingId::derive("house", "s", "k").0,
                operation: "create".to_owned(),
                first_called_at: "2026-11-21T18:30:05Z".parse().unwrap(),
                last_called_at: "2026-11-21T18:30:05Z".parse().unwrap(),
                calls,
                outcome: outcome.as_str().to_owned(),
            })
            .rank
        };
        let ranks = [
            row(1, calls::CallOutcome::Sent),
            row(1, calls::CallOutcome::NoAnswer),
            row(2, calls::CallOutcome::NoAnswer),
        ];
        assert!(ranks.is_sorted_by(|a, b| a <= b), "{ranks:?}");
    }
}
