//! Orders of mails, kept until each has an outcome: a queue that loses one loses no mail.

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
    // Written with the decision that orders the mail; forgotten when it is due and the mail has ended.
    (
        "mail_orders",
        "message_id BINARY(16) NOT NULL PRIMARY KEY,
         booking_id BINARY(16) NOT NULL,
         template VARCHAR(32) NOT NULL,
         revision SMALLINT UNSIGNED NOT NULL,
         sent_again INT UNSIGNED NOT NULL DEFAULT 0,
         due_at DATETIME(6) NOT NULL,
         KEY mail_orders_due (due_at)",
    ),
];
