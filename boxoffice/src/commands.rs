//! One file per command.

mod api;
mod config;
mod doctor;
mod import;
mod keys;
mod migrate;
mod mongo;
mod openapi;
mod parked;
mod process;
mod token;
mod topology;
mod worker;

use crate::settings::Settings;
use anyhow::Result;
use clap::Subcommand;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Api(api::Arguments),
    Worker(worker::Arguments),
    All(worker::All),
    Migrate(migrate::Arguments),
    Topology(topology::Arguments),
    Parked(parked::Arguments),
    Mongo(mongo::Arguments),
    Import(import::Arguments),
    Token(token::Arguments),
    Keys(keys::Arguments),
    Config(config::Arguments),
    Openapi(openapi::Arguments),
    Doctor(doctor::Arguments),
}

pub(crate) async fn run(command: Command, settings: Settings) -> Result<ExitCode> {
    crate::logging::start(&settings.log)?;
    match command {
        Command::Api(arguments) => api::run(arguments, settings).await,
        Command::Worker(arguments) => worker::run(arguments, settings).await,
        Command::All(arguments) => worker::all(arguments, settings).await,
        Command::Migrate(arguments) => migrate::run(arguments, settings).await,
        Command::Topology(arguments) => topology::run(arguments, settings).await,
        Command::Parked(arguments) => parked::run(arguments, settings).await,
        Command::Mongo(arguments) => mongo::run(arguments, settings).await,
        Command::Import(arguments) => import::run(arguments, settings).await,
        Command::Token(arguments) => token::run(arguments, &settings),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Openapi(arguments) => Ok(openapi::run(&arguments)),
        Command::Doctor(arguments) => doctor::run(arguments, settings).await,
    }
}

/// A result, for people and pipes. A reader that has left loses nothing that it wanted.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// What is wrong, in one line.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "boxoffice: {}", text.replace('\n', " "));
}
