use super::say;
use crate::settings::Settings;
use anyhow::{Context as _, Result};
use boxoffice_contracts::topology::QUEUES;
use boxoffice_jobs::partners::Door;
use boxoffice_runtime::{Broker, declare, drift};
use std::process::ExitCode;

/// Declare exchanges and queues, or show what differs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Declare what is missing, the partners' vhost included when partners.management_url is set. What exists with
    /// other arguments is named, not changed.
    Declare,
    /// Compare the broker with the table; exit code 1 when they differ.
    Diff,
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let broker = Broker::connect_first(&settings.amqp)
        .await
        .context("amqp")?;
    let code = match arguments.command {
        Command::Declare => {
            declare(&broker).await?;
            say(&format!(
                "{} queues and their exchanges are declared",
                QUEUES.len()
            ));
            if let Some(door) = settings.partners.door()? {
                open(&door).await?;
            }
            ExitCode::SUCCESS
        }
        Command::Diff => {
            let needed: Vec<_> = QUEUES.iter().collect();
            let differences = drift(&broker, &needed).await?;
            for difference in &differences {
                say(&difference.to_string());
            }
            if differences.is_empty() {
                say("no difference");
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    };
    broker.close().await;
    Ok(code)
}

/// So that the gate finds its vhost and its user, whoever starts first.
async fn open(door: &Door) -> Result<()> {
    let made = door.open().await?;
    let made = if made.is_empty() {
        "nothing was missing".to_owned()
    } else {
        format!("made {}", made.join(", "))
    };
    say(&format!(
        "the partners' vhost {} is there: {made}",
        door.vhost
    ));
    Ok(())
}
