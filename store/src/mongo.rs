//! Documents: what is large or read as a whole. Nothing here is the only copy of a promise.
//!
//! Every write is an upsert by business key, acknowledged by a majority.

pub mod documents;
pub mod layouts;
pub mod quarantine;
pub mod timelines;

use futures::TryStreamExt;
use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::{Error, ErrorKind, IndexedWriteError, WriteFailure},
    options::{Acknowledgment, ClientOptions, WriteConcern},
};
use std::time::Duration;

/// How long a server is looked for before the service counts as down.
const SERVER_SELECTION_MAX: Duration = Duration::from_secs(3);
/// How long one connection may take to open.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long a majority may take; after it the write is repeated, which its key makes harmless.
const MAJORITY_MAX: Duration = Duration::from_secs(5);

/// The server refuses whoever has a longer name (error 184); names of roles are ASCII.
const APP_NAME_CHARS_MAX: usize = 128;

/// Connects lazily: an absent server shows when something is asked, not here.
///
/// # Errors
/// When the URL cannot be read.
pub async fn connect(url: &str, database: &str, app_name: &str) -> Result<Database, Error> {
    let mut options = ClientOptions::parse(url).await?;
    options.app_name = Some(app_name.chars().take(APP_NAME_CHARS_MAX).collect());
    options.server_selection_timeout = Some(SERVER_SELECTION_MAX);
    options.connect_timeout = Some(CONNECT_MAX);
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(MAJORITY_MAX)
            .build(),
    );
    Ok(Client::with_options(options)?.database(database))
}

/// Creates the indexes that are missing.
///
/// # Errors
/// When the server can't be reached or has another index of the same name.
pub async fn ensure_indexes(database: &Database) -> Result<(), Error> {
    documents::ensure_indexes(database).await?;
    layouts::ensure_indexes(database).await?;
    quarantine::ensure_indexes(database).await?;
    timelines::ensure_indexes(database).await
}

/// Every booking that a collection speaks of, in order.
async fn bookings_in(database: &Database, collection: &str) -> Result<Vec<String>, Error> {
    let group = doc! { "$group": { "_id": "$booking_id" } };
    let found: Vec<Document> = database
        .collection::<Document>(collection)
        .aggregate([group, doc! { "$sort": { "_id": 1 } }])
        .await?
        .try_collect()
        .await?;
    let read = |row: &Document| row.get_str("_id").ok().map(str::to_owned);
    found
        .iter()
        .map(|row| read(row).ok_or_else(|| Error::custom(format!("{collection}: broken row"))))
        .collect()
}

/// Whether there is a server that takes writes.
pub async fn is_up(database: &Database) -> bool {
    let hello = database.run_command(doc! { "hello": 1 }).await;
    hello.is_ok_and(|answer| answer.get_bool("isWritablePrimary").unwrap_or(false))
}

/// What [`initiate_replica_set`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiated {
    Now,
    Already,
}

/// Makes a single server a replica set of one member, `host:port` as clients reach it. Harmless when it is one.
///
/// # Errors
/// When the server can't be reached or was not started with `--replSet`.
pub async fn initiate_replica_set(url: &str, member: &str) -> Result<Initiated, Error> {
    let mut options = ClientOptions::parse(url).await?;
    // The set does not exist yet: speak to the one server, whatever the URL says of sets.
    options.direct_connection = Some(true);
    options.repl_set_name = None;
    options.server_selection_timeout = Some(SERVER_SELECTION_MAX);
    let set = ClientOptions::parse(url)
        .await?
        .repl_set_name
        .unwrap_or_else(|| "rs0".to_owned());
    let admin = Client::with_options(options)?.database("admin");
    match admin.run_command(doc! { "replSetGetStatus": 1 }).await {
        Ok(_) => return Ok(Initiated::Already),
        Err(error) if code(&error) == Some(NOT_YET_INITIALIZED) => {}
        Err(error) => return Err(error),
    }
    let config = doc! { "_id": set, "members": [{ "_id": 0, "host": member }] };
    match admin.run_command(doc! { "replSetInitiate": config }).await {
        Ok(_) => Ok(Initiated::Now),
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => Ok(Initiated::Already),
        Err(error) => Err(error),
    }
}

// Numbers of the server's `src/mongo/base/error_codes.yml`.
const ALREADY_INITIALIZED: i32 = 23;
const NOT_YET_INITIALIZED: i32 = 94;
const DUPLICATE_KEY: i32 = 11000;

/// Whether the service is away, rather than this document refused. Trying later helps.
#[must_use]
pub fn is_outage(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Authentication { .. }
        | ErrorKind::InvalidTlsConfig { .. }
        | ErrorKind::Shutdown => true,
        // A majority that is slow or gone: the write may stand, its repetition is harmless.
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        // A server that steps down in the middle of a command says so of each document that was left.
        ErrorKind::InsertMany(failed)
            if failed.write_concern_error.is_some()
                || failed.write_errors.iter().flatten().any(is_stepping_down) =>
        {
            true
        }
        _ => {
            error.contains_label("RetryableWriteError")
                || error.contains_label("TransientTransactionError")
                || code(error).is_some_and(|code| STEPPING_DOWN.contains(&code))
        }
    }
}

/// Host unreachable or not found, network timeout, shutting down, not the primary and its relatives,
/// time limit, out of disk space.
const STEPPING_DOWN: [i32; 15] = [
    6, 7, 50, 89, 91, 133, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436,
];

fn is_stepping_down(error: &IndexedWriteError) -> bool {
    STEPPING_DOWN.contains(&error.code)
}

fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::error::InsertManyError;
    use serde_json::json;

    #[test]
    fn a_server_that_is_away_is_an_outage_and_a_refused_document_is_none() {
        let away = Error::from(std::io::Error::other("connection reset"));
        assert!(is_outage(&away));
        assert!(!is_outage(&Error::custom("a document")));
    }

    #[test]
    fn documents_that_a_server_left_when_it_stepped_down_were_not_refused() {
        let failed = |told: serde_json::Value| -> Error {
            let failed: InsertManyError = serde_json::from_value(told).unwrap();
            ErrorKind::InsertMany(failed).into()
        };
        let left = json!({"writeErrors": [{"index": 0, "code": 11000}, {"index": 1, "code": 189}]});
        assert!(is_outage(&failed(left)));
        let there = json!({"writeErrors": [{"index": 0, "code": 11000}]});
        assert!(!is_outage(&failed(there)));
        let unsure = json!({"writeConcernError": {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "timeout"}});
        assert!(is_outage(&failed(unsure)));
    }

    #[tokio::test]
    async fn a_majority_is_asked_for_whatever_the_url_says() {
        let database = connect("mongodb://127.0.0.1:1/?w=1", "boxoffice", "test")
            .await
            .unwrap();
        let concern = database.write_concern().unwrap();
        assert_eq!(concern.w, Some(Acknowledgment::Majority));
        assert_eq!(concern.journal, Some(true));
    }
}
