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
mod scenario;
mod spread;
mod watchers;

use clap::Parser;
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
    Pipeline {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::pipeline::Arguments,
    },
    /// The door alone, while nobody works on what it accepts.
    Intake {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::intake::Arguments,
    },
    /// A hundred seats, and everybody wants one.
    Hot {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::hot::Arguments,
    },
    /// What clients read while others buy.
    Reads {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::reads::Arguments,
    },
    /// The door while nobody works, and the workers before lines of several lengths.
    Drain {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::drain::Arguments,
    },
    /// From nothing to the first booking.
    Start {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::start::Arguments,
    },
    /// A worker is killed under load.
    Kill {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::kill::Arguments,
    },
    /// Publishes, commits, calls and acknowledgements of a booking, and nothing else.
    Bare {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::bare::Arguments,
    },
    /// Several processes of each worker.
    Scale {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::scale::Arguments,
    },
    /// Ticket documents alone.
    Papers {
        /// Where the numbers go.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        arguments: scenario::papers::Arguments,
    },
    /// What broker and database can do alone.
    Parts {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::parts::Arguments,
    },
    /// The same work at a peer.
    Peer {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        arguments: scenario::peer::Arguments,
    },
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

#[derive(Debug, clap::Args)]
struct Files {
    /// Describes the running house.
    #[arg(long)]
    place: PathBuf,
    /// Where the numbers go.
    #[arg(long)]
    out: PathBuf,
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
        Command::Pipeline { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::pipeline::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Intake { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::intake::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Hot { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::hot::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Reads { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::reads::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Drain { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::drain::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Start { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::start::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Kill { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::kill::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Bare { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::bare::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Scale { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::scale::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Papers { out, arguments } => scenario::papers::run(&arguments)?.write(&out),
        Command::Parts { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::parts::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
        Command::Peer { files, arguments } => {
            let place = Place::read(&files.place)?;
            let outcome = scenario::peer::run(place, &arguments).await?;
            outcome.write(&files.out)
        }
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
