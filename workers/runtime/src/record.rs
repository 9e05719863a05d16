//! The last stage of a [`Call`]: what the outside answered is written down, with the inbox row and what
//! follows from it.

use crate::{
    Call, Cause, Failure, Job, Service,
    call::Called,
    finish::{Stopped, fail, resolved},
    flight::{Flight, Flights},
    guard,
    hand::Delivered,
    inbox, outbox,
    pace::Pace,
    parked,
    role::{self, CONFLICTS_MAX, Role},
    settle::Settlement,
    spans, telemetry, tx,
};
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

pub(crate) struct Recorder<W: Call> {
    pub(crate) role: Arc<Role>,
    pub(crate) worker: Arc<W>,
    pub(crate) flights: Arc<Flights>,
}

/// An answer that is kept until it is recorded.
struct Answered<W: Call> {
    delivered: Arc<Delivered>,
    job: Arc<Job<W::Message>>,
    answer: W::Answer,
    _flight: Flight,
}

/// What one run of the transaction needs of an answer.
type Copied<W> = (
    Arc<Delivered>,
    Arc<Job<<W as Call>::Message>>,
    <W as Call>::Answer,
);

impl<W: Call> Recorder<W> {
    pub(crate) async fn run(self, mut answers: mpsc::UnboundedReceiver<Called<W>>) {
        let max = usize::from(W::QUEUE.batch_max);
        let (mut ready, pace) = (Vec::new(), Pace::new(W::QUEUE.pace));
        while answers.recv_many(&mut ready, max).await > 0 {
            if let Some(due) = pace.due() {
                // Nobody is waited for who is not under way: a suspect is alone, and others wait for it.
                let flights = &self.flights;
                gather(&mut answers, &mut ready, || max.min(flights.len()), due).await;
            }
            pace.begin(tokio::time::Instant::now());
            let mut good = Vec::with_capacity(ready.len());
            for called in ready.drain(..) {
                match called.answer {
                    Ok(answer) => good.push(Answered {
                        delivered: called.delivered,
                        job: Arc::new(called.job),
                        answer,
                        _flight: called.flight,
                    }),
                    Err(Failure::Down(service, cause)) => {
                        self.again(called.delivered, called.flight, service, cause);
                    }
                    Err(failure) => self.failed(called.delivered, called.flight, failure),
                }
            }
            self.record(good).await;
        }
    }

    /// Pauses for the outside, then begins the message again. On a task of its own: what other calls were
    /// answered is recorded meanwhile. It stays under way meanwhile, so that no other call begins in its place.
    fn again(&self, delivered: Arc<Delivered>, flight: Flight, service: Service, cause: Cause) {
        let role = Arc::clone(&self.role);
        self.role.env.tasks.spawn(async move {
            if role.pause(service, cause).await {
                role.hand.put_back(vec![delivered]);
            }
            drop(flight);
        });
    }

    fn failed(&self, delivered: Arc<Delivered>, flight: Flight, failure: Failure) {
        let role = Arc::clone(&self.role);
        self.role.env.tasks.spawn(async move {
            fail(&role, &delivered, failure).await;
            drop(flight);
        });
    }

    /// Records answers to their end. They are kept through conflicts and outages: calling again would ask
    /// the outside for what it has said already.
    async fn record(&self, answered: Vec<Answered<W>>) {
        let role = &self.role;
        let mut parts = vec![answered];
        let mut conflicts = 0;
        while let Some(mut part) = parts.pop() {
            let Some(queue) = part.first().map(|first| first.delivered.queue.name) else {
                continue;
            };
            let copied: Vec<Copied<W>> = part
                .iter()
                .map(|each| {
                    (
                        Arc::clone(&each.delivered),
                        Arc::clone(&each.job),
                        each.answer.clone(),
                    )
                })
                .collect();
            let attempt = attempt(Arc::clone(role), Arc::clone(&self.worker), copied);
            let attempt = role.env.tasks.spawn(async move { Ok(attempt.await) });
            let stopped = match guard::guarded(attempt).await {
                Ok(Ok(settlement)) => {
                    conflicts = 0;
                    role.progressed();
                    role.settler.settle(settlement).await;
                    continue;
                }
                Ok(Err(stopped)) => stopped,
                Err(failure) => Stopped::Whole(failure),
            };
            match stopped {
                Stopped::Own(_, Failure::Down(service, cause))
                | Stopped::Whole(Failure::Down(service, cause)) => {
                    if !role.pause(service, cause).await {
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
                    fail(role, &guilty.delivered, failure).await;
                }
                Stopped::Own(_, failure) | Stopped::Whole(failure) if part.len() > 1 => {
                    tracing::info!(queue, messages = part.len(), %failure, "batch halved");
                    conflicts = 0;
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Stopped::Own(_, failure) | Stopped::Whole(failure) => {
                    conflicts = 0;
                    let guilty = part.remove(0);
                    fail(role, &guilty.delivered, failure).await;
                }
            }
        }
    }
}

/// Takes the answers that come until then, as long as there is room and more of them are expected.
async fn gather<T>(
    answers: &mut mpsc::UnboundedReceiver<T>,
    ready: &mut Vec<T>,
    expected: impl Fn() -> usize,
    until: tokio::time::Instant,
) {
    while ready.len() < expected() {
        let more = answers.recv_many(ready, expected() - ready.len());
        match tokio::time::timeout_at(until, more).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// One run of the transaction. Whoever lost the inbox row was recorded by another process: repeated.
async fn attempt<W: Call>(
    role: Arc<Role>,
    worker: Arc<W>,
    answers: Vec<Copied<W>>,
) -> Result<Settlement, Stopped> {
    let mut settlement = Settlement::default();
    let since = Instant::now();
    let (queue, messages) = (W::QUEUE.name, answers.len());
    let mut tx = tx::begin(&role.env.db, &role.env.tasks).await?;
    let keys: Vec<_> = answers
        .iter()
        .map(|(delivered, ..)| delivered.key())
        .collect();
    let mut won = inbox::claim(tx.db(), &keys, Uuid::now_v7()).await?;
    let (mut done, mut repeated) = (Vec::new(), Vec::new());
    let mut new = Vec::with_capacity(answers.len());
    for (at, answered) in answers.into_iter().enumerate() {
        // Taken, so that a second answer to the same message is not recorded as well.
        if won.remove(&answered.0.key()) {
            new.push((at, answered));
        } else {
            repeated.push(answered.0);
        }
    }
    if !new.is_empty() {
        let jobs: Vec<_> = new.iter().map(|(_, (_, job, _))| &**job).collect();
        let mut desk = worker.open(&tx, &jobs).await?;
        for (at, (delivered, job, answer)) in new {
            let recorded = worker.record(&mut tx, &mut desk, &job, answer).await;
            recorded.map_err(|failure| Stopped::Own(at, failure))?;
            done.push(delivered);
        }
        worker.close(&mut tx, desk).await?;
    }
    telemetry::handled(queue, "repeated", repeated.len());
    role::repeat(&mut tx, repeated, &mut settlement).await?;
    let (db, outgoing) = tx.into_parts();
    parked::resolve(&db, &resolved(&done)).await?;
    let ended: Vec<_> = done
        .iter()
        .map(|delivered| (queue, &delivered.read.envelope))
        .collect();
    let created = spans::created(&ended, &outgoing);
    settlement.sent.extend(outbox::insert(&db, outgoing).await?);
    tx::commit(db).await?;
    telemetry::transaction(queue, messages, since.elapsed());
    telemetry::handled(queue, "done", done.len());
    for delivered in &done {
        spans::handled(
            queue,
            &delivered.read.envelope,
            delivered.began(),
            messages,
            None,
        );
    }
    created.into_iter().for_each(spans::emit);
    done.iter().for_each(|delivered| delivered.mark.done());
    settlement.ack.extend(done);
    Ok(settlement)
}

#[cfg(test)]
mod tests {
    use super::gather;
    use std::{cell::Cell, time::Duration};
    use tokio::{
        sync::mpsc,
        time::{Instant, sleep},
    };

    const PACE: Duration = Duration::from_millis(50);
    /// When an answer comes that is not there yet: before it is due.
    const SOON: Duration = Duration::from_millis(20);

    /// How long the first answer waits, and with which others it is recorded.
    async fn wait(
        answers: &mut mpsc::UnboundedReceiver<u32>,
        expected: impl Fn() -> usize,
    ) -> (Duration, Vec<u32>) {
        let (begun, mut ready) = (Instant::now(), vec![1]);
        gather(answers, &mut ready, expected, begun + PACE).await;
        (begun.elapsed(), ready)
    }

    #[tokio::test(start_paused = true)]
    async fn when_nobody_else_is_under_way_nobody_is_waited_for() {
        let (_calls, mut answers) = mpsc::unbounded_channel();
        let waited = wait(&mut answers, || 1).await;
        assert_eq!(waited, (Duration::ZERO, vec![1]));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_under_way_is_waited_for_until_it_is_due() {
        let (calls, mut answers) = mpsc::unbounded_channel();
        let second = async {
            sleep(SOON).await;
            calls.send(2).unwrap();
        };
        let (waited, ()) = tokio::join!(wait(&mut answers, || 3), second);
        assert_eq!(waited, (PACE, vec![1, 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_who_is_under_way_ends_the_wait() {
        let (calls, mut answers) = mpsc::unbounded_channel();
        let under_way = Cell::new(3);
        let second = async {
            sleep(SOON).await;
            // The third has failed meanwhile.
            under_way.set(2);
            calls.send(2).unwrap();
        };
        let (waited, ()) = tokio::join!(wait(&mut answers, || under_way.get()), second);
        assert_eq!(waited, (SOON, vec![1, 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_there_is_no_room_for_is_left_to_the_next() {
        let (calls, mut answers) = mpsc::unbounded_channel();
        (2..=4).for_each(|answer| calls.send(answer).unwrap());
        let waited = wait(&mut answers, || 2).await;
        assert_eq!(waited, (Duration::ZERO, vec![1, 2]));
        assert_eq!(answers.len(), 2);
    }
}
