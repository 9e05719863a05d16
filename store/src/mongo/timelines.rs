//! Timelines: every event of a booking, in order. A projection that can be made again from `booking_events`.

use boxoffice_contracts::{BookingId, Instant, MessageId, ShowId};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{DateTime, doc},
    error::{Error, ErrorKind},
};
use serde::{Deserialize, Serialize};

const COLLECTION: &str = "timelines";

/// One line of a timeline. Ids and codes only, no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub booking: BookingId,
    pub show: ShowId,
    pub version: u32,
    /// Wire name of the event.
    pub kind: String,
    pub status: String,
    pub code: Option<String>,
    pub at: Instant,
    pub message: MessageId,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// `<booking>:<version>:<kind>`.
    #[serde(rename = "_id")]
    id: String,
    booking_id: String,
    show_id: String,
    version: i64,
    kind: String,
    status: String,
    code: Option<String>,
    /// Milliseconds; lines are in order of their versions.
    at: DateTime,
    message_id: String,
}

/// A line that the server refused for what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which of the lines given.
    pub index: usize,
    pub code: i32,
}

/// Writes the lines that are not there yet, each for itself, and returns those that were refused.
///
/// # Errors
/// When the server can't be reached.
pub async fn append(database: &Database, lines: &[Line]) -> Result<Vec<Refused>, Error> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let Err(error) = rows(database)
        .insert_many(lines.iter().map(row))
        .ordered(false)
        .await
    else {
        return Ok(Vec::new());
    };
    match error.kind.as_ref() {
        ErrorKind::InsertMany(failed) if failed.write_concern_error.is_none() => {
            let refused = failed.write_errors.iter().flatten();
            Ok(refused
                // A line never changes: one that is there is the same one.
                .filter(|refused| refused.code != super::DUPLICATE_KEY)
                .map(|refused| Refused {
                    index: refused.index,
                    code: refused.code,
                })
                .collect())
        }
        _ => Err(error),
    }
}

/// The timeline of a booking, first line first.
///
/// # Errors
/// When the server can't be reached or a line can't be read.
pub async fn find(database: &Database, booking: BookingId) -> Result<Vec<Line>, Error> {
    let rows: Vec<Row> = rows(database)
        .find(doc! { "booking_id": booking.to_string() })
        .sort(doc! { "version": 1, "_id": 1 })
        .await?
        .try_collect()
        .await?;
    rows.into_iter()
        .map(|row| line(row).ok_or_else(|| Error::custom("timelines: broken line")))
        .collect()
}

pub(super) async fn ensure_indexes(database: &Database) -> Result<(), Error> {
    let by_booking = IndexModel::builder()
        .keys(doc! { "booking_id": 1, "version": 1 })
        .build();
    rows(database).create_index(by_booking).await?;
    Ok(())
}

fn rows(database: &Database) -> Collection<Row> {
    database.collection(COLLECTION)
}

fn row(line: &Line) -> Row {
    Row {
        id: format!("{}:{}:{}", line.booking, line.version, line.kind),
        booking_id: line.booking.to_string(),
        show_id: line.show.to_string(),
        version: i64::from(line.version),
        kind: line.kind.clone(),
        status: line.status.clone(),
        code: line.code.clone(),
        at: DateTime::from_millis(line.at.timestamp_millis()),
        message_id: line.message.to_string(),
    }
}

fn line(row: Row) -> Option<Line> {
    Some(Line {
        booking: row.booking_id.parse().ok()?,
        show: row.show_id.parse().ok()?,
        version: u32::try_from(row.version).ok()?,
        kind: row.kind,
        status: row.status,
        code: row.code,
        at: Instant::from_timestamp_millis(row.at.timestamp_millis())?,
        message: row.message_id.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_the_way_there_and_back() {
        let before = Line {
            booking: BookingId::derive("house", "s", "k"),
            show: ShowId::from_slug("show"),
            version: 7,
            kind: "booking.paid.v1".to_owned(),
            status: "paid".to_owned(),
            code: None,
            at: Instant::from_timestamp_millis(1_793_000_000_123).unwrap(),
            message: MessageId::of_outside_event("e"),
        };
        assert_eq!(
            row(&before).id,
            format!("{}:7:booking.paid.v1", before.booking)
        );
        assert_eq!(line(row(&before)).unwrap(), before);
    }
}
