//! Places without numbers, and who plays in a film.

use crate::sql::{create_tables, drop_tables};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tables(manager, TABLES).await?;
        // Without a default, so that the version before this one goes on inserting.
        let people = "ALTER TABLE films ADD COLUMN people JSON NULL";
        let db = manager.get_connection();
        db.execute_unprepared(people).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("ALTER TABLE films DROP COLUMN people")
            .await?;
        drop_tables(manager, TABLES).await
    }
}

const TABLES: &[(&str, &str)] = &[
    // Part of a layout, which never changes. What a show sells of it is counted in `admissions`.
    (
        "areas",
        "layout_id BINARY(16) NOT NULL,
         category VARCHAR(64) NOT NULL,
         name VARCHAR(100) NOT NULL,
         capacity INT UNSIGNED NOT NULL,
         PRIMARY KEY (layout_id, category)",
    ),
];
