//! The engine of [`Decide`]: a batch, one transaction, many messages.

use crate::{
    Cause, Decide, Decode, Failure, Job, Verdict, clock, guard,
    hand::Delivered,
    parked::Parking,
    ports::{Decides, Host, Store, Transaction},
    role::{self, CONFLICTS_MAX, Env, Probe, Role},
    settle::{self, Fate, Settlement},
    spans, telemetry, window,
};
use boxoffice_contracts::planted::{self, Bug};
use std::{collections::HashSet, sync::Arc, time::Instant};

/// Runs a worker until its process stops.
pub(crate) async fn run<W: Decide>(name: &'static str, worker: Arc<W>, env: Env) {
    let asked = Arc::clone(&worker);
    let probe: Probe = Box::new(move || {
        let worker = Arc::clone(&asked);
        Box::pin(async move { worker.probe().await })
    });
    let role = Role::start(name, W::QUEUES, probe, env);
    let max = W::QUEUES
        .iter()
        .map(|queue| queue.batch_max)
        .max()
        .unwrap_or(1);
    work(&role, &worker, usize::from(max)).await;
    role.end().await;
}

/// Handles batches until the role is to end.
pub async fn work<H: Host, D: Decides<TxOf<H>>>(host: &Arc<H>, worker: &Arc<D>, max: usize) {
    while let Some(batch) = host.take(max).await {
        let alone = batch.iter().any(|delivered| delivered.alone);
        if alone {
            // Nothing else of this worker is unsettled while it is handled.
            host.settler().idle().await;
        }
        handle(host, worker, batch).await;
        if alone {
            host.settler().idle().await;
        }
    }
}

type TxOf<H> = <<H as Host>::Store as Store>::Tx;

/// Handles a batch to its end, in parts if need be.
async fn handle<H: Host, D: Decides<TxOf<H>>>(
    host: &Arc<H>,
    worker: &Arc<D>,
    batch: Vec<Arc<Delivered>>,
) {
    let mut parts = vec![batch];
    let mut conflicts = 0;
    while let Some(mut part) = parts.pop() {
        part.retain(|delivered| delivered.usable());
        let Some(first) = part.first() else { continue };
        let queue = first.queue.name;
        let attempt = attempt(Arc::clone(host), Arc::clone(worker), part.clone());
        let failure = match guard::guarded(host.tasks().spawn(attempt)).await {
            Ok(settlement) => {
                conflicts = 0;
                host.progressed();
                host.settler().settle(settlement).await;
                continue;
            }
            Err(failure) => failure,
        };
        match failure {
            Failure::Down(service, cause) => {
                if !host.pause(service, cause).await {
                    return;
                }
                parts.push(part);
            }
            Failure::Conflict(_) if conflicts < CONFLICTS_MAX => {
                conflicts += 1;
                host.conflict(queue, conflicts).await;
                parts.push(part);
            }
            _ if part.len() > 1 => {
                // Somebody in here is at fault: halve until it stands alone. The first half goes first.
                tracing::info!(queue, messages = part.len(), %failure, "batch halved");
                conflicts = 0;
                let second = part.split_off(part.len() / 2);
                parts.extend([second, part]);
            }
            own => {
                conflicts = 0;
                match role::fail(&**host, &part[0], own).await {
                    Ok(()) => {}
                    Err(Failure::Down(service, cause)) => {
                        if !host.pause(service, cause).await {
                            return;
                        }
                        parts.push(part);
                    }
                    Err(_) => {
                        host.conflict(queue, 1).await;
                        parts.push(part);
                    }
                }
            }
        }
    }
}

/// A job, and the delivery that it came with.
type Paired<M> = (Arc<Delivered>, Job<M>);

/// One run over a batch: from bytes to the commit. Nothing of it remains when it fails.
async fn attempt<H: Host, D: Decides<TxOf<H>>>(
    host: Arc<H>,
    worker: Arc<D>,
    batch: Vec<Arc<Delivered>>,
) -> Result<Settlement, Failure> {
    let mut settlement = Settlement::default();
    let pairs = decode::<D::Message>(&batch, &mut settlement);
    if pairs.is_empty() {
        return Ok(settlement);
    }
    let (since, began) = (Instant::now(), clock::now());
    let (queue, messages) = (pairs[0].0.queue.name, pairs.len());
    if planted::is(Bug::AckBeforeCommit) {
        let tickets: Vec<_> = batch.iter().map(|delivered| &delivered.ticket).collect();
        window::ack(&tickets).await;
    }
    let mut tx = host.store().begin().await?;

    let keys: Vec<_> = pairs.iter().map(|(delivered, _)| delivered.key()).collect();
    let mut won = tx.claim(&keys).await?;
    if planted::is(Bug::InboxOutside) {
        tx.commit().await?;
        tx = host.store().begin().await?;
    }
    let (new, repeated): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .partition(|(delivered, _)| won.remove(&delivered.key()));
    let repeated: Vec<_> = repeated
        .into_iter()
        .map(|(delivered, _)| delivered)
        .collect();
    telemetry::handled(queue, "repeated", repeated.len());
    role::repeat(&mut tx, repeated, &mut settlement).await?;

    let (deliveries, jobs): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    let verdicts = if jobs.is_empty() {
        Vec::new()
    } else {
        worker.decide(&mut tx, &jobs).await?
    };
    if verdicts.len() != jobs.len() {
        let detail = format!("{} verdicts for {} jobs", verdicts.len(), jobs.len());
        return Err(Failure::Park(Cause::new("verdicts_missing", detail)));
    }
    let outgoing = tx.outbox().take();
    let failed: Vec<Option<Cause>> = verdicts
        .iter()
        .map(|verdict| verdict.cause().cloned())
        .collect();
    conclude(&mut tx, deliveries, verdicts, &mut settlement).await?;
    let envelopes: Vec<_> = jobs.iter().map(|job| (job.queue, &job.envelope)).collect();
    let created = spans::created(&envelopes, &outgoing);
    settlement.sent.extend(tx.insert(outgoing).await?);
    tx.commit().await?;
    telemetry::transaction(queue, messages, since.elapsed());
    for (job, failed) in jobs.iter().zip(&failed) {
        spans::handled(job.queue, &job.envelope, began, messages, failed.as_ref());
    }
    created.into_iter().for_each(spans::emit);
    if planted::is(Bug::AckBeforeCommit) {
        settlement.ack.clear();
    }
    Ok(settlement)
}

/// Sorts a batch into jobs and what can't be decoded; before any SQL, so that rubbish costs no transaction.
pub(crate) fn decode<M: Decode>(
    batch: &[Arc<Delivered>],
    settlement: &mut Settlement,
) -> Vec<Paired<M>> {
    let mut pairs = Vec::with_capacity(batch.len());
    for delivered in batch {
        let read = &delivered.read;
        let decoded = match &read.fault {
            Some(fault) => Err(Cause::new("undecodable", fault.clone())),
            None => M::decode(&read.envelope.kind, &delivered.body)
                .map_err(|error| Cause::new(error.code(), error.to_string())),
        };
        match decoded {
            Ok(message) => {
                let job = Job {
                    message,
                    envelope: read.envelope.clone(),
                    queue: delivered.queue.name,
                    again: read.deliveries > 0
                        || read.envelope.attempt > 0
                        || read.envelope.replay_of.is_some(),
                };
                pairs.push((Arc::clone(delivered), job));
            }
            Err(cause) => {
                telemetry::handled(delivered.queue.name, "undecodable", 1);
                settlement.moves.push(settle::to_parked(delivered, &cause));
            }
        }
    }
    pairs
}

/// Writes what the verdicts mean for inbox and parked messages.
async fn conclude<T: Transaction>(
    tx: &mut T,
    deliveries: Vec<Arc<Delivered>>,
    verdicts: Vec<Verdict>,
    settlement: &mut Settlement,
) -> Result<(), Failure> {
    let (mut open, mut resolved) = (Vec::new(), Vec::new());
    let (mut done, mut parked_count) = (0, 0);
    let queue = deliveries
        .first()
        .map_or("", |delivered| delivered.queue.name);
    for (delivered, verdict) in deliveries.into_iter().zip(verdicts) {
        match settle::fate(&delivered, verdict) {
            None => {
                done += 1;
                delivered.mark.done();
                if let Some(original) = delivered.read.envelope.replay_of {
                    resolved.push((delivered.queue.name, original));
                }
                settlement.ack.push(delivered);
            }
            // Its inbox row must not commit: it will be handled again under the same id.
            Some(Fate::Move(moving)) => {
                open.push(delivered.key());
                settlement.moves.push(*moving);
            }
            Some(Fate::Park(cause)) => {
                settle::log(&delivered, "parked", &cause);
                parked_count += 1;
                open.push(delivered.key());
                let envelope = &delivered.read.envelope;
                let parking = Parking::new(delivered.queue.name, envelope, &delivered.body, &cause);
                tx.park(&[parking]).await?;
                settlement.ack.push(delivered);
            }
        }
    }
    if !planted::is(Bug::InboxOutlivesRetry) {
        tx.release(&open).await?;
    }
    tx.resolve(&resolved).await?;
    telemetry::handled(queue, "done", done);
    telemetry::handled(queue, "parked", parked_count);
    Ok(())
}

/// Keys of a batch that were not handled before.
pub(crate) fn unhandled<M>(
    pairs: Vec<Paired<M>>,
    handled: &HashSet<boxoffice_contracts::MessageId>,
) -> (Vec<Paired<M>>, Vec<Arc<Delivered>>) {
    let (repeated, new): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .partition(|(delivered, _)| handled.contains(&delivered.id()));
    (
        new,
        repeated
            .into_iter()
            .map(|(delivered, _)| delivered)
            .collect(),
    )
}
