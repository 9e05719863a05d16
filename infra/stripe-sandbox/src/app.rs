//! What one running sandbox holds, and what a commit sets in motion.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::clock::now_ms;
use crate::events::{Delivery, Event};
use crate::faults::Faults;
use crate::ledger::{Change, Ledger};
use crate::operations::{self, Surroundings};
use crate::webhooks;

pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) public_url: String,
    pub(crate) faults: Faults,
    pub(crate) webhook_urls: RwLock<Vec<String>>,
    pub(crate) http: reqwest::Client,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    ledger: Mutex<Ledger>,
}

/// What a commit sets in motion.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) events: Vec<Event>,
    /// Refunds that are decided later: id and time.
    pub(crate) pending_refunds: Vec<(String, i64)>,
}

impl App {
    pub(crate) fn new(
        config: Config,
        public_url: String,
        ledger: Ledger,
        http: reqwest::Client,
    ) -> Self {
        Self {
            webhook_urls: RwLock::new(config.webhook_urls.clone()),
            config,
            public_url,
            faults: Faults::default(),
            http,
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            ledger: Mutex::new(ledger),
        }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listeners(&self) -> Vec<String> {
        self.webhook_urls
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn surroundings<'a>(&'a self, key: Option<&'a str>) -> Surroundings<'a> {
        Surroundings {
            now_ms: now_ms(),
            public_url: &self.public_url,
            refund_settle_ms: i64::try_from(self.config.refund_settle.as_millis())
                .unwrap_or(i64::MAX),
            idempotency_key: key,
        }
    }

    pub(crate) fn commit(&self, changes: Vec<Change>) -> std::io::Result<Effects> {
        self.commit_locked(&mut self.ledger(), changes)
    }

    pub(crate) fn commit_locked(
        &self,
        ledger: &mut Ledger,
        mut changes: Vec<Change>,
    ) -> std::io::Result<Effects> {
        let nobody_listens = self.listeners().is_empty();
        let mut effects = Effects::default();
        for change in &mut changes {
            match change {
                Change::Event(event) => {
                    if nobody_listens {
                        event.delivery = Delivery::Delivered;
                    } else {
                        effects.events.push(Event::clone(event));
                    }
                }
                Change::Refund(refund) => {
                    effects
                        .pending_refunds
                        .extend(refund.settles_at_ms.map(|at_ms| (refund.id.clone(), at_ms)));
                }
                Change::Intent(_) | Change::Delivery { .. } | Change::Answer(_) => {}
            }
        }
        ledger.commit(changes)?;
        Ok(effects)
    }

    /// Sends what is to be told and sets the clock for what is pending; says whether a webhook goes early.
    pub(crate) fn follow_up(self: &Arc<Self>, effects: Effects) -> bool {
        for (refund, at_ms) in effects.pending_refunds {
            let app = Arc::clone(self);
            self.tasks.spawn(async move {
                let wait = u64::try_from(at_ms - now_ms()).unwrap_or(0);
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(wait)) => app.settle_refund(&refund),
                    () = app.shutdown.cancelled() => {}
                }
            });
        }
        webhooks::dispatch(self, effects.events)
    }

    fn settle_refund(self: &Arc<Self>, id: &str) {
        let committed = {
            let mut ledger = self.ledger();
            let changes = operations::settle_refund(&ledger, id, &self.surroundings(None));
            self.commit_locked(&mut ledger, changes)
        };
        match committed {
            Ok(effects) => {
                self.follow_up(effects);
            }
            Err(error) => tracing::error!(%error, refund.id = id, "a refund could not be settled"),
        }
    }

    /// Takes up what a former process left: undelivered events, undecided refunds.
    /// Without a listener the events go on waiting.
    pub(crate) fn resume(self: &Arc<Self>) {
        let somebody_listens = !self.listeners().is_empty();
        let effects = {
            let ledger = self.ledger();
            Effects {
                events: ledger
                    .undelivered
                    .iter()
                    .filter_map(|&place| ledger.events.at(place))
                    .filter(|event| somebody_listens && event.delivery == Delivery::Pending)
                    .cloned()
                    .collect(),
                pending_refunds: ledger
                    .refunds
                    .oldest_first()
                    .filter_map(|r| r.settles_at_ms.map(|at_ms| (r.id.clone(), at_ms)))
                    .collect(),
            }
        };
        self.follow_up(effects);
    }
}
