//! How many messages the consumers of a queue take ahead, where staff want another number than the topology's.

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
    // A row for each queue that differs from the topology.
    (
        "queue_prefetch",
        "queue VARCHAR(60) NOT NULL PRIMARY KEY,
         prefetch SMALLINT UNSIGNED NOT NULL,
         reason VARCHAR(500) NOT NULL,
         set_by VARCHAR(64) NOT NULL,
         set_at DATETIME(6) NOT NULL",
    ),
];
