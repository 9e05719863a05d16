//! What the engine of a batch needs of the outside, as narrow as it uses it.
//!
//! Each port has one implementation in production and one in memory, in `tests/simulator`: there the very engine
//! runs under a seeded scheduler. Whatever may be lost, late, doubled or torn stands behind one of these.

use crate::{
    Cause, Decide, Decode, Failure, Job, Outgoing, PublishError, Publisher, Service, Tx, Verdict,
    Wire,
    backoff::full_jitter,
    hand::Delivered,
    inbox::{self, Key},
    outbox::{self, Sent},
    parked::{self, Parking},
    role::Env,
    settle::Settler,
    tx::{self, Outbox},
};
use boxoffice_contracts::MessageId;
use futures::future::BoxFuture;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use std::{collections::HashSet, fmt, future::Future, sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Where transactions begin.
pub trait Store: Send + Sync + 'static {
    type Tx: Transaction;

    /// # Errors
    /// When the store is away.
    fn begin(&self) -> impl Future<Output = Result<Self::Tx, Failure>> + Send;
}

/// What a run over a batch does in its transaction, beside what its worker does. Dropped, nothing of it remains.
pub trait Transaction: Send {
    /// What is to be sent when it has committed.
    fn outbox(&mut self) -> &mut Outbox;

    /// Inserts inbox rows; returns those that were new.
    fn claim(&mut self, keys: &[Key])
    -> impl Future<Output = Result<HashSet<Key>, Failure>> + Send;

    /// Takes inbox rows back.
    fn release(&mut self, keys: &[Key]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// What is unsent of these messages' effects, and has no owner any more.
    fn unsent_of(
        &mut self,
        causes: &[MessageId],
    ) -> impl Future<Output = Result<Vec<Sent>, Failure>> + Send;

    /// Writes rows of parked messages.
    fn park(
        &mut self,
        parkings: &[Parking<'_>],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Closes the rows of parked messages whose replay was handled.
    fn resolve(&mut self, replayed: &[Key]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Writes rows of the outbox, in order.
    fn insert(
        &mut self,
        outgoing: Vec<Outgoing>,
    ) -> impl Future<Output = Result<Vec<Sent>, Failure>> + Send;

    /// # Errors
    /// [`Failure::Down`] when no answer came: then the outcome is open.
    fn commit(self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// How a worker decides a batch, whatever the store is.
pub trait Decides<T>: Send + Sync + 'static {
    type Message: Decode;

    /// As [`Decide::decide`].
    fn decide(
        &self,
        tx: &mut T,
        jobs: &[Job<Self::Message>],
    ) -> impl Future<Output = Result<Vec<Verdict>, Failure>> + Send;
}

/// Hands messages to the broker.
pub trait Publish: Send + Sync + 'static {
    /// One result per message, in their order. What failed may have arrived.
    fn publish(
        &self,
        messages: &[Wire],
    ) -> impl Future<Output = Vec<Result<(), PublishError>>> + Send;

    /// A random part of `ceiling`.
    fn jitter(&self, ceiling: Duration) -> Duration;
}

/// Acknowledges one delivery, or all of its channel up to it.
pub trait Acker: fmt::Debug + Send + Sync {
    /// Whether the frame was written. It never is an answer: the broker gives none.
    fn ack(&self, multiple: bool) -> BoxFuture<'_, bool>;

    /// Gives the delivery back, to come again at once. Only a planted bug does.
    fn requeue(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether the delivery still is ours.
    fn usable(&self) -> bool;
}

/// What the loop over batches needs of its role.
pub trait Host: Send + Sync + 'static {
    type Store: Store;
    type Publish: Publish;

    fn store(&self) -> &Self::Store;

    fn settler(&self) -> &Arc<Settler<Self::Publish>>;

    fn tasks(&self) -> &TaskTracker;

    /// The next batch; `None` when the role is to end.
    fn take(&self, max: usize) -> impl Future<Output = Option<Vec<Arc<Delivered>>>> + Send;

    fn progressed(&self);

    /// Waits a random time before a conflict is tried again.
    fn conflict(&self, queue: &'static str, run: u32) -> impl Future<Output = ()> + Send;

    /// Waits until the service is there again. `false` when the process stops meanwhile.
    fn pause(&self, service: Service, cause: Cause) -> impl Future<Output = bool> + Send;
}

impl Store for Env {
    type Tx = Tx;

    async fn begin(&self) -> Result<Tx, Failure> {
        tx::begin(&self.db, &self.tasks).await
    }
}

impl Transaction for Tx {
    fn outbox(&mut self) -> &mut Outbox {
        self.outbox_mut()
    }

    async fn claim(&mut self, keys: &[Key]) -> Result<HashSet<Key>, Failure> {
        inbox::claim(self.db(), keys, Uuid::now_v7()).await
    }

    async fn release(&mut self, keys: &[Key]) -> Result<(), Failure> {
        inbox::release(self.db(), keys).await
    }

    async fn unsent_of(&mut self, causes: &[MessageId]) -> Result<Vec<Sent>, Failure> {
        outbox::unsent_of(self.db(), causes).await
    }

    async fn park(&mut self, parkings: &[Parking<'_>]) -> Result<(), Failure> {
        parked::park(self.db(), parkings).await
    }

    async fn resolve(&mut self, replayed: &[Key]) -> Result<(), Failure> {
        parked::resolve(self.db(), replayed).await
    }

    async fn insert(&mut self, outgoing: Vec<Outgoing>) -> Result<Vec<Sent>, Failure> {
        outbox::insert(self.db(), outgoing).await
    }

    async fn commit(self) -> Result<(), Failure> {
        tx::commit(self.into_parts().0).await
    }
}

impl<W: Decide> Decides<Tx> for W {
    type Message = <W as Decide>::Message;

    fn decide(
        &self,
        tx: &mut Tx,
        jobs: &[Job<Self::Message>],
    ) -> impl Future<Output = Result<Vec<Verdict>, Failure>> + Send {
        Decide::decide(self, tx, jobs)
    }
}

impl Publish for Publisher {
    async fn publish(&self, messages: &[Wire]) -> Vec<Result<(), PublishError>> {
        Self::publish(self, messages).await
    }

    fn jitter(&self, ceiling: Duration) -> Duration {
        full_jitter(ceiling)
    }
}

impl Acker for lapin::Acker {
    fn ack(&self, multiple: bool) -> BoxFuture<'_, bool> {
        Box::pin(async move { matches!(self.ack(BasicAckOptions { multiple }).await, Ok(true)) })
    }

    fn requeue(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let options = BasicNackOptions {
                multiple: false,
                requeue: true,
            };
            let _ = self.nack(options).await;
        })
    }

    fn usable(&self) -> bool {
        self.usable()
    }
}
