//! `cargo xtask bench`: what the house carries, what it costs and how it compares, on this machine.

mod house;
mod peer;
mod trial;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::SystemTime,
};

use anyhow::{Context as _, ensure};

use crate::product::{self, Programs};
use crate::servers::{self, Generation, Given};
use crate::stack::{Folder, Manner, Ports, Stack, State, workspace};
use crate::{interrupt, stack, ui};
use house::House;
use peer::Peer;
use trial::{GUARD, TRIALS, Trial, Where};

/// Of its own: what it leaves when it is killed is in nobody's way.
const PROFILE: &str = "measured";
/// Below cargo's target folder.
const FOLDER: &str = "bench";

/// Measure throughput, latency and cost on a private stack, and compare with the baselines.
///
/// Builds everything optimised, then starts a fresh house for each measurement: its own servers, its own data, nothing
/// that an earlier one left. Repetitions are interleaved, so that a machine that becomes slower does so for all. The
/// numbers of each lie in target/bench/raw, medians of them in target/bench/report.json, .html and .md.
///
///   cargo xtask bench                            everything: more than an hour
///
///   cargo xtask bench --only core --only full    some measurements
///
///   cargo xtask bench --resume                   go on with one that was interrupted
///
///   cargo xtask bench --list                     which there are
///
///   cargo xtask bench --guard                    half a minute: has a booking become dearer?
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only measurements whose name begins so; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often each is made.
    #[arg(long, default_value_t = 3)]
    repetitions: u32,
    /// Keep what was measured since the product was built, and measure the rest.
    #[arg(long)]
    resume: bool,
    /// Without the pipelines that ours is compared with; nothing is installed for them.
    #[arg(long)]
    no_peers: bool,
    /// A short measurement of what hardly depends on the machine, compared with benches/guard.json: fails when a
    /// booking has become dearer by a fifth.
    #[arg(long, conflicts_with_all = ["only", "list", "resume"])]
    guard: bool,
    /// Record what the guard measured instead.
    #[arg(long, requires = "guard")]
    renew: bool,
    /// Show the measurements and end.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        let rows: Vec<Vec<String>> = TRIALS
            .iter()
            .map(|trial| vec![trial.name.to_owned(), trial.what.to_owned()])
            .collect();
        ui::table(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(arguments)?;
    interrupt::listen()?;
    let programs = product::build_with(true, &["boxoffice-bench"])?;
    if arguments.guard {
        return guard(&programs, arguments.renew);
    }
    let folder = product::target()?.join(FOLDER);
    let raw = Raw::open(&folder, &programs, arguments.resume)?;
    let mut failed = Vec::new();
    for repetition in 1..=arguments.repetitions {
        failed.extend(measure_all(&chosen, repetition, &programs, &raw)?);
        // An hour may pass until the next.
        report(&programs, &folder)?;
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// A short measurement, compared with the recorded one.
fn guard(programs: &Programs, renew: bool) -> anyhow::Result<ExitCode> {
    let folder = product::target()?.join(FOLDER).join(GUARD.name);
    let raw = Raw::open(&folder, programs, false)?;
    let failed = measure_all(&[&GUARD], 1, programs, &raw)?;
    ensure!(failed.is_empty(), "the guard could not measure");
    report(programs, &folder)?;
    let mut command = programs.command("boxoffice-bench")?;
    command
        .arg("compare")
        .arg(workspace()?.join("benches/guard.json"))
        .arg(folder.join("report.json"));
    if renew {
        command.arg("--renew");
    }
    let status = command.status().context("boxoffice-bench")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where the numbers of each measurement lie.
struct Raw(PathBuf);

impl Raw {
    /// Deletes what was measured before, or, when it is kept, what another build measured.
    fn open(folder: &Path, programs: &Programs, keep: bool) -> anyhow::Result<Self> {
        let raw = folder.join("raw");
        fs::create_dir_all(&raw)?;
        let built = modified(&programs.folder().join("boxoffice"))?;
        for entry in fs::read_dir(&raw)? {
            let path = entry?.path();
            if !keep || modified(&path)? < built {
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(Self(raw))
    }

    fn of(&self, trial: &Trial, repetition: u32) -> PathBuf {
        self.0.join(format!("{}.{repetition}.json", trial.name))
    }
}

fn modified(path: &Path) -> anyhow::Result<SystemTime> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    Ok(metadata.modified()?)
}

/// Each once; returns those that failed. The others are worth their time.
fn measure_all(
    chosen: &[&Trial],
    repetition: u32,
    programs: &Programs,
    raw: &Raw,
) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    for trial in chosen {
        interrupt::check()?;
        let out = raw.of(trial, repetition);
        if out.exists() {
            continue;
        }
        if let Err(error) = measure(trial, repetition, programs, &out) {
            // A house that did not do everything right has no numbers to show.
            if out.exists() {
                fs::rename(&out, out.with_extension("failed"))?;
            }
            interrupt::check()?;
            let name = format!("{} ({repetition})", trial.name);
            ui::line(&format!("{name} failed: {error:#}"));
            failed.push(name);
        }
    }
    Ok(failed)
}

fn choose(arguments: &Arguments) -> anyhow::Result<Vec<&'static Trial>> {
    let only = &arguments.only;
    for prefix in only {
        ensure!(
            TRIALS.iter().any(|trial| trial.name.starts_with(prefix)),
            "no measurement begins with {prefix:?}; --list shows all of them"
        );
    }
    let named = |trial: &Trial| {
        let begins = |prefix: &String| trial.name.starts_with(prefix.as_str());
        only.is_empty() || only.iter().any(begins)
    };
    let wanted = |trial: &&Trial| {
        let peer = matches!(trial.place, Where::Peer(_));
        named(trial) && !(peer && arguments.no_peers)
    };
    Ok(TRIALS.iter().filter(wanted).collect())
}

/// One measurement in a house of its own.
fn measure(trial: &Trial, repetition: u32, programs: &Programs, out: &Path) -> anyhow::Result<()> {
    ui::line(&format!("{} ({repetition}): {}", trial.name, trial.what));
    if matches!(trial.place, Where::Nowhere) {
        return load(trial, programs, None, out);
    }
    let folder = Folder::new(PROFILE)?;
    let _lock = folder.lock()?;
    if let Some(left) = State::load(&folder)? {
        stack::stop(&folder, left, Manner::AtOnce)?;
    }
    folder.purge()?;
    let ports = Ports::find_free(std::process::id())?;
    let installed = servers::prepare(&Given::default(), ports, Generation::Current)?;
    let stack = Stack::create(folder, ports)?;
    // Until its servers have stopped: they write to what ends with it.
    let mut kept = None;
    let measured = match &trial.place {
        Where::House(setup) => {
            House::start(&stack, &installed, programs, setup).and_then(|house| {
                let house = kept.insert(house);
                load(trial, programs, Some(&house.write_place()?), out)?;
                house.check(setup)
            })
        }
        Where::Peer(name) => Peer::prepare(name).and_then(|peer| {
            let place = peer.start(&stack, &installed)?;
            load(trial, programs, Some(&place), out)?;
            // Beside the numbers: what they were measured with.
            let versions = out.with_file_name(format!("{name}.versions"));
            Ok(fs::write(versions, peer.versions()?)?)
        }),
        Where::Nowhere => Ok(()),
    };
    stack.stop(Manner::AtOnce)?;
    drop(kept);
    measured?;
    stack.folder.purge()
}

/// Does what the measurement is about, and leaves its numbers in `out`.
fn load(
    trial: &Trial,
    programs: &Programs,
    place: Option<&Path>,
    out: &Path,
) -> anyhow::Result<()> {
    let step = ui::step("load", trial.what);
    let mut command = programs.command("boxoffice-bench")?;
    command.arg(trial.scenario);
    if let Some(place) = place {
        command.arg("--place").arg(place);
    }
    let status = command
        .arg("--out")
        .arg(out)
        .args(trial.arguments)
        .status()
        .context("boxoffice-bench could not be run")?;
    ensure!(status.success(), "the measurement failed: see above");
    step.done("measured");
    Ok(())
}

fn report(programs: &Programs, folder: &Path) -> anyhow::Result<()> {
    let mut command: Command = programs.command("boxoffice-bench")?;
    // To be shown beside the numbers.
    let typed: Vec<String> = env::args().skip(1).collect();
    let typed = format!("cargo xtask {}", typed.join(" "));
    let report = command.arg("report").arg(folder);
    let status = report.args(["--command", &typed]).status()?;
    ensure!(status.success(), "the report could not be made: see above");
    Ok(())
}
