use super::{complain, say};
use crate::{
    office::{Format, Office, OfficeArgs, Table, show},
    settings::Settings,
};
use anyhow::Result;
use boxoffice_contracts::{
    Role,
    partner::{PartnerId, broker},
};
use serde_json::{Map, Value, json};
use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// Let partners publish and consume over AMQP, and say what they may.
///
/// Each partner gets a topic exchange to publish to, a queue with its replies and events, and users of the broker's
/// vhost `partners` that reach nothing else. What is ordered here is written down by the API, with who ordered it
/// and why; the role `partners` brings the broker there.
///
///   boxoffice partner add acme --name "Acme Tickets" --venue astor --reason "contract of May"
///   boxoffice partner rotate acme --overlap 24h --reason "yearly"
///   boxoffice partner suspend acme --reason "floods us with garbage"
///
/// Exit codes: 0 done, 1 ordered but not there yet, 3 refused, 4 not found, 5 the API can't be reached.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    office: OfficeArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let a new partner in, and show its first password: once, keep it.
    Add {
        /// 3 to 32 lower-case letters, digits and hyphens; for ever.
        id: PartnerId,
        /// For people.
        // An id of its own: `--as` is the `name` of every command of the back office.
        #[arg(long = "name", id = "partner_name", value_name = "NAME")]
        name: String,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        why: Why,
    },
    /// Show one partner: limits, credentials, and whether the broker is as it should be.
    Show { id: PartnerId },
    /// Show all partners.
    List,
    /// Change name, limits or venues. What is not named stays; connections stay open.
    Set {
        id: PartnerId,
        #[arg(long = "name", id = "partner_name", value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        why: Why,
    },
    /// Make a new credential and show its password: once, keep it. The old one lives on for the overlap.
    Rotate {
        id: PartnerId,
        /// How long the old one lives on: 90s, 15m, 24h, 7d; at most 30d.
        #[arg(long, default_value = "24h")]
        overlap: String,
        #[command(flatten)]
        why: Why,
    },
    /// End one credential now; its connections are closed.
    Revoke {
        id: PartnerId,
        /// As `show` lists it: 2 for the user `acme.2`.
        serial: u16,
        #[command(flatten)]
        why: Why,
    },
    /// Stop a partner from publishing. It may read what is there.
    Suspend {
        id: PartnerId,
        #[command(flatten)]
        why: Why,
    },
    /// Let a suspended partner publish again.
    Resume {
        id: PartnerId,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a partner for good: its users and its way in at once, its queues when they are empty.
    Remove {
        id: PartnerId,
        /// Delete what it left unread, too; may be said later by a second `remove`.
        #[arg(long)]
        discard_unread: bool,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, clap::Args)]
struct Why {
    /// Why, for the audit.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Limits {
    /// Messages per second that the gate takes in the long run [default: 20].
    #[arg(long, value_name = "COUNT")]
    rate_per_sec: Option<u32>,
    /// Messages that it takes at once after a silence [default: 100].
    #[arg(long, value_name = "COUNT")]
    burst: Option<u32>,
    /// Messages that wait for the gate at most; more are refused [default: 10000].
    #[arg(long, value_name = "COUNT")]
    queue_length_max: Option<u32>,
    /// Connections of each user [default: 10].
    #[arg(long, value_name = "COUNT")]
    connections_max: Option<u32>,
    /// Channels of each user [default: 50].
    #[arg(long, value_name = "COUNT")]
    channels_max: Option<u32>,
    /// Slug of a venue whose shows it may publish; may be repeated. Replaces the former ones.
    #[arg(long = "venue", value_name = "SLUG")]
    venues: Vec<String>,
}

impl Limits {
    /// The fields that were named.
    fn body(&self) -> Map<String, Value> {
        let sizes = [
            ("rate_per_sec", self.rate_per_sec),
            ("burst", self.burst),
            ("queue_length_max", self.queue_length_max),
            ("connections_max", self.connections_max),
            ("channels_max", self.channels_max),
        ];
        let sizes = sizes.into_iter();
        let sizes = sizes.filter_map(|(name, size)| Some((name.to_owned(), json!(size?))));
        let mut body: Map<String, Value> = sizes.collect();
        if !self.venues.is_empty() {
            body.insert("venues".to_owned(), json!(self.venues));
        }
        body
    }
}

/// Until the broker is as it should be; the role looks every second.
const APPLIED_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let role = match arguments.command {
        Command::Show { .. } | Command::List => Role::Viewer,
        _ => Role::Admin,
    };
    let desk = Desk {
        office: Office::open(&arguments.office, settings, role)?,
        format: arguments.office.format,
        place: place_of(&settings.partners.amqp_url),
    };
    match &arguments.command {
        Command::List => {
            let answer = desk.office.get("/v1/partners")?;
            show(desk.format, &answer, list);
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { id } => {
            let partner = desk.office.get(&format!("/v1/partners/{id}"))?;
            desk.tell(&partner);
            Ok(ExitCode::SUCCESS)
        }
        Command::Add {
            id,
            name,
            limits,
            why,
        } => {
            let mut body = limits.body();
            body.insert("id".to_owned(), json!(id.as_str()));
            body.insert("name".to_owned(), json!(name));
            desk.change("/v1/partners".to_owned(), body, why)
        }
        Command::Set {
            id,
            name,
            limits,
            why,
        } => {
            let mut body = limits.body();
            if let Some(name) = name {
                body.insert("name".to_owned(), json!(name));
            }
            desk.change(format!("/v1/partners/{id}/limits"), body, why)
        }
        Command::Rotate { id, overlap, why } => {
            let body = Map::from_iter([("overlap".to_owned(), json!(overlap))]);
            desk.change(format!("/v1/partners/{id}/rotate"), body, why)
        }
        Command::Revoke { id, serial, why } => {
            let body = Map::from_iter([("serial".to_owned(), json!(serial))]);
            desk.change(format!("/v1/partners/{id}/revoke"), body, why)
        }
        Command::Suspend { id, why } => {
            desk.change(format!("/v1/partners/{id}/suspend"), Map::new(), why)
        }
        Command::Resume { id, why } => {
            desk.change(format!("/v1/partners/{id}/resume"), Map::new(), why)
        }
        Command::Remove {
            id,
            discard_unread,
            why,
        } => {
            let body = Map::from_iter([("discard_unread".to_owned(), json!(discard_unread))]);
            desk.change(format!("/v1/partners/{id}/remove"), body, why)
        }
    }
}

struct Desk {
    office: Office,
    format: Format,
    /// Host and vhost of the broker, as we reach it.
    place: Option<(String, String)>,
}

impl Desk {
    /// Orders, shows a secret at once, and waits until the broker is there.
    fn change(&self, path: String, mut body: Map<String, Value>, why: &Why) -> Result<ExitCode> {
        body.insert("reason".to_owned(), json!(why.reason));
        let answer = self.office.post(&path, &Value::Object(body))?;
        let secret = answer.get("credential").cloned();
        let mut partner = answer.get("partner").cloned().unwrap_or(answer);
        // Before anything else may fail: it can't be asked for again.
        if let (Some(secret), Format::Table) = (&secret, self.format) {
            self.tell_secret(&partner, secret);
        }
        let is_applied = self.wait(&mut partner);
        match (self.format, secret) {
            (Format::Json, Some(credential)) => {
                let whole = json!({"partner": partner, "credential": credential});
                say(&format!("{whole:#}"));
            }
            (Format::Table, Some(_)) => {}
            (_, None) => self.tell(&partner),
        }
        if is_applied {
            return Ok(ExitCode::SUCCESS);
        }
        let error = partner["apply_error"].as_str();
        complain(&format!(
            "ordered, and the broker has not got it after {} s: {}. It is tried on; `boxoffice partner show {}` \
             tells how it goes",
            APPLIED_MAX.as_secs(),
            error.unwrap_or("is the role `partners` running, and partners.management_url set?"),
            text(&partner, "id"),
        ));
        Ok(ExitCode::FAILURE)
    }

    fn wait(&self, partner: &mut Value) -> bool {
        let version = partner["version"].as_u64();
        let path = format!("/v1/partners/{}", text(partner, "id"));
        let deadline = Instant::now() + APPLIED_MAX;
        let mut is_told = false;
        loop {
            if partner["applied_version"].as_u64() >= version {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            if !is_told && self.format == Format::Table {
                say("waiting until the broker has it …");
                is_told = true;
            }
            thread::sleep(LOOK_EVERY);
            // An API that is restarted meanwhile is no reason to give up.
            if let Ok(seen) = self.office.get(&path) {
                *partner = seen;
            }
        }
    }

    fn tell(&self, partner: &Value) {
        show(self.format, partner, one);
    }

    fn tell_secret(&self, partner: &Value, secret: &Value) {
        let place = self.place.as_ref();
        let host = place.map_or("as the partner reaches the broker", |(host, _)| host);
        let vhost = place.map_or(broker::VHOST, |(_, vhost)| vhost);
        let names = &partner["broker"];
        let lines = [
            ("user", text(secret, "user")),
            ("password", text(secret, "password")),
            ("host", host.to_owned()),
            ("vhost", vhost.to_owned()),
            ("publish to", text(names, "exchange_in")),
            ("consume", text(names, "queue_out")),
            (
                "own queues",
                format!("{}.NAME", text(names, "exchange_out")),
            ),
            ("content type", text(names, "content_type")),
            (
                "largest message",
                format!("{} bytes", names["message_bytes_max"]),
            ),
        ];
        for (what, value) in lines {
            say(&format!("{what:16}{value}"));
        }
        say(
            "Each message carries its user as the property user-id. The password is not shown again.",
        );
    }
}

/// `host:port` and vhost of a URL, without who connects.
fn place_of(amqp_url: &str) -> Option<(String, String)> {
    let (_, place) = amqp_url.split_once("://")?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (host, vhost) = place.split_once('/')?;
    Some((host.to_owned(), vhost.to_owned()))
}

fn list(answer: &Value) -> Table {
    let headings = &[
        "partner", "state", "broker", "live", "rate/s", "queue", "name",
    ];
    let mut table = Table::new(headings, "no partners");
    for partner in answer["partners"].as_array().into_iter().flatten() {
        let credentials = partner["credentials"].as_array();
        let live = credentials.into_iter().flatten();
        let live = live.filter(|one| one["live"] == true).count();
        table.row(vec![
            text(partner, "id"),
            text(partner, "state"),
            standing(partner),
            live.to_string(),
            partner["limits"]["rate_per_sec"].to_string(),
            partner["limits"]["queue_length_max"].to_string(),
            text(partner, "name"),
        ]);
    }
    table
}

fn one(partner: &Value) -> Table {
    let mut table = Table::new(&["", ""], "");
    let mut row = |what: &str, value: String| table.row(vec![what.to_owned(), value]);
    row("partner", text(partner, "id"));
    row("name", text(partner, "name"));
    let reason = partner["state_reason"].as_str();
    let reason = reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    row("state", format!("{}{reason}", text(partner, "state")));
    row("broker", standing(partner));
    let venues = partner["venues"].as_array().into_iter().flatten();
    let venues: Vec<&str> = venues.filter_map(Value::as_str).collect();
    row("venues", venues.join(", "));
    for (name, limit) in partner["limits"].as_object().into_iter().flatten() {
        row(name, limit.to_string());
    }
    for credential in partner["credentials"].as_array().into_iter().flatten() {
        let end = match (
            credential["ended_at"].as_str(),
            credential["expires_at"].as_str(),
        ) {
            (Some(at), _) => format!("ended {at}"),
            (None, Some(at)) => format!("live until {at}"),
            (None, None) => "live".to_owned(),
        };
        let age = age(credential["age_secs"].as_i64().unwrap_or_default());
        row(&text(credential, "user"), format!("{end}, {age} old"));
    }
    table
}

fn standing(partner: &Value) -> String {
    if partner["applied"] == true {
        return "as ordered".to_owned();
    }
    match partner["apply_error"].as_str() {
        Some(error) => format!("not yet: {error}"),
        None => "not yet".to_owned(),
    }
}

/// In the largest unit that it fills.
fn age(secs: i64) -> String {
    let (unit, name) = match secs {
        ..60 => (1, "s"),
        60..3_600 => (60, "min"),
        3_600..172_800 => (3_600, "h"),
        _ => (86_400, "d"),
    };
    format!("{} {name}", secs / unit)
}

fn text(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_the_broker_names_nobody() {
        let (host, vhost) = place_of("amqps://gate:s3cr@t@mq.example:5671/partners").unwrap();
        assert_eq!(
            (host.as_str(), vhost.as_str()),
            ("mq.example:5671", "partners")
        );
        assert_eq!(place_of(""), None);
    }

    #[test]
    fn only_what_was_named_is_sent() {
        let limits = Limits {
            rate_per_sec: None,
            burst: Some(7),
            queue_length_max: None,
            connections_max: None,
            channels_max: None,
            venues: Vec::new(),
        };
        assert_eq!(Value::Object(limits.body()), json!({"burst": 7}));
    }

    #[test]
    fn a_partner_is_a_page_of_lines() {
        let partner = json!({
            "id": "acme", "name": "Acme", "state": "suspended", "state_reason": "floods",
            "applied": false, "apply_error": "no broker", "venues": ["astor"],
            "limits": {"burst": 7},
            "credentials": [
                {"user": "acme.1", "live": false, "age_secs": 7300, "ended_at": "2026-11-21T00:00:00Z"},
                {"user": "acme.2", "live": true, "age_secs": 59},
            ],
        });
        let lines = one(&partner).lines().join("\n");
        for said in [
            "suspended: floods",
            "not yet: no broker",
            "acme.1",
            "2 h old",
            "live, 59 s old",
        ] {
            assert!(lines.contains(said), "{said}:\n{lines}");
        }
        let listed = list(&json!({"partners": [partner]})).lines().join("\n");
        assert!(listed.contains("acme"), "{listed}");
    }
}
