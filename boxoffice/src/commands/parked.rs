use super::say;
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail};
use boxoffice_contracts::MessageId;
use boxoffice_runtime::{
    Broker, Publisher,
    parked::{self, Status},
    pool,
};
use sea_orm::DatabaseConnection;
use std::process::ExitCode;

/// See what failed for good and why, send it back, or decide that nothing is to be done.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The messages that wait for a person, latest first.
    List {
        #[arg(long, default_value_t = 50)]
        limit: u16,
    },
    /// Send a message back to its queue under the same id; if it fails again it is parked again.
    Replay {
        /// As `list` shows it.
        queue: String,
        message_id: MessageId,
    },
    /// Decide that nothing is to be done about a message. It stays on record.
    Discard {
        queue: String,
        message_id: MessageId,
    },
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let db = pool::connect(&settings.mysql).await.context("mysql")?;
    match arguments.command {
        Command::List { limit } => list(&db, limit).await?,
        Command::Replay { queue, message_id } => {
            let broker = Broker::connect_first(&settings.amqp)
                .await
                .context("amqp")?;
            let sent = parked::replay(&db, &Publisher::new(&broker), &queue, message_id).await;
            broker.close().await;
            sent?;
            say(&format!(
                "{message_id} went back to {queue}; `parked list` shows it again if it fails"
            ));
        }
        Command::Discard { queue, message_id } => {
            if !parked::discard(&db, &queue, message_id).await? {
                bail!("no message {message_id} is parked for {queue}");
            }
            say(&format!("{message_id} is discarded"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(db: &DatabaseConnection, limit: u16) -> Result<()> {
    let messages = parked::list(db, Status::Parked, limit).await?;
    if messages.is_empty() {
        say("nothing is parked");
    }
    for message in messages {
        let (queue, id, failed) = (&message.queue, message.message_id, message.last_failed_at);
        say(&format!(
            "{queue}  {id}  {}  {}",
            failed.format("%F %T"),
            message.kind
        ));
        say(&format!("  {}: {}", message.code, message.reason));
        say(&format!(
            "  failed {} times, replayed {} times",
            message.failures, message.replays
        ));
    }
    Ok(())
}
