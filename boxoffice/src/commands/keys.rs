use super::say;
use crate::keys;
use anyhow::Result;
use std::{path::PathBuf, process::ExitCode};

/// Make the keys that an installation needs: for tokens, ticket codes and status links.
///
/// Each is a file that only its owner reads. What is there already is kept. Name the folder in the setting
/// keys.folder (BOXOFFICE__KEYS__FOLDER) of every process.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let made = keys::create(&arguments.folder)?;
    if made.is_empty() {
        say(&format!(
            "{}: nothing was missing",
            arguments.folder.display()
        ));
    }
    for name in made {
        say(&format!("made {}", arguments.folder.join(name).display()));
    }
    Ok(ExitCode::SUCCESS)
}
