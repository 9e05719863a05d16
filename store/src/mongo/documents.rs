//! Ticket documents: one PDF per booking and revision, with the hash of its bytes, and the show as a calendar
//! entry beside it.

use boxoffice_contracts::{BookingId, Instant};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Binary, DateTime, Document, doc, spec::BinarySubtype},
    error::{Error, ErrorKind},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const COLLECTION: &str = "ticket_documents";

/// A document as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// `<booking>:<revision>`.
    #[serde(rename = "_id")]
    id: String,
    booking_id: String,
    revision: i32,
    sha256: String,
    bytes: Binary,
    /// `text/calendar`. Documents of former versions have none.
    #[serde(default)]
    calendar: Option<Binary>,
    size: i64,
    created_at: DateTime,
}

/// A ticket document.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPdf {
    pub bytes: Vec<u8>,
    /// Hash of the bytes, in hex.
    pub sha256: String,
    pub revision: u16,
}

impl std::fmt::Debug for StoredPdf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            bytes,
            sha256,
            revision,
        } = self;
        write!(
            f,
            "StoredPdf({} bytes, {sha256}, revision {revision})",
            bytes.len()
        )
    }
}

/// The show of a booking as a calendar entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCalendar {
    /// `text/calendar` in UTF-8.
    pub bytes: Vec<u8>,
    pub revision: u16,
}

/// A ticket document that is to be stored.
#[derive(Debug)]
pub struct NewPdf {
    pub booking: BookingId,
    pub revision: u16,
    pub bytes: Vec<u8>,
    /// Hash of the bytes, in hex.
    pub sha256: String,
    /// `text/calendar` in UTF-8.
    pub calendar: Vec<u8>,
    pub now: Instant,
}

/// Stores each document unless there is one of its revision, in one command: a document costs the server little, a
/// command much. Returns for each the hash of the one that is stored, or why the server refused it.
///
/// # Errors
/// When the server can't be reached; some may be stored.
pub async fn store_ticket_pdfs(
    database: &Database,
    documents: Vec<NewPdf>,
) -> Result<Vec<Result<String, Error>>, Error> {
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<(BookingId, u16, String)> = documents
        .iter()
        .map(|new| (new.booking, new.revision, new.sha256.clone()))
        .collect();
    let stored = rows(database)
        .insert_many(documents.into_iter().map(row))
        .ordered(false)
        .await;
    let refused = match stored {
        Ok(_) => HashMap::new(),
        Err(error) => refused(error)?,
    };
    let mut hashes = Vec::with_capacity(known.len());
    for (index, (booking, revision, sha256)) in known.into_iter().enumerate() {
        hashes.push(match refused.get(&index) {
            None => Ok(sha256),
            // Another was first, before or while we wrote: what it stored is the truth.
            Some(&super::DUPLICATE_KEY) => recorded(database, booking, revision, &sha256).await,
            Some(code) => Err(Error::custom(format!("MongoDB error {code}"))),
        });
    }
    Ok(hashes)
}

fn row(new: NewPdf) -> Row {
    Row {
        id: id(new.booking, new.revision),
        booking_id: new.booking.to_string(),
        revision: i32::from(new.revision),
        sha256: new.sha256,
        size: i64::try_from(new.bytes.len()).unwrap_or(i64::MAX),
        bytes: binary(new.bytes),
        calendar: Some(binary(new.calendar)),
        created_at: DateTime::from_millis(new.now.timestamp_millis()),
    }
}

const fn binary(bytes: Vec<u8>) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes,
    }
}

/// Codes of the documents that were refused, by their place; the others are stored.
fn refused(error: Error) -> Result<HashMap<usize, i32>, Error> {
    match error.kind.as_ref() {
        // Of a server that goes away, or has no majority in time, nothing is known of any.
        ErrorKind::InsertMany(many) if !super::is_outage(&error) => {
            let errors = many.write_errors.iter().flatten();
            Ok(errors.map(|error| (error.index, error.code)).collect())
        }
        _ => Err(error),
    }
}

async fn recorded(
    database: &Database,
    booking: BookingId,
    revision: u16,
    ours: &str,
) -> Result<String, Error> {
    let theirs = find_ticket_hash(database, booking, revision).await?;
    Ok(theirs.unwrap_or_else(|| ours.to_owned()))
}

/// Hash of the stored document of this revision.
///
/// # Errors
/// When the server can't be reached.
pub async fn find_ticket_hash(
    database: &Database,
    booking: BookingId,
    revision: u16,
) -> Result<Option<String>, Error> {
    let found = rows(database)
        .clone_with_type::<Document>()
        .find_one(doc! { "_id": id(booking, revision) })
        .projection(doc! { "sha256": 1 })
        .await?;
    Ok(found.and_then(|row| row.get_str("sha256").ok().map(str::to_owned)))
}

/// The stored document of the highest revision.
///
/// # Errors
/// When the server can't be reached.
pub async fn find_ticket_pdf(
    database: &Database,
    booking: BookingId,
) -> Result<Option<StoredPdf>, Error> {
    let found = rows(database)
        .find_one(doc! { "booking_id": booking.to_string() })
        .sort(doc! { "revision": -1 })
        .projection(doc! { "calendar": 0 })
        .await?;
    Ok(found.map(|row| StoredPdf {
        bytes: row.bytes.bytes,
        sha256: row.sha256,
        revision: u16::try_from(row.revision).unwrap_or_default(),
    }))
}

/// The calendar entry beside the document of the highest revision.
///
/// # Errors
/// When the server can't be reached.
pub async fn find_calendar(
    database: &Database,
    booking: BookingId,
) -> Result<Option<StoredCalendar>, Error> {
    let found = rows(database)
        .clone_with_type::<Document>()
        .find_one(doc! { "booking_id": booking.to_string() })
        .sort(doc! { "revision": -1 })
        .projection(doc! { "calendar": 1, "revision": 1 })
        .await?;
    Ok(found.and_then(|row| {
        let revision = row.get_i32("revision").ok()?;
        Some(StoredCalendar {
            bytes: row.get_binary_generic("calendar").ok()?.clone(),
            revision: u16::try_from(revision).ok()?,
        })
    }))
}

/// A stored document without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFacts {
    pub booking: BookingId,
    pub revision: u16,
    pub sha256: String,
    pub bytes: u64,
    /// With milliseconds.
    pub created_at: Instant,
}

/// All documents of these bookings, without their bytes.
///
/// # Errors
/// When the server can't be reached or holds what was never written.
pub async fn facts_of(
    database: &Database,
    bookings: &[BookingId],
) -> Result<Vec<DocumentFacts>, Error> {
    let ids: Vec<String> = bookings.iter().map(ToString::to_string).collect();
    let found: Vec<Document> = rows(database)
        .clone_with_type::<Document>()
        .find(doc! { "booking_id": { "$in": ids } })
        .projection(doc! { "bytes": 0 })
        .await?
        .try_collect()
        .await?;
    found
        .iter()
        .map(|row| facts(row).ok_or_else(|| Error::custom("ticket_documents: broken row")))
        .collect()
}

/// All documents of these bookings with their bytes.
///
/// # Errors
/// When the server can't be reached or holds what was never written.
pub async fn all_of(
    database: &Database,
    bookings: &[BookingId],
) -> Result<Vec<(DocumentFacts, Vec<u8>)>, Error> {
    let ids: Vec<String> = bookings.iter().map(ToString::to_string).collect();
    let found: Vec<Document> = rows(database)
        .clone_with_type::<Document>()
        .find(doc! { "booking_id": { "$in": ids } })
        .projection(doc! { "calendar": 0 })
        .await?
        .try_collect()
        .await?;
    let read = |row: &Document| {
        let bytes = row.get_binary_generic("bytes").ok()?.clone();
        Some((facts(row)?, bytes))
    };
    found
        .iter()
        .map(|row| read(row).ok_or_else(|| Error::custom("ticket_documents: broken row")))
        .collect()
}

/// Every booking that has a document, as it is written there.
///
/// # Errors
/// When the server can't be reached.
pub async fn bookings(database: &Database) -> Result<Vec<String>, Error> {
    super::bookings_in(database, COLLECTION).await
}

fn facts(row: &Document) -> Option<DocumentFacts> {
    let created = row.get_datetime("created_at").ok()?.timestamp_millis();
    Some(DocumentFacts {
        booking: row.get_str("booking_id").ok()?.parse().ok()?,
        revision: u16::try_from(row.get_i32("revision").ok()?).ok()?,
        sha256: row.get_str("sha256").ok()?.to_owned(),
        bytes: u64::try_from(row.get_i64("size").ok()?).ok()?,
        created_at: Instant::from_timestamp_millis(created)?,
    })
}

pub(super) async fn ensure_indexes(database: &Database) -> Result<(), Error> {
    let by_booking = IndexModel::builder()
        .keys(doc! { "booking_id": 1, "revision": -1 })
        .build();
    rows(database).create_index(by_booking).await?;
    Ok(())
}

fn rows(database: &Database) -> Collection<Row> {
    database.collection(COLLECTION)
}

fn id(booking: BookingId, revision: u16) -> String {
    format!("{booking}:{revision}")
}
