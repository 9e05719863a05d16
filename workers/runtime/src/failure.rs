//! What a worker may say when it can't go on. Nothing is swallowed: each kind has one way to be settled.

use sea_orm::{DbErr, RuntimeErr};
use std::fmt;

/// Why, in a form that groups: a stable code, and a detail for a person without personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub code: &'static str,
    pub detail: String,
}

impl Cause {
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// A service that everything on a queue needs. When it is down the consumer pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Database,
    Documents,
    Broker,
    Gateway,
    Mail,
}

impl Service {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Documents => "documents",
            Self::Broker => "broker",
            Self::Gateway => "gateway",
            Self::Mail => "mail",
        }
    }
}

/// What stops a handler. `?` makes a database error the right one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// A fault of this message that may pass: wait, count the attempt, try again; parked when used up.
    #[error("retry: {0}")]
    Retry(Cause),
    /// Trying again will not help: parked for a person.
    #[error("park: {0}")]
    Park(Cause),
    /// A service that every message needs is down: the consumer pauses, no attempt is counted.
    #[error("{service} is down: {cause}", service = .0.as_str(), cause = .1)]
    Down(Service, Cause),
    /// The transaction lost against another (deadlock, lock timeout): run it again, whole.
    #[error("conflict: {0}")]
    Conflict(Cause),
}

/// How one message of a decided batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its effects are in the transaction.
    Done,
    /// As [`Failure::Retry`]; the handler wrote nothing for it.
    Retry(Cause),
    /// Too early. Waits as a retry does, but its attempts are not bounded: its own deadline ends it.
    Defer(Cause),
    /// As [`Failure::Park`]; the handler wrote nothing for it.
    Park(Cause),
}

impl Verdict {
    /// Why it isn't done.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Done => None,
            Self::Retry(cause) | Self::Defer(cause) | Self::Park(cause) => Some(cause),
        }
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        classify(&error)
    }
}

/// MySQL error numbers, by what to do about them. Source: the server manuals' error reference.
fn classify(error: &DbErr) -> Failure {
    let detail = error.to_string();
    match mysql_number(error) {
        // Deadlock, lock wait timeout, record changed since last read, duplicate key: another was first.
        Some(1213 | 1205 | 1020 | 1062) => {
            Failure::Conflict(Cause::new("transaction_conflict", detail))
        }
        // Read only, shutting down, too many connections or transactions, out of memory, no room, gone away, lost,
        // interrupted, timeouts of the session.
        Some(
            1290
            | 1836
            | 1053
            | 1040
            | 1152..=1161
            | 1969
            | 3024
            | 1317
            | 1927
            | 1021
            | 1114
            | 1030
            | 1037
            | 1041
            | 1129
            | 1180
            | 1203
            | 1226
            | 1637
            | 4031,
        ) => Failure::Down(
            Service::Database,
            Cause::new("database_unavailable", detail),
        ),
        // Access denied, no such database, table, column or privilege: the deployment is not there yet.
        // It concerns every message, and parking them all would help nobody.
        Some(1044 | 1045 | 1049 | 1054 | 1142 | 1146) => {
            Failure::Down(Service::Database, Cause::new("database_not_ready", detail))
        }
        Some(_) => Failure::Park(Cause::new("database_refused", detail)),
        None if is_connection(error) => Failure::Down(
            Service::Database,
            Cause::new("database_unreachable", detail),
        ),
        None => Failure::Park(Cause::new("database_error", detail)),
    }
}

/// The server's error number, which `sql_err()` does not tell for most.
#[must_use]
pub fn mysql_number(error: &DbErr) -> Option<u16> {
    let (DbErr::Exec(RuntimeErr::SqlxError(inner))
    | DbErr::Query(RuntimeErr::SqlxError(inner))
    | DbErr::Conn(RuntimeErr::SqlxError(inner))) = error
    else {
        return None;
    };
    let database = inner.as_database_error()?;
    Some(
        database
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?
            .number(),
    )
}

fn is_connection(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) => {
            matches!(
                inner.as_ref(),
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            )
        }
        _ => false,
    }
}
