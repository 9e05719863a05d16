//! Worker `invariants`: looks whether what was promised holds, and says what does not.

use crate::{http::Http, queue_watch::WatchConfig};
use boxoffice_contracts::{BookingId, metric};
use boxoffice_invariants::{
    Allowed, CATALOGUE, GatewayBooks, Options, Outcome, QueueBooks, Report, Sources, check_all,
};
use boxoffice_runtime::{Failure, Sweep, Tx};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How often, and how much at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvariantsPolicy {
    /// Pause between looks; 0 switches them off.
    pub every_secs: u32,
    /// Bookings of one look; the next one goes on where it ended.
    pub bookings_max: u64,
    /// What others hold is compared for bookings at rest since so long.
    pub grace_secs: u32,
    /// The gateway's books are read, and all bookings compared with them, so often; 0 is never.
    pub gateway_every_secs: u32,
    /// So many days of them.
    pub gateway_days: u32,
}

impl Default for InvariantsPolicy {
    fn default() -> Self {
        Self {
            every_secs: 300,
            bookings_max: 5_000,
            grace_secs: 120,
            gateway_every_secs: 86_400,
            gateway_days: 2,
        }
    }
}

impl InvariantsPolicy {
    /// # Errors
    /// Which value can't be.
    pub fn validate(&self) -> Result<(), String> {
        if self.bookings_max == 0 {
            return Err("invariants.bookings_max: at least 1".to_owned());
        }
        if self.gateway_days == 0 {
            return Err("invariants.gateway_days: at least 1".to_owned());
        }
        Ok(())
    }
}

/// A role that is switched off still looks whether it should end.
const OFF: Duration = Duration::from_secs(3_600);

/// Makes every check and exports what it found.
///
/// Safe to run twice: it only reads. Every process that runs it tells what it found itself.
pub struct CheckInvariants {
    policy: InvariantsPolicy,
    sources: Sources,
    gateway: Option<Arc<dyn GatewayBooks>>,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for CheckInvariants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckInvariants")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Where the walk is, and what was found on it.
#[derive(Debug, Default)]
struct Memory {
    after: Option<BookingId>,
    gateway_asked: Option<Instant>,
    checks: BTreeMap<String, Found>,
}

/// What is known of one check. A walk is many looks, and what an early one found counts until the next walk has passed
/// there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    this_walk: u64,
    last_walk: u64,
    error: Option<String>,
    /// What was said of it in the log.
    said: (u64, bool),
}

impl CheckInvariants {
    #[must_use]
    pub fn new(
        policy: InvariantsPolicy,
        sources: Sources,
        gateway: Option<Arc<dyn GatewayBooks>>,
    ) -> Self {
        Self {
            policy,
            sources,
            gateway,
            memory: Mutex::default(),
        }
    }

    /// What this look asks, and whom.
    fn plan(&self) -> (Sources, Options) {
        let memory = self.memory();
        let every = Duration::from_secs(u64::from(self.policy.gateway_every_secs));
        let due = !every.is_zero() && memory.gateway_asked.is_none_or(|at| at.elapsed() >= every);
        let mut sources = self.sources.clone();
        let mut options = Options {
            grace: Duration::from_secs(u64::from(self.policy.grace_secs)),
            allowed: Allowed::default(),
            ..Options::default()
        };
        if let Some(gateway) = self.gateway.as_ref().filter(|_| due) {
            // All bookings, and without their documents: those have their turn on the walk.
            sources.gateway = Some(Arc::clone(gateway));
            sources.documents = None;
        } else {
            options.after = memory.after;
            options.bookings_max = Some(self.policy.bookings_max);
        }
        (sources, options)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sweep for CheckInvariants {
    const NAME: &'static str = "invariants";
    const EVERY: Duration = Duration::from_secs(300);

    fn every(&self) -> Duration {
        match self.policy.every_secs {
            0 => OFF,
            secs => Duration::from_secs(u64::from(secs)),
        }
    }

    async fn prepare(&self) -> Result<(), Failure> {
        if self.policy.every_secs == 0 {
            return Ok(());
        }
        let (sources, options) = self.plan();
        let report = check_all(&sources, &options).await;
        let mut memory = self.memory();
        if sources.gateway.is_some() {
            memory.gateway_asked = Some(Instant::now());
        }
        memory.learn(&report, options.bookings_max.is_some());
        memory.tell(&report);
        Ok(())
    }

    async fn sweep(&self, _tx: &mut Tx) -> Result<usize, Failure> {
        Ok(0)
    }
}

impl Memory {
    /// Adds what a look found. One that begins anew takes the place of what the walk before last found.
    fn learn(&mut self, report: &Report, walking: bool) {
        for outcome in &report.checks {
            let Outcome {
                id,
                violations,
                error,
                ..
            } = outcome;
            let found = self.checks.entry(id.clone()).or_default();
            found.this_walk = found.this_walk.max(*violations);
            found.error.clone_from(error);
        }
        if !walking {
            return;
        }
        self.after = report.next;
        if report.next.is_none() {
            for found in self.checks.values_mut() {
                found.last_walk = std::mem::take(&mut found.this_walk);
            }
        }
    }

    /// Exports every check, found or not, and logs what has changed.
    fn tell(&mut self, report: &Report) {
        for check in CATALOGUE {
            let found = self.checks.entry(check.id.to_owned()).or_default();
            let violations = found.this_walk.max(found.last_walk);
            let unchecked = found.error.is_some();
            let count = u32::try_from(violations).unwrap_or(u32::MAX);
            metrics::gauge!(metric::INVARIANT_VIOLATIONS, "check" => check.id).set(count);
            metrics::gauge!(metric::INVARIANTS_UNCHECKED, "check" => check.id)
                .set(u32::from(unchecked));
            if found.said == (violations, unchecked) {
                continue;
            }
            let examples = report
                .check(check.id)
                .map(|outcome| outcome.examples.join("; "))
                .unwrap_or_default();
            if violations > 0 {
                tracing::error!(
                    check.id,
                    check.name,
                    violations,
                    examples,
                    "invariant violated"
                );
            } else if let Some(reason) = &found.error {
                tracing::warn!(check.id, check.name, reason, "invariant not checked");
            } else {
                tracing::info!(check.id, check.name, "invariant holds again");
            }
            found.said = (violations, unchecked);
        }
    }
}

/// Queues as the broker's exporters tell of them.
#[derive(Debug)]
pub struct ExportedQueues {
    config: WatchConfig,
    http: Http,
}

/// Ends before anybody waits for it.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 16 << 20;

impl ExportedQueues {
    /// None without an exporter.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn of(config: &WatchConfig) -> Result<Option<Self>, String> {
        if config.exporters.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            config: config.clone(),
            http: Http::new(ANSWER_MAX, ANSWER_BYTES_MAX)?,
        }))
    }
}

#[async_trait::async_trait]
impl QueueBooks for ExportedQueues {
    async fn depths(&self) -> Result<Vec<boxoffice_invariants::QueueDepth>, String> {
        crate::queue_watch::depths(&self.http, &self.config).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(violations: u64, next: Option<BookingId>) -> Report {
        Report {
            checks: vec![Outcome {
                id: "C8".to_owned(),
                violations,
                ..Outcome::default()
            }],
            bookings: 1,
            next,
        }
    }

    #[test]
    fn what_a_walk_found_counts_until_the_next_one_has_passed_there() {
        let mut memory = Memory::default();
        let half = Some(BookingId::derive("house", "s", "k"));
        let told = |memory: &Memory| {
            let found = &memory.checks["C8"];
            found.this_walk.max(found.last_walk)
        };
        memory.learn(&report(2, half), true);
        assert_eq!((told(&memory), memory.after), (2, half));
        memory.learn(&report(0, None), true);
        assert_eq!(
            (told(&memory), memory.after),
            (2, None),
            "the first half is as it was"
        );
        memory.learn(&report(0, half), true);
        assert_eq!(told(&memory), 2);
        memory.learn(&report(0, None), true);
        assert_eq!(told(&memory), 0);
    }

    #[test]
    fn a_look_at_everything_does_not_move_the_walk() {
        let mut memory = Memory {
            after: Some(BookingId::derive("house", "s", "k")),
            ..Memory::default()
        };
        memory.learn(&report(1, None), false);
        assert!(memory.after.is_some());
    }

    #[test]
    fn a_policy_that_looks_at_nothing_is_refused() {
        InvariantsPolicy::default().validate().unwrap();
        let nothing = InvariantsPolicy {
            bookings_max: 0,
            ..InvariantsPolicy::default()
        };
        assert!(nothing.validate().unwrap_err().contains("bookings_max"));
    }
}
