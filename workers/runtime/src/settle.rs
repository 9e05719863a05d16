//! How a message ends: acknowledged, sent to wait, parked — or kept, while the consumer pauses.
//!
//! Written once for all shapes. Nothing is acknowledged before what replaces it is durable: the commit, the
//! outbox row, the confirmed copy in a wait queue or in the queue of parked messages.

use crate::{
    Cause, Verdict, amqp,
    backoff::Backoff,
    hand::Delivered,
    outbox::Sent,
    ports::Publish,
    publish::{PublishError, Publisher, Wire},
    purge::Purger,
    telemetry, window,
};
use boxoffice_contracts::{
    planted::{self, Bug},
    topology::{Exchange, RetryTier},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An ack waits this long for the confirms of what its message caused; then the outbox rows must do.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(2);

/// Batches that may be published and acknowledged while the next ones are decided.
const SETTLING_MAX: u32 = 4;

/// Settles the messages of one worker.
pub struct Settler<P = Publisher> {
    pub(crate) publisher: P,
    pub(crate) purger: Purger,
    pub(crate) tasks: TaskTracker,
    /// When it fires nothing waits any more.
    pub(crate) kill: CancellationToken,
    permits: Arc<Semaphore>,
}

/// What is to be done with the messages of a committed transaction.
#[derive(Debug, Default)]
pub struct Settlement {
    /// Rows of the outbox that are to be published, and deleted when confirmed.
    pub sent: Vec<Sent>,
    /// Their outcome is committed.
    pub ack: Vec<Arc<Delivered>>,
    /// To be acknowledged when a copy is confirmed elsewhere.
    pub moves: Vec<Move>,
}

/// A message that goes on somewhere else.
#[derive(Debug)]
pub struct Move {
    pub delivered: Arc<Delivered>,
    pub wire: Wire,
}

/// What becomes of a message that isn't done.
pub(crate) enum Fate {
    Move(Box<Move>),
    /// Its row must be written before it is acknowledged.
    Park(Cause),
}

impl<P: Publish> Settler<P> {
    pub fn new(
        publisher: P,
        purger: Purger,
        tasks: TaskTracker,
        kill: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            publisher,
            purger,
            tasks,
            kill,
            permits: Arc::new(Semaphore::new(SETTLING_MAX as usize)),
        })
    }

    /// Settles in the background; waits only when too much is being settled already.
    pub async fn settle(self: &Arc<Self>, settlement: Settlement) {
        let Some(permit) = self.permit(1).await else {
            return;
        };
        let settler = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::select! {
                () = settler.finish(settlement) => {}
                () = settler.kill.cancelled() => {}
            }
            drop(permit);
        });
    }

    /// Waits until everything is settled that was begun.
    pub async fn idle(&self) {
        drop(self.permit(SETTLING_MAX).await);
    }

    async fn permit(&self, many: u32) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            permit = Arc::clone(&self.permits).acquire_many_owned(many) => permit.ok(),
            () = self.kill.cancelled() => None,
        }
    }

    async fn finish(&self, settlement: Settlement) {
        let Settlement { sent, ack, moves } = settlement;
        let publish_then_ack = async {
            let mut publishing = std::pin::pin!(self.publish(sent));
            let early = timeout(CONFIRM_PATIENCE, &mut publishing).await;
            let tickets: Vec<_> = ack.iter().map(|delivered| &delivered.ticket).collect();
            window::ack(&tickets).await;
            ack.iter().for_each(|delivered| delivered.mark.settled());
            if early.is_err() {
                publishing.await;
            }
        };
        tokio::join!(publish_then_ack, self.hand_over(moves));
    }

    /// Publishes rows of the outbox. What isn't confirmed is left to the relay.
    async fn publish(&self, sent: Vec<Sent>) {
        let (rows, wires): (Vec<_>, Vec<_>) =
            sent.into_iter().map(|sent| (sent.row, sent.wire)).unzip();
        let results = self.publisher.publish(&wires).await;
        let confirmed = rows
            .into_iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok());
        self.purger.confirmed(confirmed.map(|(row, _)| row));
    }

    /// Publishes copies until each is confirmed and its message acknowledged, or the message is lost to us
    /// and comes again.
    async fn hand_over(&self, mut moves: Vec<Move>) {
        let mut backoff = Backoff::connection();
        if planted::is(Bug::HotLoop) {
            let retries = |each: &mut Move| {
                let mut tiers = RetryTier::ALL.iter();
                tiers.any(|tier| tier.exchange() == each.wire.exchange)
            };
            for each in moves.extract_if(.., retries) {
                each.delivered.ticket.requeue().await;
            }
        }
        while !moves.is_empty() {
            let wires: Vec<Wire> = moves.iter().map(|each| each.wire.clone()).collect();
            let results = self.publisher.publish(&wires).await;
            let refused = results
                .iter()
                .find_map(|result| result.as_ref().err())
                .cloned();
            let (over, rest): (Vec<_>, Vec<_>) = moves
                .into_iter()
                .zip(results)
                .partition(|(_, result)| result.is_ok() || planted::is(Bug::ParkUnconfirmed));
            let tickets: Vec<_> = over
                .iter()
                .map(|(each, _)| &each.delivered.ticket)
                .collect();
            window::ack(&tickets).await;
            over.iter()
                .for_each(|(each, _)| each.delivered.mark.settled());
            moves = rest
                .into_iter()
                .map(|(each, _)| each)
                .filter(|each| each.delivered.usable())
                .collect();
            if let Some(error) = refused {
                if error != PublishError::Down {
                    tracing::warn!(%error, messages = moves.len(), "failed messages can't be moved yet");
                }
                let wait = backoff.next_by(|ceiling| self.publisher.jitter(ceiling));
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// What becomes of a message by its verdict; `None` when it is done.
pub(crate) fn fate(delivered: &Arc<Delivered>, verdict: Verdict) -> Option<Fate> {
    match verdict {
        Verdict::Done => None,
        Verdict::Retry(cause) => Some(retry(delivered, cause)),
        Verdict::Defer(cause) => Some(Fate::Move(Box::new(defer(delivered, &cause)))),
        Verdict::Park(cause) => Some(Fate::Park(cause)),
    }
}

fn retry(delivered: &Arc<Delivered>, cause: Cause) -> Fate {
    let attempt = delivered.read.envelope.attempt;
    let tier = usize::try_from(attempt)
        .ok()
        .and_then(|at| delivered.queue.retry.get(at));
    let for_ever = delivered.queue.retry.last();
    let tier = tier.or_else(|| for_ever.filter(|_| planted::is(Bug::RetryForEver)));
    match tier {
        Some(tier) => {
            log(delivered, "retry", &cause);
            telemetry::handled(delivered.queue.name, "retried", 1);
            let deferred = delivered.read.deferred;
            Fate::Move(Box::new(wait(
                delivered,
                *tier,
                &cause,
                attempt + 1,
                deferred,
            )))
        }
        None => Fate::Park(cause),
    }
}

/// Too early: soon again at first, then ever later. No attempt is counted.
fn defer(delivered: &Arc<Delivered>, cause: &Cause) -> Move {
    let deferred = delivered.read.deferred;
    let tier = match deferred {
        0..5 => RetryTier::Second,
        5..30 => RetryTier::TenSeconds,
        _ => RetryTier::Minute,
    };
    telemetry::handled(delivered.queue.name, "deferred", 1);
    wait(
        delivered,
        tier,
        cause,
        delivered.read.envelope.attempt,
        deferred.saturating_add(1),
    )
}

/// To a wait queue; the routing key brings it back to the queue in which it failed.
fn wait(
    delivered: &Arc<Delivered>,
    tier: RetryTier,
    cause: &Cause,
    attempt: u32,
    deferred: u32,
) -> Move {
    let mut envelope = delivered.read.envelope.clone();
    envelope.attempt = attempt;
    let queue = delivered.queue.name;
    Move {
        wire: Wire {
            exchange: tier.exchange().to_owned(),
            routing_key: queue.to_owned(),
            properties: amqp::failed_properties(&envelope, queue, &cause.to_string(), deferred),
            body: delivered.body.clone(),
            mandatory: true,
        },
        delivered: Arc::clone(delivered),
    }
}

/// To the queue of parked messages: what can't be decoded, or can't be written to the database.
pub(crate) fn to_parked(delivered: &Arc<Delivered>, cause: &Cause) -> Move {
    log(delivered, "parked", cause);
    let queue = delivered.queue.name;
    let envelope = &delivered.read.envelope;
    Move {
        wire: Wire {
            exchange: Exchange::Parked.name().to_owned(),
            routing_key: queue.to_owned(),
            properties: amqp::failed_properties(envelope, queue, &cause.to_string(), 0),
            body: delivered.body.clone(),
            mandatory: true,
        },
        delivered: Arc::clone(delivered),
    }
}

/// The one line that a failed message leaves, written where it is settled.
pub(crate) fn log(delivered: &Delivered, outcome: &'static str, cause: &Cause) {
    let span = telemetry::span(delivered.queue.name, &delivered.read.envelope);
    tracing::warn!(parent: &span, outcome, code = cause.code, cause = %cause.detail, "message failed");
}
