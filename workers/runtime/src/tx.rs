//! A transaction with an outbox: the only way to publish from a handler.

use crate::{Cause, Failure, Service};
use boxoffice_contracts::{
    BookingId, Envelope, Instant, Message, MessageId,
    planted::{self, Bug},
    topology::Exchange,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait,
};
use std::sync::OnceLock;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// A message that leaves when the transaction has committed.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub exchange: Exchange,
    pub routing_key: String,
    pub envelope: Envelope,
    pub body: Vec<u8>,
    /// Id of the delivery that it answers: if that comes again, what is unsent of it goes first.
    pub cause: Option<MessageId>,
}

/// A message that goes back to the queue of this name.
#[derive(Debug, Clone)]
pub(crate) struct Returning {
    pub(crate) queue: String,
    pub(crate) envelope: Envelope,
    pub(crate) body: Vec<u8>,
}

/// What is to be published after a commit, in order. Filled without a database.
#[derive(Debug, Default)]
pub struct Outbox(Vec<Outgoing>);

impl Outbox {
    /// Sends `message`, caused by the delivery with the envelope `cause`, when the transaction has committed.
    ///
    /// # Errors
    /// When the message can't be encoded.
    pub fn send<M: Message>(
        &mut self,
        exchange: Exchange,
        cause: &Envelope,
        id: MessageId,
        booking: BookingId,
        message: &M,
        now: Instant,
    ) -> Result<(), Failure> {
        let body = serde_json::to_vec(message)
            .map_err(|e| Failure::Park(crate::Cause::new("unencodable", e.to_string())))?;
        let envelope = cause.caused(id, M::KIND, booking, now);
        self.0.push(Outgoing {
            exchange,
            routing_key: message.routing_key().to_owned(),
            envelope,
            body,
            cause: Some(cause.message_id),
        });
        Ok(())
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.0)
    }
}

/// An open transaction and what is to be published after its commit.
#[derive(Debug)]
pub struct Tx {
    inner: DatabaseTransaction,
    outbox: Outbox,
    returning: Vec<Returning>,
    now: OnceLock<Instant>,
}

impl Tx {
    pub(crate) fn new(inner: DatabaseTransaction) -> Self {
        Self {
            inner,
            outbox: Outbox::default(),
            returning: Vec::new(),
            now: OnceLock::new(),
        }
    }

    /// The connection to read and write with.
    #[must_use]
    pub fn db(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// The database's clock, in UTC. Ask for it after the locks are taken: it decides what is due.
    ///
    /// It is read once: all that is committed together happens at one instant.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn now(&self) -> Result<Instant, Failure> {
        if let Some(now) = self.now.get() {
            return Ok(*now);
        }
        if planted::is(Bug::WorkerClock) {
            return Ok(*self.now.get_or_init(crate::clock::now));
        }
        let ask = Statement::from_string(DbBackend::MySql, "SELECT UTC_TIMESTAMP(6)");
        let row = self.inner.query_one_raw(ask).await?;
        let row = row.ok_or_else(|| sea_orm::DbErr::RecordNotFound("UTC_TIMESTAMP".to_owned()))?;
        let naive: chrono::NaiveDateTime = row.try_get_by_index(0)?;
        Ok(*self.now.get_or_init(|| naive.and_utc()))
    }

    /// As [`Outbox::send`].
    ///
    /// # Errors
    /// When the message can't be encoded.
    pub fn send<M: Message>(
        &mut self,
        exchange: Exchange,
        cause: &Envelope,
        id: MessageId,
        booking: BookingId,
        message: &M,
        now: Instant,
    ) -> Result<(), Failure> {
        self.outbox.send(exchange, cause, id, booking, message, now)
    }

    /// What is to be published after the commit.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// How many messages it sends so far.
    #[must_use]
    pub fn sends(&self) -> usize {
        self.outbox.0.len()
    }

    /// Sends something that is already an envelope and a body.
    pub fn publish(&mut self, outgoing: Outgoing) {
        self.outbox.0.push(outgoing);
    }

    /// Sends a parked message back to its queue, under its id and with no attempt counted: its inbox row was never
    /// committed, so it will be handled, and the transaction that handles it closes the parked row. Only a
    /// [`crate::Sweep`] may: nobody else looks after parked messages.
    pub fn send_back(&mut self, queue: &str, mut envelope: Envelope, body: Vec<u8>) {
        envelope.attempt = 0;
        envelope.replay_of = Some(envelope.message_id);
        self.returning.push(Returning {
            queue: queue.to_owned(),
            envelope,
            body,
        });
    }

    pub(crate) fn take_returning(&mut self) -> Vec<Returning> {
        std::mem::take(&mut self.returning)
    }

    pub(crate) fn into_parts(self) -> (DatabaseTransaction, Vec<Outgoing>) {
        (self.inner, self.outbox.0)
    }
}

/// How long a `BEGIN` may take before the database counts as down.
const BEGIN_PATIENCE: Duration = Duration::from_secs(10);

/// Begins a transaction on a task that the worker waits for at its end.
///
/// `begin()` must never be cancelled: see [`crate::pool::begin`]. When patience ends, only the waiting ends;
/// the transaction is rolled back when it comes.
pub(crate) async fn begin(db: &DatabaseConnection, tasks: &TaskTracker) -> Result<Tx, Failure> {
    let db = db.clone();
    let begun = tasks.spawn(async move { db.begin().await });
    match tokio::time::timeout(BEGIN_PATIENCE, begun).await {
        Ok(Ok(begun)) => Ok(Tx::new(begun?)),
        Ok(Err(stopped)) => Err(down("begin_stopped", stopped.to_string())),
        Err(_) => Err(down("database_silent", "no answer to BEGIN".to_owned())),
    }
}

/// Commits. An answer that did not come leaves the outcome open: the batch is run again, and its inbox rows
/// tell whether the first run counted.
pub(crate) async fn commit(tx: DatabaseTransaction) -> Result<(), Failure> {
    tx.commit()
        .await
        .map_err(|error| match Failure::from(error) {
            conflict @ Failure::Conflict(_) => conflict,
            Failure::Retry(cause) | Failure::Park(cause) | Failure::Down(_, cause) => {
                down("commit_unknown", cause.detail)
            }
        })
}

fn down(code: &'static str, detail: String) -> Failure {
    Failure::Down(Service::Database, Cause::new(code, detail))
}
