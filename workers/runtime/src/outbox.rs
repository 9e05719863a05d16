//! Messages that are to leave: written in the transaction that decides them, published after its commit,
//! deleted when confirmed. Whoever dies in between leaves a row, and [`crate::relay`] sends it.

use crate::{
    Failure, Outgoing, publish::Wire, relay::SWEEP_AFTER_SECS, sql, stored, tx::Returning,
};
use boxoffice_contracts::{Envelope, MessageId};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Statement};

/// Bytes of one statement: well below the smallest usual `max_allowed_packet`, 16 MiB.
const STATEMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A row, named so that no other row can be meant.
///
/// The id is computed from the first one of its statement: reading back would cost a round trip. Should a
/// server number its rows otherwise, the message id doesn't match, the row stays, and the relay sends it
/// once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    pub message_id: MessageId,
}

/// A row and the message in it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub row: Row,
    pub wire: Wire,
}

/// A row before it is written. `kind`, the column, is the routing key.
struct New {
    cause: Option<MessageId>,
    routing_key: String,
    wire: Wire,
    envelope: Envelope,
}

/// Writes the rows of a transaction, in order.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    outgoing: Vec<Outgoing>,
) -> Result<Vec<Sent>, Failure> {
    let rows = outgoing.into_iter().map(|message| New {
        cause: message.cause,
        wire: Wire {
            routing_key: message.routing_key.clone(),
            ..Wire::new(message.exchange, &message.envelope, message.body)
        },
        routing_key: message.routing_key,
        envelope: message.envelope,
    });
    write(tx, rows.collect()).await
}

/// The same for messages that go straight back to a queue.
pub(crate) async fn insert_returning(
    tx: &DatabaseTransaction,
    returning: Vec<Returning>,
) -> Result<Vec<Sent>, Failure> {
    let rows = returning.into_iter().map(|message| New {
        cause: None,
        wire: Wire::to_queue(&message.queue, &message.envelope, message.body),
        routing_key: message.queue,
        envelope: message.envelope,
    });
    write(tx, rows.collect()).await
}

async fn write(tx: &DatabaseTransaction, new: Vec<New>) -> Result<Vec<Sent>, Failure> {
    let mut sent = Vec::with_capacity(new.len());
    let mut pending = new.into_iter().peekable();
    while pending.peek().is_some() {
        let (mut rows, mut messages) = (String::new(), Vec::new());
        while rows.len() < STATEMENT_BYTES_MAX
            && let Some(message) = pending.next()
        {
            if !messages.is_empty() {
                rows.push(',');
            }
            rows.push_str(&values(&message));
            messages.push(message);
        }
        let insert = format!(
            "INSERT INTO outbox (message_id, cause_id, exchange, kind, envelope, body, created_at) VALUES {rows}"
        );
        let first = tx.execute_unprepared(&insert).await?.last_insert_id();
        sent.extend((first..).zip(messages).map(|(id, message)| Sent {
            row: Row {
                id,
                message_id: message.envelope.message_id,
            },
            wire: message.wire,
        }));
    }
    Ok(sent)
}

fn values(message: &New) -> String {
    let cause = message.cause.map_or("NULL".to_owned(), sql::id);
    format!(
        "({},{cause},'{}',{},{},{},UTC_TIMESTAMP(6))",
        sql::id(message.envelope.message_id),
        message.wire.exchange,
        sql::text(&message.routing_key),
        sql::text(&stored::envelope_to_json(&message.envelope)),
        sql::bytes(&message.wire.body),
    )
}

/// What is unsent of these messages' effects, and has no owner any more. A repeated message sends it before it
/// is acknowledged.
///
/// A younger row is being published by whoever wrote it, or waits confirmed for its deletion: sending it
/// again would only make copies. Should its owner die, the relay takes it by its age.
pub(crate) async fn unsent_of(
    tx: &DatabaseTransaction,
    causes: &[MessageId],
) -> Result<Vec<Sent>, Failure> {
    if causes.is_empty() {
        return Ok(Vec::new());
    }
    let condition = format!(
        "cause_id IN ({}) AND created_at < UTC_TIMESTAMP(6) - INTERVAL {SWEEP_AFTER_SECS} SECOND ORDER BY id",
        sql::list(causes, |id| sql::id(*id))
    );
    Ok(select(tx, &condition)
        .await?
        .into_iter()
        .filter_map(|row| row.sent())
        .collect())
}

/// Counts what waits for some destinations of an exchange and has no owner any more, up to `max`.
pub(crate) async fn behind(
    db: &impl ConnectionTrait,
    exchange: &str,
    routing_keys: &[&str],
    max: u32,
) -> Result<u32, sea_orm::DbErr> {
    let ask = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE exchange = {} AND kind IN ({}) \
         AND created_at < UTC_TIMESTAMP(6) - INTERVAL {SWEEP_AFTER_SECS} SECOND LIMIT {max}) AS waiting",
        sql::text(exchange),
        sql::list(routing_keys, |key| sql::text(key)),
    );
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::MySql, ask))
        .await?;
    let counted: i64 = match row {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    Ok(u32::try_from(counted).unwrap_or(max))
}

/// A row as it was read; what is in it may be unreadable.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) row: Row,
    pub(crate) attempts: u32,
    pub(crate) exchange: String,
    pub(crate) kind: String,
    pub(crate) envelope: String,
    pub(crate) body: Vec<u8>,
}

impl Pending {
    pub(crate) fn sent(self) -> Option<Sent> {
        let envelope = stored::envelope_from_json(&self.envelope).ok()?;
        let properties = crate::amqp::properties(&envelope);
        Some(Sent {
            row: self.row,
            wire: Wire {
                exchange: self.exchange,
                routing_key: self.kind,
                properties,
                body: self.body,
                mandatory: true,
            },
        })
    }
}

/// Rows that fulfil a condition.
pub(crate) async fn select(
    tx: &DatabaseTransaction,
    condition: &str,
) -> Result<Vec<Pending>, Failure> {
    // MySQL has a JSON type of its own, MariaDB keeps text: as text both are read alike.
    let sql = format!(
        "SELECT id, message_id, attempts, exchange, kind, CAST(envelope AS CHAR) AS envelope, body \
         FROM outbox WHERE {condition}"
    );
    let rows = tx
        .query_all_raw(Statement::from_string(DbBackend::MySql, sql))
        .await?;
    rows.iter()
        .map(pending)
        .collect::<Result<_, _>>()
        .map_err(Failure::from)
}

fn pending(row: &QueryResult) -> Result<Pending, sea_orm::DbErr> {
    let id: Vec<u8> = row.try_get("", "message_id")?;
    Ok(Pending {
        row: Row {
            id: row.try_get("", "id")?,
            message_id: MessageId(uuid::Uuid::from_slice(&id).unwrap_or_default()),
        },
        attempts: row.try_get("", "attempts")?,
        exchange: row.try_get("", "exchange")?,
        kind: row.try_get("", "kind")?,
        envelope: row.try_get("", "envelope")?,
        body: row.try_get("", "body")?,
    })
}

/// Deletes rows whose messages are confirmed.
pub(crate) async fn delete(db: &impl ConnectionTrait, rows: &[Row]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let delete = format!(
        "DELETE FROM outbox WHERE id IN ({}) AND message_id IN ({})",
        sql::list(rows, |row| row.id.to_string()),
        sql::list(rows, |row| sql::id(row.message_id)),
    );
    db.execute_unprepared(&delete).await?;
    Ok(())
}
