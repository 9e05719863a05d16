//! Finding bookings, and those that are stuck; what was seen at the gateway without a key.

use crate::sql::{create_tables, drop_tables};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tables(manager, TABLES).await?;
        all(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        all(manager, DOWN).await?;
        drop_tables(manager, TABLES).await
    }
}

async fn all(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        let db = manager.get_connection();
        db.execute_unprepared(statement).await?;
    }
    Ok(())
}

const TABLES: &[(&str, &str)] = &[
    // Questions to the gateway, which carry no key. Added only when one was asked; never changed.
    (
        "gateway_looks",
        "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
         booking_id BINARY(16) NOT NULL,
         message_id BINARY(16) NOT NULL,
         question VARCHAR(16) NOT NULL,
         answer VARCHAR(64) NOT NULL,
         at DATETIME(6) NOT NULL,
         KEY gateway_looks_booking (booking_id),
         KEY gateway_looks_message (message_id)",
    ),
];

const UP: &[&str] = &[
    // From when on a person should look: NULL at rest. Addresses are compared without regard to case, which no
    // other text key is: whoever looks for a customer has it from a voice or a letter.
    "ALTER TABLE bookings
       ADD COLUMN stuck_at DATETIME(6) NULL,
       MODIFY customer_email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,
       ADD KEY bookings_stuck (stuck_at),
       ADD KEY bookings_email (customer_email, created_at)",
    // Candidates only: whoever reads the list judges each by its state.
    "UPDATE bookings SET stuck_at = updated_at WHERE attention IS NOT NULL OR wake_at IS NOT NULL",
    "ALTER TABLE booking_events ADD KEY booking_events_cause (cause_id)",
    "ALTER TABLE webhook_events ADD KEY webhook_events_booking (booking_id)",
    "ALTER TABLE parked_messages ADD KEY parked_message (message_id)",
];

const DOWN: &[&str] = &[
    "ALTER TABLE parked_messages DROP KEY parked_message",
    "ALTER TABLE webhook_events DROP KEY webhook_events_booking",
    "ALTER TABLE booking_events DROP KEY booking_events_cause",
    "ALTER TABLE bookings
       DROP KEY bookings_email,
       DROP KEY bookings_stuck,
       MODIFY customer_email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
       DROP COLUMN stuck_at",
];
