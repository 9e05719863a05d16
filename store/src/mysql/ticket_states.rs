//! The life of tickets as the saga orders it: issued, scanned, void.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, ShowId, TicketId};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Set,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use std::collections::HashMap;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tickets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub booking_id: Uuid,
        pub position: u16,
        pub revision: u16,
        pub show_id: Uuid,
        pub state: String,
        pub issued_at: DateTimeUtc,
        pub voided_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub const ISSUED: &str = "issued";
pub const SCANNED: &str = "scanned";
pub const VOID: &str = "void";

/// A ticket to be inserted.
#[derive(Debug, Clone)]
pub struct NewTicket {
    pub booking: BookingId,
    pub position: u16,
    pub revision: u16,
    pub show: ShowId,
}

/// Inserts tickets; their ids are derived, so that one that is there already is left alone.
///
/// # Errors
/// When the database refuses.
pub async fn issue(
    db: &impl ConnectionTrait,
    tickets: &[NewTicket],
    now: Instant,
) -> Result<(), DbErr> {
    if tickets.is_empty() {
        return Ok(());
    }
    let rows = tickets.iter().map(|ticket| row::ActiveModel {
        id: Set(TicketId::derive(ticket.booking, ticket.position, ticket.revision).0),
        booking_id: Set(ticket.booking.0),
        position: Set(ticket.position),
        revision: Set(ticket.revision),
        show_id: Set(ticket.show.0),
        state: Set(ISSUED.to_owned()),
        issued_at: Set(now),
        voided_at: Set(None),
    });
    let unchanged = OnConflict::column(row::Column::Id)
        .value(row::Column::Id, Expr::col(row::Column::Id))
        .to_owned();
    rows::insert(db, rows, Some(unchanged)).await
}

/// Voids the issued tickets of these positions and returns how many. A scanned one stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn void(
    db: &impl ConnectionTrait,
    booking: BookingId,
    positions: &[u16],
    now: Instant,
) -> Result<u64, DbErr> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(VOID))
        .col_expr(row::Column::VoidedAt, Expr::value(now))
        .filter(row::Column::BookingId.eq(booking.0))
        .filter(row::Column::Position.is_in(rows::padded(positions.iter().copied())))
        .filter(row::Column::State.eq(ISSUED))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Positions whose ticket was scanned; their rows are locked, so that no scan comes between.
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
    let rows = row::Entity::find()
        .filter(row::Column::BookingId.is_in(rows::padded(bookings.iter().map(|id| id.0))))
        .lock_exclusive()
        .all(db)
        .await?;
    for ticket in rows.into_iter().filter(|ticket| ticket.state == SCANNED) {
        found
            .entry(BookingId(ticket.booking_id))
            .or_default()
            .push(ticket.position);
    }
    Ok(found)
}
