//! `boxoffice doctor --check-invariants`.

use super::say;
use crate::{
    office::{Format, Table},
    settings::Settings,
    ticket_keys,
};
use anyhow::{Context as _, Result};
use boxoffice_invariants::{GatewayBooks, Options, QueueBooks, Report, Sources, check_all};
use boxoffice_jobs::{gateway::balance::StripeBooks, invariants::ExportedQueues};
use boxoffice_runtime::pool;
use boxoffice_store::mongo;
use std::{process::ExitCode, sync::Arc, time::Duration};

/// How the checks are made.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// Compare what every party believes instead: seats, money, tickets, documents, mails, queues. Reads only, so it
    /// may run while the house is live. Fails when anything is wrong, and when a check could not be made.
    #[arg(long)]
    pub(crate) check_invariants: bool,
    #[arg(long, value_enum, default_value_t = Format::Table, requires = "check_invariants")]
    format: Format,
    /// What others hold is compared for bookings at rest since so many seconds.
    #[arg(
        long,
        value_name = "SECS",
        default_value_t = 120,
        requires = "check_invariants"
    )]
    grace: u64,
    /// Nobody works any more: nothing may be due, unsent or in a queue.
    #[arg(long, requires = "check_invariants")]
    at_rest: bool,
    /// The gateway's books of so many days are compared; 0 doesn't ask the gateway.
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 2,
        requires = "check_invariants"
    )]
    gateway_days: u32,
    /// Shown of each check's violations.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 5,
        requires = "check_invariants"
    )]
    examples: usize,
}

pub(crate) async fn run(arguments: &CheckArguments, settings: &Settings) -> Result<ExitCode> {
    let sources = sources(settings, arguments.gateway_days).await?;
    let options = Options {
        grace: Duration::from_secs(arguments.grace),
        at_rest: arguments.at_rest,
        examples_max: arguments.examples,
        ..Options::default()
    };
    let report = check_all(&sources, &options).await;
    match arguments.format {
        Format::Json => say(&serde_json::to_string_pretty(&report)?),
        Format::Table => table(&report),
    }
    Ok(if report.is_fine() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn sources(settings: &Settings, gateway_days: u32) -> Result<Sources> {
    let db = pool::connect(&settings.mysql).await.context("mysql")?;
    let documents = mongo::connect(
        &settings.mongodb.url,
        &settings.mongodb.database,
        "boxoffice doctor",
    )
    .await
    .context("mongodb.url")?;
    let keys = ticket_keys::set(&ticket_keys::of(&settings.tickets)?)?;
    let gateway = match gateway_days {
        0 => None,
        days => StripeBooks::of(&settings.gateway, days).map_err(anyhow::Error::msg)?,
    };
    let queues = ExportedQueues::of(&settings.watch()).map_err(anyhow::Error::msg)?;
    Ok(Sources {
        documents: Some(documents),
        ticket_keys: Some(keys).filter(|keys| keys.iter().next().is_some()),
        gateway: gateway.map(|books| Arc::new(books) as Arc<dyn GatewayBooks>),
        queues: queues.map(|queues| Arc::new(queues) as Arc<dyn QueueBooks>),
        ..Sources::of(db)
    })
}

fn table(report: &Report) {
    let headings = ["CHECK", "PROMISE", "LOOKED AT", "VIOLATIONS", "COMPARES"];
    let mut table = Table::new(&headings, "no check was made");
    for outcome in &report.checks {
        let compares = boxoffice_invariants::CATALOGUE
            .iter()
            .find(|check| check.id == outcome.id)
            .map_or("", |check| check.compares);
        let violations = match &outcome.error {
            Some(_) => "not checked".to_owned(),
            None => outcome.violations.to_string(),
        };
        table.row(vec![
            outcome.id.clone(),
            outcome.name.clone(),
            outcome.looked_at.to_string(),
            violations,
            compares.to_owned(),
        ]);
    }
    table.lines().iter().for_each(|line| say(line));
    report.complaints().iter().for_each(|line| say(line));
    say(&format!(
        "{} bookings, {}",
        report.bookings,
        verdict(report)
    ));
}

fn verdict(report: &Report) -> String {
    let wrong = report.checks.iter().filter(|check| check.violations > 0);
    let unmade = report.checks.iter().filter(|check| check.error.is_some());
    match (wrong.count(), unmade.count()) {
        (0, 0) => "all promises hold".to_owned(),
        (wrong, unmade) => format!("{wrong} promises broken, {unmade} not checked"),
    }
}
