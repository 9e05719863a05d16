//! What the back office asks about bookings: finding them by what a person has at hand, those that are stuck, and
//! everything that is on record about one. Nothing is locked, nothing is written.

use super::{
    attempts, intents, mails,
    parked_lines::{self, ParkedLine},
    refunds,
    status::{Reach, instant, reach_clause},
    ticket_states,
};
use boxoffice_contracts::{BookingId, Instant, MessageId, Owner, SeatId, ShowId};
use boxoffice_saga::Booking;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QueryResult, Statement, Value, entity::prelude::Uuid,
};
use std::collections::HashMap;

/// What a booking is looked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Booking(BookingId),
    /// First and last id of a reference or of a ticket's serial: see [`crate::reference::ids_of`].
    Reference(Uuid, Uuid),
    /// Compared without regard to case.
    Email(String),
    Show(ShowId),
    /// Everybody who ever had or asked for this seat.
    Seat(ShowId, SeatId),
    /// The gateway's id.
    PaymentIntent(String),
    Message(MessageId),
    /// Marked for a person, whatever the reason.
    Attention,
}

/// Any reason for attention.
pub const ANY: &str = "any";

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub key: Key,
    pub status: Option<String>,
    /// A reason, or [`ANY`].
    pub attention: Option<String>,
    pub after: Option<Cursor>,
    pub limit: u16,
}

/// Where a page begins: after this booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub at: Instant,
    pub id: BookingId,
}

/// A booking in a list.
#[derive(Clone)]
pub struct Found {
    pub id: BookingId,
    pub owner: Owner,
    pub status: String,
    pub phase: Option<String>,
    pub version: u32,
    pub code: Option<String>,
    pub attention: Option<String>,
    pub currency: String,
    pub total_minor: i64,
    pub captured_minor: i64,
    pub refunded_minor: i64,
    pub hold_expires_at: Option<Instant>,
    pub wake_at: Option<Instant>,
    pub stuck_at: Option<Instant>,
    pub email: String,
    pub name: String,
    pub created_at: Instant,
    pub updated_at: Instant,
    pub saga: Booking,
    pub show: ShowOf,
}

/// The show that it is for; the words are missing when the catalogue has lost it.
#[derive(Debug, Clone)]
pub struct ShowOf {
    pub id: ShowId,
    pub starts_at: Option<Instant>,
    pub film: Option<String>,
    pub venue: Option<String>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Bookings that a key can lead to before the page is cut.
const CANDIDATES_MAX: u32 = 1_000;

/// The bookings that a key leads to, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    reach: &Reach,
    query: &Query,
) -> Result<Vec<Found>, DbErr> {
    let (clause, mut values) = match &query.key {
        Key::Email(email) => (
            "b.customer_email = ?".to_owned(),
            vec![email.as_str().into()],
        ),
        Key::Show(show) => ("b.show_id = ?".to_owned(), vec![show.0.into()]),
        // Marked ones are all in this index, which is short.
        Key::Attention => (
            "b.stuck_at IS NOT NULL AND b.attention IS NOT NULL".to_owned(),
            Vec::new(),
        ),
        key => {
            let ids = candidates(db, key).await?;
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let marks = vec!["?"; ids.len()].join(",");
            let ids = ids.into_iter().map(Value::from).collect();
            (format!("b.id IN ({marks})"), ids)
        }
    };
    let (within, more) = reach_clause(reach);
    values.extend(more);
    let mut sql = format!("{SELECT} WHERE {clause} AND {within}");
    for (column, word) in [("status", &query.status), ("attention", &query.attention)] {
        if word.as_deref() == Some(ANY) {
            sql.push_str(&format!(" AND b.{column} IS NOT NULL"));
        } else if let Some(word) = word {
            sql.push_str(&format!(" AND b.{column} = ?"));
            values.push(word.as_str().into());
        }
    }
    if let Some(Cursor { at, id }) = query.after {
        sql.push_str(" AND (b.created_at < ? OR (b.created_at = ? AND b.id < ?))");
        values.extend([at.into(), at.into(), id.0.into()]);
    }
    sql.push_str(" ORDER BY b.created_at DESC, b.id DESC LIMIT ?");
    values.push(query.limit.into());
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.query_all_raw(ask).await?.iter().map(found).collect()
}

/// Bookings whose time is over or that are marked, longest first. Candidates: whoever lists them asks the saga, for
/// an older version of a worker may have moved a booking on without saying so.
///
/// # Errors
/// When the database refuses.
pub async fn stuck(
    db: &impl ConnectionTrait,
    reach: &Reach,
    now: Instant,
    after: Option<Cursor>,
    limit: u16,
) -> Result<Vec<Found>, DbErr> {
    let (within, more) = reach_clause(reach);
    let mut values: Vec<Value> = vec![now.into()];
    values.extend(more);
    let mut sql = format!("{SELECT} WHERE b.stuck_at <= ? AND {within}");
    if let Some(Cursor { at, id }) = after {
        sql.push_str(" AND (b.stuck_at > ? OR (b.stuck_at = ? AND b.id > ?))");
        values.extend([at.into(), at.into(), id.0.into()]);
    }
    sql.push_str(" ORDER BY b.stuck_at, b.id LIMIT ?");
    values.push(limit.into());
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.query_all_raw(ask).await?.iter().map(found).collect()
}

/// The database's clock: what is stuck is judged by it, as what is due.
///
/// # Errors
/// When the database refuses.
pub async fn now(db: &impl ConnectionTrait) -> Result<Instant, DbErr> {
    let ask = Statement::from_string(DbBackend::MySql, "SELECT UTC_TIMESTAMP(6) AS now");
    let row = db.query_one_raw(ask).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("UTC_TIMESTAMP".to_owned()))?;
    instant(&row, "now")
}

const SELECT: &str = "SELECT b.id, b.tenant, b.subject, b.status, b.phase, b.version, b.code, b.attention, b.currency,
        b.total_minor, b.captured_minor, b.refunded_minor, b.hold_expires_at, b.wake_at, b.stuck_at,
        b.customer_email, b.customer_name, b.created_at, b.updated_at, CAST(b.saga AS CHAR) AS saga,
        b.show_id, h.starts_at, f.title, v.name AS venue
     FROM bookings b
     LEFT JOIN shows h ON h.id = b.show_id
     LEFT JOIN films f ON f.id = h.film_id
     LEFT JOIN venues v ON v.id = h.venue_id";

/// Where the bookings of a key are named, one statement per place: each has its index.
async fn candidates(db: &impl ConnectionTrait, key: &Key) -> Result<Vec<Uuid>, DbErr> {
    let asked: Vec<(&str, Vec<Value>)> = match key {
        Key::Booking(id) => return Ok(vec![id.0]),
        Key::Reference(first, last) => {
            let between = || vec![(*first).into(), (*last).into()];
            vec![
                (
                    "SELECT id FROM bookings WHERE id BETWEEN ? AND ?",
                    between(),
                ),
                (
                    "SELECT DISTINCT booking_id AS id FROM tickets WHERE id BETWEEN ? AND ?",
                    between(),
                ),
            ]
        }
        Key::Seat(show, seat) => vec![(
            "SELECT DISTINCT booking_id AS id FROM positions WHERE show_id = ? AND seat_id = ?",
            vec![show.0.into(), seat.as_str().into()],
        )],
        Key::PaymentIntent(intent) => vec![(
            "SELECT booking_id AS id FROM payment_intents WHERE intent_id = ?",
            vec![intent.as_str().into()],
        )],
        Key::Message(message) => {
            let id = || vec![message.0.into()];
            vec![
                (
                    "SELECT DISTINCT booking_id AS id FROM booking_events WHERE cause_id = ?",
                    id(),
                ),
                (
                    "SELECT DISTINCT booking_id AS id FROM parked_messages
                     WHERE message_id = ? AND booking_id IS NOT NULL",
                    id(),
                ),
                (
                    "SELECT DISTINCT booking_id AS id FROM gateway_looks WHERE message_id = ?",
                    id(),
                ),
                // What has not left yet: a short table.
                (
                    "SELECT UNHEX(REPLACE(JSON_VALUE(envelope, '$.correlation_id'), '-', '')) AS id
                     FROM outbox WHERE message_id = ? AND JSON_VALUE(envelope, '$.correlation_id') IS NOT NULL",
                    id(),
                ),
            ]
        }
        Key::Email(_) | Key::Show(_) | Key::Attention => Vec::new(),
    };
    let mut ids = Vec::new();
    for (sql, values) in asked {
        let sql = format!("{sql} LIMIT {CANDIDATES_MAX}");
        let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        for row in db.query_all_raw(ask).await? {
            // What holds no id names no booking.
            let id: Vec<u8> = row.try_get("", "id")?;
            ids.extend(Uuid::from_slice(&id));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Everything that is on record about one booking beside its state.
#[derive(Debug)]
pub struct Records {
    pub intents: Vec<intents::row::Model>,
    pub attempts: Vec<attempts::row::Model>,
    pub refunds: Vec<refunds::row::Model>,
    pub tickets: Vec<ticket_states::row::Model>,
    pub mails: Vec<mails::row::Model>,
    pub parked: Vec<ParkedLine>,
}

/// What is on record. The caller has found the booking within their reach.
///
/// # Errors
/// When the database refuses.
pub async fn records(db: &impl ConnectionTrait, id: BookingId) -> Result<Records, DbErr> {
    macro_rules! of {
        ($table:ident, $order:ident) => {
            $table::row::Entity::find()
                .filter($table::row::Column::BookingId.eq(id.0))
                .order_by_asc($table::row::Column::$order)
                .all(db)
                .await?
        };
    }
    Ok(Records {
        intents: of!(intents, Generation),
        attempts: of!(attempts, Attempt),
        refunds: of!(refunds, CreatedAt),
        tickets: of!(ticket_states, Revision),
        mails: of!(mails, CreatedAt),
        parked: parked_lines::of_bookings(db, &[id]).await?,
    })
}

/// Positions whose ticket was scanned.
///
/// # Errors
/// When the database refuses.
pub async fn scanned(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<HashMap<BookingId, Vec<u16>>, DbErr> {
    let mut found: HashMap<BookingId, Vec<u16>> = HashMap::new();
    if bookings.is_empty() {
        return Ok(found);
    }
    let rows = ticket_states::row::Entity::find()
        .filter(ticket_states::row::Column::BookingId.is_in(bookings.iter().map(|id| id.0)))
        .filter(ticket_states::row::Column::State.eq(ticket_states::SCANNED))
        .all(db)
        .await?;
    for ticket in rows {
        let positions = found.entry(BookingId(ticket.booking_id)).or_default();
        positions.push(ticket.position);
    }
    Ok(found)
}

fn found(row: &QueryResult) -> Result<Found, DbErr> {
    let moment = |column: &str| -> Result<Option<Instant>, DbErr> {
        let at = row.try_get::<Option<chrono::NaiveDateTime>>("", column)?;
        Ok(at.map(|at| at.and_utc()))
    };
    let saga: String = row.try_get("", "saga")?;
    let saga = serde_json::from_str(&saga)
        .map_err(|error| DbErr::Type(format!("bookings.saga: {error}")))?;
    Ok(Found {
        id: BookingId(row.try_get("", "id")?),
        owner: Owner {
            tenant: row.try_get("", "tenant")?,
            subject: row.try_get("", "subject")?,
        },
        status: row.try_get("", "status")?,
        phase: row.try_get("", "phase")?,
        version: row.try_get("", "version")?,
        code: row.try_get("", "code")?,
        attention: row.try_get("", "attention")?,
        currency: row.try_get("", "currency")?,
        total_minor: row.try_get("", "total_minor")?,
        captured_minor: row.try_get("", "captured_minor")?,
        refunded_minor: row.try_get("", "refunded_minor")?,
        hold_expires_at: moment("hold_expires_at")?,
        wake_at: moment("wake_at")?,
        stuck_at: moment("stuck_at")?,
        email: row.try_get("", "customer_email")?,
        name: row.try_get("", "customer_name")?,
        created_at: instant(row, "created_at")?,
        updated_at: instant(row, "updated_at")?,
        saga,
        show: ShowOf {
            id: ShowId(row.try_get("", "show_id")?),
            starts_at: moment("starts_at")?,
            film: row.try_get("", "title")?,
            venue: row.try_get("", "venue")?,
        },
    })
}
