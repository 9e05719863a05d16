//! What every party believes, read at one moment: our tables, our documents, the gateway, the mail server.

use crate::{customer::Accepted, gateway::Judged};
use boxoffice_contracts::{BookingId, ShowId};
use boxoffice_mail_catcher::{Catcher, Query};
use boxoffice_saga::Booking;
use boxoffice_store::mysql::{
    attempts, bookings,
    claims::{self, Admission},
    intents, ledger, mails, operations, partner_credit, positions, refunds, ticket_states,
};
use futures::TryStreamExt;
use mongodb::{
    Database,
    bson::{Document, doc},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Statement};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Books {
    pub bookings: BTreeMap<BookingId, Entry>,
    pub claims: Vec<claims::row::Model>,
    /// Counters of places without numbers, by show and category.
    pub admissions: BTreeMap<(ShowId, String), Admission>,
    pub tickets: Vec<ticket_states::row::Model>,
    pub mails: Vec<mails::row::Model>,
    pub intents: Vec<intents::row::Model>,
    pub attempts: Vec<attempts::row::Model>,
    pub credits: Vec<partner_credit::row::Model>,
    pub refunds: Vec<refunds::row::Model>,
    pub ledger: Vec<ledger::row::Model>,
    pub operations: Vec<operations::row::Model>,
    pub outbox: u64,
    /// `queue kind code: reason` of what waits for a person.
    pub parked: Vec<String>,
    /// Parked messages that have an inbox row all the same.
    pub parked_and_handled: u64,
    /// What the gateway says.
    pub judged: Vec<Judged>,
    pub webhooks_undelivered: u64,
    /// Every mail that arrived, by `Message-ID`: recipient and copies.
    pub arrived: BTreeMap<String, (String, u32)>,
    pub documents: Vec<StoredDocument>,
    /// Booking and name of each line of the timelines.
    pub timelines: BTreeSet<(String, String)>,
    pub accepted: Vec<Accepted>,
}

/// A booking with all that is its own.
pub struct Entry {
    pub row: bookings::row::Model,
    pub saga: Booking,
    pub positions: Vec<positions::row::Model>,
    pub events: Vec<bookings::event_row::Model>,
}

pub struct StoredDocument {
    pub booking: String,
    pub revision: i32,
    /// Whether its bytes have the hash that is stored beside them.
    pub sound: bool,
}

impl Books {
    /// Reads our tables. The caller adds what others say.
    pub async fn read(db: &DatabaseConnection) -> Self {
        let mut books = Self {
            claims: claims::row::Entity::find().all(db).await.unwrap(),
            admissions: admissions(db).await,
            tickets: ticket_states::row::Entity::find().all(db).await.unwrap(),
            mails: mails::row::Entity::find().all(db).await.unwrap(),
            intents: intents::row::Entity::find().all(db).await.unwrap(),
            attempts: attempts::row::Entity::find().all(db).await.unwrap(),
            credits: partner_credit::row::Entity::find().all(db).await.unwrap(),
            refunds: refunds::row::Entity::find().all(db).await.unwrap(),
            ledger: ledger::row::Entity::find().all(db).await.unwrap(),
            operations: operations::row::Entity::find().all(db).await.unwrap(),
            outbox: count(db, "outbox").await,
            parked: parked(db).await,
            parked_and_handled: count(
                db,
                "parked_messages p JOIN inbox i USING (queue, message_id) WHERE p.status = 'parked'",
            )
            .await,
            ..Self::default()
        };
        for row in bookings::row::Entity::find().all(db).await.unwrap() {
            let saga = serde_json::from_value(row.saga.clone()).unwrap();
            let entry = Entry {
                row,
                saga,
                positions: Vec::new(),
                events: Vec::new(),
            };
            books.bookings.insert(entry.saga.id, entry);
        }
        for position in positions::row::Entity::find().all(db).await.unwrap() {
            let entry = books
                .bookings
                .get_mut(&BookingId(position.booking_id))
                .unwrap();
            entry.positions.push(position);
        }
        for event in bookings::event_row::Entity::find().all(db).await.unwrap() {
            let entry = books
                .bookings
                .get_mut(&BookingId(event.booking_id))
                .unwrap();
            entry.events.push(event);
        }
        for entry in books.bookings.values_mut() {
            entry.events.sort_by_key(|event| event.version);
        }
        books
    }

    pub async fn read_documents(&mut self, documents: &Database) {
        self.documents = all(documents, "ticket_documents")
            .await
            .iter()
            .map(stored)
            .collect();
        self.timelines = all(documents, "timelines")
            .await
            .iter()
            .map(|line| {
                let text = |name| line.get_str(name).unwrap().to_owned();
                (text("booking_id"), text("key"))
            })
            .collect();
    }

    pub fn read_mails(&mut self, catcher: &Catcher) {
        let all = Query {
            limit: Some(usize::MAX),
            ..Query::default()
        };
        for mail in catcher.store().list(&all) {
            let id = mail
                .message_id
                .unwrap_or_else(|| panic!("a mail without Message-ID: {:?}", mail.subject));
            // To operators, not to customers.
            if id.starts_with("alert.") {
                continue;
            }
            let entry = self
                .arrived
                .entry(id)
                .or_insert_with(|| (mail.to.join(","), 0));
            entry.1 += 1;
        }
    }

    pub(crate) fn judged_of(&self, booking: BookingId) -> impl Iterator<Item = &Judged> {
        self.judged
            .iter()
            .filter(move |judged| judged.booking() == Some(booking))
    }
}

impl Entry {
    pub(crate) fn status(&self) -> &str {
        &self.row.status
    }

    /// Whether it ever had this status.
    pub(crate) fn was(&self, status: &str) -> bool {
        self.events.iter().any(|event| event.to_status == status)
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &positions::row::Model> {
        self.positions.iter().filter(|position| position.live)
    }
}

async fn all(documents: &Database, collection: &str) -> Vec<Document> {
    let rows = documents.collection::<Document>(collection);
    rows.find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}

fn stored(row: &Document) -> StoredDocument {
    let bytes = row.get_binary_generic("bytes").unwrap();
    let hash: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    StoredDocument {
        booking: row.get_str("booking_id").unwrap().to_owned(),
        revision: row.get_i32("revision").unwrap(),
        sound: row.get_str("sha256").unwrap() == hash,
    }
}

/// `SELECT COUNT(*) FROM` whatever follows.
pub async fn count(db: &DatabaseConnection, from: &str) -> u64 {
    let ask = Statement::from_string(
        DbBackend::MySql,
        format!("SELECT COUNT(*) AS n FROM {from}"),
    );
    let row = db.query_one_raw(ask).await.unwrap().unwrap();
    u64::try_from(row.try_get::<i64>("", "n").unwrap()).unwrap()
}

/// The first column of each row, as text.
pub async fn texts(db: &DatabaseConnection, query: &str) -> Vec<String> {
    let ask = Statement::from_string(DbBackend::MySql, query.to_owned());
    let rows = db.query_all_raw(ask).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

async fn admissions(db: &DatabaseConnection) -> BTreeMap<(ShowId, String), Admission> {
    let query = "SELECT show_id, category, capacity, taken FROM admissions";
    let ask = Statement::from_string(DbBackend::MySql, query);
    let rows = db.query_all_raw(ask).await.unwrap();
    rows.iter()
        .map(|row| {
            let show = ShowId(row.try_get("", "show_id").unwrap());
            let admission = Admission {
                capacity: row.try_get("", "capacity").unwrap(),
                taken: row.try_get("", "taken").unwrap(),
            };
            ((show, row.try_get("", "category").unwrap()), admission)
        })
        .collect()
}

async fn parked(db: &DatabaseConnection) -> Vec<String> {
    let query = "SELECT CONCAT(queue, ' ', kind, ' ', code, ': ', reason) FROM parked_messages \
                 WHERE status = 'parked' ORDER BY first_failed_at";
    texts(db, query).await
}
