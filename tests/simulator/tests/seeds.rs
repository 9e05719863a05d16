//! Seeds: many, each as its world, its faults and its schedule; and those that once found something.

use boxoffice_simulator::{Outcome, Settings, run, run_as};
use std::time::Instant;

/// Seeds of one test.
const SEEDS: u64 = 10_000;

/// Runs a seed again with every step told.
fn retold(seed: u64) -> Outcome {
    run_as(seed, Settings::of(seed), true)
}

#[test]
fn ten_thousand_seeds() {
    let began = Instant::now();
    let from: u64 = std::env::var("BOXOFFICE_SEED_FROM")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let many: u64 = std::env::var("BOXOFFICE_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(SEEDS);
    let (mut steps, mut commits, mut crashes, mut failed) = (0, 0, 0, Vec::new());
    for seed in from..from + many {
        let outcome = run(seed);
        steps += outcome.steps;
        commits += outcome.commits;
        crashes += outcome.crashes;
        if let Some(broken) = outcome.broken {
            failed.push((seed, broken));
        }
    }
    println!(
        "{many} seeds in {:.1} s: {steps} steps, {commits} commits, {crashes} crashes, {} failed",
        began.elapsed().as_secs_f64(),
        failed.len()
    );
    if let Some((seed, _)) = failed.first() {
        println!("{}", retold(*seed).told());
    }
    assert!(
        failed.is_empty(),
        "{} seeds failed: {:?}",
        failed.len(),
        &failed[..failed.len().min(20)]
    );
}

/// `BOXOFFICE_SEED=n cargo test -p boxoffice-simulator --test seeds one_seed -- --nocapture`
#[test]
fn one_seed() {
    let seed = std::env::var("BOXOFFICE_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let outcome = retold(seed);
    if std::env::var_os("BOXOFFICE_SEED").is_some() {
        println!("{}", outcome.told());
    }
    assert_eq!(outcome.broken, None, "{}", outcome.told());
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..200 {
        let (first, second) = (run(seed), retold(seed));
        assert_eq!(
            (first.hash, first.steps),
            (second.hash, second.steps),
            "seed {seed}"
        );
    }
}
