//! What every engine of a role has: its consumers, its messages in hand, its settler, its pause.

use crate::{
    Broker, BrokerState, Cause, Failure, Service,
    backoff::full_jitter,
    beats::{Board, Station},
    clock,
    gate::Gate,
    hand::{Delivered, Hand},
    health::{Health, RoleState},
    pace::Pace,
    parked::Parking,
    pool,
    ports::{Host, Store as _, Transaction},
    publish::Publisher,
    purge::Purger,
    reader::{Mode, Reader},
    settle::{self, Fate, Settlement, Settler},
    spans, telemetry,
};
use boxoffice_contracts::topology::Queue;
use futures::future::BoxFuture;
use sea_orm::DatabaseConnection;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often a transaction that lost a conflict is run again before its batch is halved.
pub(crate) const CONFLICTS_MAX: u32 = 5;

const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(5);

/// What the process lends to each of its roles.
#[derive(Clone)]
pub(crate) struct Env {
    pub(crate) broker: Broker,
    pub(crate) db: DatabaseConnection,
    pub(crate) purger: Purger,
    pub(crate) health: Health,
    pub(crate) tasks: TaskTracker,
    pub(crate) board: Board,
    /// Finish what is in hand.
    pub(crate) stop: CancellationToken,
    /// Let go of it.
    pub(crate) kill: CancellationToken,
}

/// Asks whether the outside that a worker needs is there.
pub(crate) type Probe = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// For roles that need no outside.
pub(crate) fn no_probe() -> Probe {
    Box::new(|| Box::pin(std::future::ready(true)))
}

/// Of a worker of several queues: the shortest.
fn pace_of(queues: &[Queue]) -> Duration {
    let shortest = queues.iter().map(|queue| queue.pace).min();
    shortest.unwrap_or_default()
}

/// One role at work.
pub(crate) struct Role {
    pub(crate) name: &'static str,
    pub(crate) env: Env,
    pub(crate) hand: Arc<Hand>,
    pub(crate) settler: Arc<Settler>,
    gate: Arc<Gate>,
    probe: Probe,
    /// Pauses in a row without a success between them; the probes grow rarer with it.
    pauses: AtomicU32,
    /// One pause at a time, however many tasks notice the outage.
    pausing: Mutex<()>,
    /// Pauses that ended: who waited for the lock meanwhile need not pause for the same outage.
    resumed: AtomicU32,
    paused: watch::Sender<bool>,
    pace: Pace,
}

impl Role {
    /// Starts the consumers of a role. They end when the process stops.
    pub(crate) fn start(
        name: &'static str,
        queues: &'static [Queue],
        probe: Probe,
        env: Env,
    ) -> Arc<Self> {
        let hand = Hand::new(queues.len());
        let gate = Arc::new(Gate::new(queues.len()));
        for (slot, (queue, tally)) in queues.iter().zip(hand.tallies()).enumerate() {
            let reader = Reader {
                broker: env.broker.clone(),
                queue,
                slot,
                hand: Arc::clone(&hand),
                tally: Arc::clone(tally),
                mode: gate.subscribe(slot),
                prefetch: gate.prefetch(slot),
            };
            env.tasks.spawn(reader.run());
        }
        let publisher = Publisher::new(&env.broker);
        let settler = Settler::new(
            publisher,
            env.purger.clone(),
            env.tasks.clone(),
            env.kill.clone(),
        );
        env.health.set(name, RoleState::Running);
        env.board.add(Station {
            role: name,
            queues: queues.iter().map(|queue| queue.name).collect(),
            hand: Arc::clone(&hand),
            gate: Arc::clone(&gate),
        });
        let role = Arc::new(Self {
            name,
            hand,
            settler,
            gate,
            probe,
            pauses: AtomicU32::new(0),
            pausing: Mutex::new(()),
            resumed: AtomicU32::new(0),
            paused: watch::Sender::new(false),
            pace: Pace::new(pace_of(queues)),
            env,
        });
        let stopping = Arc::clone(&role);
        role.env.tasks.spawn(async move {
            stopping.env.stop.cancelled().await;
            stopping.gate.stop();
        });
        role
    }

    /// What has gathered within the pace.
    async fn next(&self, max: usize) -> Vec<Arc<Delivered>> {
        self.hand.gather(max, self.pace.due()).await;
        let batch = self.hand.take(max).await;
        self.pace.begin(tokio::time::Instant::now());
        batch
    }

    /// The next batch; `None` when the role is to end.
    ///
    /// After the order to stop it still hands out what was delivered: finishing counts no delivery, giving
    /// back does.
    pub(crate) async fn take(&self, max: usize) -> Option<Vec<Arc<Delivered>>> {
        let mut paused = self.paused.subscribe();
        tokio::select! {
            _ = paused.wait_for(|paused| !paused) => {}
            () = self.env.stop.cancelled() => {}
        }
        if self.env.kill.is_cancelled() || (self.env.stop.is_cancelled() && *paused.borrow()) {
            return None;
        }
        tokio::select! {
            biased;
            () = self.env.stop.cancelled() => {
                let rest = self.hand.take_ready(max);
                (!rest.is_empty()).then_some(rest)
            }
            batch = self.next(max) => {
                let now = clock::now();
                for delivered in &batch {
                    let read = &delivered.read;
                    if read.envelope.attempt == 0
                        && read.deferred == 0
                        && let Some(sent_at) = read.envelope.sent_at
                    {
                        telemetry::waited(delivered.queue.name, sent_at, now);
                    }
                }
                Some(batch)
            }
        }
    }

    /// Waits while a person holds the role; for roles that take no messages. `false` when the process stops.
    pub(crate) async fn released(&self) -> bool {
        let mut mode = self.gate.subscribe(0);
        match mode.wait_for(|mode| *mode != Mode::Hold).await {
            Ok(mode) => *mode == Mode::Consume,
            Err(_) => false,
        }
    }

    /// Settles what is being settled, lets go of the rest.
    pub(crate) async fn end(&self) {
        self.gate.stop();
        self.settler.idle().await;
        self.hand.clear();
        self.env.health.set(self.name, RoleState::Stopped);
    }

    pub(crate) fn progressed(&self) {
        self.pauses.store(0, Ordering::Relaxed);
        self.env.health.progressed(self.name);
    }

    /// Waits a random time before a conflict is tried again.
    pub(crate) async fn conflict(&self, queue: &'static str, run: u32) {
        metrics::counter!(telemetry::CONFLICTS_TOTAL, "queue" => queue).increment(1);
        let ceiling = Duration::from_millis(20) * 2u32.pow(run.min(3));
        tokio::time::sleep(Duration::from_millis(10) + full_jitter(ceiling)).await;
    }

    /// Stops consuming until the service is there again. What is in hand is kept, no attempt is counted.
    /// `false` when the process stops meanwhile.
    pub(crate) async fn pause(&self, service: Service, cause: Cause) -> bool {
        let resumed = self.resumed.load(Ordering::Acquire);
        let _one = self.pausing.lock().await;
        if self.resumed.load(Ordering::Acquire) != resumed {
            return !self.env.kill.is_cancelled();
        }
        self.paused.send_replace(true);
        let streak = self.pauses.fetch_add(1, Ordering::Relaxed);
        self.gate.pause(service);
        tracing::warn!(role = self.name, service = service.as_str(), code = cause.code,
            cause = %cause.detail, "paused");
        metrics::counter!(telemetry::PAUSES_TOTAL, "role" => self.name, "service" => service.as_str())
            .increment(1);
        metrics::gauge!(telemetry::PAUSED, "role" => self.name).set(1.0);
        self.env
            .health
            .set(self.name, RoleState::Paused { service, cause });
        let since = tokio::time::Instant::now();
        let mut wait = PROBE_FIRST.saturating_mul(streak + 1).min(PROBE_MAX);
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.env.stop.cancelled() => {}
            }
            let there = match service {
                Service::Database => pool::probe(&self.env.db).await,
                Service::Broker => *self.env.broker.state().borrow() == BrokerState::Up,
                Service::Documents | Service::Gateway | Service::Mail => (self.probe)().await,
            };
            if there {
                break;
            }
            // Told to stop during an outage: what can't be finished is given back.
            if self.env.stop.is_cancelled() {
                return false;
            }
            wait = (wait + PROBE_FIRST).min(PROBE_MAX);
        }
        self.gate.resume();
        self.resumed.fetch_add(1, Ordering::AcqRel);
        self.paused.send_replace(false);
        metrics::gauge!(telemetry::PAUSED, "role" => self.name).set(0.0);
        self.env.health.set(self.name, RoleState::Running);
        tracing::info!(
            role = self.name,
            service = service.as_str(),
            paused_ms = since.elapsed().as_millis(),
            "resumed"
        );
        true
    }
}

impl Host for Role {
    type Store = Env;
    type Publish = Publisher;

    fn store(&self) -> &Env {
        &self.env
    }

    fn settler(&self) -> &Arc<Settler> {
        &self.settler
    }

    fn tasks(&self) -> &TaskTracker {
        &self.env.tasks
    }

    fn take(&self, max: usize) -> impl Future<Output = Option<Vec<Arc<Delivered>>>> + Send {
        Self::take(self, max)
    }

    fn progressed(&self) {
        Self::progressed(self);
    }

    fn conflict(&self, queue: &'static str, run: u32) -> impl Future<Output = ()> + Send {
        Self::conflict(self, queue, run)
    }

    fn pause(&self, service: Service, cause: Cause) -> impl Future<Output = bool> + Send {
        Self::pause(self, service, cause)
    }
}

/// Settles one message by the failure that is its own.
///
/// # Errors
/// When the row that parks it can't be written: the service that is down.
pub async fn fail<H: Host>(
    host: &H,
    delivered: &Arc<Delivered>,
    failure: Failure,
) -> Result<(), Failure> {
    let verdict = match failure {
        Failure::Retry(cause) | Failure::Conflict(cause) => crate::Verdict::Retry(cause),
        Failure::Park(cause) => crate::Verdict::Park(cause),
        down @ Failure::Down(..) => return Err(down),
    };
    let mut settlement = Settlement::default();
    let (queue, envelope) = (delivered.queue.name, &delivered.read.envelope);
    spans::handled(queue, envelope, delivered.began(), 1, verdict.cause());
    match settle::fate(delivered, verdict) {
        None => {}
        Some(Fate::Move(moving)) => settlement.moves.push(*moving),
        Some(Fate::Park(cause)) => match park(host, delivered, &cause).await {
            Ok(()) => settlement.ack.push(Arc::clone(delivered)),
            Err(down @ (Failure::Down(..) | Failure::Conflict(_))) => return Err(down),
            // The table doesn't take it: the queue does.
            Err(_) => settlement.moves.push(settle::to_parked(delivered, &cause)),
        },
    }
    host.settler().settle(settlement).await;
    host.progressed();
    Ok(())
}

async fn park<H: Host>(host: &H, delivered: &Arc<Delivered>, cause: &Cause) -> Result<(), Failure> {
    settle::log(delivered, "parked", cause);
    let mut tx = host.store().begin().await?;
    let envelope = &delivered.read.envelope;
    let parking = Parking::new(delivered.queue.name, envelope, &delivered.body, cause);
    tx.park(&[parking]).await?;
    tx.commit().await?;
    telemetry::handled(delivered.queue.name, "parked", 1);
    Ok(())
}

/// Adds what repeated messages have left unsent to a settlement, and acknowledges them.
pub(crate) async fn repeat<T: Transaction>(
    tx: &mut T,
    repeated: Vec<Arc<Delivered>>,
    settlement: &mut Settlement,
) -> Result<(), Failure> {
    let causes: Vec<_> = repeated.iter().map(|delivered| delivered.id()).collect();
    settlement.sent.extend(tx.unsent_of(&causes).await?);
    settlement.ack.extend(repeated);
    Ok(())
}
