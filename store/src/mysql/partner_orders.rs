//! What partners ordered: which bookings are theirs, and under which keys.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, OperationId, partner::PartnerId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, Set, Statement,
    Value, sea_query::OnConflict,
};
use std::collections::HashMap;

pub mod booking {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_bookings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: Uuid,
        pub partner_id: String,
        pub reference: Option<String>,
        pub correlation_id: Option<String>,
        pub created_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod operation {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_operations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub operation_id: Uuid,
        pub partner_id: String,
        pub booking_id: Uuid,
        pub request_hash: Vec<u8>,
        pub deadline: DateTimeUtc,
        pub created_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A booking that a partner asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartnerBooking {
    pub booking: BookingId,
    pub reference: Option<String>,
    /// The partner's own, from the command that began the story.
    pub correlation_id: Option<String>,
}

/// A command that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ordered {
    pub operation: OperationId,
    pub booking: BookingId,
    pub request_hash: Vec<u8>,
    /// As it was told when the command was accepted first.
    pub deadline: Instant,
}

/// A booking as far as a partner's command needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Absent while it is not decided.
    pub version: Option<u32>,
    /// Of the request that it was born from; absent while it is not decided.
    pub request_hash: Option<Vec<u8>>,
}

/// Which of these bookings are the partner's own, decided or on their way.
///
/// # Errors
/// When the database refuses.
pub async fn own(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    bookings: impl IntoIterator<Item = BookingId>,
) -> Result<HashMap<BookingId, Standing>, DbErr> {
    let ids = rows::padded(bookings.into_iter().map(|id| id.0));
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let accepted = booking::Entity::find()
        .filter(booking::Column::BookingId.is_in(ids.clone()))
        .filter(booking::Column::PartnerId.eq(partner.as_str()))
        .all(db)
        .await?;
    let undecided = Standing {
        version: None,
        request_hash: None,
    };
    let mut found: HashMap<BookingId, Standing> = accepted
        .into_iter()
        .map(|row| (BookingId(row.booking_id), undecided.clone()))
        .collect();
    let marks = vec!["?"; ids.len()].join(",");
    let values = ids.into_iter().map(Value::from);
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        format!(
            "SELECT id, version, request_hash FROM bookings WHERE id IN ({marks}) AND tenant = ? AND subject = ?"
        ),
        values.chain([partner.as_str().into(), partner.as_str().into()]),
    );
    for row in db.query_all_raw(ask).await? {
        let standing = Standing {
            version: Some(row.try_get("", "version")?),
            request_hash: Some(row.try_get("", "request_hash")?),
        };
        found.insert(BookingId(row.try_get("", "id")?), standing);
    }
    Ok(found)
}

/// Which of these operations were ordered before.
///
/// # Errors
/// When the database refuses.
pub async fn ordered(
    db: &impl ConnectionTrait,
    operations: impl IntoIterator<Item = OperationId>,
) -> Result<HashMap<OperationId, Ordered>, DbErr> {
    let ids = rows::padded(operations.into_iter().map(|id| id.0));
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = operation::Entity::find()
        .filter(operation::Column::OperationId.is_in(ids))
        .all(db)
        .await?;
    let ordered = |row: operation::Model| Ordered {
        operation: OperationId(row.operation_id),
        booking: BookingId(row.booking_id),
        request_hash: row.request_hash,
        deadline: row.deadline,
    };
    let pair = |ordered: Ordered| (ordered.operation, ordered);
    Ok(found.into_iter().map(ordered).map(pair).collect())
}

/// Notes what was accepted; what is there already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn note(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    bookings: &[NewPartnerBooking],
    operations: &[Ordered],
    now: Instant,
) -> Result<(), DbErr> {
    let rows = bookings.iter().map(|new| booking::ActiveModel {
        booking_id: Set(new.booking.0),
        partner_id: Set(partner.as_str().to_owned()),
        reference: Set(new.reference.clone()),
        correlation_id: Set(new.correlation_id.clone()),
        created_at: Set(now),
    });
    let first = OnConflict::column(booking::Column::BookingId)
        .update_column(booking::Column::BookingId)
        .to_owned();
    rows::insert(db, rows, Some(first)).await?;
    let rows = operations.iter().map(|new| operation::ActiveModel {
        operation_id: Set(new.operation.0),
        partner_id: Set(partner.as_str().to_owned()),
        booking_id: Set(new.booking.0),
        request_hash: Set(new.request_hash.clone()),
        deadline: Set(new.deadline),
        created_at: Set(now),
    });
    let first = OnConflict::column(operation::Column::OperationId)
        .update_column(operation::Column::OperationId)
        .to_owned();
    rows::insert(db, rows, Some(first)).await
}
