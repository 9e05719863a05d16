//! Claims on seats and counters of admissions. A free seat has no row; the primary key decides.

use super::rows;
use boxoffice_contracts::{BookingId, SeatId, ShowId};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    Statement,
    entity::prelude::*,
    sea_query::{Condition, Expr, ExprTrait},
};
use std::collections::HashMap;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "claims")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub show_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seat_id: String,
        pub booking_id: Uuid,
        pub position: u16,
        pub epoch: u32,
        pub state: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which seat of which show.
pub type SeatKey = (ShowId, SeatId);

/// A seat taken by a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub booking: BookingId,
    pub position: u16,
    /// Fencing number of the hold that took it.
    pub epoch: u32,
    pub sold: bool,
}

const HELD: &str = "held";
const SOLD: &str = "sold";

/// Locks the claims on these seats, in the order of their keys, and returns those that exist.
///
/// A seat without a claim is not locked: whoever inserts first has it, the other meets error 1062.
///
/// # Errors
/// When the database refuses.
pub async fn lock(
    db: &impl ConnectionTrait,
    seats: &[SeatKey],
) -> Result<HashMap<SeatKey, Claim>, DbErr> {
    if seats.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = row::Entity::find()
        .filter(among(seats))
        .order_by_asc(row::Column::ShowId)
        .order_by_asc(row::Column::SeatId)
        .lock_exclusive()
        .all(db)
        .await?;
    rows.into_iter()
        .map(|row| {
            let seat = SeatId::new(row.seat_id).map_err(|error| DbErr::Type(error.to_string()))?;
            let claim = Claim {
                booking: BookingId(row.booking_id),
                position: row.position,
                epoch: row.epoch,
                sold: row.state == SOLD,
            };
            Ok(((ShowId(row.show_id), seat), claim))
        })
        .collect()
}

/// Seats by show: both servers make this a range scan of the primary key, which a row constructor isn't.
fn among(seats: &[SeatKey]) -> Condition {
    let mut by_show: HashMap<ShowId, Vec<&str>> = HashMap::new();
    for (show, seat) in seats {
        by_show.entry(*show).or_default().push(seat.as_str());
    }
    by_show
        .into_iter()
        .fold(Condition::any(), |any, (show, seats)| {
            any.add(
                row::Column::ShowId
                    .eq(show.0)
                    .and(row::Column::SeatId.is_in(rows::padded(seats))),
            )
        })
}

/// Inserts claims. A seat that somebody else has is error 1062.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &impl ConnectionTrait, claims: &[(SeatKey, Claim)]) -> Result<(), DbErr> {
    if claims.is_empty() {
        return Ok(());
    }
    let rows = claims.iter().map(|((show, seat), claim)| row::ActiveModel {
        show_id: Set(show.0),
        seat_id: Set(seat.as_str().to_owned()),
        booking_id: Set(claim.booking.0),
        position: Set(claim.position),
        epoch: Set(claim.epoch),
        state: Set(if claim.sold { SOLD } else { HELD }.to_owned()),
    });
    rows::insert(db, rows, None).await
}

/// Turns claims into sold ones and returns how many rows that were.
///
/// # Errors
/// When the database refuses.
pub async fn sell(db: &impl ConnectionTrait, seats: &[SeatKey]) -> Result<u64, DbErr> {
    if seats.is_empty() {
        return Ok(0);
    }
    let done = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(SOLD))
        .filter(among(seats))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Frees seats and returns how many rows that were.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &impl ConnectionTrait, seats: &[SeatKey]) -> Result<u64, DbErr> {
    if seats.is_empty() {
        return Ok(0);
    }
    let done = row::Entity::delete_many()
        .filter(among(seats))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}

/// Which category of which show.
pub type AdmissionKey = (ShowId, String);

/// Places of a category: how many there are and how many are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    pub capacity: u32,
    pub taken: u32,
}

/// Locks the counters in the order of their keys.
///
/// # Errors
/// When the database refuses.
pub async fn lock_admissions(
    db: &impl ConnectionTrait,
    keys: &[AdmissionKey],
) -> Result<HashMap<AdmissionKey, Admission>, DbErr> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let pairs = vec!["(show_id = ? AND category = ?)"; keys.len()].join(" OR ");
    let values = keys
        .iter()
        .flat_map(|(show, category)| [show.0.into(), category.as_str().into()]);
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        format!(
            "SELECT show_id, category, capacity, taken FROM admissions
             WHERE {pairs} ORDER BY show_id, category FOR UPDATE"
        ),
        values,
    );
    let rows = db.query_all_raw(ask).await?;
    rows.into_iter()
        .map(|row| {
            let show: Uuid = row.try_get("", "show_id")?;
            let admission = Admission {
                capacity: row.try_get("", "capacity")?,
                taken: row.try_get("", "taken")?,
            };
            Ok(((ShowId(show), row.try_get("", "category")?), admission))
        })
        .collect()
}

/// Changes a counter that this transaction has locked; returns whether it had room.
///
/// # Errors
/// When the database refuses.
pub async fn change_admission(
    db: &impl ConnectionTrait,
    key: &AdmissionKey,
    change: i64,
) -> Result<bool, DbErr> {
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE admissions SET taken = taken + ?
         WHERE show_id = ? AND category = ? AND CAST(taken AS SIGNED) + ? BETWEEN 0 AND capacity",
        [
            change.into(),
            key.0.0.into(),
            key.1.as_str().into(),
            change.into(),
        ],
    );
    Ok(db.execute_raw(update).await?.rows_affected() == 1)
}
