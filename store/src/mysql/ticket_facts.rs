//! What a ticket is to whoever stands at the door with its code.

use crate::reference::reference;
use boxoffice_contracts::{BookingId, Instant, TicketId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// A ticket in words. No personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketFacts {
    pub booking: BookingId,
    pub reference: String,
    /// `issued`, `scanned` or `void`.
    pub state: String,
    pub voided_at: Option<Instant>,
    pub film: String,
    pub venue: String,
    pub hall: String,
    pub starts_at: Instant,
    /// IANA name of the venue's time zone.
    pub zone: String,
    /// Absent for an admission without a numbered seat.
    pub area: Option<String>,
    pub row: Option<String>,
    pub number: Option<String>,
    pub category: String,
}

const TICKET: &str = "
    SELECT t.booking_id, t.state, t.voided_at, f.title, v.name AS venue, v.zone AS time_zone, h.name AS hall,
           s.starts_at, p.category, e.zone AS area, e.row_label, e.number
    FROM tickets t
    JOIN positions p ON p.booking_id = t.booking_id AND p.no = t.position
    JOIN shows s ON s.id = t.show_id
    JOIN films f ON f.id = s.film_id
    JOIN venues v ON v.id = s.venue_id
    JOIN halls h ON h.id = s.hall_id
    LEFT JOIN seats e ON e.layout_id = s.layout_id AND e.seat_id = p.seat_id
    WHERE t.id = ?";

/// The ticket; `None` when none of this id was ever issued.
///
/// # Errors
/// When the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    ticket: TicketId,
) -> Result<Option<TicketFacts>, DbErr> {
    let ask = Statement::from_sql_and_values(DbBackend::MySql, TICKET, [ticket.0.into()]);
    let Some(row) = db.query_one_raw(ask).await? else {
        return Ok(None);
    };
    let booking = BookingId(row.try_get("", "booking_id")?);
    Ok(Some(TicketFacts {
        booking,
        reference: reference(booking),
        state: row.try_get("", "state")?,
        voided_at: row.try_get("", "voided_at")?,
        film: row.try_get("", "title")?,
        venue: row.try_get("", "venue")?,
        hall: row.try_get("", "hall")?,
        starts_at: row.try_get("", "starts_at")?,
        zone: row.try_get("", "time_zone")?,
        area: row.try_get("", "area")?,
        row: row.try_get("", "row_label")?,
        number: row.try_get("", "number")?,
        category: row.try_get("", "category")?,
    }))
}
