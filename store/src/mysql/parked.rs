//! Parked messages as people look for them. The runtime writes them; here they are searched, counted, archived and
//! replaced.

pub mod change;
pub mod groups;

use super::{rows::padded, status::instant};
use boxoffice_contracts::{BookingId, Instant, MessageId};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, entity::prelude::Uuid,
};
use serde::{Deserialize, Serialize};

/// Where a parked message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits for a person.
    Parked,
    /// Sent back to its queue; if it fails again it is parked again.
    Replaying,
    /// Its retry was handled.
    Resolved,
    /// A person decided that nothing is to be done.
    Archived,
    /// An edited message took its place.
    Superseded,
}

impl Status {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Replaying => "replaying",
            Self::Resolved => "resolved",
            Self::Archived => "archived",
            Self::Superseded => "superseded",
        }
    }

    /// `discarded` is what an older program wrote for archived.
    pub(crate) fn of(text: &str) -> Result<Self, DbErr> {
        Ok(match text {
            "parked" => Self::Parked,
            "replaying" => Self::Replaying,
            "resolved" => Self::Resolved,
            "archived" | "discarded" => Self::Archived,
            "superseded" => Self::Superseded,
            other => return Err(DbErr::Custom(format!("parked_messages.status {other}"))),
        })
    }
}

/// Which of them are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Waiting for a person, or on their way.
    #[default]
    Open,
    Archived,
    Resolved,
    Superseded,
    All,
}

impl Standing {
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Archived,
        Self::Resolved,
        Self::Superseded,
        Self::All,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Archived => "archived",
            Self::Resolved => "resolved",
            Self::Superseded => "superseded",
            Self::All => "all",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.as_str() == text)
    }

    const fn clause(self) -> &'static str {
        match self {
            Self::Open => "status IN ('parked', 'replaying')",
            Self::Archived => "status IN ('archived', 'discarded')",
            Self::Resolved => "status = 'resolved'",
            Self::Superseded => "status = 'superseded'",
            Self::All => "TRUE",
        }
    }
}

/// What is looked for. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Fingerprint, 32 bytes.
    pub group: Option<Vec<u8>>,
    pub queue: Option<String>,
    pub code: Option<String>,
    pub kind: Option<String>,
    pub booking: Option<BookingId>,
    pub messages: Vec<MessageId>,
    /// Part of the reason.
    pub text: Option<String>,
    /// Failed last at or after.
    pub since: Option<Instant>,
    /// Failed last before.
    pub until: Option<Instant>,
    pub standing: Standing,
    /// Retried at least so often.
    pub replays_min: Option<u32>,
}

impl Filter {
    /// A condition over `parked_messages`, and what stands at its marks.
    pub(crate) fn clause(&self) -> (String, Vec<Value>) {
        let mut parts = vec![self.standing.clause().to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut add = |part: &str, value: Value| {
            parts.push(part.to_owned());
            values.push(value);
        };
        if let Some(group) = &self.group {
            add("fingerprint = ?", group.clone().into());
        }
        if let Some(queue) = &self.queue {
            add("queue = ?", queue.as_str().into());
        }
        if let Some(code) = &self.code {
            add("code = ?", code.as_str().into());
        }
        if let Some(kind) = &self.kind {
            add("kind = ?", kind.as_str().into());
        }
        if let Some(booking) = self.booking {
            add("booking_id = ?", booking.0.into());
        }
        if let Some(text) = &self.text {
            add("reason LIKE ?", format!("%{}%", escaped(text)).into());
        }
        if let Some(since) = self.since {
            add("last_failed_at >= ?", since.into());
        }
        if let Some(until) = self.until {
            add("last_failed_at < ?", until.into());
        }
        if let Some(replays) = self.replays_min {
            add("replays >= ?", replays.into());
        }
        if !self.messages.is_empty() {
            let ids = padded(self.messages.iter().map(|id| id.0));
            let marks = vec!["?"; ids.len()].join(",");
            parts.push(format!("message_id IN ({marks})"));
            values.extend(ids.into_iter().map(Value::from));
        }
        (parts.join(" AND "), values)
    }
}

/// A text that `LIKE` takes as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A message in a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub queue: String,
    pub message: MessageId,
}

/// A parked message without its body.
#[derive(Debug, Clone)]
pub struct Parked {
    pub key: Key,
    pub group: Vec<u8>,
    pub code: String,
    pub reason: String,
    pub kind: String,
    pub booking: Option<BookingId>,
    pub status: Status,
    pub reopened: bool,
    pub failures: u32,
    pub replays: u32,
    pub first_failed_at: Instant,
    pub last_failed_at: Instant,
    /// The message that an edit put in its place.
    pub superseded_by: Option<MessageId>,
}

const COLUMNS: &str = "queue, message_id, fingerprint, code, reason, kind, booking_id, status, reopened, \
                       failures, replays, first_failed_at, last_failed_at, superseded_by";

impl Parked {
    fn of(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            key: key(row)?,
            group: row.try_get("", "fingerprint")?,
            code: row.try_get("", "code")?,
            reason: row.try_get("", "reason")?,
            kind: row.try_get("", "kind")?,
            booking: row
                .try_get::<Option<Uuid>>("", "booking_id")?
                .map(BookingId),
            status: Status::of(&row.try_get::<String>("", "status")?)?,
            reopened: row.try_get("", "reopened")?,
            failures: row.try_get("", "failures")?,
            replays: row.try_get("", "replays")?,
            first_failed_at: instant(row, "first_failed_at")?,
            last_failed_at: instant(row, "last_failed_at")?,
            superseded_by: row
                .try_get::<Option<Uuid>>("", "superseded_by")?
                .map(MessageId),
        })
    }
}

fn key(row: &QueryResult) -> Result<Key, DbErr> {
    Ok(Key {
        queue: row.try_get("", "queue")?,
        message: MessageId(row.try_get("", "message_id")?),
    })
}

/// Where a page ended: the next one begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub last_failed_at: Instant,
    pub key: Key,
}

/// A page of what is looked for, latest failure first.
///
/// # Errors
/// When the database refuses.
pub async fn search(
    db: &impl ConnectionTrait,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Vec<Parked>, DbErr> {
    let (mut clause, mut values) = filter.clause();
    if let Some(cursor) = after {
        clause.push_str(
            " AND (last_failed_at < ? OR (last_failed_at = ? AND \
             (queue > ? OR (queue = ? AND message_id > ?))))",
        );
        let at = cursor.last_failed_at;
        let queue = cursor.key.queue.as_str();
        values.extend([
            at.into(),
            at.into(),
            queue.into(),
            queue.into(),
            cursor.key.message.0.into(),
        ]);
    }
    values.push(limit.into());
    let sql = format!(
        "SELECT {COLUMNS} FROM parked_messages WHERE {clause} \
         ORDER BY last_failed_at DESC, queue, message_id LIMIT ?"
    );
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = db.query_all_raw(ask).await?;
    rows.iter().map(Parked::of).collect()
}

/// A parked message with all that is kept of it.
#[derive(Debug, Clone)]
pub struct Whole {
    pub parked: Parked,
    /// JSON, as the runtime stores envelopes.
    pub envelope: String,
    pub body: Vec<u8>,
}

/// One message; locked until the transaction ends when `is_locked`.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    key: &Key,
    is_locked: bool,
) -> Result<Option<Whole>, DbErr> {
    let lock = if is_locked { " FOR UPDATE" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS}, CAST(envelope AS CHAR) AS envelope, body FROM parked_messages \
         WHERE queue = ? AND message_id = ?{lock}"
    );
    let values = [key.queue.as_str().into(), key.message.0.into()];
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.query_one_raw(ask)
        .await?
        .map(|row| whole(&row))
        .transpose()
}

fn whole(row: &QueryResult) -> Result<Whole, DbErr> {
    Ok(Whole {
        parked: Parked::of(row)?,
        envelope: row.try_get("", "envelope")?,
        body: row.try_get("", "body")?,
    })
}

/// One time that a message was given up.
#[derive(Debug, Clone)]
pub struct Failed {
    pub no: u32,
    pub at: Instant,
    pub code: String,
    pub reason: String,
    /// Times that it was handled before it was given up.
    pub attempts: u32,
    /// Which retry it was; 0 for the first time.
    pub replay: u32,
}

/// Failures that one answer lists; the latest count.
pub const FAILURES_MAX: u32 = 100;

/// The history of a message, latest failure first.
///
/// # Errors
/// When the database refuses.
pub async fn failures(db: &impl ConnectionTrait, key: &Key) -> Result<Vec<Failed>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT no, at, code, reason, attempts, replay FROM parked_failures \
         WHERE queue = ? AND message_id = ? ORDER BY no DESC LIMIT ?",
        [
            key.queue.as_str().into(),
            key.message.0.into(),
            FAILURES_MAX.into(),
        ],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| {
            Ok(Failed {
                no: row.try_get("", "no")?,
                at: instant(row, "at")?,
                code: row.try_get("", "code")?,
                reason: row.try_get("", "reason")?,
                attempts: row.try_get("", "attempts")?,
                replay: row.try_get("", "replay")?,
            })
        })
        .collect()
}

/// The message that this one took the place of.
///
/// # Errors
/// When the database refuses.
pub async fn predecessor(
    db: &impl ConnectionTrait,
    message: MessageId,
) -> Result<Option<Key>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT queue, message_id FROM parked_messages WHERE superseded_by = ? LIMIT 1",
        [message.0.into()],
    );
    db.query_one_raw(ask)
        .await?
        .map(|row| key(&row))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_signs_of_like_is_looked_for_as_it_is() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }

    #[test]
    fn every_condition_brings_its_value() {
        let filter = Filter {
            group: Some(vec![1; 32]),
            queue: Some("mail".to_owned()),
            code: Some("panic".to_owned()),
            kind: Some("mail.send.v1".to_owned()),
            booking: Some(BookingId(Uuid::nil())),
            messages: vec![MessageId(Uuid::nil()); 3],
            text: Some("seat".to_owned()),
            since: Some(Instant::UNIX_EPOCH),
            until: Some(Instant::UNIX_EPOCH),
            standing: Standing::All,
            replays_min: Some(1),
        };
        let (clause, values) = filter.clause();
        assert_eq!(clause.matches('?').count(), values.len());
        // Three ids are asked for as four: few shapes of statements.
        assert!(clause.contains("message_id IN (?,?,?,?)"), "{clause}");
        let (clause, values) = Filter::default().clause();
        assert_eq!(
            (clause.as_str(), values.len()),
            ("status IN ('parked', 'replaying')", 0)
        );
    }

    #[test]
    fn the_word_of_an_older_program_is_understood() {
        assert_eq!(Status::of("discarded").unwrap(), Status::Archived);
        for standing in Standing::ALL {
            assert_eq!(Standing::from_text(standing.as_str()), Some(standing));
        }
    }
}
