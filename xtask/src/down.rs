use std::process::ExitCode;

use crate::stack::{self, Folder, Manner, State};
use crate::ui;

/// Stop everything that `up` started, in order.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Also delete the data: bookings, mails, queues, passwords. Logs stay.
    #[arg(long)]
    purge: bool,
    /// The name given to `up`.
    #[arg(long, value_name = "NAME", default_value = "dev")]
    profile: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = Folder::new(&arguments.profile)?;
    let _lock = folder.lock()?;
    match State::load(&folder)? {
        Some(state) => {
            let manner = if arguments.purge {
                Manner::AtOnce
            } else {
                Manner::Gently
            };
            stack::stop(&folder, state, manner)?;
            ui::line("stopped");
        }
        None => ui::line("nothing was running"),
    }
    if arguments.purge {
        folder.purge()?;
        ui::line("data deleted");
    }
    Ok(ExitCode::SUCCESS)
}
