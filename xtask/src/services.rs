use std::process::ExitCode;

use crate::servers::{self, Generation, Given, Scope};
use crate::stack::{self, Folder, Manner, Ports, Stack, State};
use crate::{interrupt, test, ui};

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
    Up {
        /// `next`: RabbitMQ 4 and MySQL 9 from Debian sid instead; needs root.
        #[arg(long, value_enum, default_value = "current")]
        servers: Generation,
    },
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
        (Action::Up { .. }, Some(state)) if state.is_running() => print(&state),
        (Action::Up { servers }, leftover) => {
            interrupt::listen()?;
            if let Some(state) = leftover {
                stack::stop(&folder, state, Manner::AtOnce)?;
            }
            print(&start(folder, *servers)?.snapshot());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn start(folder: Folder, generation: Generation) -> anyhow::Result<Stack> {
    let ports = Ports::find_free(std::process::id())?;
    let given = Given::default();
    let installed = servers::prepare(&given, ports, generation)?;
    let tools = test::Tools::prepare()?;
    let stack = Stack::create(folder, ports)?;
    let started = servers::start(&stack, &given, &installed, Scope::Tests)
        .and_then(|servers| test::environment(&stack, &given, &installed, &servers))
        .and_then(|mut environment| {
            environment.extend(tools.environment(&stack));
            stack.remember_env(&environment)
        })
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
