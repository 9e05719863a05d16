//! `cargo xtask chaos`: the house under fire, on servers that it may kill.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

use crate::product::{self, Programs};
use crate::servers::{self, Generation, Given};
use crate::stack::{Folder, Ports, Stack};
use crate::{install, interrupt, older, test, ui};

const PROFILE: &str = "chaos";

/// Sell tickets while everything breaks, then compare everybody's books.
///
/// Starts RabbitMQ, a SQL database and MongoDB of its own, every process of the house with a fault proxy in each of
/// its links, a payment gateway and a mail server; lets customers and partners come; strikes faults from a seeded
/// catalogue; heals the last one, waits for rest, and makes every check.
///
/// The report lies in target/chaos: report.html for people, report.json for machines, seed-N/history.jsonl is what the
/// clients asked and learned. Exit code 0: nothing was found. 1: a promise was broken, the report says which. 3: the
/// harness itself failed, and nothing is said of the product.
///
///   cargo xtask chaos --minutes 10 --seed 1             what a push is judged by
///
///   cargo xtask chaos --minutes 120 --seed 7 --release  a night
///
///   cargo xtask chaos --minutes 3 --only broker. --only process.kill
///
///   cargo xtask chaos --only deploy. --against v0.1.0   two versions side by side
///
///   cargo xtask chaos --list                            the catalogue
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long, a warm-up without faults included.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// The same seed strikes the same faults in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many seeds, one after the other; their sum is target/chaos/sum.md.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Only kinds whose name begins so; may be repeated.
    #[arg(long, value_name = "KIND")]
    only: Vec<String>,
    /// No kinds whose name begins so; may be repeated.
    #[arg(long, value_name = "KIND")]
    except: Vec<String>,
    /// Also kinds that take accepted intake from the broker; needs intake.journal.
    #[arg(long)]
    journal: bool,
    /// Visits a second; a number that the machine carries when nothing is wrong.
    #[arg(long)]
    rate: Option<f64>,
    /// A commit: `deploy.rolling` replaces each process by that version's program, and back.
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
    /// The product optimised: more bookings, longer to compile.
    #[arg(long)]
    release: bool,
    /// `next`: against RabbitMQ 4 and MySQL 9 from Debian sid instead; needs root.
    #[arg(long, value_enum, default_value = "current")]
    servers: Generation,
    /// Show the catalogue of faults and end.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    interrupt::listen()?;
    let harness = build()?;
    let programs = if arguments.release {
        product::build(true)?
    } else {
        harness.clone()
    };
    if arguments.list {
        let status = harness.command("boxoffice-chaos")?.arg("--list").status()?;
        return Ok(code(status.code()));
    }
    let folder = Folder::new(PROFILE)?;
    let _lock = folder.lock()?;
    folder.purge()?;
    let ports = Ports::find_free(std::process::id())?;
    let installed = servers::prepare(&Given::default(), ports, arguments.servers)?;
    install::ensure_readers()?;
    let stack = Stack::create(folder, ports)?;
    let mut command = harness.command("boxoffice-chaos")?;
    for (name, program) in servers::for_tests(&stack, &installed)? {
        command.env(name, program);
    }
    command.env("BOXOFFICE_TEST_BIN_DIR", programs.folder());
    if let Some(commit) = &arguments.against {
        let older = older::program(commit, arguments.release)?;
        command.env("BOXOFFICE_CHAOS_OTHER", older);
    }
    pass(arguments, &mut command);
    let status = test::run_to_end(&mut command)?;
    stack.folder.purge()?;
    Ok(code(status.code()))
}

/// What is the harness's own business.
fn pass(arguments: &Arguments, command: &mut Command) {
    command.args(["--minutes", &arguments.minutes.to_string()]);
    command.args(["--seed", &arguments.seed.to_string()]);
    command.args(["--seeds", &arguments.seeds.to_string()]);
    for kind in &arguments.only {
        command.args(["--only", kind]);
    }
    for kind in &arguments.except {
        command.args(["--except", kind]);
    }
    if arguments.journal {
        command.arg("--journal");
    }
    if let Some(rate) = arguments.rate {
        command.args(["--rate", &rate.to_string()]);
    }
}

/// The harness, and the product as the tests have it: an optimised harness would take long to compile and wait
/// as long.
fn build() -> anyhow::Result<Programs> {
    ui::note("building the product and the harness");
    let mut command = product::cargo()?;
    command.args(["build", "--workspace", "--bins", "--tests"]);
    let status = command.status().context("cargo could not be run")?;
    ensure!(status.success(), "the build failed: cargo says why above");
    Programs::built(false)
}

fn code(code: Option<i32>) -> ExitCode {
    match code {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(3)),
        None => ExitCode::from(3),
    }
}
