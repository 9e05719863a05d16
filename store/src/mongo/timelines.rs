//! Timelines as they are kept for reading. A projection: [`crate::timeline`] makes its lines at any time again.

use crate::timeline::{Line, What};
use boxoffice_contracts::{BookingId, Instant};
use chrono::DateTime;
use futures::TryStreamExt;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Bson, Document, doc, serialize_to_bson},
    error::Error,
};
use serde::{Deserialize, Serialize};

const COLLECTION: &str = "timelines";

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// `<booking>:<key>`.
    #[serde(rename = "_id")]
    id: String,
    booking_id: String,
    key: String,
    /// Microseconds since 1970: a date of BSON has only milliseconds.
    at_micros: i64,
    rank: i64,
    /// JSON, so that it reads back as it was whatever BSON makes of numbers and dates.
    what: String,
}

/// A line that the server refused for what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub booking: BookingId,
    pub code: i32,
}

/// Where a page of a timeline begins: after this line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub at_micros: i64,
    pub key: String,
}

impl Cursor {
    #[must_use]
    pub fn after(line: &Line) -> Self {
        Self {
            at_micros: line.at.timestamp_micros(),
            key: line.key.clone(),
        }
    }
}

/// Updates of one command: well below the server's limit of 100,000 and of 48 MB.
const UPDATES_MAX: usize = 1_000;

/// Writes lines, each for itself, and returns those that were refused. One that is there and says the same or
/// something newer stays: it may be written any number of times, in any order, by anybody.
///
/// # Errors
/// When the server can't be reached.
pub async fn write(database: &Database, lines: &[Line]) -> Result<Vec<Refused>, Error> {
    let mut refused = Vec::new();
    for lines in lines.chunks(UPDATES_MAX) {
        refused.extend(write_chunk(database, lines).await?);
    }
    Ok(refused)
}

async fn write_chunk(database: &Database, lines: &[Line]) -> Result<Vec<Refused>, Error> {
    let updates = lines
        .iter()
        .map(update)
        .collect::<Result<Vec<_>, Error>>()?;
    let mut command = doc! { "update": COLLECTION, "updates": updates, "ordered": false };
    if let Some(concern) = database.write_concern() {
        command.insert("writeConcern", serialize_to_bson(concern)?);
    }
    let answer: Answer =
        mongodb::bson::deserialize_from_document(database.run_command(command).await?)?;
    if let Some(concern) = answer.write_concern_error {
        // As an error that counts as an outage: it is written again, which is harmless.
        return Err(std::io::Error::other(format!("no majority in time: {}", concern.code)).into());
    }
    let errors = answer.write_errors.into_iter();
    Ok(errors
        // A line as new as ours is there already.
        .filter(|error| error.code != super::DUPLICATE_KEY)
        .filter_map(|error| {
            Some(Refused {
                booking: lines.get(usize::try_from(error.index).ok()?)?.booking,
                code: error.code,
            })
        })
        .collect())
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default, rename = "writeErrors")]
    write_errors: Vec<WriteFault>,
    #[serde(default, rename = "writeConcernError")]
    write_concern_error: Option<WriteFault>,
}

#[derive(Debug, Deserialize)]
struct WriteFault {
    #[serde(default)]
    index: i32,
    code: i32,
}

fn update(line: &Line) -> Result<Document, Error> {
    let mut row = mongodb::bson::serialize_to_document(&row(line)?)?;
    let id = row.remove("_id").unwrap_or(Bson::Null);
    // Rank 0 never changes. Else only an older line is overwritten: where a newer one is, the filter finds nothing,
    // and the insert that follows collides with it.
    Ok(match line.rank {
        0 => doc! { "q": { "_id": id }, "u": { "$setOnInsert": row }, "upsert": true },
        rank => {
            doc! { "q": { "_id": id, "rank": { "$lt": rank } }, "u": { "$set": row }, "upsert": true }
        }
    })
}

/// A page of the timeline of a booking, first line first.
///
/// # Errors
/// When the server can't be reached or a line can't be read.
pub async fn find(
    database: &Database,
    booking: BookingId,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<Line>, Error> {
    let mut filter = doc! { "booking_id": booking.to_string() };
    if let Some(Cursor { at_micros, key }) = after {
        let later = doc! { "at_micros": { "$gt": *at_micros } };
        let beside = doc! { "at_micros": *at_micros, "key": { "$gt": key } };
        filter.insert("$or", vec![later, beside]);
    }
    let rows: Vec<Row> = rows(database)
        .find(filter)
        .sort(doc! { "at_micros": 1, "key": 1 })
        .limit(i64::from(limit))
        .await?
        .try_collect()
        .await?;
    rows.into_iter().map(line).collect()
}

/// The names of all lines of these bookings' timelines.
///
/// # Errors
/// When the server can't be reached or holds what was never written.
pub async fn keys_of(
    database: &Database,
    bookings: &[BookingId],
) -> Result<Vec<(BookingId, String)>, Error> {
    let ids: Vec<String> = bookings.iter().map(ToString::to_string).collect();
    let found: Vec<Document> = rows(database)
        .clone_with_type::<Document>()
        .find(doc! { "booking_id": { "$in": ids } })
        .projection(doc! { "booking_id": 1, "key": 1 })
        .await?
        .try_collect()
        .await?;
    let read = |row: &Document| {
        let booking = row.get_str("booking_id").ok()?.parse().ok()?;
        Some((booking, row.get_str("key").ok()?.to_owned()))
    };
    found
        .iter()
        .map(|row| read(row).ok_or_else(|| Error::custom("timelines: broken row")))
        .collect()
}

/// Every booking that has a timeline, as it is written there.
///
/// # Errors
/// When the server can't be reached.
pub async fn bookings(database: &Database) -> Result<Vec<String>, Error> {
    super::bookings_in(database, COLLECTION).await
}

/// Takes a timeline away.
///
/// # Errors
/// When the server can't be reached.
pub async fn delete(database: &Database, booking: BookingId) -> Result<(), Error> {
    let mine = doc! { "booking_id": booking.to_string() };
    rows(database).delete_many(mine).await?;
    Ok(())
}

/// Takes all timelines away.
///
/// # Errors
/// When the server can't be reached.
pub async fn drop_all(database: &Database) -> Result<(), Error> {
    rows(database).drop().await?;
    ensure_indexes(database).await
}

pub(super) async fn ensure_indexes(database: &Database) -> Result<(), Error> {
    let in_order = IndexModel::builder()
        .keys(doc! { "booking_id": 1, "at_micros": 1, "key": 1 })
        .build();
    rows(database).create_index(in_order).await?;
    Ok(())
}

fn rows(database: &Database) -> Collection<Row> {
    database.collection(COLLECTION)
}

fn row(line: &Line) -> Result<Row, Error> {
    Ok(Row {
        id: format!("{}:{}", line.booking, line.key),
        booking_id: line.booking.to_string(),
        key: line.key.clone(),
        at_micros: line.at.timestamp_micros(),
        rank: line.rank,
        what: serde_json::to_string(&line.what).map_err(Error::custom)?,
    })
}

fn line(row: Row) -> Result<Line, Error> {
    let broken = || Error::custom(format!("timelines: {} is broken", row.id));
    let what: What = serde_json::from_str(&row.what).map_err(|_unreadable| broken())?;
    let at: Instant = DateTime::from_timestamp_micros(row.at_micros).ok_or_else(broken)?;
    Ok(Line {
        booking: row.booking_id.parse().map_err(|_no_id| broken())?,
        at,
        rank: row.rank,
        what,
        key: row.key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(rank: i64) -> Line {
        Line {
            booking: BookingId::derive("house", "s", "k"),
            key: "mail:confirmation:00001".to_owned(),
            at: "2026-11-21T18:30:05.123456Z".parse().unwrap(),
            rank,
            what: What::Mail {
                template: "confirmation".to_owned(),
                revision: 1,
                message_id: "x@house.example".to_owned(),
                state: "sent".to_owned(),
                detail: None,
                last_at: "2026-11-21T18:30:07.000001Z".parse().unwrap(),
            },
        }
    }

    #[test]
    fn a_line_survives_the_way_there_and_back() {
        let before = mail(7);
        let there = row(&before).unwrap();
        assert_eq!(
            there.id,
            format!("{}:mail:confirmation:00001", before.booking)
        );
        assert_eq!(line(there).unwrap(), before);
    }

    #[test]
    fn only_an_older_line_is_overwritten_and_one_that_never_changes_not_at_all() {
        let ranked = update(&mail(7)).unwrap();
        let filter = ranked.get_document("q").unwrap();
        assert_eq!(filter.get_document("rank").unwrap(), &doc! { "$lt": 7_i64 });
        assert!(
            update(&mail(0))
                .unwrap()
                .get_document("u")
                .unwrap()
                .contains_key("$setOnInsert")
        );
    }
}
