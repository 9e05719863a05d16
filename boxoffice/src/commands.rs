//! One file per command.

mod api;
mod audit;
mod booking;
mod completions;
mod config;
mod credit;
mod doctor;
mod import;
mod invariants;
mod keys;
mod migrate;
mod mongo;
mod openapi;
mod parked;
mod partner;
mod process;
mod proposals;
mod queues;
mod stuck;
mod ticket;
mod timeline;
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
    Partner(partner::Arguments),
    Queues(queues::Queues),
    Pause(queues::Pause),
    Drain(queues::Drain),
    Resume(queues::Resume),
    Workers(queues::Workers),
    Alerts(queues::Alerts),
    Proposals(proposals::Arguments),
    Audit(audit::Arguments),
    Completions(completions::Arguments),
    Mongo(mongo::Arguments),
    Ticket(ticket::Arguments),
    Timeline(timeline::Arguments),
    Booking(booking::Arguments),
    Stuck(stuck::Arguments),
    Import(import::Arguments),
    Token(token::Arguments),
    Keys(keys::Arguments),
    Config(config::Arguments),
    Credit(credit::Arguments),
    Openapi(openapi::Arguments),
    Doctor(doctor::Arguments),
}

impl Command {
    /// Whether nobody waits for what the process does: a customer waits for a seat and for a payment, not for a mail.
    pub(crate) fn gives_way(&self) -> bool {
        match self {
            Self::Worker(arguments) => arguments.gives_way(),
            _ => false,
        }
    }

    /// What the process does, when it goes on doing it.
    pub(crate) fn role(&self) -> Option<String> {
        match self {
            Self::Api(_) => Some("api".to_owned()),
            Self::Worker(arguments) => arguments.roles(),
            Self::All(_) => Some("all".to_owned()),
            Self::Migrate(_)
            | Self::Topology(_)
            | Self::Parked(_)
            | Self::Partner(_)
            | Self::Queues(_)
            | Self::Pause(_)
            | Self::Drain(_)
            | Self::Resume(_)
            | Self::Workers(_)
            | Self::Alerts(_)
            | Self::Proposals(_)
            | Self::Audit(_)
            | Self::Completions(_)
            | Self::Mongo(_)
            | Self::Import(_)
            | Self::Token(_)
            | Self::Keys(_)
            | Self::Ticket(_)
            | Self::Openapi(_)
            | Self::Timeline(_)
            | Self::Booking(_)
            | Self::Stuck(_)
            | Self::Config(_)
            | Self::Credit(_)
            | Self::Doctor(_) => None,
        }
    }
}

pub(crate) async fn run(command: Command, settings: Settings) -> Result<ExitCode> {
    crate::logging::start(&settings.log)?;
    let exporting = match command.role() {
        Some(role) => crate::otlp::start(&settings.trace, &role)?,
        None => None,
    };
    let result = obey(command, settings).await;
    if let Some(exporting) = exporting {
        exporting.finish().await;
    }
    result
}

async fn obey(command: Command, settings: Settings) -> Result<ExitCode> {
    match command {
        Command::Api(arguments) => api::run(arguments, settings).await,
        Command::Worker(arguments) => worker::run(arguments, settings).await,
        Command::All(arguments) => worker::all(arguments, settings).await,
        Command::Migrate(arguments) => migrate::run(arguments, settings).await,
        Command::Topology(arguments) => topology::run(arguments, settings).await,
        Command::Partner(arguments) => partner::run(&arguments, &settings),
        Command::Queues(arguments) => queues::queues(arguments, &settings),
        Command::Pause(arguments) => queues::pause(&arguments, &settings),
        Command::Drain(arguments) => queues::drain(&arguments, &settings),
        Command::Resume(arguments) => queues::resume(&arguments, &settings),
        Command::Workers(arguments) => queues::workers(&arguments, &settings),
        Command::Alerts(arguments) => queues::alerts(&arguments, &settings),
        Command::Parked(arguments) => parked::run(&arguments, &settings),
        Command::Proposals(arguments) => proposals::run(&arguments, &settings),
        Command::Audit(arguments) => audit::run(&arguments, &settings),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Mongo(arguments) => mongo::run(arguments, settings).await,
        Command::Ticket(arguments) => ticket::run(arguments, settings).await,
        Command::Timeline(arguments) => timeline::run(arguments, settings).await,
        Command::Booking(arguments) => booking::run(arguments, settings).await,
        Command::Stuck(arguments) => stuck::run(&arguments, &settings),
        Command::Import(arguments) => import::run(arguments, settings).await,
        Command::Token(arguments) => token::run(arguments, &settings),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Credit(arguments) => credit::run(&arguments, &settings),
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
