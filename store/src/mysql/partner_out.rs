//! Outbox to partners: added in the transaction of what a message tells, sent by the gate, kept for recovery.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, MessageId, partner::PartnerId};
use sea_orm::{ConnectionTrait, DbErr, Set, sea_query::OnConflict};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_out")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: u64,
        pub partner_id: String,
        pub message_id: Uuid,
        /// Given when it is sent.
        pub sequence: Option<u64>,
        pub routing_key: String,
        pub booking_id: Option<Uuid>,
        pub correlation_id: Option<String>,
        pub body: Vec<u8>,
        pub created_at: DateTimeUtc,
        pub sent_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A message to a partner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartnerOut {
    pub partner: PartnerId,
    /// Derived from what caused it: added twice it is sent once.
    pub message_id: MessageId,
    pub routing_key: String,
    pub booking: Option<BookingId>,
    /// The partner's own, from the command that began the story.
    pub correlation_id: Option<String>,
    /// A `CloudEvent` without its `sequence`.
    pub body: Vec<u8>,
}

/// Adds messages; one that is there already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn append(
    db: &impl ConnectionTrait,
    messages: &[NewPartnerOut],
    now: Instant,
) -> Result<(), DbErr> {
    if messages.is_empty() {
        return Ok(());
    }
    let rows = messages.iter().map(|message| row::ActiveModel {
        partner_id: Set(message.partner.as_str().to_owned()),
        message_id: Set(message.message_id.0),
        sequence: Set(None),
        routing_key: Set(message.routing_key.clone()),
        booking_id: Set(message.booking.map(|id| id.0)),
        correlation_id: Set(message.correlation_id.clone()),
        body: Set(message.body.clone()),
        created_at: Set(now),
        sent_at: Set(None),
        ..Default::default()
    });
    let once = OnConflict::columns([row::Column::PartnerId, row::Column::MessageId])
        .update_column(row::Column::MessageId)
        .to_owned();
    rows::insert(db, rows, Some(once)).await
}
