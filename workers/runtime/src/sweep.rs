//! The engine of [`Sweep`]: due rows, portion by portion, each in its transaction.

use crate::{
    Failure, Sweep, guard, outbox,
    role::{self, Env, Role},
    settle::Settlement,
    spans, tx,
};
use std::sync::Arc;

/// Runs a sweep until its process stops. As long as rows are found it looks again at once.
pub(crate) async fn run<S: Sweep>(name: &'static str, sweep: Arc<S>, env: Env) {
    let role = Role::start(name, &[], role::no_probe(), env);
    let mut failures = 0;
    while role.released().await {
        let attempt = attempt(Arc::clone(&role), Arc::clone(&sweep));
        let wait = match guard::guarded(role.env.tasks.spawn(attempt)).await {
            Ok((found, settlement)) => {
                failures = 0;
                role.progressed();
                role.settler.settle(settlement).await;
                if found > 0 && !role.env.stop.is_cancelled() {
                    continue;
                }
                sweep.every()
            }
            Err(Failure::Down(service, cause)) => {
                if !role.pause(service, cause).await {
                    break;
                }
                continue;
            }
            Err(Failure::Conflict(_)) => {
                role.conflict(name, 1).await;
                continue;
            }
            Err(failure) => {
                // Due rows stay due: there is nothing to park, and each look may find it mended.
                failures += 1;
                tracing::error!(role = name, %failure, failures, "sweep failed");
                sweep.every() * failures.min(10)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = role.env.stop.cancelled() => break,
        }
        if role.env.stop.is_cancelled() {
            break;
        }
    }
    role.end().await;
}

async fn attempt<S: Sweep>(role: Arc<Role>, sweep: Arc<S>) -> Result<(usize, Settlement), Failure> {
    sweep.prepare().await?;
    let mut tx = tx::begin(&role.env.db, &role.env.tasks).await?;
    let found = sweep.sweep(&mut tx).await?;
    let returning = tx.take_returning();
    let (db, outgoing) = tx.into_parts();
    let created = spans::created(&[], &outgoing);
    let mut sent = outbox::insert(&db, outgoing).await?;
    sent.extend(outbox::insert_returning(&db, returning).await?);
    tx::commit(db).await?;
    created.into_iter().for_each(spans::emit);
    Ok((
        found,
        Settlement {
            sent,
            ..Settlement::default()
        },
    ))
}
