//! Archive and restore.

use super::{Desk, EXIT_TROUBLE, agrees, filter::Chosen, hint};
use crate::{commands::say, office::Format};
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct DecideArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Why; the audit keeps it.
    #[arg(long)]
    reason: String,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &DecideArgs, verb: &str) -> Result<ExitCode> {
    let path = format!("/v1/backoffice/parked/{verb}");
    let ask = |dry_run: bool| -> Result<Value> {
        let filter = arguments.chosen.filter()?.body();
        let body = json!({"filter": filter, "reason": arguments.reason, "dry_run": dry_run});
        desk.office.post(&path, &body)
    };
    let found = ask(true)?["messages"].as_u64().unwrap_or(0);
    if found == 0 {
        hint(&format!("there is nothing to {verb}"));
        return Ok(ExitCode::from(EXIT_TROUBLE));
    }
    if !agrees(arguments.yes, &format!("{verb} {found} messages?")) {
        hint(&format!("{found} messages; nothing was changed: add --yes"));
        return Ok(ExitCode::from(EXIT_TROUBLE));
    }
    let answer = ask(false)?;
    match desk.arguments.format {
        Format::Json => say(&format!("{answer:#}")),
        Format::Table => say(&format!("{verb}d: {} messages", answer["messages"])),
    }
    Ok(ExitCode::SUCCESS)
}
