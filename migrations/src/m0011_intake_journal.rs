//! Commands as they came, for houses that must not lose one with the broker's disk.

use crate::sql::{create_tables, drop_tables};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tables(manager, TABLES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await
    }
}

const TABLES: &[(&str, &str)] = &[
    // Written before the publish, deleted when the command has an outcome. Written only with `intake.journal`.
    (
        "intake_journal",
        "message_id BINARY(16) NOT NULL PRIMARY KEY,
         booking_id BINARY(16) NOT NULL,
         operation_id BINARY(16) NOT NULL,
         kind VARCHAR(64) NOT NULL,
         tenant VARCHAR(64) NOT NULL,
         trace VARCHAR(64) NOT NULL,
         deadline DATETIME(6) NULL,
         accepted_at DATETIME(6) NOT NULL,
         body MEDIUMBLOB NOT NULL,
         sent_again INT UNSIGNED NOT NULL DEFAULT 0,
         due_at DATETIME(6) NOT NULL,
         KEY intake_journal_due (due_at)",
    ),
];
