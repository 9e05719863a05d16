//! What documents and mails say about bookings, read in two queries. Nothing is locked.

use super::rows;
use crate::reference::reference;
use boxoffice_contracts::{BookingId, Instant, ShowId, TicketId};
use boxoffice_saga::Booking;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};
use std::{collections::HashMap, fmt};

/// A booking in words: the show, the places, the customer.
#[derive(Debug, Clone)]
pub struct BookingFacts {
    /// The state that decisions read; totals and refunds are asked of it.
    pub booking: Booking,
    /// What the customer calls it by.
    pub reference: String,
    pub customer: CustomerFacts,
    pub show: ShowFacts,
    /// In order of their numbers, cancelled ones included.
    pub positions: Vec<PositionFacts>,
}

/// Personal data: its `Debug` shows none.
#[derive(Clone)]
pub struct CustomerFacts {
    pub email: String,
    pub name: String,
    pub locale: String,
}

impl fmt::Debug for CustomerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerFacts(***)")
    }
}

/// A show as a visitor knows it.
#[derive(Debug, Clone)]
pub struct ShowFacts {
    pub id: ShowId,
    pub film: String,
    pub runtime_min: u16,
    pub venue: String,
    pub address: String,
    pub hall: String,
    pub entrance: String,
    pub starts_at: Instant,
    /// IANA name of the venue's time zone.
    pub zone: String,
}

/// A place of the booking.
#[derive(Debug, Clone)]
pub struct PositionFacts {
    pub no: u16,
    /// Absent for an admission without a numbered seat.
    pub seat: Option<SeatFacts>,
    /// The part of the hall that an admission is for.
    pub area: Option<String>,
    pub category: String,
    /// Minor units of the booking's currency.
    pub price_minor: i64,
    /// Not cancelled.
    pub live: bool,
    /// The ticket that admits now; void ones are left out.
    pub ticket: Option<TicketId>,
}

#[derive(Debug, Clone)]
pub struct SeatFacts {
    pub zone: String,
    pub row: String,
    pub number: String,
}

impl BookingFacts {
    /// Places with a ticket that admits now.
    pub fn admitted(&self) -> impl Iterator<Item = (&PositionFacts, TicketId)> {
        self.positions
            .iter()
            .filter_map(|position| Some((position, position.ticket?)))
    }
}

/// Facts of these bookings; one that is not there is not among them.
///
/// # Errors
/// When the database refuses, or what it holds cannot be read.
pub async fn of_bookings(
    db: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<HashMap<BookingId, BookingFacts>, DbErr> {
    if bookings.is_empty() {
        return Ok(HashMap::new());
    }
    let mut places: HashMap<BookingId, Vec<PositionFacts>> = HashMap::new();
    for row in ask(db, POSITIONS, bookings).await? {
        let booking = BookingId(row.try_get("", "booking_id")?);
        places.entry(booking).or_default().push(position(&row)?);
    }
    let mut all = HashMap::with_capacity(bookings.len());
    for row in ask(db, BOOKINGS, bookings).await? {
        let id = BookingId(row.try_get("", "booking_id")?);
        let saga: serde_json::Value = row.try_get("", "saga")?;
        let facts = BookingFacts {
            booking: serde_json::from_value(saga)
                .map_err(|error| DbErr::Type(format!("bookings.saga: {error}")))?,
            reference: reference(id),
            customer: CustomerFacts {
                email: row.try_get("", "customer_email")?,
                name: row.try_get("", "customer_name")?,
                locale: row.try_get("", "customer_locale")?,
            },
            show: show(&row)?,
            positions: places.remove(&id).unwrap_or_default(),
        };
        all.insert(id, facts);
    }
    Ok(all)
}

/// Rows of a statement that ends in a list of bookings.
async fn ask(
    db: &impl ConnectionTrait,
    statement: &str,
    bookings: &[BookingId],
) -> Result<Vec<QueryResult>, DbErr> {
    let ids = rows::padded(bookings.iter().map(|id| Value::from(id.0)));
    let marks = vec!["?"; ids.len()].join(",");
    let sql = statement.replace("(?)", &format!("({marks})"));
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, ids);
    db.query_all_raw(ask).await
}

const BOOKINGS: &str = "
    SELECT b.id AS booking_id, b.saga, b.customer_email, b.customer_name, b.customer_locale,
           s.id AS show_id, s.starts_at, f.title, f.runtime_min,
           v.name AS venue, v.address, v.zone, h.name AS hall, h.entrance
    FROM bookings b
    JOIN shows s ON s.id = b.show_id
    JOIN films f ON f.id = s.film_id
    JOIN venues v ON v.id = s.venue_id
    JOIN halls h ON h.id = s.hall_id
    WHERE b.id IN (?)";

/// A position has at most one issued ticket: re-issuing voids the former in the same transaction.
const POSITIONS: &str = "
    SELECT p.booking_id, p.no, p.category, p.price_minor, p.live, e.zone, e.row_label, e.number, a.name AS area, t.id AS ticket_id
    FROM positions p
    JOIN shows s ON s.id = p.show_id
    LEFT JOIN seats e ON e.layout_id = s.layout_id AND e.seat_id = p.seat_id
    LEFT JOIN areas a ON a.layout_id = s.layout_id AND a.category = p.category AND p.seat_id IS NULL
    LEFT JOIN tickets t ON t.booking_id = p.booking_id AND t.position = p.no AND t.state = 'issued'
    WHERE p.booking_id IN (?)
    ORDER BY p.booking_id, p.no";

fn show(row: &QueryResult) -> Result<ShowFacts, DbErr> {
    let runtime: i16 = row.try_get("", "runtime_min")?;
    Ok(ShowFacts {
        id: ShowId(row.try_get("", "show_id")?),
        film: row.try_get("", "title")?,
        runtime_min: runtime.unsigned_abs(),
        venue: row.try_get("", "venue")?,
        address: row.try_get("", "address")?,
        hall: row.try_get("", "hall")?,
        entrance: row.try_get("", "entrance")?,
        starts_at: row.try_get("", "starts_at")?,
        zone: row.try_get("", "zone")?,
    })
}

fn position(row: &QueryResult) -> Result<PositionFacts, DbErr> {
    let seat = match row.try_get::<Option<String>>("", "row_label")? {
        None => None,
        Some(label) => Some(SeatFacts {
            zone: row.try_get("", "zone")?,
            row: label,
            number: row.try_get("", "number")?,
        }),
    };
    Ok(PositionFacts {
        no: row.try_get("", "no")?,
        seat,
        area: row.try_get("", "area")?,
        category: row.try_get("", "category")?,
        price_minor: row.try_get("", "price_minor")?,
        live: row.try_get("", "live")?,
        ticket: row
            .try_get::<Option<uuid::Uuid>>("", "ticket_id")?
            .map(TicketId),
    })
}
