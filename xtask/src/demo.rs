//! `cargo xtask demo`: the main job, told by a client of the running stack.

pub(crate) mod client;
mod rush;
pub(crate) mod stories;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::{
    product::{self, Programs},
    stack::{Folder, Group, State},
    ui,
};

/// Book, pay, decline, authenticate, abandon, cancel, and storm a hall, on the stack that `up` started.
///
/// Every line is what the running system answered; files that it makes are printed with their path.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name of the running stack.
    #[arg(long, value_name = "NAME", default_value = "dev")]
    profile: String,
    /// Only the on-sale rush.
    #[arg(long)]
    rush: bool,
}

/// Where the running stack is, and who we are to it.
pub(crate) struct Place {
    pub(crate) api: String,
    pub(crate) mail: Option<String>,
    /// Health and metrics of the reservations worker.
    pub(crate) reservations: String,
    pub(crate) folder: std::path::PathBuf,
    state: State,
    programs: Programs,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let place = Place::find(&arguments.profile)?;
    if !arguments.rush {
        stories::tell(&place)?;
    }
    rush::storm(&place)?;
    Ok(ExitCode::SUCCESS)
}

impl Place {
    pub(crate) fn find(profile: &str) -> Result<Self> {
        let folder = Folder::new(profile)?;
        let Some(state) = State::load(&folder)?.filter(State::is_running) else {
            bail!("nothing is running; start it with `cargo xtask up --detach`");
        };
        let listen = state
            .env
            .get("BOXOFFICE__API__LISTEN")
            .context("the stack has no API address")?;
        let mail = state
            .processes
            .iter()
            .find(|process| process.group == Group::Sandbox && process.role == "mail-catcher")
            .map(|process| process.address.clone());
        let reservations = product::internal_address(&state, "reservations")?;
        let out = folder.data("demo");
        std::fs::create_dir_all(&out)?;
        let programs = Programs::of_running(&state)?;
        Ok(Self {
            api: format!("http://{listen}"),
            mail,
            reservations,
            folder: out,
            state,
            programs,
        })
    }

    /// Tokens of customers, named `prefix-1`, `prefix-2` …
    pub(crate) fn tokens(&self, prefix: &str, count: usize) -> Result<Vec<String>> {
        let output = self
            .programs
            .command("boxoffice")?
            .args([
                "token",
                "--role",
                "customer",
                "--ttl",
                "1h",
                "--subject",
                prefix,
            ])
            .args(["--count", &count.to_string()])
            .envs(&self.state.env)
            .output()
            .context("boxoffice could not be run")?;
        if !output.status.success() {
            bail!(
                "`boxoffice token` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?
            .lines()
            .map(str::to_owned)
            .collect())
    }
}

/// A headline between stories.
pub(crate) fn headline(text: &str) {
    ui::line("");
    ui::line(text);
}
