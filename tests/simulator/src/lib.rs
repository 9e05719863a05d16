//! The house in one thread, under a seed: the runtime's engine, its settling and the saga's step, as production runs
//! them, over a broker, a store, a gateway, clients and a clock in memory.
//!
//! A seed draws the world, the faults and the schedule; the same seed is the same run, to the last step.

pub mod broker;
pub mod chance;
pub mod clients;
pub mod consumer;
pub mod gateway;
pub mod payments;
pub mod promises;
pub mod settings;
pub mod sim;
pub mod store;
pub mod tables;
pub mod transaction;
pub mod workers;

pub use settings::{Planted, Settings};

use sim::{PROCESSES, Sim};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    /// The first promise that was broken, or what did not come to its end.
    pub broken: Option<String>,
    /// Of everything that happened, in its order.
    pub hash: u64,
    pub steps: u64,
    pub commits: u64,
    pub crashes: u64,
    pub lines: Vec<String>,
}

impl Outcome {
    /// For a person: the end of what happened, and how to see it again.
    #[must_use]
    pub fn told(&self) -> String {
        let from = self.lines.len().saturating_sub(400);
        format!(
            "{}\nseed {}: {}\nrepeat it: BOXOFFICE_SEED={} cargo test -p boxoffice-simulator --test seeds one_seed -- --nocapture",
            self.lines[from..].join("\n"),
            self.seed,
            self.broken.as_deref().unwrap_or("every promise was kept"),
            self.seed,
        )
    }
}

/// Runs a seed to its end.
#[must_use]
pub fn run(seed: u64) -> Outcome {
    run_as(seed, Settings::of(seed), false)
}

/// Runs a seed in a world of the caller's, with every step told if asked.
///
/// # Panics
/// When no runtime can be made.
#[must_use]
pub fn run_as(seed: u64, settings: Settings, told: bool) -> Outcome {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    #[expect(clippy::expect_used, reason = "without a runtime there is no test")]
    let runtime = builder
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let sim = runtime.block_on(live(seed, settings, told));
    drop(runtime);
    let mut state = sim.state();
    Outcome {
        seed,
        broken: state.broken.take(),
        hash: state.trace.hash,
        steps: state.trace.steps,
        commits: state.ledger.commits,
        crashes: state.ledger.crashes,
        lines: state.trace.lines.take().unwrap_or_default(),
    }
}

async fn live(seed: u64, settings: Settings, told: bool) -> Arc<Sim> {
    let sim = Sim::new(seed, settings.clone(), told);
    for process in 0..PROCESSES.len() {
        tokio::spawn(workers::keep(Arc::clone(&sim), process));
    }
    for wish in &settings.bookings {
        tokio::spawn(clients::client(Arc::clone(&sim), wish.clone()));
    }
    tokio::spawn(outages(Arc::clone(&sim)));
    if let Some(after) = settings.calm_after {
        let sim = Arc::clone(&sim);
        tokio::spawn(async move {
            sleep(after).await;
            let mut state = sim.state();
            state.note("judge", "faults stop", 0);
            (state.faults, state.is_down) = (false, false);
        });
    }
    let calm = settings.calm_after;
    let watch = async {
        let began = tokio::time::Instant::now();
        let mut quiet = 0;
        loop {
            sleep(Duration::from_secs(2)).await;
            let state = sim.state();
            let is_over =
                calm.is_some_and(|after| began.elapsed() > after) && state.unfinished().is_none();
            // Clients look every few seconds: somebody may still want something.
            quiet = if is_over { quiet + 1 } else { 0 };
            if state.broken.is_some() || quiet > 4 {
                return;
            }
        }
    };
    if timeout(settings.ends_after, watch).await.is_err() && calm.is_some() {
        let mut state = sim.state();
        if let Some(why) = state.unfinished() {
            state.broke(why);
        }
    }
    sim
}

/// The store is away now and then.
async fn outages(sim: Arc<Sim>) {
    loop {
        let wait = sim.state().chance.millis(2_000, 20_000);
        sleep(wait).await;
        let gone = {
            let mut state = sim.state();
            if !state.fault(3) {
                continue;
            }
            state.is_down = true;
            state.note("store", "is away", 0);
            state.chance.millis(100, 6_000)
        };
        sleep(gone).await;
        let mut state = sim.state();
        state.is_down = false;
        state.note("store", "is there again", 0);
    }
}
