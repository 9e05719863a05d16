//! Which messages a retry would send, and why it leaves others out.

use super::{
    super::{
        parked::{Filter, Key, Standing, Status},
        rows,
    },
    RetryState, item,
};
use boxoffice_contracts::{Instant, MessageId, mend, topology};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Set, Statement, Value, entity::prelude::Uuid};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Most messages of one campaign.
pub const MESSAGES_MAX: usize = 100_000;

/// A command that moves money is not retried in bulk after that: too much may have been done by hand since. Edited
/// — even without a change — it goes through a second person.
pub const MONEY_HOURS_MAX: i64 = 72;

/// Under this name messages are parked that could not leave the outbox.
pub const OUTBOX: &str = "outbox";

/// Rows that are read at once; bodies are at most 64 KiB.
const PAGE: u32 = 500;

/// Why a message is left out of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    Resolved,
    Archived,
    Superseded,
    /// Another retry has sent it, and its outcome isn't known.
    InRetry,
    QueueUnknown,
    KindNotAccepted,
    Undecodable,
    MoneyTooOld,
    /// It is no longer on record.
    Gone,
}

impl LeftOut {
    pub const ALL: [Self; 9] = [
        Self::Resolved,
        Self::Archived,
        Self::Superseded,
        Self::InRetry,
        Self::QueueUnknown,
        Self::KindNotAccepted,
        Self::Undecodable,
        Self::MoneyTooOld,
        Self::Gone,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Archived => "archived",
            Self::Superseded => "superseded",
            Self::InRetry => "in_retry",
            Self::QueueUnknown => "queue_unknown",
            Self::KindNotAccepted => "kind_not_accepted",
            Self::Undecodable => "undecodable",
            Self::MoneyTooOld => "money_too_old",
            Self::Gone => "gone",
        }
    }

    /// For people: why, and what to do instead.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Resolved => "It was handled meanwhile.",
            Self::Archived => "It is archived; restore it first.",
            Self::Superseded => "An edited message took its place.",
            Self::InRetry => "Another retry has sent it and waits for its outcome.",
            Self::QueueUnknown => "Its queue is none of this version's; redirect it by an edit.",
            Self::KindNotAccepted => {
                "Its queue does not accept its kind; redirect it, or edit it as a kind that is known."
            }
            Self::Undecodable => "Its body is not what its kind promises; edit it.",
            Self::MoneyTooOld => {
                "It moves money and is older than three days; look at the booking, then edit it: a second person \
                 approves."
            }
            Self::Gone => "It is not on record any more.",
        }
    }

    #[must_use]
    pub fn meaning_of(text: &str) -> &'static str {
        let found = Self::ALL.into_iter().find(|why| why.as_str() == text);
        found.map_or("", Self::meaning)
    }

    /// Why a message in this status can't be sent; `None`: it can.
    #[must_use]
    pub const fn by_status(status: Status) -> Option<Self> {
        match status {
            Status::Parked => None,
            Status::Replaying => Some(Self::InRetry),
            Status::Resolved => Some(Self::Resolved),
            Status::Archived => Some(Self::Archived),
            Status::Superseded => Some(Self::Superseded),
        }
    }
}

/// Judges a message by what it is. Pure.
#[must_use]
pub fn judge(
    queue: &str,
    kind: &str,
    body: &[u8],
    first_failed_at: Instant,
    now: Instant,
) -> Option<LeftOut> {
    if queue != OUTBOX {
        let Some(found) = topology::queue(queue) else {
            return Some(LeftOut::QueueUnknown);
        };
        if !found
            .accepts
            .iter()
            .any(|accepted| accepted.as_str() == kind)
        {
            return Some(LeftOut::KindNotAccepted);
        }
    }
    if !mend::decodes(kind, body) {
        return Some(LeftOut::Undecodable);
    }
    let old = now - first_failed_at > TimeDelta::hours(MONEY_HOURS_MAX);
    (old && mend::moves_money(kind)).then_some(LeftOut::MoneyTooOld)
}

/// What a retry would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub eligible: Vec<Key>,
    pub left_out: BTreeMap<LeftOut, u32>,
    /// Some of those that are left out.
    pub examples: Vec<(Key, LeftOut)>,
    /// There are more than a campaign may have; the rest was not looked at.
    pub is_cut: bool,
}

/// Most examples of what is left out.
const EXAMPLES_MAX: usize = 20;

impl Plan {
    fn leave_out(&mut self, key: Key, why: LeftOut) {
        *self.left_out.entry(why).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push((key, why));
        }
    }
}

/// Looks at every message that the filter finds, whatever its standing.
///
/// # Errors
/// When the database refuses.
pub async fn plan(db: &impl ConnectionTrait, filter: &Filter, now: Instant) -> Result<Plan, DbErr> {
    let filter = Filter {
        standing: Standing::All,
        ..filter.clone()
    };
    let (clause, filter_values) = filter.clause();
    let sql = format!(
        "SELECT queue, message_id, kind, status, first_failed_at, \
         CASE WHEN status = 'parked' THEN body ELSE '' END AS body \
         FROM parked_messages WHERE {clause} AND (queue > ? OR (queue = ? AND message_id > ?)) \
         ORDER BY queue, message_id LIMIT ?"
    );
    let (mut plan, mut last) = (Plan::default(), (String::new(), Uuid::nil()));
    loop {
        let mut values: Vec<Value> = filter_values.clone();
        values.extend([
            last.0.as_str().into(),
            last.0.as_str().into(),
            last.1.into(),
            PAGE.into(),
        ]);
        let ask = Statement::from_sql_and_values(DbBackend::MySql, sql.as_str(), values);
        let rows = db.query_all_raw(ask).await?;
        for row in &rows {
            last = (row.try_get("", "queue")?, row.try_get("", "message_id")?);
            let key = Key {
                queue: last.0.clone(),
                message: MessageId(last.1),
            };
            let status = Status::of(&row.try_get::<String>("", "status")?)?;
            let why = LeftOut::by_status(status);
            let why = if why.is_none() {
                let (kind, body): (String, Vec<u8>) =
                    (row.try_get("", "kind")?, row.try_get("", "body")?);
                let failed_at = super::super::status::instant(row, "first_failed_at")?;
                judge(&key.queue, &kind, &body, failed_at, now)
            } else {
                why
            };
            match why {
                None => plan.eligible.push(key),
                Some(why) => plan.leave_out(key, why),
            }
        }
        if plan.eligible.len() > MESSAGES_MAX {
            plan.eligible.truncate(MESSAGES_MAX);
            plan.is_cut = true;
            return Ok(plan);
        }
        if rows.len() < PAGE as usize {
            return Ok(plan);
        }
    }
}

/// A campaign as it is written down.
#[derive(Debug, Clone)]
pub struct NewRetry<'a> {
    pub id: Uuid,
    pub filter: Json,
    pub reason: &'a str,
    pub subject: &'a str,
    pub rate_per_sec: u32,
    pub stages: &'a [u32],
    pub stop_percent: u32,
    /// At once, or when a person says so.
    pub is_started: bool,
}

/// Writes a campaign and its messages down.
///
/// # Errors
/// When the database refuses.
pub async fn create(
    db: &impl ConnectionTrait,
    new: &NewRetry<'_>,
    plan: &Plan,
    now: Instant,
) -> Result<(), DbErr> {
    let state = if new.is_started {
        RetryState::Running
    } else {
        RetryState::Planned
    };
    let skipped: BTreeMap<&str, u32> = plan
        .left_out
        .iter()
        .map(|(why, count)| (why.as_str(), *count))
        .collect();
    let text = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| DbErr::Custom(error.to_string()))
    };
    let values: [Value; 12] = [
        new.id.into(),
        state.as_str().into(),
        new.filter.to_string().into(),
        new.reason.into(),
        new.subject.into(),
        new.rate_per_sec.into(),
        text(serde_json::to_string(new.stages))?.into(),
        new.stop_percent.into(),
        u32::try_from(plan.eligible.len())
            .unwrap_or(u32::MAX)
            .into(),
        text(serde_json::to_string(&skipped))?.into(),
        now.into(),
        new.is_started.then_some(now).into(),
    ];
    let insert = Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO retries (id, state, filter, reason, subject, rate_per_sec, stages, stop_percent, total, \
         skipped, created_at, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    );
    db.execute_raw(insert).await?;
    let items = plan
        .eligible
        .iter()
        .zip(1..)
        .map(|(key, no)| item::ActiveModel {
            retry_id: Set(new.id),
            no: Set(no),
            queue: Set(key.queue.clone()),
            message_id: Set(key.message.0),
            state: Set("waiting".to_owned()),
            failures_before: Set(0),
            code: Set(None),
            sent_at: Set(None),
            ended_at: Set(None),
        });
    rows::insert(db, items, None).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_left_out_for_what_would_fail_for_certain() {
        let now = Instant::UNIX_EPOCH + TimeDelta::days(20_000);
        let recent = now - TimeDelta::hours(1);
        let old = now - TimeDelta::hours(MONEY_HOURS_MAX + 1);
        let render = json!({"booking_id": Uuid::nil(), "revision": 1}).to_string();
        let void = json!({"booking_id": Uuid::nil(), "generation": 1}).to_string();
        let judge = |queue, kind, body: &str, at| judge(queue, kind, body.as_bytes(), at, now);
        assert_eq!(judge("tickets", "tickets.render.v1", &render, old), None);
        assert_eq!(judge("payments", "payment.void.v1", &void, recent), None);
        assert_eq!(judge(OUTBOX, "payment.void.v1", &void, recent), None);
        for (queue, kind, body, at, why) in [
            (
                "moon",
                "tickets.render.v1",
                &render,
                recent,
                LeftOut::QueueUnknown,
            ),
            (
                "payments",
                "tickets.render.v1",
                &render,
                recent,
                LeftOut::KindNotAccepted,
            ),
            ("tickets", "", &render, recent, LeftOut::KindNotAccepted),
            (
                "tickets",
                "tickets.render.v1",
                &"{}".to_owned(),
                recent,
                LeftOut::Undecodable,
            ),
            (
                "payments",
                "payment.void.v1",
                &void,
                old,
                LeftOut::MoneyTooOld,
            ),
        ] {
            assert_eq!(judge(queue, kind, body, at), Some(why), "{queue} {kind}");
        }
        for why in LeftOut::ALL {
            assert!(LeftOut::meaning_of(why.as_str()).ends_with('.'));
        }
    }
}
