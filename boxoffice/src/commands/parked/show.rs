//! What failed, as tables.

use super::{
    Desk,
    filter::{FilterArgs, Standing},
};
use crate::{
    commands::say,
    office::{Format, Table, show},
};
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Messages that one request asks for.
const PAGE: u32 = 500;
/// A reason is cut to this in a table; `show` has all of it.
const REASON_CHARS: usize = 70;

pub(super) fn groups(
    desk: &Desk<'_>,
    filter: &FilterArgs,
    standing: Standing,
    limit: u32,
) -> Result<ExitCode> {
    let query = filter.query(standing, limit, None);
    let answer = desk
        .office
        .get(&format!("/v1/backoffice/parked/groups?{query}"))?;
    match desk.arguments.format {
        Format::Json => say(&format!("{answer:#}")),
        Format::Table => {
            let groups = list_of(&answer, "groups");
            if groups.is_empty() {
                say("nothing is parked");
            }
            for group in groups {
                group_lines(group).iter().for_each(|line| say(line));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn group_lines(group: &Value) -> Vec<String> {
    let number = |name: &str| group[name].as_i64().unwrap_or(0);
    let reopened = if group["reopened"] == true {
        "  reopened"
    } else {
        ""
    };
    let mut counts = vec![format!("{} open", number("open"))];
    for (name, word) in [
        ("retrying", "retrying"),
        ("failed_again", "failed again"),
        ("archived", "archived"),
        ("resolved", "resolved"),
        ("superseded", "superseded"),
    ] {
        if number(name) > 0 {
            counts.push(format!("{} {word}", number(name)));
        }
    }
    let (first, last) = (
        short_time(&group["first_failed_at"]),
        short_time(&group["last_failed_at"]),
    );
    vec![
        format!(
            "{}  {}  {}{reopened}",
            text(&group["queue"]),
            text(&group["code"]),
            text(&group["kind"])
        ),
        format!("  {}", text(&group["cause"]["meaning"])),
        format!("  → {}", text(&group["cause"]["advice"])),
        format!("  e.g. {}", text(&group["reason"])),
        format!("  {}; first {first}, last {last}", counts.join(", ")),
        format!("  group {}", text(&group["group"])),
    ]
}

pub(super) fn list(
    desk: &Desk<'_>,
    filter: &FilterArgs,
    standing: Standing,
    limit: u32,
) -> Result<ExitCode> {
    let (mut messages, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let left = limit.saturating_sub(u32::try_from(messages.len()).unwrap_or(u32::MAX));
        let query = filter.query(standing, left.clamp(1, PAGE), cursor.as_deref());
        let page = desk.office.get(&format!("/v1/backoffice/parked?{query}"))?;
        messages.extend(list_of(&page, "messages").iter().cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() || messages.len() >= limit as usize {
            break;
        }
    }
    show(
        desk.arguments.format,
        &json!({"messages": messages, "more": cursor.is_some()}),
        table,
    );
    Ok(ExitCode::SUCCESS)
}

fn table(answer: &Value) -> Table {
    let headings = [
        "queue",
        "message",
        "failed last",
        "kind",
        "status",
        "failed",
        "retried",
        "code",
        "reason",
    ];
    let mut table = Table::new(&headings, "nothing is parked");
    for message in list_of(answer, "messages") {
        let reason: String = text(&message["reason"])
            .chars()
            .take(REASON_CHARS)
            .collect();
        let status = if message["reopened"] == true {
            format!("{} (reopened)", text(&message["status"]))
        } else {
            text(&message["status"]).to_owned()
        };
        table.row(vec![
            text(&message["queue"]).to_owned(),
            text(&message["message_id"]).to_owned(),
            short_time(&message["last_failed_at"]),
            text(&message["kind"]).to_owned(),
            status,
            message["failures"].to_string(),
            message["replays"].to_string(),
            text(&message["code"]).to_owned(),
            reason,
        ]);
    }
    table
}

pub(super) fn one(desk: &Desk<'_>, queue: &str, message: &str) -> Result<ExitCode> {
    let answer = desk
        .office
        .get(&format!("/v1/backoffice/parked/{queue}/{message}"))?;
    if desk.arguments.format == Format::Json {
        say(&format!("{answer:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "{}  {}  {}",
        text(&answer["queue"]),
        text(&answer["message_id"]),
        text(&answer["kind"])
    ));
    let failures = answer["failures"].as_u64().unwrap_or(0);
    say(&format!(
        "  {}, failed {failures} times, retried {} times",
        text(&answer["status"]),
        answer["replays"]
    ));
    say(&format!(
        "  {}: {}",
        text(&answer["code"]),
        text(&answer["reason"])
    ));
    say(&format!("  {}", text(&answer["cause"]["meaning"])));
    say(&format!("  → {}", text(&answer["cause"]["advice"])));
    say(&format!("  group {}", text(&answer["group"])));
    for (name, link) in answer["links"].as_object().into_iter().flatten() {
        say(&format!("  {name}: {}", text(link)));
    }
    say(&format!("headers\n{:#}", answer["headers"]));
    let body = &answer["body"];
    match body.get("json") {
        Some(json) => say(&format!("body\n{json:#}")),
        None => say(&format!(
            "body: {} bytes that are no JSON, SHA-256 {}",
            body["bytes"],
            text(&body["sha256"])
        )),
    }
    for mistake in list_of(body, "mistakes") {
        say(&format!(
            "  {}: {}",
            text(&mistake["pointer"]),
            text(&mistake["detail"])
        ));
    }
    say("history");
    for failure in list_of(&answer, "history") {
        say(&format!(
            "  {}  {}: {} (after {} attempts{})",
            short_time(&failure["at"]),
            text(&failure["code"]),
            text(&failure["reason"]),
            failure["attempts"],
            failure["replay"]
                .as_u64()
                .filter(|n| *n > 0)
                .map_or(String::new(), |n| format!(", retry {n}")),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list_of<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// To the second: enough for people.
pub(super) fn short_time(value: &Value) -> String {
    text(value)
        .chars()
        .take(19)
        .collect::<String>()
        .replace('T', " ")
}
