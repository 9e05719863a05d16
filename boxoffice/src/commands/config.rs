use super::say;
use crate::settings;
use anyhow::Result;
use std::{path::PathBuf, process::ExitCode};

/// Print every effective setting with where it comes from; secrets are redacted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(from_global)]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    for line in settings::effective(arguments.config.as_deref())? {
        say(&format!(
            "{:<34} {:<60} # {}",
            line.key, line.value, line.origin
        ));
    }
    Ok(ExitCode::SUCCESS)
}
