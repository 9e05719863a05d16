//! `boxoffice`: one binary; what it does is an argument.

mod commands;
mod keys;
mod limits;
mod logging;
mod measures;
mod office;
mod otlp;
mod priority;
mod schema;
mod settings;
mod ticket_keys;

use boxoffice_contracts::planted;
use clap::Parser;
use std::{process::ExitCode, time::Duration};

/// Sells seats when everybody comes at once.
///
/// Settings come from built-in defaults, then a file (`--config` or BOXOFFICE_CONFIG), then the environment:
/// BOXOFFICE__MYSQL__URL sets `mysql.url`. `boxoffice config` prints all of them with their origin.
#[derive(Debug, Parser)]
#[command(
    name = "boxoffice",
    version = VERSION,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// A TOML file with settings.
    #[arg(long, global = true, value_name = "FILE", env = "BOXOFFICE_CONFIG")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: commands::Command,
}

/// A build in which bugs can be planted says so.
const VERSION: &str = if planted::POSSIBLE {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (for tests: bugs can be planted)"
    )
} else {
    env!("CARGO_PKG_VERSION")
};

/// Exit code of a wrong configuration, as sysexits.h has it (EX_CONFIG).
const EXIT_CONFIG: u8 = 78;

/// How long threads that block may take when everything else has ended.
const LEFT_MAX: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // One TLS provider for every client in the process, before any of them asks for one.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        commands::complain("another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    let arguments = Arguments::parse();
    if arguments.command.role().is_some()
        && let Err(little) = limits::check()
    {
        commands::complain(&little);
        return ExitCode::from(EXIT_CONFIG);
    }
    let settings = match settings::Settings::load(arguments.config.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            commands::complain(&format!("{error:#}"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if let Err(error) = plant() {
        commands::complain(&error.to_string());
        return ExitCode::from(EXIT_CONFIG);
    }
    // Before there is a thread that would keep its own.
    if arguments.command.gives_way()
        && let Err(error) = priority::give_way()
    {
        commands::complain(&format!("the process keeps its priority: {error}"));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            commands::complain(&format!("no async runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(commands::run(arguments.command, settings));
    // Whatever still blocks a thread, a name that is not resolved say, is not waited for: the process is over.
    runtime.shutdown_timeout(LEFT_MAX);
    match ended {
        Ok(code) => code,
        Err(error) => {
            commands::complain(&format!("{error:#}"));
            match error.downcast_ref::<office::OfficeError>() {
                Some(refused) => ExitCode::from(refused.exit_code()),
                None => ExitCode::FAILURE,
            }
        }
    }
}

/// What the tests want to be wrong; any other build refuses to start with it.
fn plant() -> Result<(), planted::NotPlanted> {
    let named = |variable| std::env::var(variable).ok();
    let (bug, skew) = (named(planted::VARIABLE), named(planted::SKEW_VARIABLE));
    if let Some(bug) = planted::plant(bug.as_deref(), skew.as_deref())? {
        commands::complain(&format!("planted: {}", bug.as_str()));
    }
    Ok(())
}
