//! Positions: one seat or admission of a booking.

use super::rows;
use boxoffice_contracts::{BookingId, SeatId, ShowId};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set, entity::prelude::*,
    sea_query::OnConflict,
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "positions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub no: u16,
        pub show_id: Uuid,
        pub seat_id: Option<String>,
        pub category: String,
        pub price_minor: i64,
        pub retained_minor: i64,
        pub live: bool,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A position with the place that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub booking: BookingId,
    pub show: ShowId,
    pub no: u16,
    /// Absent for an admission, which takes one place of its category.
    pub seat: Option<SeatId>,
    pub category: String,
    pub price_minor: i64,
    pub retained_minor: i64,
    pub live: bool,
}

/// Places of bookings. They change only under the lock of their booking.
///
/// # Errors
/// When the database refuses or a seat id is broken.
pub async fn of_bookings(
    db: &impl ConnectionTrait,
    ids: &[BookingId],
) -> Result<Vec<Place>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = row::Entity::find()
        .filter(row::Column::BookingId.is_in(rows::padded(ids.iter().map(|id| id.0))))
        .all(db)
        .await?;
    rows.into_iter().map(place).collect()
}

fn place(row: row::Model) -> Result<Place, DbErr> {
    let seat = row
        .seat_id
        .map(SeatId::new)
        .transpose()
        .map_err(|error| DbErr::Type(error.to_string()))?;
    Ok(Place {
        booking: BookingId(row.booking_id),
        show: ShowId(row.show_id),
        no: row.no,
        seat,
        category: row.category,
        price_minor: row.price_minor,
        retained_minor: row.retained_minor,
        live: row.live,
    })
}

/// Inserts places, or writes whether they are still live and what was retained.
///
/// # Errors
/// When the database refuses.
pub async fn save(db: &impl ConnectionTrait, places: &[Place]) -> Result<(), DbErr> {
    if places.is_empty() {
        return Ok(());
    }
    let rows = places.iter().map(|place| row::ActiveModel {
        booking_id: Set(place.booking.0),
        no: Set(place.no),
        show_id: Set(place.show.0),
        seat_id: Set(place.seat.as_ref().map(|seat| seat.as_str().to_owned())),
        category: Set(place.category.clone()),
        price_minor: Set(place.price_minor),
        retained_minor: Set(place.retained_minor),
        live: Set(place.live),
    });
    let changes = OnConflict::columns([row::Column::BookingId, row::Column::No])
        .update_columns([row::Column::RetainedMinor, row::Column::Live])
        .to_owned();
    rows::insert(db, rows, Some(changes)).await
}
