//! The engine of [`Call`]: intents in one transaction, calls side by side without one, answers in one.
//!
//! Three stages with messages flowing between them: *intend* takes what is ready, *call* runs as many as the
//! queue allows, *record* takes the answers that are ready. A message that fails on its way is settled or
//! begins again from the first stage; its keys make that harmless.

use crate::{
    Call, Failure, Intended, Job,
    batch::{decode, unhandled},
    clock,
    finish::{Stopped, fail, finish},
    flight::{Flight, Flights},
    guard,
    hand::Delivered,
    inbox, outbox,
    record::Recorder,
    role::{self, CONFLICTS_MAX, Env, Probe, Role},
    settle::Settlement,
    spans, telemetry, tx,
};
use boxoffice_contracts::topology::Queue;
use std::{collections::HashMap, sync::Arc, time::Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// A message that has been called for, with what came of it.
pub(crate) struct Called<W: Call> {
    pub(crate) delivered: Arc<Delivered>,
    pub(crate) job: Job<W::Message>,
    pub(crate) answer: Result<W::Answer, Failure>,
    /// Held until the answer is recorded.
    pub(crate) flight: Flight,
}

/// Runs a worker until its process stops.
pub(crate) async fn run<W: Call>(name: &'static str, worker: Arc<W>, env: Env) {
    let queue = const { &W::QUEUE };
    let asked = Arc::clone(&worker);
    let probe: Probe = Box::new(move || {
        let worker = Arc::clone(&asked);
        Box::pin(async move { worker.probe().await })
    });
    let role = Role::start(name, std::slice::from_ref(queue), probe, env);
    let (answers, receiver) = mpsc::unbounded_channel();
    let flights = Flights::new(&role.hand);
    let recorder = Recorder {
        role: Arc::clone(&role),
        worker: Arc::clone(&worker),
        flights: Arc::clone(&flights),
    };
    let recording = role.env.tasks.spawn(recorder.run(receiver));
    let most = under_way_max(queue);
    let under_way = Arc::new(Semaphore::new(usize::from(most)));
    let intender = Intender {
        role: Arc::clone(&role),
        worker,
        answers,
        calls: Arc::new(Semaphore::new(usize::from(queue.calls_max))),
        flights,
    };
    // The first permit is taken before the messages: a batch is as large as there is room for.
    while let Ok(first) = Arc::clone(&under_way).acquire_owned().await {
        let room = (1 + under_way.available_permits()).min(usize::from(queue.batch_max));
        let Some(batch) = role.take(room).await else {
            break;
        };
        if batch.iter().any(|delivered| delivered.alone) {
            // Alone: everything else is finished first, and nothing begins until it is settled.
            drop(first);
            let Ok(all) = Arc::clone(&under_way)
                .acquire_many_owned(u32::from(most))
                .await
            else {
                break;
            };
            role.settler.idle().await;
            intender.handle(batch, vec![all]).await;
            let _settled = under_way.acquire_many(u32::from(most)).await;
            role.settler.idle().await;
            continue;
        }
        let mut permits = vec![first];
        while permits.len() < batch.len()
            && let Ok(permit) = Arc::clone(&under_way).try_acquire_owned()
        {
            permits.push(permit);
        }
        // As many as there was room for; only this loop takes permits, so none is missing.
        intender.handle(batch, permits).await;
    }
    drop(intender);
    tokio::select! {
        // The last call's sender drops with it; then the recorder ends.
        _ = recording => {}
        () = role.env.kill.cancelled() => {}
    }
    role.end().await;
}

/// Messages between intent and record: two batches, so that one is recorded while the next is intended. They
/// need not all be calling at once.
fn under_way_max(queue: &Queue) -> u16 {
    let batches = queue.calls_max.max(queue.batch_max).saturating_mul(2);
    batches.min(queue.prefetch).max(1)
}

struct Intender<W: Call> {
    role: Arc<Role>,
    worker: Arc<W>,
    answers: mpsc::UnboundedSender<Called<W>>,
    calls: Arc<Semaphore>,
    flights: Arc<Flights>,
}

/// A message that is to be called for.
type Intent<W> = (
    Arc<Delivered>,
    Job<<W as Call>::Message>,
    <W as Call>::Intent,
);

/// What the first transaction found for each message.
struct Intents<W: Call> {
    settlement: Settlement,
    calls: Vec<Intent<W>>,
}

impl<W: Call> Intender<W> {
    /// Intends a batch to its end: each message is called for, done, or settled by its own failure.
    async fn handle(&self, batch: Vec<Arc<Delivered>>, permits: Vec<OwnedSemaphorePermit>) {
        let role = &self.role;
        let (mut flights, mut begun) = (HashMap::new(), Vec::with_capacity(batch.len()));
        for (delivered, permit) in batch.into_iter().zip(permits) {
            if let Some(flight) = self.flights.begin(&delivered, permit) {
                flights.insert(delivered.key(), flight);
                begun.push(delivered);
            }
        }
        let mut parts = vec![begun];
        let mut conflicts = 0;
        while let Some(mut part) = parts.pop() {
            part.retain(|delivered| delivered.usable());
            let Some(first) = part.first() else { continue };
            let queue = first.queue.name;
            let attempt = intend(Arc::clone(role), Arc::clone(&self.worker), part.clone());
            let stopped = match guard::guarded(
                role.env.tasks.spawn(async move { Ok(attempt.await) }),
            )
            .await
            {
                Ok(Ok(intents)) => {
                    conflicts = 0;
                    role.progressed();
                    role.settler.settle(intents.settlement).await;
                    for (delivered, job, intent) in intents.calls {
                        match flights.remove(&delivered.key()) {
                            Some(flight) => self.call(delivered, job, intent, flight),
                            // There is one for each; should it be missing, the message begins again.
                            None => role.hand.put_back(vec![delivered]),
                        }
                    }
                    continue;
                }
                Ok(Err(stopped)) => stopped,
                Err(failure) => Stopped::Whole(failure),
            };
            match stopped {
                Stopped::Own(_, Failure::Down(service, cause))
                | Stopped::Whole(Failure::Down(service, cause)) => {
                    if !self.pause(service, cause).await {
                        return;
                    }
                    parts.push(part);
                }
                Stopped::Own(_, Failure::Conflict(_)) | Stopped::Whole(Failure::Conflict(_))
                    if conflicts < CONFLICTS_MAX =>
                {
                    conflicts += 1;
                    role.conflict(queue, conflicts).await;
                    parts.push(part);
                }
                Stopped::Own(at, failure) if at < part.len() => {
                    conflicts = 0;
                    let guilty = part.remove(at);
                    parts.push(part);
                    self.fail(guilty, failure).await;
                }
                Stopped::Whole(failure) | Stopped::Own(_, failure) if part.len() > 1 => {
                    tracing::info!(queue, messages = part.len(), %failure, "batch halved");
                    conflicts = 0;
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Stopped::Whole(failure) | Stopped::Own(_, failure) => {
                    conflicts = 0;
                    self.fail(part.remove(0), failure).await;
                }
            }
        }
    }

    async fn fail(&self, delivered: Arc<Delivered>, failure: Failure) {
        fail(&self.role, &delivered, failure).await;
    }

    async fn pause(&self, service: crate::Service, cause: crate::Cause) -> bool {
        self.role.pause(service, cause).await
    }

    /// Calls the outside on a task of its own.
    fn call(
        &self,
        delivered: Arc<Delivered>,
        job: Job<W::Message>,
        intent: W::Intent,
        flight: Flight,
    ) {
        use tracing::Instrument;
        let (worker, answers) = (Arc::clone(&self.worker), self.answers.clone());
        let (tasks, kill) = (self.role.env.tasks.clone(), self.role.env.kill.clone());
        let span = telemetry::span(delivered.queue.name, &job.envelope);
        let calls = Arc::clone(&self.calls);
        self.role.env.tasks.spawn(async move {
            let slot = tokio::select! {
                slot = calls.acquire_owned() => slot,
                () = kill.cancelled() => return,
            };
            let since = Instant::now();
            let asked = job.clone();
            let step = spans::handling(asked.queue, &asked.envelope);
            let calling = spans::within(step, async move { worker.call(&asked, intent).await });
            let call = tasks.spawn(calling.instrument(span));
            let abort = call.abort_handle();
            let answer = tokio::select! {
                answer = guard::guarded(call) => answer,
                // The message goes back; the key on the call makes its repetition harmless.
                () = kill.cancelled() => return abort.abort(),
            };
            drop(slot);
            metrics::histogram!(telemetry::CALL_SECONDS, "queue" => delivered.queue.name)
                .record(since.elapsed().as_secs_f64());
            // The receiver ends only when nobody waits for the answer any more.
            let _ = answers.send(Called {
                delivered,
                job,
                answer,
                flight,
            });
        });
    }
}

/// One run of the first transaction.
async fn intend<W: Call>(
    role: Arc<Role>,
    worker: Arc<W>,
    batch: Vec<Arc<Delivered>>,
) -> Result<Intents<W>, Stopped> {
    let mut settlement = Settlement::default();
    let pairs = decode::<W::Message>(&batch, &mut settlement);
    let mut calls = Vec::with_capacity(pairs.len());
    if pairs.is_empty() {
        return Ok(Intents { settlement, calls });
    }
    let (since, began) = (Instant::now(), clock::now());
    let (queue, messages) = (pairs[0].0.queue.name, pairs.len());
    let mut tx = tx::begin(&role.env.db, &role.env.tasks).await?;
    let ids: Vec<_> = pairs.iter().map(|(delivered, _)| delivered.id()).collect();
    let handled = inbox::handled(tx.db(), queue, &ids).await?;
    let (new, repeated) = unhandled(pairs, &handled);
    telemetry::handled(queue, "repeated", repeated.len());
    role::repeat(&mut tx, repeated, &mut settlement).await?;

    let mut done = Vec::new();
    if !new.is_empty() {
        let jobs: Vec<_> = new.iter().map(|(_, job)| job).collect();
        let mut desk = worker.open(&tx, &jobs).await?;
        for (delivered, job) in new {
            match worker.intend(&mut tx, &mut desk, &job).await {
                Ok(Intended::Call(intent)) => calls.push((delivered, job, intent)),
                Ok(Intended::Done) => done.push(delivered),
                Err(failure) => {
                    let at = batch.iter().position(|each| Arc::ptr_eq(each, &delivered));
                    return Err(Stopped::Own(at.unwrap_or_default(), failure));
                }
            }
        }
        worker.close(&mut tx, desk).await?;
    }
    let (db, outgoing) = tx.into_parts();
    finish(&db, &done).await?;
    let ended: Vec<_> = done
        .iter()
        .map(|delivered| (queue, &delivered.read.envelope))
        .collect();
    let created = spans::created(&ended, &outgoing);
    settlement.sent.extend(outbox::insert(&db, outgoing).await?);
    tx::commit(db).await?;
    telemetry::transaction(queue, messages, since.elapsed());
    telemetry::handled(queue, "done", done.len());
    for (queue, envelope) in ended {
        spans::handled(queue, envelope, began, messages, None);
    }
    created.into_iter().for_each(spans::emit);
    done.iter().for_each(|delivered| delivered.mark.done());
    settlement.ack.extend(done);
    Ok(Intents { settlement, calls })
}
