//! Seeds: many, each as its world, its faults and its schedule; and those that once found something.

use boxoffice_simulator::{Outcome, Settings, run, run_as};
use std::time::Instant;

/// Seeds of one test.
const SEEDS: u64 = 10_000;

/// Runs a seed again with every step told.
fn retold(seed: u64) -> Outcome {
    run_as(seed, Settings::of(seed), true)
}

/// Seeds that once found something, and what: they are run for ever.
const REGRESSIONS: &[(u64, &str)] = &[
    (
        0,
        "the simulator's relay sent rows that were not committed yet",
    ),
    (
        714,
        "a second refund of one booking orders the mail of the first again: it is not sent",
    ),
];

#[derive(Debug, Default)]
struct Sum {
    steps: u64,
    commits: u64,
    crashes: u64,
    failed: Vec<(u64, String)>,
}

/// Every world has one thread; worlds share the machine's.
fn run_all(from: u64, many: u64) -> Sum {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let part = |thread: u64| {
        let mut sum = Sum::default();
        for seed in (from..from + many).filter(|seed| seed % threads == thread) {
            let outcome = run(seed);
            sum.steps += outcome.steps;
            sum.commits += outcome.commits;
            sum.crashes += outcome.crashes;
            sum.failed
                .extend(outcome.broken.map(|broken| (seed, broken)));
        }
        sum
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || part(thread)))
            .collect();
        let mut all = Sum::default();
        for part in parts {
            let sum = part.join().expect("a thread of worlds");
            all.steps += sum.steps;
            all.commits += sum.commits;
            all.crashes += sum.crashes;
            all.failed.extend(sum.failed);
        }
        all.failed.sort();
        all
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `BOXOFFICE_SEEDS` and `BOXOFFICE_SEED_FROM` choose others.
#[test]
fn ten_thousand_seeds() {
    let began = Instant::now();
    let many = number("BOXOFFICE_SEEDS").unwrap_or(SEEDS);
    let sum = run_all(number("BOXOFFICE_SEED_FROM").unwrap_or(0), many);
    println!(
        "{many} seeds in {:.1} s: {} steps, {} commits, {} crashes, {} failed",
        began.elapsed().as_secs_f64(),
        sum.steps,
        sum.commits,
        sum.crashes,
        sum.failed.len()
    );
    if let Some((seed, _)) = sum.failed.first() {
        println!("{}", retold(*seed).told());
    }
    let first = &sum.failed[..sum.failed.len().min(20)];
    assert!(
        sum.failed.is_empty(),
        "{} seeds failed: {first:?}",
        sum.failed.len()
    );
}

#[test]
fn regressions() {
    for (seed, found) in REGRESSIONS {
        let outcome = retold(*seed);
        assert_eq!(outcome.broken, None, "{found}\n{}", outcome.told());
    }
}

/// `BOXOFFICE_SEED=n cargo test -p boxoffice-simulator --test seeds one_seed -- --nocapture`
#[test]
fn one_seed() {
    let seed = number("BOXOFFICE_SEED").unwrap_or(1);
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
