//! Why somebody cancelled, beside the decision. Null for every other decision.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        change(manager, "ADD COLUMN reason VARCHAR(200) NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        change(manager, "DROP COLUMN reason").await
    }
}

async fn change(manager: &SchemaManager<'_>, what: &str) -> Result<(), DbErr> {
    let statement = format!("ALTER TABLE booking_events {what}");
    manager
        .get_connection()
        .execute_unprepared(&statement)
        .await?;
    Ok(())
}
