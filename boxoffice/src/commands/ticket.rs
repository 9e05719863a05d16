use super::{complain, say};
use crate::{settings::Settings, ticket_keys};
use anyhow::{Context as _, Result, bail};
use boxoffice_api::ticket_keys::KeySet;
use boxoffice_contracts::{Instant, TicketId};
use boxoffice_documents::{
    Language, TicketKeys, TokenError, time_text,
    token::{self, Genuine},
};
use boxoffice_runtime::{clock, pool};
use boxoffice_store::{
    mysql::{
        ticket_facts::{self, TicketFacts},
        ticket_states::{ISSUED, SCANNED},
    },
    reference::serial,
};
use serde::Deserialize;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check the code of a ticket, or show the keys that codes are checked with.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say whether a code is genuine, what it admits to and when, and whether it admits now.
    ///
    /// Without --database the code alone is looked at, as a gate without a network does: a ticket that was given
    /// back since still looks good. Exit codes: 0 admits; 1 an error, such as no keys or no database; 3 genuine,
    /// but doesn't admit (too early, too late, void, scanned, unknown to the database); 4 not a code of ours:
    /// forged, altered, of an unknown key, or no ticket code at all.
    Verify(Verify),
    /// Print the public keys, as `ID:HEX` for the setting tickets.retired_keys.
    ///
    /// To change keys: print them, add the line of the signing one to tickets.retired_keys of every process, and
    /// give every process a new tickets.seed under another tickets.key_id. Codes of both are good from then on.
    Keys {
        /// As the JWK set that the API serves at /v1/keys.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// What the scanner read, or `-` to read it from standard input. It may have spaces: quote it.
    #[arg(allow_hyphen_values = true)]
    code: String,
    /// A file that was fetched from /v1/keys; else the keys are those of the settings.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Look the ticket up, too: its seat, and whether it is void or was scanned.
    #[arg(long)]
    database: bool,
    /// As if it were this instant, such as 2026-11-27T18:00:00Z; else now.
    #[arg(long, value_name = "INSTANT")]
    at: Option<Instant>,
}

/// Genuine, but does not admit.
const EXIT_NOT_ADMITTED: u8 = 3;
/// Not signed by us.
const EXIT_NOT_OURS: u8 = 4;

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> Result<ExitCode> {
    match arguments.command {
        Command::Keys { json } => show_keys(&settings, json),
        Command::Verify(verify) => check(verify, settings).await,
    }
}

fn show_keys(settings: &Settings, json: bool) -> Result<ExitCode> {
    let keys = ticket_keys::of(&settings.tickets)?;
    if keys.is_empty() {
        bail!(NO_KEYS);
    }
    if json {
        say(&serde_json::to_string_pretty(&KeySet::of(&keys))?);
    } else {
        keys.iter().for_each(|key| say(&ticket_keys::text(key)));
    }
    Ok(ExitCode::SUCCESS)
}

const NO_KEYS: &str = "no ticket keys: set tickets.seed or keys.folder (`boxoffice keys DIR` makes one), \
                       or name a file of /v1/keys with --keys";

async fn check(verify: Verify, settings: Settings) -> Result<ExitCode> {
    let code = match verify.code.as_str() {
        "-" => from_stdin()?,
        code => code.to_owned(),
    };
    let keys = match &verify.keys {
        Some(file) => from_file(file)?,
        None => ticket_keys::set(&ticket_keys::of(&settings.tickets)?)?,
    };
    if keys.iter().next().is_none() {
        bail!(NO_KEYS);
    }
    let Genuine { token, kid } = match token::read(&code, &keys) {
        Ok(genuine) => genuine,
        Err(refused) => {
            complain(&format!("not ours: {refused}"));
            return Ok(ExitCode::from(EXIT_NOT_OURS));
        }
    };
    let ticket = TicketId(token.ticket_id);
    say(&format!("signature  valid, of key {kid}"));
    say(&format!("serial     {}", serial(ticket)));
    say(&format!("ticket     {ticket}"));
    say(&format!("show       {}", token.show_id));
    say(&format!("position   {}", u32::from(token.position) + 1));
    let (opens, closes) = (token.not_before(), token.expires());
    say(&format!("admits     from {opens:?} until {closes:?}"));

    let mut why_not = Vec::new();
    if let Err(closed) = token::admits_at(&token, verify.at.unwrap_or_else(clock::now)) {
        why_not.push(closed_text(&closed));
    }
    if verify.database {
        let db = pool::connect(&settings.mysql).await.context("mysql")?;
        match ticket_facts::find(&db, ticket).await? {
            None => why_not.push("the database knows no such ticket".to_owned()),
            Some(facts) => {
                tell(&facts);
                why_not.extend(state_text(&facts));
            }
        }
    }
    if why_not.is_empty() {
        let until = if verify.database {
            ""
        } else {
            ", unless it is void by now (--database looks)"
        };
        say(&format!("admits now{until}"));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("does not admit: {}", why_not.join("; ")));
    Ok(ExitCode::from(EXIT_NOT_ADMITTED))
}

fn closed_text(closed: &TokenError) -> String {
    match closed {
        TokenError::NotYetValid(from) => format!("too early, it opens at {from:?}"),
        TokenError::Expired(until) => format!("too late, it closed at {until:?}"),
        other => other.to_string(),
    }
}

/// Why the state of a ticket keeps its holder out.
fn state_text(facts: &TicketFacts) -> Option<String> {
    match (facts.state.as_str(), facts.voided_at) {
        (ISSUED, _) => None,
        (SCANNED, _) => Some("it was scanned before".to_owned()),
        (_void, Some(at)) => Some(format!("it is void since {at:?}")),
        (state, None) => Some(format!("it is {state}")),
    }
}

fn tell(facts: &TicketFacts) {
    let starts = match facts.zone.parse() {
        Ok(zone) => time_text::local_start(facts.starts_at, zone, Language::En),
        Err(_unknown) => format!("{:?}", facts.starts_at),
    };
    say(&format!("film       {}", facts.film));
    say(&format!("place      {}, {}", facts.venue, facts.hall));
    say(&format!("starts     {starts}"));
    say(&format!("seat       {}", seat_text(facts)));
    say(&format!(
        "booking    {} ({})",
        facts.reference, facts.booking
    ));
    say(&format!("state      {}", facts.state));
}

fn seat_text(facts: &TicketFacts) -> String {
    match (&facts.area, &facts.row, &facts.number) {
        (Some(area), Some(row), Some(number)) => format!("{area}, row {row}, seat {number}"),
        _ => format!("{}, free seating", facts.category),
    }
}

/// One line. A code may begin and end with a space: only the line break is taken off.
fn from_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(CODE_BYTES_MAX)
        .read_to_string(&mut text)
        .context("standard input")?;
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    Ok(line.to_owned())
}

const CODE_BYTES_MAX: u64 = 4096;

#[derive(Debug, Deserialize)]
struct Fetched {
    keys: Vec<FetchedKey>,
}

#[derive(Debug, Deserialize)]
struct FetchedKey {
    crv: String,
    kid: String,
    x: String,
}

fn from_file(file: &Path) -> Result<TicketKeys> {
    let name = || file.display().to_string();
    let text = std::fs::read(file).with_context(name)?;
    let fetched: Fetched = serde_json::from_slice(&text)
        .with_context(|| format!("{}: not what /v1/keys answers", name()))?;
    let mut keys = TicketKeys::new();
    for key in fetched.keys.iter().filter(|key| key.crv == "Ed25519") {
        let wrong = || format!("{}: key {:?}", name(), key.kid);
        let kid = key.kid.parse().with_context(wrong)?;
        let bytes = boxoffice_api::ticket_keys::decode(&key.x).with_context(wrong)?;
        keys.insert(kid, bytes).with_context(wrong)?;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(state: &str, voided_at: Option<Instant>) -> TicketFacts {
        TicketFacts {
            booking: boxoffice_contracts::BookingId::derive("house", "s", "k"),
            reference: "ABCDEFGH".to_owned(),
            state: state.to_owned(),
            voided_at,
            film: "Stalker".to_owned(),
            venue: "Astor".to_owned(),
            hall: "1".to_owned(),
            starts_at: "2026-11-27T18:30:00Z".parse().unwrap(),
            zone: "Europe/Berlin".to_owned(),
            area: None,
            row: None,
            number: None,
            category: "Standing".to_owned(),
        }
    }

    #[test]
    fn only_an_issued_ticket_admits() {
        let at = "2026-11-20T09:00:00Z".parse().ok();
        assert_eq!(state_text(&facts("issued", None)), None);
        assert!(
            state_text(&facts("scanned", None))
                .unwrap()
                .contains("scanned")
        );
        assert!(
            state_text(&facts("void", at))
                .unwrap()
                .contains("2026-11-20")
        );
        assert_eq!(seat_text(&facts("issued", None)), "Standing, free seating");
    }

    #[test]
    fn keys_as_they_were_served_are_read_and_others_are_refused() {
        let signer = boxoffice_documents::TicketSigner::from_seed(3, [5; 32]);
        let key = boxoffice_api::ticket_keys::TicketKey {
            kid: 3,
            public_key: signer.public_key(),
            signs: true,
        };
        let file = std::env::temp_dir().join(format!("keys-{}.json", uuid::Uuid::new_v4()));
        let text = serde_json::to_string(&KeySet::of(&[key])).unwrap();
        std::fs::write(&file, text).unwrap();
        let keys: Vec<_> = from_file(&file).unwrap().iter().collect();
        assert_eq!(keys, [(3, signer.public_key())]);
        std::fs::write(
            &file,
            r#"{"keys":[{"crv":"Ed25519","kid":"3","x":"AAAA"}]}"#,
        )
        .unwrap();
        assert!(format!("{:#}", from_file(&file).unwrap_err()).contains("key \"3\""));
        std::fs::remove_file(file).unwrap();
    }
}
