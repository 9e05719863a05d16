//! `boxoffice audit`: who did what, and why.

use super::say;
use crate::{
    office::{Office, OfficeArgs, Table, show},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::Role;
use serde_json::Value;
use std::process::ExitCode;
use url::form_urlencoded::Serializer;

/// Deeds of one request.
const PAGE: u32 = 500;

/// Who of the staff did what, when, and why.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  boxoffice audit --action parked. --limit 20\n  boxoffice audit --target group:GROUP\n  boxoffice audit --export > audit.jsonl\n  boxoffice audit --export --after 1200 >> audit.jsonl"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    office: OfficeArgs,
    /// Done by this person.
    #[arg(long)]
    subject: Option<String>,
    /// This action, such as parked.edit; `parked.` means all that begin so.
    #[arg(long)]
    action: Option<String>,
    /// Done to this, such as queue:mail or parked:QUEUE/MESSAGE.
    #[arg(long)]
    target: Option<String>,
    /// Younger than this number, oldest first.
    #[arg(long)]
    after: Option<u64>,
    /// At most so many; the latest, unless --after is given.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// All of them as JSON lines, oldest first.
    #[arg(long)]
    export: bool,
}

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let office = Office::open(&arguments.office, settings, Role::Viewer)?;
    if arguments.export {
        return export(arguments, &office);
    }
    let answer = office.get(&path(arguments, arguments.limit, arguments.after))?;
    show(arguments.office.format, &answer, table);
    Ok(ExitCode::SUCCESS)
}

/// Page by page: as many as there are, in as little memory as one page.
fn export(arguments: &Arguments, office: &Office) -> Result<ExitCode> {
    let mut after = arguments.after.unwrap_or(0);
    loop {
        let page = office.get(&path(arguments, PAGE, Some(after)))?;
        for deed in page["deeds"].as_array().into_iter().flatten() {
            say(&deed.to_string());
        }
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn path(arguments: &Arguments, limit: u32, after: Option<u64>) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in [
        ("subject", &arguments.subject),
        ("action", &arguments.action),
        ("target", &arguments.target),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.append_pair("limit", &limit.to_string());
    if let Some(after) = after {
        query.append_pair("after", &after.to_string());
    }
    format!("/v1/backoffice/audit?{}", query.finish())
}

fn table(answer: &Value) -> Table {
    let headings = ["no", "at", "who", "role", "action", "target", "reason"];
    let mut table = Table::new(&headings, "nobody did anything");
    for deed in answer["deeds"].as_array().into_iter().flatten() {
        let text = |name: &str| deed[name].as_str().unwrap_or("").to_owned();
        table.row(vec![
            deed["id"].to_string(),
            text("at")
                .chars()
                .take(19)
                .collect::<String>()
                .replace('T', " "),
            text("subject"),
            text("role"),
            text("action"),
            text("target"),
            text("reason"),
        ]);
    }
    table
}
