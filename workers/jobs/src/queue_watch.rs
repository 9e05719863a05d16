//! Worker `queue-watch`: looks at the broker's queues, at what the workers say of themselves and at what waits in
//! the database; keeps a day of it, and raises alerts.

mod exporter;
mod look;
mod rules;
mod series;

use crate::{alerts::Recipients, http::Http};
use boxoffice_contracts::metric;
use boxoffice_invariants::QueueDepth;
use boxoffice_runtime::{Failure, Sweep, Tx, beats, controls};
use boxoffice_store::mysql::{alerts, queues};
use chrono::TimeDelta;
use exporter::Seen;
use look::{Look, Memory};
use rules::{Findings, Rule, STUCK_AFTER_SECS};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Where the broker tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchConfig {
    /// The exporter of every node: `http://host:15692`. Without any, depths are not known.
    pub exporters: Vec<String>,
    /// The vhost that is ours.
    pub vhost: String,
}

/// Ends before the next look.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A hundred times what our own queues take.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Critical times are told over so many minutes: few queues see a hundred messages in one.
const CRITICAL_MINUTES: i64 = 5;
/// Old rows are deleted every so many looks.
const LOOKS_PER_TIDYING: u32 = 12;

/// Watches queues and raises alerts.
///
/// Safe to run twice: rows are written by key, alerts are taken in turns under their lock, and a notice has the id
/// of what it tells.
#[derive(Debug)]
pub struct QueueWatch {
    config: WatchConfig,
    recipients: Recipients,
    http: Http,
    memory: Mutex<Memory>,
}

/// What all nodes say of the depths of their queues.
///
/// # Errors
/// A line that says which of them is silent.
pub(crate) async fn depths(http: &Http, config: &WatchConfig) -> Result<Vec<QueueDepth>, String> {
    let seen = ask(http, config).await?.queues.into_iter();
    Ok(seen
        .map(|(name, depth)| QueueDepth {
            name,
            ready: depth.ready,
            unacked: depth.unacked,
        })
        .collect())
}

/// What all nodes say. One that is silent makes the look blind: its queues would seem empty.
async fn ask(http: &Http, config: &WatchConfig) -> Result<Seen, String> {
    let mut seen = Seen::default();
    for base in &config.exporters {
        let address = exporter::address(base, &config.vhost);
        let (status, body) = http.get(&address).await?;
        if !status.is_success() {
            return Err(format!("answered {status}"));
        }
        let text = String::from_utf8_lossy(&body);
        exporter::read(&text, &config.vhost, &mut seen);
    }
    if seen.queues.is_empty() {
        return Err("tells of no queue of the vhost".to_owned());
    }
    Ok(seen)
}

impl QueueWatch {
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(config: WatchConfig, recipients: Recipients) -> Result<Self, String> {
        Ok(Self {
            http: Http::new(ANSWER_MAX, ANSWER_BYTES_MAX)?,
            config,
            recipients,
            memory: Mutex::default(),
        })
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the exporters tell of the house's queues; how many they do.
///
/// # Errors
/// Why they can't be read, or don't.
pub async fn check(config: &WatchConfig) -> Result<usize, String> {
    let http = Http::new(ANSWER_MAX, ANSWER_BYTES_MAX)?;
    Ok(ask(&http, config).await?.queues.len())
}

impl Sweep for QueueWatch {
    const NAME: &'static str = "queue-watch";
    const EVERY: Duration = Duration::from_secs(5);

    async fn prepare(&self) -> Result<(), Failure> {
        if self.config.exporters.is_empty() {
            return Ok(());
        }
        let answer = ask(&self.http, &self.config).await;
        let mut memory = self.memory();
        match answer {
            Ok(seen) => memory.seen(seen),
            Err(error) => {
                metrics::counter!(metric::WATCH_BLIND_TOTAL).increment(1);
                if memory.blind() {
                    tracing::warn!(error, "the broker's exporter can't be read");
                }
            }
        }
        Ok(())
    }

    async fn sweep(&self, tx: &mut Tx) -> Result<usize, Failure> {
        let standing = alerts::lock_all(tx.db()).await?;
        let now = tx.now().await?;
        let since = now - TimeDelta::minutes(CRITICAL_MINUTES);
        let backlog = queues::backlog(tx.db(), STUCK_AFTER_SECS).await?;
        let (beats, work) = (
            beats::all(tx.db()).await?,
            beats::work(tx.db(), since).await?,
        );
        let before = queues::all(tx.db()).await?;
        let held = controls::effective(tx.db()).await?;
        let (look, blind_since, tidying) = {
            let mut memory = self.memory();
            let look = memory.look(now, &beats, &work, &backlog, before);
            (
                look,
                memory.blind_since(now),
                memory.count().is_multiple_of(LOOKS_PER_TIDYING),
            )
        };
        let Look {
            rows,
            minutes,
            finished,
            depths,
            ages_secs,
            consumed_at,
        } = look;
        queues::write(tx.db(), rows, minutes).await?;
        queues::finish(tx.db(), &finished).await?;
        let seen = rules::observe(&Findings {
            depths: &depths,
            ages_secs: &ages_secs,
            consumed_at: &consumed_at,
            beats: &beats,
            controls: &held,
            backlog: &backlog,
            blind_since,
        });
        self.judge(tx, standing, seen).await?;
        for ended in controls::take_ended(tx).await? {
            tracing::info!(
                target.kind = ended.target.kind(),
                target.name = ended.target.name(),
                "a hold has ended by itself"
            );
        }
        if tidying {
            queues::forget(tx.db()).await?;
            alerts::forget(tx.db()).await?;
            beats::forget(tx.db()).await?;
        }
        Ok(0)
    }
}

impl QueueWatch {
    /// Takes every alert a step on, and writes down who is to be told.
    async fn judge(
        &self,
        tx: &Tx,
        standing: Vec<alerts::row::Model>,
        seen: Vec<rules::Observation>,
    ) -> Result<(), Failure> {
        let now = tx.now().await?;
        let known: BTreeMap<String, alerts::row::Model> = standing
            .into_iter()
            .map(|row| (row.alert_key.clone(), row))
            .collect();
        let judged = look::judge(known, seen, now);
        let mut raised: BTreeMap<&str, u32> = BTreeMap::new();
        for row in &judged.raised {
            *raised.entry(row.as_str()).or_default() += 1;
        }
        for rule in Rule::ALL {
            let count = raised.get(rule.as_str()).copied().unwrap_or_default();
            metrics::gauge!(metric::ALERTS_RAISED, "rule" => rule.as_str()).set(count);
        }
        for key in judged.forgotten {
            alerts::delete(tx.db(), &key).await?;
        }
        for (row, is_new) in judged.written {
            alerts::write(tx.db(), row, is_new).await?;
        }
        for (event, row) in &judged.told {
            let (key, summary) = (row.alert_key.as_str(), row.summary.as_str());
            if *event == alerts::RAISED {
                tracing::warn!(alert.key = key, summary, "alert raised");
            } else {
                tracing::info!(alert.key = key, "alert cleared");
            }
            alerts::tell(tx.db(), self.recipients.notices(event, row, now)).await?;
        }
        Ok(())
    }
}
