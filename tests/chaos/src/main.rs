//! `boxoffice-chaos`: a run under fire. `cargo xtask chaos` builds everything and calls it.

#![recursion_limit = "256"]

use boxoffice_chaos::{
    fault::{Kind, catalogue},
    report::{Report, Sum},
    runner::{self, Lane, Order},
};
use clap::Parser;
use futures::FutureExt as _;
use std::{
    io::Write as _,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Visits a second that two cores carry with everything on them.
const RATE_PER_SEC: f64 = 14.0;
/// A violation was found.
const FOUND: u8 = 1;
/// The harness failed: nothing is said of the product.
const BROKEN: u8 = 3;

/// Sells tickets on real servers while things go wrong, then compares everybody's books.
///
/// The same seed strikes the same faults at the same targets in the same order. Exit code 0: nothing was found; 1: a
/// promise was broken; 3: the harness itself failed.
#[derive(Debug, Parser)]
#[command(name = "boxoffice-chaos")]
struct Arguments {
    /// How long, the warm-up included.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many seeds, one after the other, each in a house of its own; their sum is sum.json and sum.md.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Only kinds whose name begins so, such as `process.` or `broker.kill`; may be repeated.
    #[arg(long, value_name = "KIND")]
    only: Vec<String>,
    /// No kinds whose name begins so; may be repeated.
    #[arg(long, value_name = "KIND")]
    except: Vec<String>,
    /// Also kinds that take accepted intake from the broker; the house runs with intake.journal on.
    #[arg(long)]
    journal: bool,
    /// Visits a second.
    #[arg(long, default_value_t = RATE_PER_SEC)]
    rate: f64,
    /// Show the catalogue and end.
    #[arg(long)]
    list: bool,
    /// Where report and history go.
    #[arg(long, default_value = "target/chaos")]
    folder: PathBuf,
    /// The folder of the product's program.
    #[arg(long, env = "BOXOFFICE_TEST_BIN_DIR", default_value = "target/debug")]
    programs: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        list();
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run_all(&arguments)));
    match done {
        Ok(sum) if sum.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FOUND),
        Err(error) => {
            tell(&format!("the harness failed: {error:#}"));
            ExitCode::from(BROKEN)
        }
    }
}

async fn run_all(arguments: &Arguments) -> anyhow::Result<Sum> {
    let mut sum = Sum::default();
    for seed in (arguments.seed..).take(usize::try_from(arguments.seeds)?) {
        sum.add(&run(arguments, seed).await?);
        if arguments.seeds > 1 {
            sum.write(&arguments.folder)?;
            tell(&sum.table());
        }
    }
    Ok(sum)
}

async fn run(arguments: &Arguments, seed: u64) -> anyhow::Result<Report> {
    let Arguments { minutes, rate, .. } = *arguments;
    anyhow::ensure!(minutes > 0.2, "a run lasts more than twelve seconds");
    let kinds = runner::choose(
        catalogue(),
        &arguments.only,
        &arguments.except,
        arguments.journal,
    )?;
    let folder = arguments.folder.join(format!("seed-{seed}"));
    let order = Order {
        minutes,
        seed,
        rate,
        kinds,
        journal: arguments.journal,
        folder: folder.clone(),
        programs: std::path::absolute(&arguments.programs)?,
        command: command(arguments, seed),
    };
    // A panic anywhere in the harness is not a finding.
    let findings = AssertUnwindSafe(Box::pin(runner::run(order)))
        .catch_unwind()
        .await;
    let findings = findings.map_err(|_panic| anyhow::anyhow!("a panic: see above"))??;
    let report = Report::of(findings, &arguments.folder.join("planted.json"))?;
    // The last run lies where everybody looks; all runs lie in folders of their own.
    for folder in [&folder, &arguments.folder] {
        report.write(folder)?;
    }
    say_how_it_ended(&report, &arguments.folder);
    Ok(report)
}

fn command(arguments: &Arguments, seed: u64) -> String {
    let mut line = format!(
        "cargo xtask chaos --minutes {} --seed {seed}",
        arguments.minutes
    );
    for (flag, values) in [("--only", &arguments.only), ("--except", &arguments.except)] {
        for value in values {
            line += &format!(" {flag} {value}");
        }
    }
    if arguments.journal {
        line += " --journal";
    }
    if (arguments.rate - RATE_PER_SEC).abs() > f64::EPSILON {
        line += &format!(" --rate {}", arguments.rate);
    }
    line
}

fn say_how_it_ended(report: &Report, folder: &Path) {
    let summary = &report.summary;
    tell(&format!(
        "{} bookings accepted, {} effective faults of {} kinds, recovery p95 {:.1} s, max {:.1} s",
        summary.accepted,
        summary.effective_faults,
        summary.fault_kinds,
        summary.recovery_p95_s,
        summary.recovery_max_s
    ));
    for (name, count) in summary.zeros().iter().filter(|(_, count)| *count > 0) {
        tell(&format!("VIOLATION: {name} {count}"));
    }
    let complaints = report.checks.complaints();
    for line in complaints
        .iter()
        .chain(&report.stuck)
        .chain(&report.ended_badly)
        .take(20)
    {
        tell(line);
    }
    if summary.trouble > 0 {
        tell(&format!(
            "{} faults could not be struck or healed",
            summary.trouble
        ));
    }
    tell(&format!(
        "the report is {}",
        folder.join("report.html").display()
    ));
}

fn list() {
    let mut text = String::new();
    for Kind {
        name,
        weight,
        journal,
        ..
    } in catalogue()
    {
        let kind = boxoffice_chaos::fault::kind(name);
        let lane = kind.map(|kind| format!("{:?}", Lane::of(kind)).to_lowercase());
        let journal = if *journal { "  needs --journal" } else { "" };
        text += &format!(
            "{name:<28} weight {weight}  {}{journal}\n",
            lane.unwrap_or_default()
        );
    }
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "chaos: {line}");
}
