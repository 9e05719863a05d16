//! The live bookings of a partner as messages, because it asked for them.

use super::{
    partner_events::{message, unencodable},
    partner_out::NewPartnerOut,
    status::instant,
};
use boxoffice_contracts::{
    BookingId, Code, Instant, Kind, MessageId, ShowId,
    partner::{
        PartnerId,
        kinds::{SNAPSHOT_BOOKING, SNAPSHOT_COMPLETE},
        snapshot::{BOOKINGS_MAX, SnapshotBooking, SnapshotComplete},
    },
};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

/// A snapshot, not added to what is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub id: MessageId,
    pub bookings: u32,
    /// Where the next one begins, when there is more.
    pub after: Option<BookingId>,
    /// The bookings, and last the message that says that these are all.
    pub messages: Vec<NewPartnerOut>,
}

/// A completed booking is live until its show is long over.
const SHOW_OVER: TimeDelta = TimeDelta::days(1);

/// Messages that a partner has not got yet; with as many a snapshot would only wait behind them.
const UNSENT_MAX: u32 = 2 * BOOKINGS_MAX;

/// Whether so much waits to be sent to the partner that a snapshot is refused.
///
/// # Errors
/// When the database refuses.
pub async fn has_backlog(db: &impl ConnectionTrait, partner: &PartnerId) -> Result<bool, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT id FROM partner_out WHERE sent_at IS NULL AND partner_id = ? LIMIT 1 OFFSET ?",
        [partner.as_str().into(), UNSENT_MAX.into()],
    );
    Ok(db.query_one_raw(ask).await?.is_some())
}

/// Reads the live bookings in the order of their ids, at most [`BOOKINGS_MAX`]. Nothing is locked: what happens
/// meanwhile is told by events of higher versions.
///
/// The same request makes the same messages, which are added once.
///
/// # Errors
/// When the database refuses.
pub async fn read(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    request: MessageId,
    correlation_id: Option<&str>,
    after: Option<BookingId>,
    now: Instant,
) -> Result<Snapshot, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT b.id, b.show_id, b.version, b.status, b.code, b.updated_at, p.reference
         FROM bookings b JOIN shows s ON s.id = b.show_id
         LEFT JOIN partner_bookings p ON p.booking_id = b.id
         WHERE b.tenant = ? AND b.id > ?
           AND b.status NOT IN ('rejected', 'payment_failed', 'expired', 'cancelled', 'refunded')
           AND NOT (b.status = 'completed' AND s.starts_at < ?)
         ORDER BY b.id LIMIT ?",
        [
            partner.as_str().into(),
            after.map_or(uuid::Uuid::nil(), |id| id.0).into(),
            (now - SHOW_OVER).into(),
            // One more tells whether there are more.
            (BOOKINGS_MAX + 1).into(),
        ],
    );
    let page = usize::try_from(BOOKINGS_MAX).unwrap_or(usize::MAX);
    let rows = db.query_all_raw(ask).await?;
    let told = rows
        .iter()
        .take(page)
        .map(|row| booking(row, request))
        .collect::<Result<Vec<_>, _>>()?;
    let more = told.last().filter(|_| rows.len() > page);
    let complete = SnapshotComplete {
        snapshot_id: request.to_string(),
        bookings: u32::try_from(told.len()).unwrap_or(BOOKINGS_MAX),
        after: more.map(|last| last.booking_id),
        at: now,
    };
    let make = |kind: Kind, booking: Option<BookingId>, data: serde_json::Value| {
        let of_what = booking.map_or_else(|| kind.to_string(), |id| format!("{kind}:{id}"));
        let id = MessageId::of_answer(request, &of_what);
        message(partner, kind, id, booking, correlation_id, now, &data)
    };
    let value = |data: serde_json::Result<serde_json::Value>| data.map_err(unencodable);
    let mut messages = told
        .iter()
        .map(|told| {
            let data = value(serde_json::to_value(told))?;
            make(SNAPSHOT_BOOKING, Some(told.booking_id), data)
        })
        .collect::<Result<Vec<_>, DbErr>>()?;
    let data = value(serde_json::to_value(&complete))?;
    messages.push(make(SNAPSHOT_COMPLETE, None, data)?);
    Ok(Snapshot {
        id: request,
        bookings: complete.bookings,
        after: complete.after,
        messages,
    })
}

fn booking(row: &QueryResult, request: MessageId) -> Result<SnapshotBooking, DbErr> {
    let code: Option<String> = row.try_get("", "code")?;
    Ok(SnapshotBooking {
        snapshot_id: request.to_string(),
        booking_id: BookingId(row.try_get("", "id")?),
        reference: row.try_get("", "reference")?,
        show_id: ShowId(row.try_get("", "show_id")?),
        version: row.try_get("", "version")?,
        status: row.try_get("", "status")?,
        code: code.map(|code| Code::from_text(&code).unwrap_or(Code::InternalError)),
        at: instant(row, "updated_at")?,
    })
}
