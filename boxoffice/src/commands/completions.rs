use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// Print the script that completes commands and options in a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  boxoffice completions bash > /etc/bash_completion.d/boxoffice\n  boxoffice completions zsh > ~/.zfunc/_boxoffice\n  boxoffice completions fish > ~/.config/fish/completions/boxoffice.fish"
)]
pub(crate) struct Arguments {
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    io::stdout().write_all(&script(arguments.shell))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = crate::Arguments::command();
    clap_complete::generate(shell, &mut command, "boxoffice", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_the_commands_of_the_office() {
        crate::Arguments::command().debug_assert();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in ["parked", "groups", "retries", "proposals", "audit"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
