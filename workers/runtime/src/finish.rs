//! How a message of a [`crate::Call`] ends in a transaction, or doesn't.

use crate::{
    Cause, Failure,
    hand::Delivered,
    inbox, parked,
    role::{self, Role},
};
use sea_orm::DatabaseTransaction;
use std::sync::Arc;
use uuid::Uuid;

/// The failure of one job among many, or of the transaction as a whole.
pub(crate) enum Stopped {
    /// By the job's place in its batch.
    Own(usize, Failure),
    Whole(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Whole(failure)
    }
}

/// Inbox rows of messages that end in this transaction. Another process may have been first; then this one
/// sees a conflict, and on its next run a repeated message.
pub(crate) async fn finish(
    db: &DatabaseTransaction,
    done: &[Arc<Delivered>],
) -> Result<(), Failure> {
    let keys: Vec<_> = done.iter().map(|delivered| delivered.key()).collect();
    let won = inbox::claim(db, &keys, Uuid::now_v7()).await?;
    if won.len() < keys.len() {
        let cause = Cause::new("handled_meanwhile", "another process was first");
        return Err(Failure::Conflict(cause));
    }
    parked::resolve(db, &resolved(done)).await
}

pub(crate) fn resolved(done: &[Arc<Delivered>]) -> Vec<inbox::Key> {
    let replays = done
        .iter()
        .filter_map(|delivered| Some((delivered.queue.name, delivered.read.envelope.replay_of?)));
    replays.collect()
}

/// Settles one message by its own failure, through whatever outage comes between.
pub(crate) async fn fail(role: &Role, delivered: &Arc<Delivered>, failure: Failure) {
    loop {
        match role::fail(role, delivered, failure.clone()).await {
            Ok(()) => return,
            Err(Failure::Down(service, cause)) => {
                if !role.pause(service, cause).await {
                    return;
                }
            }
            Err(_) => role.conflict(delivered.queue.name, 1).await,
        }
    }
}
