use std::process::ExitCode;

use crate::stack::{Folder, State};
use crate::{ui, up};

/// Show what runs, where, and where its log is. Fails when something should run and doesn't.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print the environment of our programs as `export` lines, for `eval "$(cargo xtask status --env)"`.
    #[arg(long)]
    env: bool,
    /// The name given to `up`.
    #[arg(long, value_name = "NAME", default_value = "dev")]
    profile: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = Folder::new(&arguments.profile)?;
    let Some(state) = State::load(&folder)? else {
        ui::line("nothing is running; start it with `cargo xtask up`");
        return Ok(ExitCode::FAILURE);
    };
    if arguments.env {
        for (name, value) in &state.env {
            ui::line(&format!("export {name}='{}'", value.replace('\'', "'\\''")));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![
        ["ROLE", "STATE", "PID", "ADDRESS", "LOG"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(state.processes.iter().map(|process| {
        let alive = if process.identity.is_alive() {
            "running"
        } else {
            "DEAD"
        };
        vec![
            process.role.clone(),
            alive.to_owned(),
            process.identity.pid.to_string(),
            process.address.clone(),
            process.log.display().to_string(),
        ]
    }));
    ui::table(&rows);
    ui::line("");
    up::print_addresses(&state);
    if state.is_running() {
        return Ok(ExitCode::SUCCESS);
    }
    let (ready, dead) = (state.ready, state.dead());
    ui::line(&match (ready, dead.is_empty()) {
        (false, _) => "it is still starting or stopping".to_owned(),
        (true, false) => format!(
            "{} died: read its log, then `cargo xtask up`",
            dead.join(", ")
        ),
        (true, true) => "it is being stopped".to_owned(),
    });
    Ok(ExitCode::FAILURE)
}
