//! Retries: the plan first, then the start, then how it goes until it is over.

use super::{
    Desk, EXIT_TROUBLE, agrees,
    filter::Chosen,
    hint,
    show::{list_of, short_time, text},
};
use crate::{
    commands::say,
    office::{Format, Office, OfficeError, Table, show},
};
use anyhow::Result;
use boxoffice_contracts::Role;
use serde_json::{Value, json};
use std::{process::ExitCode, thread, time::Duration};

const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Why it will go well now; the audit keeps it.
    #[arg(long)]
    reason: String,
    /// Messages per second at most; 500 when left out.
    #[arg(long)]
    rate: Option<u32>,
    /// Messages of each stage but the last, which takes the rest; 1,10 when left out.
    #[arg(long, value_delimiter = ',')]
    stages: Vec<u32>,
    /// Share of a stage, in percent, that may fail again before the rest is stopped; 20 when left out.
    #[arg(long)]
    stop_percent: Option<u32>,
    /// Start without asking.
    #[arg(long)]
    yes: bool,
    /// Start and leave; `retries show` tells how it goes.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct OrderArgs {
    /// As `retries list` shows it.
    pub retry: String,
    /// Why; the audit keeps it.
    #[arg(long)]
    pub reason: String,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &RetryArgs) -> Result<ExitCode> {
    let mut wish = json!({
        "filter": arguments.chosen.filter()?.body(), "reason": arguments.reason, "dry_run": true,
    });
    if let Some(rate) = arguments.rate {
        wish["rate_per_sec"] = json!(rate);
    }
    if let Some(percent) = arguments.stop_percent {
        wish["stop_percent"] = json!(percent);
    }
    if !arguments.stages.is_empty() {
        wish["stages"] = json!(arguments.stages);
    }
    let plan = desk.office.post("/v1/backoffice/parked/retries", &wish)?;
    let id = text(&plan["id"]).to_owned();
    let eligible = plan["eligible"].as_u64().unwrap_or(0);
    tell_plan(&plan, eligible);
    if eligible == 0 {
        if desk.arguments.format == Format::Json {
            say(&format!("{plan:#}"));
        }
        return Ok(ExitCode::from(EXIT_TROUBLE));
    }
    if !agrees(arguments.yes, "start?") {
        if desk.arguments.format == Format::Json {
            say(&format!("{plan:#}"));
        }
        hint(&format!(
            "nothing was sent; start it with: boxoffice parked retries start {id} --reason '…'"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let path = format!("/v1/backoffice/parked/retries/{id}/start");
    let started = desk
        .office
        .post(&path, &json!({"reason": arguments.reason}))?;
    if arguments.no_wait {
        tell(desk, &started);
        return Ok(ExitCode::SUCCESS);
    }
    wait_for(desk, &id)
}

fn tell_plan(plan: &Value, eligible: u64) {
    hint(&format!("{eligible} messages can be sent back"));
    for left_out in list_of(plan, "not_eligible") {
        let (messages, why) = (&left_out["messages"], text(&left_out["why"]));
        hint(&format!(
            "  {messages} left out, {why}: {}",
            text(&left_out["meaning"])
        ));
    }
}

/// Shows how a retry goes until it rests; 0 when everything was handled.
pub(crate) fn wait_for(desk: &Desk<'_>, id: &str) -> Result<ExitCode> {
    let path = format!("/v1/backoffice/parked/retries/{id}");
    let (mut renewed, mut just_renewed, mut told) = (None::<Office>, false, String::new());
    loop {
        let office = renewed.as_ref().unwrap_or(&desk.office);
        let retry = match office.get(&path) {
            Ok(retry) => retry,
            // A token made here lives five minutes; a retry may take longer.
            Err(error) if is_expired(&error) && !just_renewed => {
                renewed = Some(Office::open(desk.arguments, desk.settings, Role::Operator)?);
                just_renewed = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        just_renewed = false;
        let line = progress_line(&retry);
        if line != told {
            hint(&line);
            told = line;
        }
        let state = text(&retry["state"]);
        let is_resting = matches!(state, "done" | "stopped" | "cancelled" | "paused");
        // What was sent before it stopped still has its outcome to come.
        if is_resting && retry["progress"]["sent"] == 0 {
            tell(desk, &retry);
            let failed = retry["progress"]["failed_again"].as_u64().unwrap_or(0);
            let well = state == "done" && failed == 0;
            return Ok(if well {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(EXIT_TROUBLE)
            });
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn is_expired(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(OfficeError::Refused { status: 401, .. })
    )
}

fn progress_line(retry: &Value) -> String {
    let progress = &retry["progress"];
    format!(
        "{}: {} done, {} failed again, {} skipped, {} under way, {} left",
        text(&retry["state"]),
        progress["done"],
        progress["failed_again"],
        progress["skipped"],
        progress["sent"],
        progress["left"]
    )
}

/// A retry as it is.
pub(super) fn tell(desk: &Desk<'_>, retry: &Value) {
    if desk.arguments.format == Format::Json {
        say(&format!("{retry:#}"));
        return;
    }
    say(&format!("retry {}", text(&retry["id"])));
    say(&format!("  {}", progress_line(retry)));
    if let Some(why) = retry["stopped_why"].as_str() {
        say(&format!("  stopped by itself: {why}"));
    }
    for trouble in list_of(retry, "troubles") {
        say(&format!(
            "  {}  {}  {}: {}",
            text(&trouble["queue"]),
            text(&trouble["message_id"]),
            text(&trouble["state"]),
            text(&trouble["code"])
        ));
    }
}

pub(super) fn list(desk: &Desk<'_>) -> Result<ExitCode> {
    let answer = desk.office.get("/v1/backoffice/parked/retries")?;
    show(desk.arguments.format, &answer, |answer| {
        let headings = [
            "retry", "state", "by", "since", "eligible", "done", "failed", "left", "reason",
        ];
        let mut table = Table::new(&headings, "nothing was retried");
        for retry in list_of(answer, "retries") {
            let progress = &retry["progress"];
            table.row(vec![
                text(&retry["id"]).to_owned(),
                text(&retry["state"]).to_owned(),
                text(&retry["started_by"]).to_owned(),
                short_time(&retry["created_at"]),
                retry["eligible"].to_string(),
                progress["done"].to_string(),
                progress["failed_again"].to_string(),
                progress["left"].to_string(),
                text(&retry["reason"]).to_owned(),
            ]);
        }
        table
    });
    Ok(ExitCode::SUCCESS)
}
