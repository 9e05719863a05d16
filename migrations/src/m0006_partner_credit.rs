//! What partners may owe, and which bookings are paid by it.

use crate::sql::{create_tables, drop_tables};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tables(manager, TABLES).await?;
        // With a default, so that the version before this one goes on inserting.
        let tender =
            "ALTER TABLE payment_intents ADD COLUMN tender VARCHAR(16) NOT NULL DEFAULT 'card'";
        let db = manager.get_connection();
        db.execute_unprepared(tender).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("ALTER TABLE payment_intents DROP COLUMN tender")
            .await?;
        drop_tables(manager, TABLES).await
    }
}

const TABLES: &[(&str, &str)] = &[
    // The limit may be lowered below what is used, so no CHECK holds the three together: an authorisation does.
    (
        "partner_credit",
        "partner_id VARCHAR(32) NOT NULL,
         currency CHAR(3) NOT NULL,
         limit_minor BIGINT NOT NULL,
         reserved_minor BIGINT NOT NULL DEFAULT 0,
         used_minor BIGINT NOT NULL DEFAULT 0,
         updated_at DATETIME(6) NOT NULL,
         PRIMARY KEY (partner_id, currency),
         CHECK (limit_minor >= 0),
         CHECK (reserved_minor >= 0),
         CHECK (used_minor >= 0)",
    ),
];
