//! Outcomes of customers' commands.

use super::rows;
use boxoffice_contracts::{BookingId, Code, Instant, OperationId};
use sea_orm::{ConnectionTrait, DbErr, Set, sea_query::OnConflict};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "operations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub booking_id: Uuid,
        pub kind: String,
        pub outcome: String,
        pub code: Option<String>,
        pub version: u32,
        pub at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// How a command ended, or that it waits (`pending`) for money to come to rest.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: OperationId,
    pub booking: BookingId,
    /// `submit`, `pay`, `cancel` or `mend`. A later outcome of the same command keeps the first kind.
    pub kind: &'static str,
    pub outcome: &'static str,
    pub code: Option<Code>,
    pub version: u32,
    pub at: Instant,
}

/// Writes outcomes; a command that was pending gets its last word.
///
/// # Errors
/// When the database refuses.
pub async fn save(db: &impl ConnectionTrait, operations: &[Operation]) -> Result<(), DbErr> {
    if operations.is_empty() {
        return Ok(());
    }
    let rows = operations.iter().map(|operation| row::ActiveModel {
        id: Set(operation.id.0),
        booking_id: Set(operation.booking.0),
        kind: Set(operation.kind.to_owned()),
        outcome: Set(operation.outcome.to_owned()),
        code: Set(operation.code.map(|code| code.as_str().to_owned())),
        version: Set(operation.version),
        at: Set(operation.at),
    });
    let changes = OnConflict::column(row::Column::Id)
        .update_columns([
            row::Column::Outcome,
            row::Column::Code,
            row::Column::Version,
            row::Column::At,
        ])
        .to_owned();
    rows::insert(db, rows, Some(changes)).await
}
