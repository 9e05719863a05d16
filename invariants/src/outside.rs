//! What others hold, fetched before our own books are read: whatever is younger than that is not compared.

use crate::{
    page::{Beside, Document},
    sources::{Arrived, GatewayLedger, Judged, Mail, Options, Sources},
    tally::Tally,
};
use boxoffice_contracts::{BookingId, Instant};
use boxoffice_documents::{TicketKeys, ticket_pdf::codes, token};
use boxoffice_store::{
    mongo::{documents, timelines},
    mysql::{bookings, intents},
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Everything that was fetched as a whole.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    gateway: Option<GatewayLedger>,
    judged: HashMap<BookingId, Vec<Judged>>,
    arrived: Option<HashMap<BookingId, Arrived>>,
    /// Mails that name no booking.
    stray_mails: Arrived,
    mail_copies: bool,
}

/// Ids that are looked up at once.
const PORTION: usize = 512;

impl Outside {
    /// Asks the gateway and the mail server.
    pub(crate) async fn ask(sources: &Sources, options: &Options, tally: &mut Tally) -> Self {
        let mut outside = Self {
            mail_copies: options.allowed.mail_copies,
            ..Self::default()
        };
        if let Some(gateway) = &sources.gateway {
            match gateway.ledger().await {
                Ok(ledger) => {
                    for judged in &ledger.intents {
                        if let Some(booking) = judged.booking() {
                            let of = outside.judged.entry(booking).or_default();
                            of.push(judged.clone());
                        }
                    }
                    outside.gateway = Some(ledger);
                }
                Err(error) => {
                    tally.failed("C20", &error);
                    tally.failed("C27", error);
                }
            }
        }
        if let Some(mails) = &sources.mails {
            match mails.arrived().await {
                Ok(arrived) => outside.sort(arrived),
                Err(error) => tally.failed("C13b", error),
            }
        }
        outside
    }

    /// A `Message-ID` begins with the booking's id.
    fn sort(&mut self, arrived: Arrived) {
        let mut sorted: HashMap<BookingId, Arrived> = HashMap::new();
        for (id, mail) in arrived {
            let booking = id.split('.').next().and_then(|id| id.parse().ok());
            let of = match booking {
                Some(booking) => sorted.entry(booking).or_default(),
                None => &mut self.stray_mails,
            };
            of.insert(id, mail);
        }
        self.arrived = Some(sorted);
    }

    /// What is known of one booking beside its rows; documents and timeline come with [`Papers`].
    pub(crate) fn beside(&self, id: BookingId, created_at: Instant, papers: &mut Papers) -> Beside {
        let whole = |ledger: &&GatewayLedger| ledger.since.is_none_or(|since| since <= created_at);
        let gateway = self.gateway.as_ref().filter(whole);
        Beside {
            judged: gateway.map(|_| self.judged.get(&id).cloned().unwrap_or_default()),
            lists_open: gateway.is_some_and(|ledger| ledger.lists_open),
            documents: papers
                .documents
                .as_mut()
                .map(|all| all.remove(&id).unwrap_or_default()),
            timeline: papers
                .timelines
                .as_mut()
                .map(|all| all.remove(&id).unwrap_or_default()),
            arrived: self
                .arrived
                .as_ref()
                .map(|all| all.get(&id).cloned().unwrap_or_default()),
            mail_copies: self.mail_copies,
        }
    }

    /// What others hold of bookings that we don't know.
    pub(crate) async fn strays(&self, sources: &Sources, options: &Options, tally: &mut Tally) {
        if let Some(ledger) = &self.gateway {
            if let Some(undelivered) = ledger.webhooks_undelivered {
                tally.looked("C27", 1);
                if options.at_rest && undelivered > 0 && !options.allowed.lost_webhooks {
                    let text = format!("{undelivered} events of the gateway were never taken");
                    tally.found("C27", None, "webhooks".to_owned(), text);
                }
            }
            if let Err(error) = stray_intents(&sources.db, ledger, tally).await {
                tally.failed("C20", error);
            }
        }
        if let Some(arrived) = &self.arrived {
            let ids = arrived.keys().map(|id| id.0).collect();
            match unknown_bookings(&sources.db, ids).await {
                Err(error) => tally.failed("C13b", error),
                Ok(unknown) => {
                    for (id, _) in arrived.iter().filter(|(id, _)| unknown.contains(&id.0)) {
                        let text = format!("mails came about {id}, which isn't there");
                        tally.found("C13b", None, id.to_string(), text);
                    }
                }
            }
            for (id, Mail { copies, .. }) in &self.stray_mails {
                let text = format!("{id} came {copies} times, and is about no booking");
                tally.found("C13b", None, id.clone(), text);
            }
        }
        if let Some(database) = sources.documents.as_ref().filter(|_| options.at_rest) {
            stray_papers(&sources.db, database, tally).await;
        }
    }
}

/// C20: an intent there whose id nobody stored, and whose booking isn't there to be asked about it.
async fn stray_intents(
    db: &DatabaseConnection,
    ledger: &GatewayLedger,
    tally: &mut Tally,
) -> Result<(), DbErr> {
    let mut unknown: BTreeMap<String, Option<BookingId>> = ledger
        .intents
        .iter()
        .map(|judged| (judged.id.clone(), judged.booking()))
        .collect();
    let ids: Vec<String> = unknown.keys().cloned().collect();
    for portion in ids.chunks(PORTION) {
        let known: Vec<Option<String>> = intents::row::Entity::find()
            .select_only()
            .column(intents::row::Column::IntentId)
            .filter(intents::row::Column::IntentId.is_in(padded(portion)))
            .into_tuple()
            .all(db)
            .await?;
        for id in known.into_iter().flatten() {
            unknown.remove(&id);
        }
    }
    let bookings = unknown.values().flatten().map(|id| id.0).collect();
    let missing = unknown_bookings(db, bookings).await?;
    for (intent, booking) in unknown {
        // A booking that is there is asked itself, when it is at rest.
        let whose = match booking {
            Some(booking) if !missing.contains(&booking.0) => continue,
            Some(booking) => format!("of {booking}, which isn't there"),
            None => "of no booking".to_owned(),
        };
        let text = format!("{intent} is in the gateway's books, {whose}");
        tally.found("C20", None, intent, text);
    }
    Ok(())
}

async fn unknown_bookings(
    db: &DatabaseConnection,
    ids: BTreeSet<Uuid>,
) -> Result<BTreeSet<Uuid>, DbErr> {
    let mut unknown = ids.clone();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    for portion in ids.chunks(PORTION) {
        let known: Vec<Uuid> = bookings::row::Entity::find()
            .select_only()
            .column(bookings::row::Column::Id)
            .filter(bookings::row::Column::Id.is_in(padded(portion)))
            .into_tuple()
            .all(db)
            .await?;
        for id in known {
            unknown.remove(&id);
        }
    }
    Ok(unknown)
}

/// As many as a full portion, so that it is one prepared statement.
fn padded<T: Clone>(portion: &[T]) -> Vec<T> {
    let mut portion = portion.to_vec();
    if let Some(last) = portion.last().cloned() {
        portion.resize(PORTION, last);
    }
    portion
}

/// Documents and timelines of bookings that aren't there. All of MongoDB is gone through: only at rest.
async fn stray_papers(db: &DatabaseConnection, database: &mongodb::Database, tally: &mut Tally) {
    for (check, what, told) in [
        ("C12", "documents", documents::bookings(database).await),
        ("C26", "a timeline", timelines::bookings(database).await),
    ] {
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                tally.failed(check, error);
                continue;
            }
        };
        let ids: BTreeMap<String, Option<BookingId>> = told
            .into_iter()
            .map(|id| (id.clone(), id.parse().ok()))
            .collect();
        let known = ids.values().flatten().map(|id| id.0).collect();
        let missing = match unknown_bookings(db, known).await {
            Ok(missing) => missing,
            Err(error) => {
                tally.failed(check, error);
                continue;
            }
        };
        for (id, booking) in ids {
            if booking.is_none_or(|booking| missing.contains(&booking.0)) {
                let text = format!("{id} has {what}, and isn't there");
                tally.found(check, None, id, text);
            }
        }
    }
}

/// Documents and timelines of a page of bookings.
#[derive(Debug, Default)]
pub(crate) struct Papers {
    documents: Option<HashMap<BookingId, Vec<Document>>>,
    timelines: Option<HashMap<BookingId, BTreeSet<String>>>,
}

impl Papers {
    pub(crate) async fn read(sources: &Sources, ids: &[BookingId], tally: &mut Tally) -> Self {
        let Some(database) = &sources.documents else {
            return Self::default();
        };
        let mut papers = Self::default();
        match documents::all_of(database, ids).await {
            Err(error) => tally.failed("C12", error),
            Ok(found) => {
                let mut all: HashMap<BookingId, Vec<Document>> = HashMap::new();
                for (facts, bytes) in found {
                    let of = all.entry(facts.booking).or_default();
                    of.push(document(facts, &bytes, sources.ticket_keys.as_ref()));
                }
                papers.documents = Some(all);
            }
        }
        match timelines::keys_of(database, ids).await {
            Err(error) => tally.failed("C26", error),
            Ok(found) => {
                let mut all: HashMap<BookingId, BTreeSet<String>> = HashMap::new();
                for (booking, key) in found {
                    all.entry(booking).or_default().insert(key);
                }
                papers.timelines = Some(all);
            }
        }
        papers
    }
}

fn document(facts: documents::DocumentFacts, bytes: &[u8], keys: Option<&TicketKeys>) -> Document {
    let hash: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Document {
        sound: hash == facts.sha256,
        tickets: keys.map(|keys| tickets(bytes, keys)),
        facts,
    }
}

/// The tickets that the codes of a document admit, each code checked as the gate does.
fn tickets(bytes: &[u8], keys: &TicketKeys) -> Result<Vec<Uuid>, String> {
    let codes = codes::read(bytes).map_err(|error| error.to_string())?;
    let read = codes.iter().map(|code| {
        let genuine = token::read(code, keys).map_err(|error| error.to_string())?;
        Ok(genuine.token.ticket_id)
    });
    read.collect()
}
