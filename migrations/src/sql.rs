//! Statements as they are written in a manual: a schema is read more often than it is composed.

use sea_orm_migration::prelude::*;

/// Settings that every table has. Text keys compare byte by byte: default collations make `A1` = `a1`.
pub(crate) const TABLE: &str = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

/// Creates tables, each given as `name (columns)`.
pub(crate) async fn create_tables(
    manager: &SchemaManager<'_>,
    tables: &[(&str, &str)],
) -> Result<(), DbErr> {
    for (name, columns) in tables {
        let statement = format!("CREATE TABLE {name} ({columns}) {TABLE}");
        manager
            .get_connection()
            .execute_unprepared(&statement)
            .await?;
    }
    Ok(())
}

/// Drops tables, last created first.
pub(crate) async fn drop_tables(
    manager: &SchemaManager<'_>,
    tables: &[(&str, &str)],
) -> Result<(), DbErr> {
    for (name, _) in tables.iter().rev() {
        manager
            .get_connection()
            .execute_unprepared(&format!("DROP TABLE IF EXISTS {name}"))
            .await?;
    }
    Ok(())
}
