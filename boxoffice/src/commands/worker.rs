use super::{process::Services, say};
use crate::settings::Settings;
use anyhow::{Result, bail};
use boxoffice_contracts::topology::roles;
use boxoffice_jobs::registry::ROLES;
use std::process::ExitCode;

/// Run workers.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the named roles in this process.
    Run {
        /// One or more of those that `boxoffice worker list` prints.
        #[arg(required = true)]
        roles: Vec<String>,
    },
    /// List the roles.
    List,
}

impl Arguments {
    /// The roles of the process, if it runs any.
    pub(crate) fn roles(&self) -> Option<String> {
        match &self.command {
            Command::Run { roles } => Some(roles.join(" ")),
            Command::List => None,
        }
    }

    /// Whether nobody waits for any of the roles.
    pub(crate) fn gives_way(&self) -> bool {
        match &self.command {
            Command::Run { roles } => !roles::ROLES
                .iter()
                .any(|role| role.waited_for && roles.iter().any(|name| name == role.name)),
            Command::List => false,
        }
    }
}

/// Run every role and the API in one process, for a laptop.
#[derive(Debug, clap::Args)]
pub(crate) struct All {}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let roles = match arguments.command {
        Command::List => {
            ROLES.iter().for_each(|role| say(role));
            return Ok(ExitCode::SUCCESS);
        }
        Command::Run { roles } => roles,
    };
    if let Some(unknown) = roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        bail!(
            "there is no role {unknown:?}; there are {}",
            ROLES.join(", ")
        );
    }
    let services = Services::connect(settings, &format!("boxoffice {}", roles.join(" "))).await?;
    let workers = services.workers()?;
    services.serve_health(workers.health()).await?;
    let ran = workers.run(&roles, services.stop.clone()).await;
    services.end().await;
    ran?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn all(_: All, settings: Settings) -> Result<ExitCode> {
    let services = Services::connect(settings, "boxoffice all").await?;
    let workers = services.workers()?;
    services.serve_api().await?;
    let ran = workers.run(&[], services.stop.clone()).await;
    services.end().await;
    ran?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody waits for one of several roles: then the process is waited for.
    #[test]
    fn only_a_process_for_whom_nobody_waits_gives_way() {
        let gives_way = |roles: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            let command = Command::Run { roles };
            Arguments { command }.gives_way()
        };
        assert!(gives_way(&["mail"]));
        assert!(gives_way(&["mail", "tickets", "timeline"]));
        assert!(!gives_way(&["reservations"]));
        assert!(!gives_way(&["mail", "payments"]));
        let list = Command::List;
        assert!(!Arguments { command: list }.gives_way());
    }
}
