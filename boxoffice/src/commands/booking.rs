use super::say;
use crate::{
    office::{Format, Office, OfficeArgs, OfficeError, Table, show},
    settings::Settings,
};
use anyhow::{Result, bail};
use boxoffice_contracts::{BookingId, Role, message::booking::MendAction};
use serde_json::{Value, json};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use url::form_urlencoded::Serializer;

/// Find bookings, read what happened to them, and mend them.
///
/// Everything goes through the API, which checks the role and writes changes into the audit. Exit codes: 0 done,
/// 1 failed here, 2 wrong usage, 3 refused, 4 not found, 5 the API is not reachable or nothing was decided in time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    office: OfficeArgs,
}

const EXAMPLES: &str = "Examples:
  boxoffice booking find ada@example.org             by mail address
  boxoffice booking find 7KQ2-M8XC                   by what the customer reads out
  boxoffice booking find --show ID --seat A-1        everybody who has or had the seat
  boxoffice booking find --attention any             those that are marked for a person
  boxoffice booking show ID                          all that is on record, and what may be done
  boxoffice booking timeline ID                      every step, call, message and mail in order
  boxoffice booking act ID retry_refund --reason 'The bank was closed yesterday.'";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Find bookings by what is at hand, newest first.
    Find(Find),
    /// Everything on record about one booking, and what may be done about it now.
    Show {
        /// Its id, or a reference that only one booking has.
        booking: String,
    },
    /// What happened to a booking, first line first.
    Timeline {
        /// Its id, or a reference that only one booking has.
        booking: String,
    },
    /// Order something to be done, and wait for the outcome.
    ///
    /// `show` and `boxoffice stuck` list what the booking's state allows now; anything else is refused and changes
    /// nothing. The order is a command like a customer's: it stands in the timeline, and with its reason in the audit.
    Act {
        /// Its id, or a reference that only one booking has.
        booking: String,
        /// nudge, reconcile, cancel, retry_refund, render_tickets, mail_tickets or acknowledge.
        #[arg(value_parser = action)]
        action: MendAction,
        /// Why, in your own words.
        #[arg(long)]
        reason: String,
        /// How long to wait for the outcome.
        #[arg(long, value_name = "SECONDS", default_value_t = 20)]
        wait: u64,
    },
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("key").required(true).multiple(false)
    .args(["what", "booking", "reference", "email", "show", "payment_intent", "message", "attention"])))]
struct Find {
    /// An id, a reference or a ticket's serial, a mail address, or a payment of the gateway: told by its form.
    what: Option<String>,
    #[arg(long, value_name = "ID")]
    booking: Option<String>,
    /// Of the booking, or the serial below a ticket's code.
    #[arg(long)]
    reference: Option<String>,
    /// The whole address; case doesn't matter.
    #[arg(long)]
    email: Option<String>,
    /// A show's id.
    #[arg(long, value_name = "ID")]
    show: Option<String>,
    /// Of the show: everybody who has, had or wanted this seat.
    #[arg(long, requires = "show")]
    seat: Option<String>,
    #[arg(long, value_name = "pi_…")]
    payment_intent: Option<String>,
    #[arg(long, value_name = "ID")]
    message: Option<String>,
    /// Marked for a person: a reason, or `any`.
    #[arg(long, value_name = "REASON")]
    attention: Option<String>,
    /// Only those of this status.
    #[arg(long)]
    status: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    let Arguments { command, office } = arguments;
    let format = office.format;
    let role = match command {
        Command::Act { .. } => Role::Operator,
        Command::Find(_) | Command::Show { .. } | Command::Timeline { .. } => Role::Viewer,
    };
    let office = Office::open(&office, &settings, role)?;
    match command {
        Command::Find(find) => {
            let answer = office.get(&format!("{PATH}?{}", find.query()))?;
            show(format, &answer, found);
        }
        Command::Show { booking } => {
            let story = office.get(&format!("{PATH}/{}", resolve(&office, &booking)?))?;
            match format {
                Format::Json => say(&format!("{story:#}")),
                Format::Table => tell(&story),
            }
        }
        Command::Timeline { booking } => {
            let answer = timeline(&office, &resolve(&office, &booking)?)?;
            show(format, &answer, lines);
        }
        Command::Act {
            booking,
            action,
            reason,
            wait,
        } => {
            let id = resolve(&office, &booking)?;
            return act(
                &office,
                format,
                &id,
                action,
                &reason,
                Duration::from_secs(wait),
            )
            .await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

const PATH: &str = "/v1/backoffice/bookings";

fn action(text: &str) -> Result<MendAction, String> {
    MendAction::from_text(text).ok_or_else(|| {
        let words =
            MendAction::ALL.map(|action| format!("{}: {}", action.as_str(), action.meaning()));
        format!("it is one of\n  {}", words.join("\n  "))
    })
}

impl Find {
    fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        let guessed = self.what.as_deref().map(|what| (guess(what), what));
        let given = [
            ("booking", &self.booking),
            ("reference", &self.reference),
            ("email", &self.email),
            ("show", &self.show),
            ("seat", &self.seat),
            ("payment_intent", &self.payment_intent),
            ("message", &self.message),
            ("attention", &self.attention),
            ("status", &self.status),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        query.extend_pairs(guessed.into_iter().chain(given));
        query.append_pair("limit", &self.limit.to_string());
        query.finish()
    }
}

/// What a text is by its form.
fn guess(text: &str) -> &'static str {
    if text.contains('@') {
        "email"
    } else if text.starts_with("pi_") {
        "payment_intent"
    } else if text.parse::<BookingId>().is_ok() {
        "booking"
    } else {
        "reference"
    }
}

/// The id that a text names.
fn resolve(office: &Office, text: &str) -> Result<String> {
    if text.parse::<BookingId>().is_ok() {
        return Ok(text.to_owned());
    }
    let query = Serializer::new(String::new())
        .append_pair(guess(text), text)
        .finish();
    let answer = office.get(&format!("{PATH}?{query}"))?;
    let bookings = answer["bookings"].as_array();
    let ids = bookings.into_iter().flatten();
    let ids: Vec<&str> = ids.filter_map(|booking| booking["id"].as_str()).collect();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => {
            let title = format!("No booking is known by {text}.");
            let problem = json!({"code": "not_found", "title": title});
            Err(OfficeError::Refused {
                status: 404,
                problem,
            }
            .into())
        }
        several => bail!(
            "{text} leads to {} bookings; name one by its id: {}",
            several.len(),
            several.join(", ")
        ),
    }
}

/// Bookings of a list.
fn found(answer: &Value) -> Table {
    let mut table = Table::new(
        &[
            "reference",
            "status",
            "show",
            "total",
            "attention",
            "customer",
            "created",
            "id",
        ],
        "no booking is known by that",
    );
    for booking in answer["bookings"].as_array().into_iter().flatten() {
        table.row(vec![
            text(&booking["reference"]),
            status(booking),
            format!(
                "{} {}",
                moment(&booking["show"]["starts_at"]),
                text(&booking["show"]["film"])
            ),
            money(&booking["total"]),
            text(&booking["attention"]),
            text(&booking["customer"]["email"]),
            moment(&booking["created_at"]),
            text(&booking["id"]),
        ]);
    }
    table
}

/// A story, part by part; what is empty is left out.
fn tell(story: &Value) {
    let booking = &story["booking"];
    if booking.is_object() {
        say(&format!(
            "{}  {}  version {}\n{} {} at {}\ntotal {}, captured {}, refunded {}\ncustomer {} <{}>, sold to {}/{}",
            text(&booking["reference"]),
            status(booking),
            text(&booking["version"]),
            text(&booking["show"]["film"]),
            moment(&booking["show"]["starts_at"]),
            text(&booking["show"]["venue"]),
            money(&booking["total"]),
            money(&booking["captured"]),
            money(&booking["refunded"]),
            text(&booking["customer"]["name"]),
            text(&booking["customer"]["email"]),
            text(&booking["owner"]["tenant"]),
            text(&booking["owner"]["subject"]),
        ));
        for (name, what) in [
            ("attention", "marked for a person"),
            ("waits_for", "waits for"),
        ] {
            if let Some(word) = booking[name].as_str() {
                say(&format!("{what}: {word}"));
            }
        }
    } else {
        say("nobody has decided this booking; these of its messages are parked");
    }
    for (name, columns) in PARTS {
        let rows = story[name].as_array().map_or(&[][..], Vec::as_slice);
        if rows.is_empty() {
            continue;
        }
        let mut table = Table::new(columns, "");
        for row in rows {
            table.row(columns.iter().map(|column| cell(&row[*column])).collect());
        }
        say(&format!("\n{}", name.replace('_', " ")));
        table.lines().iter().for_each(|line| say(line));
    }
    if story["actions"]
        .as_array()
        .is_some_and(|actions| !actions.is_empty())
    {
        say("\n`boxoffice booking act ID ACTION --reason …` orders one of these actions.");
    }
}

/// Parts of a story and what is shown of each.
const PARTS: &[(&str, &[&str])] = &[
    ("positions", &["no", "seat_id", "category", "price", "live"]),
    ("operations", &["at", "kind", "outcome", "code", "id"]),
    (
        "payment_intents",
        &["generation", "state", "amount", "captured", "id"],
    ),
    ("attempts", &["attempt", "state", "code", "updated_at"]),
    ("refunds", &["updated_at", "amount", "state", "code", "id"]),
    (
        "tickets",
        &["serial", "position", "revision", "state", "voided_at"],
    ),
    (
        "mails",
        &["updated_at", "template", "revision", "state", "detail"],
    ),
    (
        "parked",
        &[
            "last_failed_at",
            "queue",
            "kind",
            "code",
            "state",
            "failures",
            "message_id",
        ],
    ),
    ("actions", &["action", "meaning"]),
];

/// All pages as one.
fn timeline(office: &Office, id: &str) -> Result<Value> {
    let mut path = format!("/v1/bookings/{id}/timeline?limit=200");
    let mut lines = Vec::new();
    loop {
        let mut page = office.get(&path)?;
        if let Value::Array(more) = page["lines"].take() {
            lines.extend(more);
        }
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => return Ok(json!({"booking_id": id, "lines": lines})),
        }
    }
}

fn lines(answer: &Value) -> Table {
    let mut table = Table::new(&["at", "what", "which"], "nothing is on record");
    for line in answer["lines"].as_array().into_iter().flatten() {
        let of = |names: &[&str]| {
            let words = names.iter().map(|name| cell(&line[*name]));
            words
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let which = match line["type"].as_str().unwrap_or_default() {
            "decision" => format!(
                "{} → {}  {}",
                of(&["input"]),
                of(&["to", "phase"]),
                of(&["code", "cause"])
            ),
            "call" => of(&["operation", "outcome", "calls", "idempotency_key"]),
            "look" => of(&["question", "answer", "message_id"]),
            "receipt" => of(&["event", "event_id"]),
            "document" => of(&["revision", "bytes", "sha256"]),
            "mail" => of(&["template", "revision", "state", "detail", "message_id"]),
            "parked" => of(&["queue", "kind", "code", "state", "message_id"]),
            _ => line.to_string(),
        };
        table.row(vec![cell(&line["at"]), cell(&line["type"]), which]);
    }
    table
}

/// How long to wait between two looks at an outcome.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

async fn act(
    office: &Office,
    format: Format,
    id: &str,
    action: MendAction,
    reason: &str,
    wait: Duration,
) -> Result<ExitCode> {
    let order = json!({"action": action, "reason": reason});
    let accepted = office.post(&format!("{PATH}/{id}/actions"), &order)?;
    let until = Instant::now() + wait;
    let outcome = loop {
        let story = office.get(&format!("{PATH}/{id}"))?;
        let mut operations = story["operations"].as_array().into_iter().flatten();
        let own = operations.rfind(|operation| operation["id"] == accepted["operation_id"]);
        if let Some(own) = own {
            break Some(json!({
                "booking_id": id, "operation_id": own["id"], "action": action, "outcome": own["outcome"],
                "code": own["code"], "status": story["booking"]["status"],
            }));
        }
        if Instant::now() >= until {
            break None;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    let undecided = json!({
        "booking_id": id, "operation_id": accepted["operation_id"], "action": action, "outcome": null,
    });
    let told = outcome.as_ref().unwrap_or(&undecided);
    match format {
        Format::Json => say(&format!("{told:#}")),
        Format::Table => say(&match told["outcome"].as_str() {
            None => {
                "accepted, and not decided yet; `boxoffice booking show` tells later".to_owned()
            }
            Some("refused") => format!("refused: {}", text(&told["code"])),
            Some(word) => format!("{word}; the booking is {}", text(&told["status"])),
        }),
    }
    Ok(match told["outcome"].as_str() {
        Some("refused") => ExitCode::from(3),
        Some(_) => ExitCode::SUCCESS,
        None => ExitCode::from(5),
    })
}

pub(super) fn status(booking: &Value) -> String {
    match booking["phase"].as_str() {
        Some(phase) => format!("{}/{phase}", text(&booking["status"])),
        None => text(&booking["status"]),
    }
}

/// Words and numbers as they are; nothing for what is absent.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// To the second.
pub(super) fn moment(value: &Value) -> String {
    let text = text(value);
    match text.get(..19) {
        Some(head) => head.replace('T', " "),
        None => text,
    }
}

fn money(value: &Value) -> String {
    let minor = value["minor"].as_i64().unwrap_or_default();
    format!(
        "{}.{:02} {}",
        minor / 100,
        (minor % 100).abs(),
        text(&value["currency"])
    )
}

/// Any field of a row.
fn cell(value: &Value) -> String {
    if value.get("minor").is_some() {
        return money(value);
    }
    let text = text(value);
    let is_instant =
        text.len() >= 20 && text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
    if is_instant {
        text.replace('T', " ")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_by_its_form() {
        for (text, name) in [
            ("ada@example.org", "email"),
            ("pi_3Mtw", "payment_intent"),
            ("5f0f3c0a-9a55-5a0e-8a51-0d3f1f6c7a11", "booking"),
            ("7KQ2-M8XC", "reference"),
        ] {
            assert_eq!(guess(text), name, "{text}");
        }
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        assert_eq!(
            cell(&json!({"minor": 1205, "currency": "EUR"})),
            "12.05 EUR"
        );
        assert_eq!(
            cell(&json!("2026-11-21T18:30:05.1Z")),
            "2026-11-21 18:30:05.1Z"
        );
        assert_eq!(cell(&json!(null)), "");
        assert_eq!(
            moment(&json!("2026-11-21T18:30:05.1Z")),
            "2026-11-21 18:30:05"
        );
        assert_eq!(
            status(&json!({"status": "authorizing", "phase": "unknown"})),
            "authorizing/unknown"
        );
    }
}
