//! What a caller may read of a booking.
//!
//! Every query about one booking carries the caller's [`Reach`]: a booking out of reach and one that never
//! was are the same empty answer. Nothing is locked, nothing is written.

use boxoffice_contracts::{
    BookingId, Code, Instant, Kind, OperationId, Owner, ShowId, VenueId, message::booking::Tender,
};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value, entity::prelude::Uuid,
};
use std::collections::HashMap;

/// Whose bookings a caller reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Their own: same tenant and same subject.
    Owned(Owner),
    /// All that the tenant sold for one venue.
    Venue { tenant: String, venue: VenueId },
    /// All of the tenant.
    Tenant(String),
    /// All that anybody sold for one venue: the house's own manager of it.
    AnyOfVenue(VenueId),
    /// All of the installation: the house's own staff.
    Any,
    /// The one that a link names which we signed; whoever made this has checked it.
    SignedLink(BookingId),
}

/// A booking as GET shows it, but for the last attempt to pay.
#[derive(Debug, Clone)]
pub struct WholeStatus {
    pub booking: BookingStatus,
    /// In their order.
    pub positions: Vec<PositionStatus>,
    /// Oldest first; of very many the newest.
    pub operations: Vec<OperationStatus>,
}

/// The booking itself.
#[derive(Debug, Clone)]
pub struct BookingStatus {
    pub id: BookingId,
    pub owner: Owner,
    pub request_hash: Vec<u8>,
    pub show_id: ShowId,
    pub status: String,
    pub phase: Option<String>,
    pub version: u32,
    pub code: Option<String>,
    pub attention: Option<String>,
    pub currency: String,
    pub tender: Tender,
    pub total_minor: i64,
    pub captured_minor: i64,
    pub refunded_minor: i64,
    pub hold_expires_at: Option<Instant>,
    /// Revision of the ticket document that is true now; 0 before any was ordered.
    pub ticket_revision: u16,
}

/// One position with the words that are printed on its ticket.
#[derive(Debug, Clone)]
pub struct PositionStatus {
    pub no: u16,
    pub seat_id: Option<String>,
    pub row: Option<String>,
    pub number: Option<String>,
    pub category: String,
    pub price_minor: i64,
    pub live: bool,
}

/// Outcome of one command.
#[derive(Debug, Clone)]
pub struct OperationStatus {
    pub id: OperationId,
    pub kind: String,
    pub outcome: String,
    pub code: Option<String>,
    pub version: u32,
    pub at: Instant,
}

/// The last attempt to pay. The secret is for the owner's eyes.
#[derive(Clone)]
pub struct AttemptStatus {
    pub attempt: u16,
    pub state: String,
    pub code: Option<String>,
    pub client_secret: Option<String>,
    pub action_url: Option<String>,
}

impl std::fmt::Debug for AttemptStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptStatus")
            .field("attempt", &self.attempt)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Most outcomes that one answer lists; the newest count.
pub const OPERATIONS_MAX: u64 = 50;

const COLUMNS: &str = "b.id, b.tenant, b.subject, b.request_hash, b.show_id, b.status, b.phase, b.version, b.code, b.attention,
    b.currency, b.total_minor, b.captured_minor, b.refunded_minor, b.hold_expires_at,
    CAST(JSON_EXTRACT(b.saga, '$.ticket_revision') AS UNSIGNED) AS ticket_revision,
    CAST(JSON_UNQUOTE(JSON_EXTRACT(b.saga, '$.tender')) AS CHAR(16)) AS tender";

const POSITION_COLUMNS: &str =
    "p.no, p.seat_id, t.row_label, t.number, p.category, p.price_minor, p.live";

/// The booking, if it is there and within reach.
///
/// # Errors
/// When the database refuses.
pub async fn find_for(
    db: &impl ConnectionTrait,
    reach: &Reach,
    id: BookingId,
) -> Result<Option<BookingStatus>, DbErr> {
    let (within, reach_values) = reach_clause(reach);
    let sql = format!("SELECT {COLUMNS} FROM bookings b WHERE b.id = ? AND {within}");
    let values = std::iter::once(Value::from(id.0)).chain(reach_values);
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.query_one_raw(ask)
        .await?
        .map(|row| booking(&row))
        .transpose()
}

/// The booking with its positions and what became of its commands, if it is there and within reach.
///
/// The positions come with the booking, so that a version is never shown with those of another.
///
/// # Errors
/// When the database refuses.
pub async fn find_whole_for(
    db: &impl ConnectionTrait,
    reach: &Reach,
    id: BookingId,
) -> Result<Option<WholeStatus>, DbErr> {
    let (within, reach_values) = reach_clause(reach);
    let sql = format!(
        "SELECT {COLUMNS}, {POSITION_COLUMNS}
         FROM bookings b
         LEFT JOIN positions p ON p.booking_id = b.id
         LEFT JOIN shows s ON s.id = p.show_id
         LEFT JOIN seats t ON t.layout_id = s.layout_id AND t.seat_id = p.seat_id
         WHERE b.id = ? AND {within} ORDER BY p.no"
    );
    let values = std::iter::once(Value::from(id.0)).chain(reach_values);
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = db.query_all_raw(ask).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let positions: Result<_, DbErr> = rows
        .iter()
        .filter_map(|row| position(row).transpose())
        .collect();
    Ok(Some(WholeStatus {
        booking: booking(first)?,
        positions: positions?,
        operations: operations(db, id).await?,
    }))
}

/// Outcomes of the customer's commands, oldest first.
async fn operations(
    db: &impl ConnectionTrait,
    id: BookingId,
) -> Result<Vec<OperationStatus>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT id, kind, outcome, code, version, at FROM operations
         WHERE booking_id = ? ORDER BY at DESC, id DESC LIMIT ?",
        [id.0.into(), OPERATIONS_MAX.into()],
    );
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .rev()
        .map(|row| {
            Ok(OperationStatus {
                id: OperationId(row.try_get("", "id")?),
                kind: row.try_get("", "kind")?,
                outcome: row.try_get("", "outcome")?,
                code: row.try_get("", "code")?,
                version: row.try_get("", "version")?,
                at: instant(row, "at")?,
            })
        })
        .collect()
}

/// Hashes of the requests that these bookings were born from, of those that are there. An id is derived from who asks, so
/// it needs no reach.
///
/// # Errors
/// When the database refuses.
pub async fn find_request_hashes(
    db: &impl ConnectionTrait,
    ids: &[BookingId],
) -> Result<HashMap<BookingId, Vec<u8>>, DbErr> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = super::rows::padded(ids.iter().map(|id| Value::from(id.0)));
    let marks = vec!["?"; keys.len()].join(", ");
    let sql = format!("SELECT id, request_hash FROM bookings WHERE id IN ({marks})");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, keys);
    let rows = db.query_all_raw(ask).await?;
    let read = |row: &QueryResult| {
        let id = BookingId(row.try_get("", "id")?);
        Ok((id, row.try_get("", "request_hash")?))
    };
    rows.iter().map(read).collect()
}

/// The last attempt to pay, if there was one.
///
/// # Errors
/// When the database refuses.
pub async fn last_attempt(
    db: &impl ConnectionTrait,
    id: BookingId,
) -> Result<Option<AttemptStatus>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT attempt, state, code, client_secret, action_url FROM payment_attempts
         WHERE booking_id = ? ORDER BY attempt DESC LIMIT 1",
        [id.0.into()],
    );
    let Some(row) = db.query_one_raw(ask).await? else {
        return Ok(None);
    };
    Ok(Some(AttemptStatus {
        attempt: row.try_get("", "attempt")?,
        state: row.try_get("", "state")?,
        code: row.try_get("", "code")?,
        client_secret: row.try_get("", "client_secret")?,
        action_url: row.try_get("", "action_url")?,
    }))
}

/// Whether a command that was to make the booking waits for a person.
///
/// # Errors
/// When the database refuses.
pub async fn is_parked(
    db: &impl ConnectionTrait,
    id: BookingId,
    kind: Kind,
) -> Result<bool, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT kind FROM parked_messages WHERE booking_id = ? AND kind = ? LIMIT 1",
        [id.0.into(), kind.as_str().into()],
    );
    Ok(db.query_one_raw(ask).await?.is_some())
}

/// Present versions of many bookings in one query; those that are not decided yet are left out.
///
/// # Errors
/// When the database refuses.
pub async fn versions(
    db: &impl ConnectionTrait,
    ids: &[BookingId],
) -> Result<Vec<(BookingId, u32)>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys = super::rows::padded(ids.iter().map(|id| Value::from(id.0)));
    let marks = vec!["?"; keys.len()].join(", ");
    let sql = format!("SELECT id, version FROM bookings WHERE id IN ({marks})");
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, keys);
    let rows = db.query_all_raw(ask).await?;
    rows.iter()
        .map(|row| {
            Ok((
                BookingId(row.try_get("", "id")?),
                row.try_get("", "version")?,
            ))
        })
        .collect()
}

/// The booking that a gateway's intent was made for.
///
/// # Errors
/// When the database refuses.
pub async fn booking_of_intent(
    db: &impl ConnectionTrait,
    intent: &str,
) -> Result<Option<BookingId>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT booking_id FROM payment_intents WHERE intent_id = ?",
        [intent.into()],
    );
    db.query_one_raw(ask)
        .await?
        .map(|row| row.try_get::<Uuid>("", "booking_id").map(BookingId))
        .transpose()
}

/// Asks the database for a sign of life.
///
/// # Errors
/// When there is none.
pub async fn ping(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    db.execute_unprepared("DO 1").await.map(drop)
}

pub(super) fn reach_clause(reach: &Reach) -> (&'static str, Vec<Value>) {
    match reach {
        Reach::Owned(owner) => (
            "b.tenant = ? AND b.subject = ?",
            vec![owner.tenant.as_str().into(), owner.subject.as_str().into()],
        ),
        Reach::Venue { tenant, venue } => (
            "b.tenant = ? AND EXISTS (SELECT 1 FROM shows s WHERE s.id = b.show_id AND s.venue_id = ?)",
            vec![tenant.as_str().into(), venue.0.into()],
        ),
        Reach::Tenant(tenant) => ("b.tenant = ?", vec![tenant.as_str().into()]),
        Reach::AnyOfVenue(venue) => (
            "EXISTS (SELECT 1 FROM shows s WHERE s.id = b.show_id AND s.venue_id = ?)",
            vec![venue.0.into()],
        ),
        Reach::Any => ("TRUE", Vec::new()),
        Reach::SignedLink(booking) => ("b.id = ?", vec![booking.0.into()]),
    }
}

fn booking(row: &QueryResult) -> Result<BookingStatus, DbErr> {
    let revision: Option<u64> = row.try_get("", "ticket_revision")?;
    let tender: Option<String> = row.try_get("", "tender")?;
    Ok(BookingStatus {
        id: BookingId(row.try_get("", "id")?),
        owner: Owner {
            tenant: row.try_get("", "tenant")?,
            subject: row.try_get("", "subject")?,
        },
        request_hash: row.try_get("", "request_hash")?,
        show_id: ShowId(row.try_get("", "show_id")?),
        status: row.try_get("", "status")?,
        phase: row.try_get("", "phase")?,
        version: row.try_get("", "version")?,
        code: row.try_get("", "code")?,
        attention: row.try_get("", "attention")?,
        currency: row.try_get("", "currency")?,
        // Bookings from before there were tenders were paid by card.
        tender: tender
            .and_then(|tender| Tender::from_text(&tender))
            .unwrap_or_default(),
        total_minor: row.try_get("", "total_minor")?,
        captured_minor: row.try_get("", "captured_minor")?,
        refunded_minor: row.try_get("", "refunded_minor")?,
        hold_expires_at: row
            .try_get::<Option<chrono::NaiveDateTime>>("", "hold_expires_at")?
            .map(|at| at.and_utc()),
        ticket_revision: u16::try_from(revision.unwrap_or(0)).unwrap_or(u16::MAX),
    })
}

/// None of a booking that has no positions, such as one that was refused before it had any.
fn position(row: &QueryResult) -> Result<Option<PositionStatus>, DbErr> {
    let Some(no) = row.try_get("", "no")? else {
        return Ok(None);
    };
    Ok(Some(PositionStatus {
        no,
        seat_id: row.try_get("", "seat_id")?,
        row: row.try_get("", "row_label")?,
        number: row.try_get("", "number")?,
        category: row.try_get("", "category")?,
        price_minor: row.try_get("", "price_minor")?,
        live: row.try_get("", "live")?,
    }))
}

pub(super) fn instant(row: &QueryResult, column: &str) -> Result<Instant, DbErr> {
    Ok(row.try_get::<chrono::NaiveDateTime>("", column)?.and_utc())
}

impl BookingStatus {
    /// The code in its type; one that this program does not know is an error of ours.
    #[must_use]
    pub fn known_code(&self) -> Option<Code> {
        let text = self.code.as_deref()?;
        Some(Code::from_text(text).unwrap_or(Code::InternalError))
    }
}
