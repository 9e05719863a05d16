//! The intake journal: a copy of each command in MySQL, so that a 202 survives the loss of the broker's disk.
//!
//! A command is kept before it is published, and the confirm is still needed. A command that has no outcome after a
//! while is published again under its message id: whoever has handled it finds its inbox row. It never decides
//! anything, and a row says nothing about a booking.

use crate::Intake;
use async_trait::async_trait;
use boxoffice_contracts::{
    BookingId, Envelope, Message as _, MessageId, OperationId, message::booking::Submit, metric,
    trace::TraceParent,
};
use boxoffice_runtime::{BrokerState, IntakeError};
use boxoffice_store::mysql::intake_journal::{self, Entry, row};
use sea_orm::{DatabaseConnection, DbErr};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Rows of one look.
const ROWS_MAX: u32 = 200;
/// How often it is looked at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Settings of the intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    /// Whether commands are kept before they are published.
    pub journal: bool,
    /// A command without an outcome is published again after so many seconds, then after twice as many, and so on.
    pub resend_secs: u32,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self {
            journal: false,
            resend_secs: 30,
        }
    }
}

impl IntakeConfig {
    /// # Errors
    /// Which value can't be.
    pub fn validate(&self) -> Result<(), String> {
        if self.resend_secs == 0 {
            return Err("intake.resend_secs: at least 1".to_owned());
        }
        Ok(())
    }
}

/// An intake that keeps commands before it publishes them.
pub struct Journal {
    inner: Arc<dyn Intake>,
    db: DatabaseConnection,
    resend_secs: u32,
}

/// What all commands with an outcome have in their bodies.
#[derive(Deserialize)]
struct Named {
    operation_id: Uuid,
}

impl Journal {
    #[must_use]
    pub fn new(inner: Arc<dyn Intake>, db: DatabaseConnection, config: &IntakeConfig) -> Self {
        Self {
            inner,
            db,
            resend_secs: config.resend_secs,
        }
    }

    /// Publishes again what has no outcome, until told to stop. Any number of processes may run it.
    pub async fn run(&self, stop: CancellationToken) {
        let mut told = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
            match self.look().await {
                Ok(()) => told = false,
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "the intake journal can't be read");
                    }
                    told = true;
                }
            }
        }
    }

    async fn look(&self) -> Result<(), DbErr> {
        intake_journal::forget_settled(&self.db, ROWS_MAX).await?;
        if self.inner.broker() != BrokerState::Up {
            return Ok(());
        }
        for kept in intake_journal::due(&self.db, u64::from(ROWS_MAX)).await? {
            let envelope = envelope(&kept);
            let key = routing_key(&kept);
            if let Err(error) = self.inner.publish(key, &envelope, &kept.body).await {
                // The others would be told the same; all of them stay due.
                tracing::warn!(message.id = %envelope.message_id, reason = error.as_str(),
                    "a kept command can't be sent again now");
                return Ok(());
            }
            metrics::counter!(metric::INTAKE_JOURNAL_RESENT_TOTAL).increment(1);
            tracing::info!(message.id = %envelope.message_id, message.kind = kept.kind,
                "a command had no outcome and was sent again");
            intake_journal::sent_again(&self.db, &kept, self.resend_secs).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Intake for Journal {
    async fn publish(
        &self,
        routing_key: &str,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<(), IntakeError> {
        let Some(entry) = entry(envelope, body) else {
            return self.inner.publish(routing_key, envelope, body).await;
        };
        if let Err(error) = intake_journal::keep(&self.db, &entry, self.resend_secs).await {
            tracing::warn!(message.id = %envelope.message_id, %error, "a command can't be kept");
            return Err(IntakeError::Journal);
        }
        let published = self.inner.publish(routing_key, envelope, body).await;
        match published {
            // Unknown is not "no": it may have arrived, and its sender was told so.
            Ok(()) | Err(IntakeError::TimedOut) => {}
            Err(
                IntakeError::Unroutable
                | IntakeError::Refused
                | IntakeError::Blocked
                | IntakeError::Down
                | IntakeError::Journal,
            ) => {
                if let Err(error) = intake_journal::take_back(&self.db, envelope.message_id).await {
                    tracing::warn!(message.id = %envelope.message_id, %error,
                        "a refused command stays in the journal");
                }
            }
        }
        published
    }

    fn broker(&self) -> BrokerState {
        self.inner.broker()
    }

    fn refused(&self, routing_key: &str) -> Option<u32> {
        self.inner.refused(routing_key)
    }
}

/// What is kept of a command; nothing of messages that have no outcome of their own, such as a webhook, whose body
/// is kept elsewhere.
fn entry<'a>(envelope: &'a Envelope, body: &'a [u8]) -> Option<Entry<'a>> {
    let named: Named = serde_json::from_slice(body).ok()?;
    Some(Entry {
        message: envelope.message_id,
        booking: envelope.correlation_id?,
        operation: OperationId(named.operation_id),
        kind: &envelope.kind,
        tenant: &envelope.tenant,
        trace: envelope.trace.to_string(),
        deadline: envelope.deadline,
        at: envelope.sent_at?,
        body,
    })
}

/// Of the line that it stood in first: the inbox knows it there.
fn routing_key(kept: &row::Model) -> &str {
    if kept.kind == Submit::KIND.as_str()
        && let Ok(submit) = serde_json::from_slice::<Submit>(&kept.body)
    {
        return submit.routing_key();
    }
    &kept.kind
}

/// As it was published first.
fn envelope(kept: &row::Model) -> Envelope {
    let trace = kept
        .trace
        .parse()
        .unwrap_or_else(|_| TraceParent::root(kept.message_id));
    Envelope {
        message_id: MessageId(kept.message_id),
        kind: kept.kind.clone(),
        correlation_id: Some(BookingId(kept.booking_id)),
        causation_id: None,
        sent_at: Some(kept.accepted_at),
        trace,
        tenant: kept.tenant.clone(),
        deadline: kept.deadline,
        attempt: 0,
        replay_of: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone as _, Utc};

    fn command() -> Envelope {
        let id = Uuid::from_u128(1);
        Envelope {
            message_id: MessageId(id),
            kind: "booking.cancel.v1".to_owned(),
            correlation_id: Some(BookingId(Uuid::from_u128(2))),
            causation_id: None,
            sent_at: Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).single(),
            trace: TraceParent::root(id),
            tenant: "house".to_owned(),
            deadline: Utc.with_ymd_and_hms(2026, 1, 2, 3, 14, 5).single(),
            attempt: 0,
            replay_of: None,
        }
    }

    #[test]
    fn what_is_sent_again_is_what_was_sent() {
        let sent = command();
        let body = br#"{"operation_id":"00000000-0000-0000-0000-000000000003","reason":null}"#;
        let entry = entry(&sent, body).unwrap();
        assert_eq!(entry.operation, OperationId(Uuid::from_u128(3)));
        let kept = row::Model {
            message_id: entry.message.0,
            booking_id: entry.booking.0,
            operation_id: entry.operation.0,
            kind: entry.kind.to_owned(),
            tenant: entry.tenant.to_owned(),
            trace: entry.trace.clone(),
            deadline: entry.deadline,
            accepted_at: entry.at,
            body: entry.body.to_vec(),
            sent_again: 0,
            due_at: entry.at,
        };
        assert_eq!(envelope(&kept), sent);
    }

    #[test]
    fn a_message_without_an_outcome_is_not_kept() {
        assert!(entry(&command(), br#"{"event_id":"evt_1"}"#).is_none());
        assert!(entry(&command(), b"rubbish").is_none());
    }
}
