//! `boxoffice proposals`: four eyes for what moves money.

use super::parked;
use crate::{
    office::{Format, OfficeArgs, Table, show},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::Role;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Edits that wait for a second person: see them, approve them, refuse them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  boxoffice proposals list\n  boxoffice proposals approve PROPOSAL --reason 'compared with the gateway'\n\nNobody approves what they proposed themselves; whoever proposed it may refuse it, which withdraws it."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    office: OfficeArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Those that wait, youngest first.
    List {
        /// pending, approved, refused, stale or all.
        #[arg(long, default_value = "pending")]
        state: String,
    },
    /// Let it be done, and watch the edited message to its outcome.
    Approve {
        proposal: String,
        /// Why; the audit keeps it.
        #[arg(long)]
        reason: String,
        /// Don't watch.
        #[arg(long)]
        no_wait: bool,
    },
    /// Let it be; the message stays parked as it was.
    Refuse {
        proposal: String,
        /// Why; the audit keeps it.
        #[arg(long)]
        reason: String,
    },
}

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let role = match arguments.command {
        Command::List { .. } => Role::Viewer,
        Command::Approve { .. } | Command::Refuse { .. } => Role::Operator,
    };
    let desk = parked::Desk::open(&arguments.office, settings, role)?;
    let decide = |proposal: &str, verb: &str, reason: &str| {
        let path = format!("/v1/backoffice/proposals/{proposal}/{verb}");
        desk.office.post(&path, &json!({"reason": reason}))
    };
    match &arguments.command {
        Command::List { state } => {
            let answer = desk
                .office
                .get(&format!("/v1/backoffice/proposals?state={state}"))?;
            show(arguments.office.format, &answer, table);
        }
        Command::Approve {
            proposal,
            reason,
            no_wait,
        } => {
            let answer = decide(proposal, "approve", reason)?;
            if !no_wait && let Some(retry) = answer["retry"].as_str() {
                return parked::wait_for(&desk, retry);
            }
            tell(arguments.office.format, &answer);
        }
        Command::Refuse { proposal, reason } => {
            tell(
                arguments.office.format,
                &decide(proposal, "refuse", reason)?,
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(format: Format, answer: &Value) {
    show(format, answer, |answer| {
        table(&json!({"proposals": [answer]}))
    });
}

fn table(answer: &Value) -> Table {
    let headings = [
        "proposal", "state", "by", "since", "queue", "message", "kind", "changes", "reason",
    ];
    let mut table = Table::new(&headings, "nothing waits for a second person");
    for proposal in answer["proposals"].as_array().into_iter().flatten() {
        let text = |name: &str| proposal[name].as_str().unwrap_or("").to_owned();
        let changes = proposal["changes"].as_array().into_iter().flatten();
        let changes: Vec<String> = changes
            .map(|change| {
                let value = |name: &str| change.get(name).map_or("-".to_owned(), Value::to_string);
                let at = change["pointer"].as_str().unwrap_or("");
                format!("{at}: {} → {}", value("was"), value("is"))
            })
            .collect();
        table.row(vec![
            text("id"),
            text("state"),
            text("proposed_by"),
            text("proposed_at").chars().take(19).collect(),
            text("queue"),
            text("message_id"),
            text("kind"),
            changes.join(", "),
            text("reason"),
        ]);
    }
    table
}
