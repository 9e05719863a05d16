//! What a role does beside its queues: tasks of its own, with transactions that have an outbox like a handler's.

use crate::{
    Failure, Tx, guard, outbox,
    publish::Publisher,
    role::Env,
    settle::{Settlement, Settler},
    spans, tx,
};
use boxoffice_contracts::topology::Exchange;
use sea_orm::DatabaseConnection;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a role lends to the work beside its queues.
#[derive(Clone)]
pub struct Beside {
    pub db: DatabaseConnection,
    /// Finish what is in hand.
    pub stop: CancellationToken,
    tasks: TaskTracker,
    settler: Arc<Settler>,
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beside").finish_non_exhaustive()
    }
}

impl Beside {
    pub(crate) fn new(env: &Env) -> Self {
        Self {
            db: env.db.clone(),
            stop: env.stop.clone(),
            tasks: env.tasks.clone(),
            settler: Settler::new(
                Publisher::new(&env.broker),
                env.purger.clone(),
                env.tasks.clone(),
                env.kill.clone(),
            ),
        }
    }

    /// How many messages wait in the outbox for destinations that don't take them, counted up to `max`.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn behind(
        &self,
        exchange: Exchange,
        routing_keys: &[&str],
        max: u32,
    ) -> Result<u32, sea_orm::DbErr> {
        outbox::behind(&self.db, exchange.name(), routing_keys, max).await
    }

    /// Runs `work` in a transaction and commits it; what it sends is published after that, in the background.
    ///
    /// A panic in it is a failure like any other. When the answer to the commit did not come, the outcome is open:
    /// `work` must be safe to run twice.
    ///
    /// # Errors
    /// What `work` said, or the database: then nothing of it remains.
    pub async fn transaction<T, F, W>(&self, work: F) -> Result<T, Failure>
    where
        F: FnOnce(Tx) -> W + Send + 'static,
        W: Future<Output = Result<(Tx, T), Failure>> + Send + 'static,
        T: Send + 'static,
    {
        let this = self.clone();
        let running = self.tasks.spawn(async move { this.attempt(work).await });
        let (value, settlement) = guard::guarded(running).await?;
        self.settler.settle(settlement).await;
        Ok(value)
    }

    async fn attempt<T, F, W>(&self, work: F) -> Result<(T, Settlement), Failure>
    where
        F: FnOnce(Tx) -> W,
        W: Future<Output = Result<(Tx, T), Failure>>,
    {
        let begun = tx::begin(&self.db, &self.tasks).await?;
        let (tx, value) = work(begun).await?;
        let (db, outgoing) = tx.into_parts();
        let created = spans::created(&[], &outgoing);
        let sent = outbox::insert(&db, outgoing).await?;
        tx::commit(db).await?;
        created.into_iter().for_each(spans::emit);
        let settlement = Settlement {
            sent,
            ..Settlement::default()
        };
        Ok((value, settlement))
    }
}
