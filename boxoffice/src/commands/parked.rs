//! `boxoffice parked`: see what failed for good and why, and mend it. Everything goes through the API.

mod decide;
mod edit;
mod filter;
mod retry;
mod show;

pub(crate) use retry::wait_for;

use crate::{
    office::{Office, OfficeArgs},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::Role;
use filter::{FilterArgs, Standing};
use serde_json::json;
use std::process::ExitCode;

/// Done, but some messages failed again or were refused.
pub(crate) const EXIT_TROUBLE: u8 = 3;

/// See what failed for good and why, and mend it: retry, edit, archive.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    office: OfficeArgs,
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
From the trouble to its end:
  boxoffice parked groups                          what failed, by trouble, with its cause in words
  boxoffice parked list --group GROUP              the messages of one trouble
  boxoffice parked show QUEUE MESSAGE              one message: headers, body, history
  boxoffice parked retry --group GROUP --reason 'fix deployed'
                                                   says first what would be sent, then asks; --yes starts it
  boxoffice parked edit QUEUE MESSAGE --reason 'generation was 0'
                                                   opens $EDITOR; what stays [redacted] stays as it was
  boxoffice parked archive --group GROUP --reason 'sender was told'

Exit codes: 0 all done; 1 an error; 2 wrong arguments; 3 refused, stopped, or some failed again; 4 no such message;
5 the API doesn't answer.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What failed, by trouble: same queue, code, kind, and reason but for ids and numbers.
    #[command(
        after_help = "Example:\n  boxoffice parked groups --status all --queue payments --format json"
    )]
    Groups {
        #[command(flatten)]
        filter: FilterArgs,
        /// Which of them.
        #[arg(long, value_enum, default_value_t = Standing::Open)]
        status: Standing,
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// The messages, latest failure first.
    #[command(
        after_help = "Example:\n  boxoffice parked list --code panic --since 2026-11-21T18:00:00Z --replays 1"
    )]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Which of them.
        #[arg(long, value_enum, default_value_t = Standing::Open)]
        status: Standing,
        /// At most so many in all; pages are fetched as needed.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One message: cause, headers, body without personal data, every failure.
    Show {
        /// As `list` shows it.
        queue: String,
        message: String,
    },
    /// Send messages back to where they failed, under their own ids.
    ///
    /// Says first which can be sent and why others can't. Then one is sent, then ten, then the rest; when too many
    /// of a stage fail again it stops by itself. Handled twice a message has one effect.
    #[command(
        after_help = "Examples:\n  boxoffice parked retry mail 1f0c0de0-8a3e-5d0b-9f5e-3b1d2c4a5f60 --reason 'mailbox was full'\n  boxoffice parked retry --group GROUP --reason 'fix deployed' --yes\n  boxoffice parked retry --queue payments --code gateway_no_answer --rate 50 --stages 1,5,50 --reason 'gateway is back'"
    )]
    Retry(retry::RetryArgs),
    /// Mend a message and send it, or send it to another queue. The original is kept.
    ///
    /// Without --file it opens $VISUAL or $EDITOR. The edited body must be what its kind promises and about the
    /// same thing. What moves money waits until another person approves: `boxoffice proposals`.
    #[command(
        after_help = "Examples:\n  boxoffice parked edit tickets MESSAGE --reason 'revision was missing'\n  boxoffice parked edit payments MESSAGE --to-queue tickets --file body.json --reason 'was misrouted'"
    )]
    Edit(edit::EditArgs),
    /// Decide that nothing is to be done. The messages stay on record; what fails anew opens the group again.
    Archive(decide::DecideArgs),
    /// Take archived messages up again.
    Restore(decide::DecideArgs),
    /// Retries: planned, running, done.
    #[command(
        after_help = "Example:\n  boxoffice parked retries pause RETRY --reason 'gateway is slow'"
    )]
    Retries {
        #[command(subcommand)]
        command: Retries,
    },
}

#[derive(Debug, clap::Subcommand)]
enum Retries {
    /// Youngest first.
    List,
    /// How far one is, and what failed again.
    Show { retry: String },
    /// Start a planned one.
    Start(retry::OrderArgs),
    /// Send nothing more for now; what was sent is followed.
    Pause(retry::OrderArgs),
    /// Go on. One that stopped by itself does so no more.
    Resume(retry::OrderArgs),
    /// For good; what was not sent stays parked.
    Cancel(retry::OrderArgs),
}

/// A caller and all that is needed to make another when its token ends.
pub(crate) struct Desk<'a> {
    pub office: Office,
    pub arguments: &'a OfficeArgs,
    pub settings: &'a Settings,
}

impl<'a> Desk<'a> {
    pub(crate) fn open(
        arguments: &'a OfficeArgs,
        settings: &'a Settings,
        role: Role,
    ) -> Result<Self> {
        Ok(Self {
            office: Office::open(arguments, settings, role)?,
            arguments,
            settings,
        })
    }
}

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let role = match arguments.command {
        Command::Groups { .. } | Command::List { .. } | Command::Show { .. } => Role::Viewer,
        Command::Retries {
            command: Retries::List | Retries::Show { .. },
        } => Role::Viewer,
        _ => Role::Operator,
    };
    let desk = Desk::open(&arguments.office, settings, role)?;
    match &arguments.command {
        Command::Groups {
            filter,
            status,
            limit,
        } => show::groups(&desk, filter, *status, *limit),
        Command::List {
            filter,
            status,
            limit,
        } => show::list(&desk, filter, *status, *limit),
        Command::Show { queue, message } => show::one(&desk, queue, message),
        Command::Retry(arguments) => retry::run(&desk, arguments),
        Command::Edit(arguments) => edit::run(&desk, arguments),
        Command::Archive(arguments) => decide::run(&desk, arguments, "archive"),
        Command::Restore(arguments) => decide::run(&desk, arguments, "restore"),
        Command::Retries { command } => retries(&desk, command),
    }
}

fn retries(desk: &Desk<'_>, command: &Retries) -> Result<ExitCode> {
    let (order, arguments) = match command {
        Retries::List => return retry::list(desk),
        Retries::Show { retry } => {
            let answer = desk
                .office
                .get(&format!("/v1/backoffice/parked/retries/{retry}"))?;
            retry::tell(desk, &answer);
            return Ok(ExitCode::SUCCESS);
        }
        Retries::Start(arguments) => ("start", arguments),
        Retries::Pause(arguments) => ("pause", arguments),
        Retries::Resume(arguments) => ("resume", arguments),
        Retries::Cancel(arguments) => ("cancel", arguments),
    };
    let path = format!("/v1/backoffice/parked/retries/{}/{order}", arguments.retry);
    let answer = desk
        .office
        .post(&path, &json!({"reason": arguments.reason}))?;
    retry::tell(desk, &answer);
    Ok(ExitCode::SUCCESS)
}

/// Whether the person agrees: by `--yes`, or at the terminal.
fn agrees(yes: bool, question: &str) -> bool {
    use std::io::{IsTerminal, Write, stderr, stdin};
    if yes {
        return true;
    }
    if !stdin().is_terminal() {
        return false;
    }
    let _ = write!(stderr(), "{question} [y/N] ");
    let mut line = String::new();
    stdin().read_line(&mut line).is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}

/// Something beside the answer: progress, a hint. The answer alone stands on standard output.
fn hint(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
