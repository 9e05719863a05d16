//! Who waits for news of which booking.
//!
//! Events only make it faster: after every rebind and every four seconds the versions of all watched ids are
//! read again, so a lost event costs seconds, never an answer. The same events end the life of kept statuses, and the
//! same versions lengthen it.

use crate::{Problem, kept::KeptStatuses};
use boxoffice_contracts::{BookingId, message::event::BookingFact, metric};
use boxoffice_runtime::{EventStream, Happened};
use boxoffice_store::mysql::status;
use futures::{Stream, StreamExt};
use sea_orm::DatabaseConnection;
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

/// What the broker's event queue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A booking reached a version.
    Changed { booking: BookingId, version: u32 },
    /// Events are missed from now on.
    Lost,
    /// The queue was bound anew: events may have been missed.
    Rebound,
}

/// The watched bookings, each with a channel of its version.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    watched: Mutex<HashMap<BookingId, watch::Sender<u32>>>,
    watched_max: usize,
    kept: KeptStatuses,
}

/// One who waits. Dropping the last one of a booking forgets it.
pub(crate) struct Watching {
    watch: Watch,
    booking: BookingId,
    news: watch::Receiver<u32>,
}

/// How late news is at most when no event comes.
/// Shorter than a kept status is told.
const REREAD_EVERY: Duration = Duration::from_secs(4);
/// Ids in one statement.
const REREAD_IDS_MAX: usize = 512;

/// What the runtime's events mean here. Whoever lags has missed some, which is what a rebind means.
pub fn hints(events: &EventStream) -> impl Stream<Item = Hint> + Send + Unpin + use<> {
    BroadcastStream::new(events.subscribe()).filter_map(|happened| {
        std::future::ready(match happened {
            Ok(Happened::Event(event)) => changed(&event.body),
            Ok(Happened::Lost) => Some(Hint::Lost),
            Ok(Happened::Rebound) | Err(_) => Some(Hint::Rebound),
        })
    })
}

/// Every event of a booking says the same (see `contracts::message::event`).
fn changed(body: &[u8]) -> Option<Hint> {
    let fact: BookingFact = serde_json::from_slice(body).ok()?;
    Some(Hint::Changed {
        booking: fact.booking_id,
        version: fact.version,
    })
}

impl Watch {
    pub(crate) fn new(watched_max: usize, kept: KeptStatuses) -> Self {
        let inner = Inner {
            watched: Mutex::default(),
            watched_max,
            kept,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Begins to listen. Subscribe first, then read, then wait.
    ///
    /// # Errors
    /// 503 when too many bookings are watched.
    pub(crate) fn subscribe(&self, booking: BookingId) -> Result<Watching, Problem> {
        let mut watched = self.lock();
        let full = watched.len() >= self.inner.watched_max;
        let news = match watched.entry(booking) {
            Entry::Occupied(there) => there.get().subscribe(),
            Entry::Vacant(_) if full => return Err(Problem::overloaded(1)),
            Entry::Vacant(free) => free.insert(watch::Sender::new(0)).subscribe(),
        };
        metrics::gauge!(metric::BOOKINGS_WATCHED).set(gauge(watched.len()));
        drop(watched);
        Ok(Watching {
            watch: self.clone(),
            booking,
            news,
        })
    }

    /// Passes hints on, and reads again when they may have failed, until it is told to stop.
    pub async fn run(
        &self,
        db: DatabaseConnection,
        hints: impl Stream<Item = Hint> + Send + Unpin,
        stop: CancellationToken,
    ) {
        let mut hints = hints.fuse();
        let mut clock = tokio::time::interval(REREAD_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(hint) = hints.next() => match hint {
                    // What was kept is out of date before anybody who waits is sent to look.
                    Hint::Changed { booking, version } => {
                        self.inner.kept.heard(booking);
                        self.reached(booking, version);
                    }
                    Hint::Lost => self.inner.kept.hears_nothing(),
                    Hint::Rebound => {
                        self.inner.kept.hears_again();
                        self.reread(&db).await;
                    }
                },
                _ = clock.tick() => self.reread(&db).await,
            }
        }
    }

    fn reached(&self, booking: BookingId, version: u32) {
        if let Some(sender) = self.lock().get(&booking) {
            sender.send_if_modified(|known| {
                let news = version > *known;
                *known = version.max(*known);
                news
            });
        }
    }

    async fn reread(&self, db: &DatabaseConnection) {
        let mut ids: HashSet<BookingId> = self.lock().keys().copied().collect();
        ids.extend(self.inner.kept.wanted());
        let ids: Vec<BookingId> = ids.into_iter().collect();
        for some in ids.chunks(REREAD_IDS_MAX) {
            let asked_at = Instant::now();
            match status::versions(db, some).await {
                Ok(versions) => {
                    for (booking, version) in versions {
                        self.inner.kept.confirm(booking, version, asked_at);
                        self.reached(booking, version);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the versions of watched bookings were not read");
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BookingId, watch::Sender<u32>>> {
        self.inner
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// Returns when there may be something new.
    pub(crate) async fn changed(&mut self) {
        // The sender lives in the map as long as this does.
        if self.news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watched = self.watch.lock();
        // One receiver left: this one.
        if watched
            .get(&self.booking)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            watched.remove(&self.booking);
        }
        metrics::gauge!(metric::BOOKINGS_WATCHED).set(gauge(watched.len()));
    }
}

fn gauge(len: usize) -> f64 {
    u32::try_from(len).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(name: &str) -> BookingId {
        BookingId::derive("t", "s", name)
    }

    #[tokio::test]
    async fn news_reaches_those_who_wait_and_old_news_nobody() {
        let watch = Watch::new(10, KeptStatuses::new());
        let mut one = watch.subscribe(booking("a")).unwrap();
        let mut other = watch.subscribe(booking("b")).unwrap();
        watch.reached(booking("a"), 3);
        watch.reached(booking("nobody"), 1);
        tokio::time::timeout(Duration::from_secs(1), one.changed())
            .await
            .unwrap();
        watch.reached(booking("a"), 2);
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, one.changed()).await.is_err());
        assert!(tokio::time::timeout(short, other.changed()).await.is_err());
    }

    #[test]
    fn a_booking_is_forgotten_with_its_last_watcher_and_the_map_is_bounded() {
        let watch = Watch::new(1, KeptStatuses::new());
        let first = watch.subscribe(booking("a")).unwrap();
        let second = watch.subscribe(booking("a")).unwrap();
        assert!(watch.subscribe(booking("b")).is_err());
        drop(first);
        assert_eq!(watch.lock().len(), 1);
        drop(second);
        assert!(watch.lock().is_empty());
        assert!(watch.subscribe(booking("b")).is_ok());
    }
}
