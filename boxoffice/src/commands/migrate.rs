use super::{mongo as replica, say};
use crate::{schema, settings::Settings};
use anyhow::{Context as _, Result, bail};
use boxoffice_migrations::{Migrator, MigratorTrait as _};
use boxoffice_runtime::pool;
use boxoffice_store::mongo;
use std::{process::ExitCode, time::Duration};

/// Bring the databases to this version. Safe while the former version runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Take back so many migrations instead.
    #[arg(long, value_name = "COUNT")]
    down: Option<u32>,
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let db = pool::connect(&settings.mysql).await.context("mysql")?;
    schema::require_known(&db).await?;
    if let Some(count) = arguments.down {
        Migrator::down(&db, Some(count)).await?;
        say(&format!("took back {count} migrations"));
        return Ok(ExitCode::SUCCESS);
    }
    Migrator::up(&db, None).await.context("mysql")?;
    if settings.mongodb.initiate_replica_set {
        replica::initiate(&settings.mongodb.url).await?;
    }
    let documents = mongo::connect(
        &settings.mongodb.url,
        &settings.mongodb.database,
        "boxoffice migrate",
    )
    .await
    .context("mongodb.url")?;
    await_primary(&documents).await?;
    mongo::ensure_indexes(&documents).await.context("mongodb")?;
    say("the databases are at this version");
    Ok(ExitCode::SUCCESS)
}

/// How long a fresh replica set may take to elect its only member.
const ELECTION_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

async fn await_primary(documents: &mongodb::Database) -> Result<()> {
    let deadline = tokio::time::Instant::now() + ELECTION_MAX;
    while !mongo::is_up(documents).await {
        if tokio::time::Instant::now() > deadline {
            bail!(
                "mongodb: no primary; is it up, and a replica set? `boxoffice mongo initiate` makes it one"
            );
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
