//! Ticket documents: one PDF per booking and revision, with the hash of its bytes, and the show as a calendar
//! entry beside it.

use boxoffice_contracts::{BookingId, Instant};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Binary, DateTime, Document, doc, spec::BinarySubtype},
    error::Error,
};
use serde::{Deserialize, Serialize};

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

/// Stores the document unless there is one of this revision, and returns the hash of the one that is stored.
///
/// # Errors
/// When the server can't be reached or refuses.
pub async fn store_ticket_pdf(
    database: &Database,
    booking: BookingId,
    revision: u16,
    bytes: Vec<u8>,
    sha256: &str,
    calendar: Vec<u8>,
    now: Instant,
) -> Result<String, Error> {
    let id = id(booking, revision);
    let row = doc! {
        "booking_id": booking.to_string(),
        "revision": i32::from(revision),
        "sha256": sha256,
        "size": i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        "bytes": Binary { subtype: BinarySubtype::Generic, bytes },
        "calendar": Binary { subtype: BinarySubtype::Generic, bytes: calendar },
        "created_at": DateTime::from_millis(now.timestamp_millis()),
    };
    let stored = rows(database)
        .update_one(doc! { "_id": &id }, doc! { "$setOnInsert": row })
        .upsert(true)
        .await;
    match stored {
        Ok(done) if done.upserted_id.is_some() => Ok(sha256.to_owned()),
        // Another was first, before or while we wrote: what it stored is the truth.
        Ok(_) => recorded(database, booking, revision, sha256).await,
        Err(error) if super::code(&error) == Some(super::DUPLICATE_KEY) => {
            recorded(database, booking, revision, sha256).await
        }
        Err(error) => Err(error),
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
