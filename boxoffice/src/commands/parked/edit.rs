//! Edit and retry.

use super::{
    Desk, EXIT_TROUBLE, agrees, hint,
    retry::wait_for,
    show::{list_of, text},
};
use crate::{commands::say, office::Format};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

#[derive(Debug, clap::Args)]
pub(super) struct EditArgs {
    /// As `list` shows it.
    queue: String,
    message: String,
    /// The whole body as it should have been, as JSON; `-` reads standard input. Without it an editor opens.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Send it to this queue instead; it must accept the kind.
    #[arg(long)]
    to_queue: Option<String>,
    /// What it is, where it came as a kind that nobody knows.
    #[arg(long)]
    kind: Option<String>,
    /// Why; the audit keeps it.
    #[arg(long)]
    reason: String,
    /// Only say what would be.
    #[arg(long)]
    dry_run: bool,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
    /// Send it and leave.
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &EditArgs) -> Result<ExitCode> {
    let path = format!(
        "/v1/backoffice/parked/{}/{}",
        arguments.queue, arguments.message
    );
    let body = match &arguments.file {
        Some(file) => read(file)?,
        None => {
            let shown = desk.office.get(&path)?;
            let shown = shown["body"]
                .get("json")
                .cloned()
                .unwrap_or_else(|| json!({}));
            by_editor(&shown)?
        }
    };
    let ask = |dry_run: bool| -> Result<Value> {
        let mut wish = json!({"body": body, "reason": arguments.reason, "dry_run": dry_run});
        if let Some(queue) = &arguments.to_queue {
            wish["queue"] = json!(queue);
        }
        if let Some(kind) = &arguments.kind {
            wish["kind"] = json!(kind);
        }
        desk.office.post(&format!("{path}/edit"), &wish)
    };
    let preview = ask(true)?;
    for change in list_of(&preview, "changes") {
        let value = |name: &str| {
            change
                .get(name)
                .map_or("nothing".to_owned(), Value::to_string)
        };
        hint(&format!(
            "  {}: {} → {}",
            text(&change["pointer"]),
            value("was"),
            value("is")
        ));
    }
    if arguments.dry_run {
        say(&format!("{preview:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    let needs_second = preview["needs_second_person"] == true;
    let question = if needs_second {
        "propose it to a second person?"
    } else {
        "send it?"
    };
    if !agrees(arguments.yes, question) {
        hint("nothing was changed: add --yes");
        return Ok(ExitCode::from(EXIT_TROUBLE));
    }
    let done = ask(false)?;
    if let Some(proposal) = done["proposal"].as_str() {
        match desk.arguments.format {
            Format::Json => say(&format!("{done:#}")),
            Format::Table => {
                say(&format!("proposal {proposal}"));
                say(&format!(
                    "  another person approves it: boxoffice proposals approve {proposal} --reason '…'"
                ));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    hint(&format!("edited as {}", text(&done["message_id"])));
    if arguments.no_wait {
        say(&format!("{done:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    wait_for(desk, text(&done["retry"]))
}

fn read(file: &Path) -> Result<Value> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input")?;
    } else {
        text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// Lets a person edit the body in a file that nobody else can read.
fn by_editor(shown: &Value) -> Result<Value> {
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(|name| {
        let found = env::var(name).ok()?;
        (!found.trim().is_empty()).then_some(found)
    });
    let Some(editor) = editor else {
        bail!("no editor: set EDITOR, or give the body with --file");
    };
    let path = env::temp_dir().join(format!("boxoffice-{}.json", uuid::Uuid::new_v4()));
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    file.context("a file for the editor")?
        .write_all(format!("{shown:#}\n").as_bytes())?;
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let edited = Command::new(program).args(words).arg(&path).status();
    let edited = match edited {
        Ok(status) if status.success() => read(&path),
        Ok(status) => Err(anyhow::anyhow!(
            "{program} ended with {status}; nothing was changed"
        )),
        Err(error) => Err(anyhow::anyhow!("{program}: {error}")),
    };
    let _ = fs::remove_file(&path);
    edited
}
