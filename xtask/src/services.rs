use std::process::ExitCode;

use crate::servers::{self, Given, Scope};
use crate::stack::{self, Folder, Manner, Ports, Stack, State};
use crate::{install, interrupt, test, ui};

const PROFILE: &str = "services";

/// Run only the three servers, for working on the tests by hand.
///
/// `eval "$(cargo xtask services up)"` gives the shell what the tests need; then
/// `cargo nextest run -p boxoffice-runtime` and the like work without `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Start RabbitMQ, MariaDB and MongoDB on free ports; print their URLs as `export` lines.
    Up,
    /// Stop them and delete their data.
    Down,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = Folder::new(PROFILE)?;
    let _lock = folder.lock()?;
    let running = State::load(&folder)?;
    match (&arguments.action, running) {
        (Action::Down, running) => {
            if let Some(state) = running {
                stack::stop(&folder, state, Manner::AtOnce)?;
            }
            folder.purge()?;
        }
        (Action::Up, Some(state)) if state.is_running() => print(&state),
        (Action::Up, leftover) => {
            interrupt::listen()?;
            if let Some(state) = leftover {
                stack::stop(&folder, state, Manner::AtOnce)?;
            }
            print(&start(folder)?.snapshot());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn start(folder: Folder) -> anyhow::Result<Stack> {
    let ports = Ports::find_free(std::process::id())?;
    let given = Given::default();
    servers::prepare(&given, ports)?;
    let schemathesis = install::schemathesis()?;
    let stack = Stack::create(folder, ports)?;
    let started = servers::start(&stack, &given, Scope::Tests)
        .and_then(|servers| stack.remember_env(&test::environment(&servers, &schemathesis)))
        .and_then(|()| stack.mark_ready());
    match started {
        Ok(()) => Ok(stack),
        Err(error) => {
            stack.stop(Manner::AtOnce)?;
            Err(error)
        }
    }
}

fn print(state: &State) {
    for (name, value) in &state.env {
        ui::line(&format!("export {name}='{value}'"));
    }
}
