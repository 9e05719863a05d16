//! Sends what was committed and never confirmed.
//!
//! A message that the broker can't take for a fault of its own is parked after some attempts. A queue that refuses
//! everybody is waited for.

use crate::{
    Cause, Failure, Service, outbox,
    outbox::{Pending, Row, Sent},
    parked::{self, Parking},
    publish::{PublishError, Publisher},
    sql, stored, telemetry, tx,
};
use boxoffice_contracts::{
    Envelope,
    planted::{self, Bug},
    trace::TraceParent,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::time::{interval, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often the outbox is looked at.
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// Younger rows are still being published by whoever wrote them.
pub const SWEEP_AFTER_SECS: u32 = 2;

/// Rows of one sweep. Their locks are what keeps other sweepers away.
const SWEEP_ROWS: u32 = 200;

/// Shorter than usual: row locks are held meanwhile, and idle transactions are ended after 10 s.
const SWEEP_CONFIRM: Duration = Duration::from_secs(5);

/// How long a look may take before the database counts as down.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// Refusals after which a row is parked so that it never stands in the way of the others.
const ATTEMPTS_MAX: u32 = 10;

/// How often parked messages are counted.
const PARKED_COUNT_EVERY: Duration = Duration::from_secs(10);

/// Under this name a message that could not leave is parked.
pub const OUTBOX_QUEUE: &str = "outbox";

/// The highest row that was swept: what a planted bug goes by.
static HIGHEST: AtomicU64 = AtomicU64::new(0);

/// Looks for rows that nobody sent. Any number of processes may run it.
pub(crate) struct Relay {
    pub(crate) db: DatabaseConnection,
    pub(crate) publisher: Publisher,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Where the broker stored nothing lately, and when it was asked last.
    pub(crate) full: Full,
}

/// Exchange and routing key of what is full.
type Destination = (String, String);

/// Destinations that refuse. What is for them waits and counts no attempt; one message asks whether that has changed,
/// and none of them stands in the way of the others.
#[derive(Debug, Default)]
pub(crate) struct Full(BTreeMap<Destination, Instant>);

impl Full {
    fn refused(&mut self, (exchange, key): Destination) {
        let told = self.0.contains_key(&(exchange.clone(), key.clone()));
        if !told {
            tracing::warn!(
                exchange,
                routing_key = key,
                "a queue takes nothing: what is for it waits in the outbox"
            );
        }
        self.0.insert((exchange, key), Instant::now());
    }

    fn took(&mut self, destination: &Destination) {
        if self.0.remove(destination).is_some() {
            let (exchange, routing_key) = destination;
            tracing::info!(exchange, routing_key, "a full queue takes messages again");
        }
    }

    /// Those that are asked again now.
    fn due(&self) -> Vec<Destination> {
        let due = self
            .0
            .iter()
            .filter(|(_, asked)| asked.elapsed() >= SWEEP_EVERY);
        due.map(|(destination, _)| destination.clone()).collect()
    }

    /// What rows of none of them fulfil.
    fn spared(&self) -> String {
        let each = self
            .0
            .keys()
            .map(|destination| format!("NOT {} AND ", is_for(destination)));
        each.collect()
    }
}

fn is_for((exchange, key): &Destination) -> String {
    format!(
        "(exchange = {} AND kind = {})",
        sql::text(exchange),
        sql::text(key)
    )
}

impl Relay {
    pub(crate) async fn run(mut self) {
        let mut every = interval(SWEEP_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut parked_counted = None::<Instant>;
        let mut told = false;
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = self.stop.cancelled() => return,
            }
            loop {
                match self.sweep().await {
                    Ok(full) => {
                        told = false;
                        if !full || self.stop.is_cancelled() {
                            break;
                        }
                    }
                    Err(error) => {
                        if !told {
                            tracing::warn!(%error, "outbox can't be swept");
                        }
                        told = true;
                        sleep(Duration::from_secs(1)).await;
                        break;
                    }
                }
            }
            if parked_counted.is_none_or(|at| at.elapsed() > PARKED_COUNT_EVERY) {
                parked_counted = Some(Instant::now());
                if let Err(error) = parked::measure(&self.db).await {
                    tracing::warn!(%error, "parked messages not counted");
                }
            }
        }
    }

    /// One portion. `true` when there may be more and the broker takes them.
    async fn sweep(&mut self) -> Result<bool, Failure> {
        // Mostly nothing waits: then there is no transaction.
        if self.oldest_secs().await? < i64::from(SWEEP_AFTER_SECS) {
            return Ok(false);
        }
        let tx = tx::begin(&self.db, &self.tasks).await?;
        // By state, never by a high-water mark: ids commit out of order.
        let after = if planted::is(Bug::HighWaterMark) {
            format!("id > {} AND ", HIGHEST.load(Ordering::Relaxed))
        } else {
            String::new()
        };
        let due = |which: &str, rows: u32| {
            format!(
                "{after}{which}created_at < UTC_TIMESTAMP(6) - INTERVAL {SWEEP_AFTER_SECS} SECOND \
                 ORDER BY created_at LIMIT {rows} FOR UPDATE SKIP LOCKED"
            )
        };
        let mut rows = outbox::select(tx.db(), &due(&self.full.spared(), SWEEP_ROWS)).await?;
        let found = rows.len();
        for destination in self.full.due() {
            let one = format!("{} AND ", is_for(&destination));
            rows.extend(outbox::select(tx.db(), &due(&one, 1)).await?);
        }
        if rows.is_empty() {
            return Ok(false);
        }
        let (confirmed, bad, healthy) = self.send(rows).await;
        if planted::is(Bug::HighWaterMark) {
            let highest = confirmed.iter().map(|row| row.id).max();
            HIGHEST.fetch_max(highest.unwrap_or_default(), Ordering::Relaxed);
        }
        let (db, _) = tx.into_parts();
        outbox::delete(&db, &confirmed).await?;
        self.count(&db, bad).await?;
        tx::commit(db).await?;
        metrics::counter!(telemetry::OUTBOX_SWEPT_TOTAL).increment(confirmed.len() as u64);
        if !confirmed.is_empty() {
            tracing::info!(messages = confirmed.len(), "outbox swept");
        }
        Ok(healthy && found == SWEEP_ROWS as usize)
    }

    /// What was confirmed, what is at fault itself, and whether the broker takes messages.
    async fn send(&mut self, rows: Vec<Pending>) -> (Vec<Row>, Vec<(Row, u32, Cause)>, bool) {
        let (mut confirmed, mut bad, mut good) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let (key, attempts) = (row.row, row.attempts);
            match row.sent() {
                Some(sent) => good.push((sent, attempts)),
                None => bad.push((key, attempts, Cause::new("unreadable", "envelope"))),
            }
        }
        let wires: Vec<_> = good.iter().map(|(sent, _)| sent.wire.clone()).collect();
        let results = self.publisher.publish_within(&wires, SWEEP_CONFIRM).await;
        let mut healthy = true;
        for ((sent, attempts), result) in good.into_iter().zip(results) {
            let error = match result {
                Ok(()) => {
                    self.full.took(&destination(&sent));
                    confirmed.push(sent.row);
                    continue;
                }
                // One bad message closes the channel and fails its neighbours: each once more, alone.
                Err(PublishError::Failed(_)) if healthy => {
                    match self
                        .publisher
                        .publish_within(std::slice::from_ref(&sent.wire), SWEEP_CONFIRM)
                        .await
                        .pop()
                    {
                        Some(Ok(())) => {
                            confirmed.push(sent.row);
                            continue;
                        }
                        Some(Err(error)) => error,
                        None => PublishError::Down,
                    }
                }
                Err(error) => error,
            };
            match error {
                PublishError::Down | PublishError::Blocked | PublishError::TimedOut => {
                    healthy = false;
                }
                // A full queue, or one whose disk is away, is an outage of the queue and no fault of the message.
                PublishError::Refused => self.full.refused(destination(&sent)),
                PublishError::Returned | PublishError::Failed(_) => {
                    bad.push((
                        sent.row,
                        attempts,
                        Cause::new("unpublishable", error.to_string()),
                    ));
                }
            }
        }
        (confirmed, bad, healthy)
    }

    /// Counts refusals; parks what was refused too often.
    async fn count(
        &self,
        db: &DatabaseTransaction,
        bad: Vec<(Row, u32, Cause)>,
    ) -> Result<(), Failure> {
        for (row, attempts, cause) in bad {
            if attempts + 1 < ATTEMPTS_MAX {
                let update = format!(
                    "UPDATE outbox SET attempts = attempts + 1 WHERE id = {}",
                    row.id
                );
                db.execute_unprepared(&update).await?;
                continue;
            }
            tracing::error!(message.id = %row.message_id, code = cause.code, cause = %cause.detail,
                "outbox message parked: it can't be published");
            let stored = outbox::select(db, &format!("id = {}", row.id)).await?;
            for message in &stored {
                let readable = stored::envelope_from_json(&message.envelope);
                let envelope = readable.unwrap_or_else(|_| placeholder(message));
                let parking = Parking::new(OUTBOX_QUEUE, &envelope, &message.body, &cause);
                parked::park(db, &[parking]).await?;
            }
            outbox::delete(db, &[row]).await?;
        }
        Ok(())
    }

    /// For how long the oldest row has waited, in whole seconds.
    async fn oldest_secs(&self) -> Result<i64, Failure> {
        let oldest = "SELECT CAST(COALESCE(TIMESTAMPDIFF(SECOND, MIN(created_at), UTC_TIMESTAMP(6)), 0) AS SIGNED) FROM outbox";
        let ask = Statement::from_string(DbBackend::MySql, oldest);
        let Ok(asked) = timeout(LOOK_PATIENCE, self.db.query_one_raw(ask)).await else {
            let cause = Cause::new("database_silent", "no answer to a look at the outbox");
            return Err(Failure::Down(Service::Database, cause));
        };
        let seconds = asked?.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        metrics::gauge!(telemetry::OUTBOX_OLDEST_PENDING_SECONDS).set(seconds as f64);
        Ok(seconds)
    }
}

fn destination(sent: &Sent) -> Destination {
    (sent.wire.exchange.clone(), sent.wire.routing_key.clone())
}

/// Stands in for an envelope that can't be read.
fn placeholder(message: &Pending) -> Envelope {
    Envelope {
        message_id: message.row.message_id,
        kind: message.kind.clone(),
        correlation_id: None,
        causation_id: None,
        sent_at: None,
        trace: TraceParent::root(message.row.message_id.0),
        tenant: boxoffice_contracts::principal::TENANT_HOUSE.to_owned(),
        deadline: None,
        attempt: 0,
        replay_of: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_is_spared_until_it_takes_something() {
        let of = |key: &str| ("boxoffice.intake".to_owned(), key.to_owned());
        let mut full = Full::default();
        assert_eq!(full.spared(), "");
        full.refused(of("a.b.v1"));
        full.refused(of("it's"));
        assert_eq!(full.due(), [], "it was asked just now");
        let spared = full.spared();
        assert_eq!(spared.matches("NOT (exchange = ").count(), 2, "{spared}");
        assert!(!spared.contains("it's"), "quoted: {spared}");
        full.took(&of("a.b.v1"));
        full.took(&of("nothing"));
        assert_eq!(full.0.len(), 1);
    }
}
