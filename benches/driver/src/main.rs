//! `boxoffice-bench`: one measurement of a running house. `cargo xtask bench` starts the houses and calls it.

mod book;
mod broker;
mod calibration;
mod catalogue;
mod cost;
mod crew;
mod crowd;
mod database;
mod guard;
mod http;
mod news;
mod orders;
mod outcome;
mod place;
mod queues;
mod report;
mod sale;
mod scenario;
mod spread;
mod watchers;

use clap::Parser;
use outcome::Outcome;
use place::Place;
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// Loads a running house and writes down what it did and what it cost.
#[derive(Debug, Parser)]
#[command(name = "boxoffice-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the catalogue that the others need, for `boxoffice import all`.
    Catalogue {
        folder: PathBuf,
        /// Of a thousand bookings each.
        #[arg(long, default_value_t = 60)]
        shows: usize,
    },
    /// The whole way of a booking.
    Pipeline(Measure<scenario::pipeline::Arguments>),
    /// The door alone, while nobody works on what it accepts.
    Intake(Measure<scenario::intake::Arguments>),
    /// A hundred seats, and everybody wants one.
    Hot(Measure<scenario::hot::Arguments>),
    /// The same, and what others wait for meanwhile who want other shows.
    Neighbours(Measure<scenario::neighbours::Arguments>),
    /// What clients read while others buy.
    Reads(Measure<scenario::reads::Arguments>),
    /// The door while nobody works, and the workers before lines of several lengths.
    Drain(Measure<scenario::drain::Arguments>),
    /// From nothing to the first booking.
    Start(Measure<scenario::start::Arguments>),
    /// A worker is killed under load.
    Kill(Measure<scenario::kill::Arguments>),
    /// Publishes, commits, calls and acknowledgements of a booking, and nothing else.
    Bare(Measure<scenario::bare::Arguments>),
    /// Several processes of each worker.
    Scale(Measure<scenario::scale::Arguments>),
    /// Ticket documents alone.
    Papers {
        /// Where the numbers go.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        arguments: scenario::papers::Arguments,
    },
    /// What broker and database can do alone.
    Parts(Measure<scenario::parts::Arguments>),
    /// The same work at a peer.
    Peer(Measure<scenario::peer::Arguments>),
    /// Medians of what lies in `raw` below this folder, and what they say of the goals.
    Report {
        folder: PathBuf,
        /// How it was measured, to be shown.
        #[arg(long)]
        command: Option<String>,
    },
    /// Compare a report's measurement `guard` with what was recorded before; fails when something has become worse.
    Compare {
        /// `benches/guard.json`.
        recorded: PathBuf,
        /// `report.json`.
        report: PathBuf,
        /// Record the report's numbers instead.
        #[arg(long)]
        renew: bool,
    },
}

/// One measurement, with what it asks for.
#[derive(Debug, clap::Args)]
struct Measure<A: clap::Args> {
    /// Describes the running house.
    #[arg(long)]
    place: PathBuf,
    /// Where the numbers go.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    arguments: A,
}

impl<A: clap::Args> Measure<A> {
    async fn run(
        self,
        scenario: impl AsyncFnOnce(Place, &A) -> anyhow::Result<Outcome>,
    ) -> anyhow::Result<()> {
        let place = Place::read(&self.place)?;
        scenario(place, &self.arguments).await?.write(&self.out)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Catalogue { folder, shows } => catalogue::write(&folder, shows),
        Command::Pipeline(measure) => measure.run(scenario::pipeline::run).await,
        Command::Intake(measure) => measure.run(scenario::intake::run).await,
        Command::Hot(measure) => measure.run(scenario::hot::run).await,
        Command::Neighbours(measure) => measure.run(scenario::neighbours::run).await,
        Command::Reads(measure) => measure.run(scenario::reads::run).await,
        Command::Drain(measure) => measure.run(scenario::drain::run).await,
        Command::Start(measure) => measure.run(scenario::start::run).await,
        Command::Kill(measure) => measure.run(scenario::kill::run).await,
        Command::Bare(measure) => measure.run(scenario::bare::run).await,
        Command::Scale(measure) => measure.run(scenario::scale::run).await,
        Command::Papers { out, arguments } => scenario::papers::run(&arguments)?.write(&out),
        Command::Parts(measure) => measure.run(scenario::parts::run).await,
        Command::Peer(measure) => measure.run(scenario::peer::run).await,
        Command::Report { folder, command } => say(&report::write(&folder, command)?),
        Command::Compare {
            recorded,
            report,
            renew: true,
        } => guard::renew(&recorded, &report),
        Command::Compare {
            recorded, report, ..
        } => {
            let comparison = guard::compare(&recorded, &report)?;
            say(&comparison.table())?;
            comparison.judge()
        }
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
