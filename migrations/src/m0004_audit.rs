//! Who of the staff did what, and why.

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
    // Append-only: no statement of ours changes or deletes a row.
    (
        "audit",
        "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
         at DATETIME(6) NOT NULL,
         tenant VARCHAR(32) NOT NULL,
         subject VARCHAR(64) NOT NULL,
         role VARCHAR(16) NOT NULL,
         action VARCHAR(48) NOT NULL,
         target VARCHAR(191) NOT NULL,
         reason VARCHAR(500) NULL,
         detail JSON NOT NULL,
         trace_id CHAR(32) NULL,
         KEY audit_target (target, id),
         KEY audit_subject (subject, id)",
    ),
];
