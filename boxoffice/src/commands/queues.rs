use super::say;
use crate::{
    office::{Format, Office, OfficeArgs, Table, show},
    settings::Settings,
};
use anyhow::{Result, bail};
use boxoffice_contracts::Role;
use serde_json::{Value, json};
use std::process::ExitCode;

/// See every queue: what waits, how fast it moves, how old it is, who consumes it, what holds it.
///
/// `boxoffice queues` shows all, `boxoffice queues tickets` one in full, `boxoffice queues tickets --history` its
/// last 24 hours minute by minute. `--check` exits with 3 when an alert is raised, for scripts. Figures come from
/// the role `queue-watch`, which must run.
#[derive(Debug, clap::Args)]
pub(crate) struct Queues {
    /// Only this one, in full.
    queue: Option<String>,
    /// The last 24 hours of the queue, minute by minute.
    #[arg(long, requires = "queue")]
    history: bool,
    /// Exit with 3 when an alert is raised, or nobody watches.
    #[arg(long, conflicts_with = "history")]
    check: bool,
    #[command(flatten)]
    office: OfficeArgs,
}

/// Hold a queue or a role: nothing more is taken, what is in hand is finished.
///
/// It is obeyed within three seconds by every process, and by those that start later. Nothing counts as an attempt
/// and nothing is parked: messages wait. `boxoffice resume` ends it, or `--for` does by itself.
/// `boxoffice pause tickets --reason "new renderer" --for 15m`
#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    hold: Hold,
}

/// Hold a queue or a role and see when nothing is in hand any more.
///
/// As `pause`; `boxoffice queues` and `boxoffice workers` then say `drained`: the moment to stop a process or to
/// change what it depends on.
#[derive(Debug, clap::Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    hold: Hold,
}

/// Release what `pause` or `drain` holds.
///
/// A queue whose role is held stays held: release the role.
#[derive(Debug, clap::Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    target: Target,
    /// Why; the audit keeps it.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, clap::Args)]
struct Hold {
    #[command(flatten)]
    target: Target,
    /// Why; the audit keeps it.
    #[arg(long)]
    reason: String,
    /// Ends by itself after so long: 90s, 15m, 2h, 1d.
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<String>,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// As `boxoffice queues` shows it.
    queue: Option<String>,
    /// A role with all its queues, or one that has none, such as hold-expiry.
    #[arg(long)]
    role: Option<String>,
}

impl Target {
    fn path(&self, verb: &str) -> Result<String> {
        let (kind, name) = match (&self.queue, &self.role) {
            (Some(queue), _) => ("queues", queue),
            (None, Some(role)) => ("workers", role),
            (None, None) => bail!("name a queue, or a role with --role"),
        };
        Ok(format!("/v1/backoffice/{kind}/{}/{verb}", segment(name)))
    }
}

/// See every role and its processes: what each does, what it has in hand, which service it waits for.
#[derive(Debug, clap::Args)]
pub(crate) struct Workers {
    #[command(subcommand)]
    command: Option<WorkersCommand>,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, clap::Subcommand)]
enum WorkersCommand {
    /// Let the consumers of a queue take more or fewer messages ahead, in every process and within seconds.
    ///
    /// It outlives restarts until it is set back: `boxoffice workers prefetch tickets default --reason "…"`. What is in
    /// hand is finished, nothing is lost. `boxoffice queues tickets` shows the number in force.
    Prefetch {
        /// As `boxoffice queues` shows it.
        queue: String,
        /// 1 to 2000, or `default`: what the topology says.
        messages: String,
        /// Why; the audit keeps it.
        #[arg(long)]
        reason: String,
    },
}

/// See the alerts that are raised, and say that somebody looks after one.
///
/// Rules come from the topology and are explained in docs/OPERATIONS.md. An acknowledged alert stays until its
/// trouble is over.
#[derive(Debug, clap::Args)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    command: Option<AlertCommand>,
    /// Those of the last 30 days that are over, too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, clap::Subcommand)]
enum AlertCommand {
    /// Say that you look after it; the others see your name.
    Ack {
        /// As `boxoffice alerts` shows it: rule:target.
        key: String,
        /// Why, or what you do; the audit keeps it.
        #[arg(long)]
        reason: String,
    },
}

/// Exit code of `--check` when something is wrong.
const WRONG: u8 = 3;

pub(crate) fn queues(arguments: Queues, settings: &Settings) -> Result<ExitCode> {
    let office = Office::open(&arguments.office, settings, Role::Viewer)?;
    let format = arguments.office.format;
    if let (Some(name), true) = (&arguments.queue, arguments.history) {
        let path = format!("/v1/backoffice/queues/{}/history", segment(name));
        show(format, &office.get(&path)?, history);
        return Ok(ExitCode::SUCCESS);
    }
    let mut answer = office.get("/v1/backoffice/queues")?;
    let is_stale = answer["stale"].as_bool().unwrap_or(true);
    if let Some(name) = &arguments.queue {
        let one = items(&answer, "queues").find(|queue| queue["name"] == **name);
        let Some(one) = one.cloned() else {
            bail!("there is no queue {name:?}; `boxoffice queues` lists them");
        };
        answer["queues"] = json!([one]);
        show(format, &answer, |answer| in_full(&answer["queues"][0]));
    } else {
        show(format, &answer, overview);
    }
    if is_stale && format == Format::Table {
        say("nobody watches: these figures are old. Is the role queue-watch running?");
    }
    if !arguments.check {
        return Ok(ExitCode::SUCCESS);
    }
    let raised = match &arguments.queue {
        Some(_) => items(&answer["queues"][0], "alerts").count(),
        None => items(&office.get("/v1/backoffice/alerts")?, "alerts").count(),
    };
    Ok(if raised > 0 || is_stale {
        ExitCode::from(WRONG)
    } else {
        ExitCode::SUCCESS
    })
}

pub(crate) fn pause(arguments: &Pause, settings: &Settings) -> Result<ExitCode> {
    hold("pause", &arguments.hold, settings)
}

pub(crate) fn drain(arguments: &Drain, settings: &Settings) -> Result<ExitCode> {
    hold("drain", &arguments.hold, settings)
}

fn hold(verb: &str, hold: &Hold, settings: &Settings) -> Result<ExitCode> {
    let office = Office::open(&hold.office, settings, Role::Operator)?;
    let mut body = json!({"reason": hold.reason});
    if let Some(lasting) = &hold.lasting {
        body["for"] = json!(lasting);
    }
    let answer = office.post(&hold.target.path(verb)?, &body)?;
    if hold.office.format == Format::Json {
        say(&format!("{answer:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    let order = &answer["hold"];
    let end = match order["until"].as_str() {
        Some(until) => format!("until {until}"),
        None => "until `boxoffice resume`".to_owned(),
    };
    say(&format!(
        "the {} {} is held ({}) {end}",
        text(&order["target"]),
        text(&order["name"]),
        text(&order["mode"])
    ));
    if let Some(warning) = answer["warning"].as_str() {
        say(warning);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn resume(arguments: &Resume, settings: &Settings) -> Result<ExitCode> {
    let office = Office::open(&arguments.office, settings, Role::Operator)?;
    let body = json!({"reason": arguments.reason});
    let answer = office.post(&arguments.target.path("resume")?, &body)?;
    if arguments.office.format == Format::Json {
        say(&format!("{answer:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    match answer.get("was") {
        Some(was) => say(&format!(
            "released: it was held by {} since {} ({})",
            text(&was["by"]),
            text(&was["at"]),
            text(&was["reason"])
        )),
        None => say("nothing held it"),
    }
    for still in items(&answer, "still") {
        say(&format!(
            "still held: {} {} by {} ({})",
            text(&still["target"]),
            text(&still["name"]),
            text(&still["by"]),
            text(&still["reason"])
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn workers(arguments: &Workers, settings: &Settings) -> Result<ExitCode> {
    if let Some(WorkersCommand::Prefetch {
        queue,
        messages,
        reason,
    }) = &arguments.command
    {
        return prefetch(&arguments.office, settings, queue, messages, reason);
    }
    let office = Office::open(&arguments.office, settings, Role::Viewer)?;
    let answer = office.get("/v1/backoffice/workers")?;
    show(arguments.office.format, &answer, |answer| {
        let mut table = Table::new(
            &[
                "role",
                "queue",
                "state",
                "waits for",
                "in hand",
                "handled",
                "process",
                "at",
            ],
            "no worker has said anything",
        );
        for role in items(answer, "roles") {
            for process in items(role, "processes") {
                table.row(vec![
                    text(&role["role"]),
                    text(&process["queue"]),
                    text(&process["state"]),
                    text(&process["service"]),
                    text(&process["in_hand"]),
                    text(&process["handled"]),
                    text(&process["process"]),
                    time(&process["at"]),
                ]);
            }
            if items(role, "processes").next().is_none() {
                let state = if role["held"].is_object() {
                    "held"
                } else {
                    "-"
                };
                let mut row = vec![text(&role["role"]), "-".to_owned(), state.to_owned()];
                row.resize(8, "-".to_owned());
                table.row(row);
            }
        }
        table
    });
    Ok(ExitCode::SUCCESS)
}

fn prefetch(
    office: &OfficeArgs,
    settings: &Settings,
    queue: &str,
    messages: &str,
    reason: &str,
) -> Result<ExitCode> {
    let mut body = json!({"reason": reason});
    if messages != "default" {
        let Ok(number) = messages.parse::<u16>() else {
            bail!("{messages:?} is no number of messages; 1 to 2000, or `default`");
        };
        body["prefetch"] = json!(number);
    }
    let path = format!("/v1/backoffice/queues/{}/prefetch", segment(queue));
    let answer = Office::open(office, settings, Role::Operator)?.post(&path, &body)?;
    match office.format {
        Format::Json => say(&format!("{answer:#}")),
        Format::Table => say(&format!(
            "each consumer of {queue} takes {} messages ahead ({} by default)",
            text(&answer["messages"]),
            text(&answer["default"])
        )),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn alerts(arguments: &Alerts, settings: &Settings) -> Result<ExitCode> {
    let format = arguments.office.format;
    if let Some(AlertCommand::Ack { key, reason }) = &arguments.command {
        let office = Office::open(&arguments.office, settings, Role::Operator)?;
        let path = format!("/v1/backoffice/alerts/{}/acknowledge", segment(key));
        let answer = office.post(&path, &json!({"reason": reason}))?;
        match format {
            Format::Json => say(&format!("{answer:#}")),
            Format::Table => say(&format!("{key} is acknowledged; it stays until it is over")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let office = Office::open(&arguments.office, settings, Role::Viewer)?;
    let path = format!("/v1/backoffice/alerts?all={}", arguments.all);
    show(format, &office.get(&path)?, |answer| {
        let mut table = Table::new(
            &[
                "alert",
                "state",
                "severity",
                "since",
                "looked after by",
                "what",
            ],
            "no alert is raised",
        );
        for alert in items(answer, "alerts") {
            table.row(vec![
                text(&alert["key"]),
                text(&alert["state"]),
                text(&alert["severity"]),
                time(&alert["since"]),
                text(&alert["acknowledged"]["by"]),
                text(&alert["summary"]),
            ]);
        }
        table
    });
    Ok(ExitCode::SUCCESS)
}

fn overview(answer: &Value) -> Table {
    let mut table = Table::new(
        &[
            "queue",
            "state",
            "ready",
            "in hand",
            "consumers",
            "in/s",
            "out/s",
            "oldest",
            "p99",
            "objective",
            "breach in",
            "parked",
            "alerts",
        ],
        "no queues",
    );
    for queue in items(answer, "queues") {
        let alerts = items(queue, "alerts").map(text).collect::<Vec<_>>();
        table.row(vec![
            text(&queue["name"]),
            text(&queue["state"]),
            text(&queue["depth"]["ready"]),
            text(&queue["depth"]["unacked"]),
            text(&queue["depth"]["consumers"]),
            rate(&queue["rates"]["arrived_per_sec"]),
            rate(&queue["rates"]["settled_per_sec"]),
            seconds(&queue["oldest_secs"]),
            millis(&queue["critical"]["p99_ms"]),
            millis(&queue["critical"]["objective_ms"]),
            seconds(&queue["breach_secs"]),
            text(&queue["parked"]),
            if alerts.is_empty() {
                "-".to_owned()
            } else {
                alerts.join(" ")
            },
        ]);
    }
    table
}

/// A line for each field, nested ones by their path.
fn in_full(queue: &Value) -> Table {
    fn fields(at: &str, value: &Value, table: &mut Table) {
        match value {
            Value::Object(inner) => {
                for (name, value) in inner {
                    let path = if at.is_empty() {
                        name.clone()
                    } else {
                        format!("{at}.{name}")
                    };
                    fields(&path, value, table);
                }
            }
            Value::Array(list) => {
                let list: Vec<String> = list.iter().map(text).collect();
                table.row(vec![at.to_owned(), list.join(" ")]);
            }
            other => table.row(vec![at.to_owned(), text(other)]),
        }
    }
    let mut table = Table::new(&["field", "value"], "nothing");
    fields("", queue, &mut table);
    table
}

fn history(answer: &Value) -> Table {
    let mut table = Table::new(
        &[
            "minute",
            "ready",
            "in hand",
            "peak",
            "consumers",
            "arrived",
            "settled",
            "oldest",
            "p50",
            "p99",
            "parked",
        ],
        "nobody has looked at it in the last 24 hours",
    );
    for minute in items(answer, "minutes") {
        table.row(vec![
            time(&minute["minute"]),
            text(&minute["ready"]),
            text(&minute["unacked"]),
            text(&minute["depth_peak"]),
            text(&minute["consumers"]),
            text(&minute["arrived"]),
            text(&minute["settled"]),
            seconds(&minute["oldest_secs"]),
            millis(&minute["critical_p50_ms"]),
            millis(&minute["critical_p99_ms"]),
            text(&minute["parked"]),
        ]);
    }
    table
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// To the second, as people read it.
fn time(value: &Value) -> String {
    let text = text(value);
    let cut = text.get(..19).unwrap_or(&text);
    cut.replace('T', " ")
}

fn rate(value: &Value) -> String {
    value
        .as_f64()
        .map_or("-".to_owned(), |rate| format!("{rate:.1}"))
}

fn millis(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |ms| short(ms / 1e3))
}

fn seconds(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), short)
}

/// `12 ms`, `3.4 s`, `12 min`, `2.5 h`.
fn short(secs: f64) -> String {
    if secs < 1.0 {
        format!("{:.0} ms", secs * 1e3)
    } else if secs < 100.0 {
        format!("{secs:.1} s")
    } else if secs < 6_000.0 {
        format!("{:.0} min", secs / 60.0)
    } else {
        format!("{:.1} h", secs / 3_600.0)
    }
}

/// A name as a path has it.
fn segment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_queue_or_a_role() {
        let target = |queue: Option<&str>, role: Option<&str>| Target {
            queue: queue.map(str::to_owned),
            role: role.map(str::to_owned),
        };
        assert_eq!(
            target(Some("tickets"), None).path("pause").unwrap(),
            "/v1/backoffice/queues/tickets/pause"
        );
        assert_eq!(
            target(None, Some("hold-expiry")).path("resume").unwrap(),
            "/v1/backoffice/workers/hold-expiry/resume"
        );
        let odd = target(Some("a/../b?c"), None).path("drain").unwrap();
        assert_eq!(odd, "/v1/backoffice/queues/a%2F..%2Fb%3Fc/drain");
    }

    #[test]
    fn times_are_short() {
        let told = [0.012, 3.42, 720.0, 9_000.0].map(short);
        assert_eq!(told, ["12 ms", "3.4 s", "12 min", "2.5 h"]);
        assert_eq!(
            time(&json!("2026-11-21T09:00:01.123Z")),
            "2026-11-21 09:00:01"
        );
        assert_eq!(seconds(&Value::Null), "-");
    }

    #[test]
    fn a_queue_is_a_line_with_what_is_wrong_last() {
        let answer = json!({"queues": [{
            "name": "tickets", "state": "unattended", "depth": {"ready": 3, "unacked": 0, "consumers": 0},
            "rates": {}, "oldest_secs": 20.0, "critical": {"objective_ms": 30_000}, "breach_secs": 100.0,
            "parked": 0, "alerts": ["no_consumer:tickets"],
        }]});
        let lines = overview(&answer).lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("tickets  unattended"), "{}", lines[1]);
        assert!(lines[1].ends_with("no_consumer:tickets"), "{}", lines[1]);
    }
}
