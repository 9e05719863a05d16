//! Messages of partners that the gate could not understand or believe: kept for a while, to be repaired.

use boxoffice_contracts::{Instant, partner::PartnerId};
use chrono::{DateTime as Chrono, TimeDelta, Utc};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Binary, DateTime, doc, serialize_to_document, spec::BinarySubtype},
    error::Error,
    options::IndexOptions,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

const COLLECTION: &str = "partner_quarantine";

/// How long a message can be repaired.
pub const KEPT: TimeDelta = TimeDelta::days(14);

/// Bytes of a body that are kept; what is longer can't be released as it came anyway.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Where a quarantined message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// For a person to look at.
    Waiting,
    /// It passed the gate's checks again, with whatever outcome; its reply tells.
    Released,
    /// A person said no.
    Rejected,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Released, Self::Rejected];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Released => "released",
            Self::Rejected => "rejected",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A message that is to be kept. Its body may hold personal data: `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub id: Uuid,
    pub partner: PartnerId,
    /// The partner's own id of the message, where one could be read.
    pub event_id: Option<String>,
    pub kind: Option<String>,
    pub correlation_id: Option<String>,
    pub routing_key: Option<String>,
    pub content_type: Option<String>,
    pub user_id: Option<String>,
    pub body: Vec<u8>,
    /// Whether the body was longer than what is kept.
    pub cut: bool,
    /// The problem object of the reply, as JSON.
    pub problem: String,
    pub at: Instant,
    pub status: Status,
    /// Who of the staff ended it, why and when.
    pub closed: Option<Closed>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Closed {
    pub by: String,
    pub reason: String,
    pub at_millis: i64,
}

impl std::fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quarantined")
            .field("id", &self.id)
            .field("partner", &self.partner)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Quarantined {
    /// After that it is forgotten.
    #[must_use]
    pub fn kept_until(&self) -> Instant {
        self.at + KEPT
    }
}

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    id: String,
    partner: String,
    event_id: Option<String>,
    kind: Option<String>,
    correlation_id: Option<String>,
    routing_key: Option<String>,
    content_type: Option<String>,
    user_id: Option<String>,
    body: Binary,
    cut: bool,
    problem: String,
    at_millis: i64,
    /// When MongoDB takes it away.
    forgotten_at: DateTime,
    status: Status,
    #[serde(default)]
    closed: Option<Closed>,
}

/// Where a page begins: after this message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub at_millis: i64,
    pub id: Uuid,
}

impl Cursor {
    #[must_use]
    pub fn after(message: &Quarantined) -> Self {
        Self {
            at_millis: message.at.timestamp_millis(),
            id: message.id,
        }
    }
}

/// What a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub partner: Option<PartnerId>,
    pub status: Option<Status>,
    pub after: Option<Cursor>,
}

/// Keeps messages; one that is there stays as it is.
///
/// # Errors
/// When the server can't be reached or refuses.
pub async fn keep(database: &Database, messages: &[Quarantined]) -> Result<(), Error> {
    for message in messages {
        let mut row = serialize_to_document(&row(message))?;
        row.remove("_id");
        rows(database)
            .update_one(
                doc! { "_id": message.id.to_string() },
                doc! { "$setOnInsert": row },
            )
            .upsert(true)
            .await
            .map(|_done| ())
            .or_else(|error| match super::code(&error) {
                // Another wrote the same meanwhile.
                Some(super::DUPLICATE_KEY) => Ok(()),
                _ => Err(error),
            })?;
    }
    Ok(())
}

/// # Errors
/// When the server can't be reached, or holds what can't be read.
pub async fn find(database: &Database, id: Uuid) -> Result<Option<Quarantined>, Error> {
    let row = rows(database)
        .find_one(doc! { "_id": id.to_string() })
        .await?;
    row.map(message).transpose()
}

/// A page, the newest first.
///
/// # Errors
/// When the server can't be reached, or holds what can't be read.
pub async fn list(
    database: &Database,
    filter: &Filter,
    limit: u16,
) -> Result<Vec<Quarantined>, Error> {
    let mut wanted = doc! {};
    if let Some(partner) = &filter.partner {
        wanted.insert("partner", partner.as_str());
    }
    if let Some(status) = filter.status {
        wanted.insert("status", status.as_str());
    }
    if let Some(Cursor { at_millis, id }) = &filter.after {
        let earlier = doc! { "at_millis": { "$lt": *at_millis } };
        let beside = doc! { "at_millis": *at_millis, "_id": { "$gt": id.to_string() } };
        wanted.insert("$or", vec![earlier, beside]);
    }
    let found: Vec<Row> = rows(database)
        .find(wanted)
        .sort(doc! { "at_millis": -1, "_id": 1 })
        .limit(i64::from(limit))
        .await?
        .try_collect()
        .await?;
    found.into_iter().map(message).collect()
}

/// Ends the wait of a message; `false` when it is not waiting any more.
///
/// # Errors
/// When the server can't be reached or refuses.
pub async fn close(
    database: &Database,
    id: Uuid,
    status: Status,
    closed: Option<&Closed>,
) -> Result<bool, Error> {
    let mut set = doc! { "status": status.as_str() };
    if let Some(closed) = closed {
        set.insert("closed", serialize_to_document(closed)?);
    }
    let done = rows(database)
        .update_one(
            doc! { "_id": id.to_string(), "status": Status::Waiting.as_str() },
            doc! { "$set": set },
        )
        .await?;
    Ok(done.matched_count == 1)
}

pub(super) async fn ensure_indexes(database: &Database) -> Result<(), Error> {
    let ttl = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let forgotten = IndexModel::builder()
        .keys(doc! { "forgotten_at": 1 })
        .options(ttl)
        .build();
    let of_partner = IndexModel::builder()
        .keys(doc! { "partner": 1, "at_millis": -1, "_id": 1 })
        .build();
    let newest = IndexModel::builder()
        .keys(doc! { "at_millis": -1, "_id": 1 })
        .build();
    rows(database)
        .create_indexes([forgotten, of_partner, newest])
        .await?;
    Ok(())
}

fn rows(database: &Database) -> Collection<Row> {
    database.collection(COLLECTION)
}

fn row(message: &Quarantined) -> Row {
    Row {
        id: message.id.to_string(),
        partner: message.partner.as_str().to_owned(),
        event_id: message.event_id.clone(),
        kind: message.kind.clone(),
        correlation_id: message.correlation_id.clone(),
        routing_key: message.routing_key.clone(),
        content_type: message.content_type.clone(),
        user_id: message.user_id.clone(),
        body: Binary {
            subtype: BinarySubtype::Generic,
            bytes: message.body.clone(),
        },
        cut: message.cut,
        problem: message.problem.clone(),
        at_millis: message.at.timestamp_millis(),
        forgotten_at: DateTime::from_millis(message.kept_until().timestamp_millis()),
        status: message.status,
        closed: message.closed.clone(),
    }
}

fn message(row: Row) -> Result<Quarantined, Error> {
    let broken = || Error::custom(format!("{COLLECTION}: {} is broken", row.id));
    let at: Chrono<Utc> = Chrono::from_timestamp_millis(row.at_millis).ok_or_else(broken)?;
    Ok(Quarantined {
        id: row.id.parse().map_err(|_no_id| broken())?,
        partner: row.partner.parse().map_err(|_no_partner| broken())?,
        event_id: row.event_id,
        kind: row.kind,
        correlation_id: row.correlation_id,
        routing_key: row.routing_key,
        content_type: row.content_type,
        user_id: row.user_id,
        body: row.body.bytes,
        cut: row.cut,
        problem: row.problem,
        at,
        status: row.status,
        closed: row.closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_way_there_and_back_and_shows_no_body() {
        let before = Quarantined {
            id: Uuid::from_u128(7),
            partner: "acme".parse().unwrap(),
            event_id: Some("order-7".to_owned()),
            kind: None,
            correlation_id: Some("c-1".to_owned()),
            routing_key: Some("booking.submit.v1".to_owned()),
            content_type: None,
            user_id: Some("acme.1".to_owned()),
            body: b"secret".to_vec(),
            cut: false,
            problem: "{}".to_owned(),
            at: "2026-11-21T18:30:05.123Z".parse().unwrap(),
            status: Status::Waiting,
            closed: None,
        };
        assert_eq!(message(row(&before)).unwrap(), before);
        assert!(!format!("{before:?}").contains("secret"));
        assert_eq!(before.kept_until() - before.at, KEPT);
    }
}
