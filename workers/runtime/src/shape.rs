//! The shapes of a worker. Two for messages, one for due rows.

use crate::{Decode, Failure, Job, Tx, Verdict};
use boxoffice_contracts::topology::Queue;
use std::{future::Future, time::Duration};

/// Decides a batch of messages in one transaction: load, decide, write.
///
/// The runtime has inserted the inbox rows; whatever is repeated has been taken out. A batch of one is the
/// same code. On a conflict the whole batch is run again, then halved.
pub trait Decide: Send + Sync + 'static {
    /// Drained in this order: the first queue's messages go before the second's.
    const QUEUES: &'static [Queue];
    type Message: Decode;

    /// One verdict per job, in their order. For a job that isn't [`Verdict::Done`] nothing was written.
    ///
    /// # Errors
    /// What stops the whole batch.
    fn decide(
        &self,
        tx: &mut Tx,
        jobs: &[Job<Self::Message>],
    ) -> impl Future<Output = Result<Vec<Verdict>, Failure>> + Send;

    /// Whether another service than database and broker is there again; asked while the consumer is paused
    /// for it.
    fn probe(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}

/// Calls the outside: records the intent in a transaction, calls without one, records the answer in another.
///
/// Runs many messages at once; the transactions of neighbours are committed together.
pub trait Call: Send + Sync + 'static {
    const QUEUE: Queue;
    type Message: Decode + Clone;
    type Intent: Send + 'static;
    /// Cloned because a transaction that lost a conflict is run again with the same answer: the call isn't.
    type Answer: Clone + Send + 'static;
    /// What the messages of one transaction have in common: loaded once, changed in memory, written once.
    /// `()` where they have nothing in common.
    type Desk: Default + Send;

    /// Loads what these messages touch, in one lock order. Both transactions begin with it.
    ///
    /// # Errors
    /// What stops the batch.
    fn open(
        &self,
        _tx: &Tx,
        _jobs: &[&Job<Self::Message>],
    ) -> impl Future<Output = Result<Self::Desk, Failure>> + Send {
        async { Ok(Self::Desk::default()) }
    }

    /// Writes what the messages changed on the desk. Both transactions end with it.
    ///
    /// # Errors
    /// What stops the batch.
    fn close(
        &self,
        _tx: &mut Tx,
        _desk: Self::Desk,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }

    /// Writes down what is about to be called, with its key. Idempotent: no inbox row exists yet.
    ///
    /// # Errors
    /// Why this message can't go on; nothing of it is committed then.
    fn intend(
        &self,
        tx: &mut Tx,
        desk: &mut Self::Desk,
        job: &Job<Self::Message>,
    ) -> impl Future<Output = Result<Intended<Self::Intent>, Failure>> + Send;

    /// Calls the outside with a deadline. No transaction is open.
    ///
    /// # Errors
    /// Why there is no answer that can be recorded.
    fn call(
        &self,
        job: &Job<Self::Message>,
        intent: Self::Intent,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;

    /// Writes the answer down and sends what follows. The inbox row commits with it.
    ///
    /// # Errors
    /// Why it can't be recorded; the message will be handled again from the start.
    fn record(
        &self,
        tx: &mut Tx,
        desk: &mut Self::Desk,
        job: &Job<Self::Message>,
        answer: Self::Answer,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the outside that [`Call::call`] needs is there; asked while the consumer is paused.
    fn probe(&self) -> impl Future<Output = bool> + Send;
}

/// What [`Call::intend`] found.
#[derive(Debug)]
pub enum Intended<I> {
    /// To be called.
    Call(I),
    /// Nothing to call: the answer is known, or it is overtaken. What it sent is final, with the inbox row.
    Done,
}

/// Looks for due rows again and again. Expire by looking, not by remembering.
pub trait Sweep: Send + Sync + 'static {
    /// Role name.
    const NAME: &'static str;
    /// Pause between looks when there is nothing to do.
    const EVERY: Duration;

    /// The pause as it was configured, where it can be.
    fn every(&self) -> Duration {
        Self::EVERY
    }

    /// Asks the outside, before the transaction begins.
    ///
    /// # Errors
    /// What stops the batch.
    fn prepare(&self) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Handles one batch of due rows; returns how many. As long as there are some it is called again at once.
    ///
    /// # Errors
    /// What stops the batch; it is run again.
    fn sweep(&self, tx: &mut Tx) -> impl Future<Output = Result<usize, Failure>> + Send;
}
