use super::say;
use crate::settings::Settings;
use anyhow::{Context as _, Result};
use boxoffice_store::mongo::{self, Initiated};
use std::process::ExitCode;

/// Work on the document database.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a single fresh server a replica set of one; harmless when it is one.
    Initiate {
        /// Else the setting mongodb.url.
        #[arg(long)]
        url: Option<String>,
    },
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    match arguments.command {
        Command::Initiate { url } => initiate(&url.unwrap_or(settings.mongodb.url)).await?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn initiate(url: &str) -> Result<()> {
    let member = member(url).context("mongodb.url: no host in it")?;
    match mongo::initiate_replica_set(url, &member)
        .await
        .context("mongodb")?
    {
        Initiated::Now => say(&format!("{member} is a replica set now")),
        Initiated::Already => say(&format!("{member} was a replica set already")),
    }
    Ok(())
}

/// The first `host:port` of a MongoDB URL.
fn member(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let place = rest.split(['/', '?']).next()?;
    let hosts = place.rsplit_once('@').map_or(place, |(_, hosts)| hosts);
    let host = hosts.split(',').next().filter(|host| !host.is_empty())?;
    Some(if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:27017")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_is_the_host_of_the_url() {
        assert_eq!(
            member("mongodb://127.0.0.1:28017/?directConnection=true").unwrap(),
            "127.0.0.1:28017"
        );
        assert_eq!(member("mongodb://u:p@db").unwrap(), "db:27017");
        assert!(member("nonsense").is_none());
    }
}
