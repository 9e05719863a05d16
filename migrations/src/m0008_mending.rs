//! Mending what failed: the history of each parked message, campaigns of retries, edits that wait for a second
//! person.

use crate::sql::{create_tables, drop_tables};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(
            "ALTER TABLE parked_messages \
             ADD COLUMN reopened BOOLEAN NOT NULL DEFAULT FALSE, \
             ADD COLUMN archived_at DATETIME(6) NULL, \
             ADD COLUMN superseded_by BINARY(16) NULL, \
             ADD KEY parked_page (status, last_failed_at), \
             ADD KEY parked_successor (superseded_by)",
        )
        .await?;
        // An older program may still write the old word while it runs beside this one: both are read.
        db.execute_unprepared(
            "UPDATE parked_messages SET status = 'archived', archived_at = UTC_TIMESTAMP(6) \
             WHERE status = 'discarded'",
        )
        .await?;
        create_tables(manager, TABLES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await?;
        let db = manager.get_connection();
        db.execute_unprepared(
            "UPDATE parked_messages SET status = 'discarded' \
             WHERE status IN ('archived', 'superseded')",
        )
        .await?;
        db.execute_unprepared(
            "ALTER TABLE parked_messages DROP KEY parked_successor, DROP KEY parked_page, \
             DROP COLUMN superseded_by, DROP COLUMN archived_at, DROP COLUMN reopened",
        )
        .await?;
        Ok(())
    }
}

const TABLES: &[(&str, &str)] = &[
    // Every time that a message was given up. `no` is the count of failures then.
    (
        "parked_failures",
        "queue VARCHAR(60) NOT NULL,
         message_id BINARY(16) NOT NULL,
         no INT UNSIGNED NOT NULL,
         at DATETIME(6) NOT NULL,
         code VARCHAR(64) NOT NULL,
         reason VARCHAR(1000) NOT NULL,
         attempts INT UNSIGNED NOT NULL,
         replay INT UNSIGNED NOT NULL,
         PRIMARY KEY (queue, message_id, no)",
    ),
    // A campaign: what was chosen, why, how fast, and how far it is. Its items say the rest.
    (
        "retries",
        "id BINARY(16) NOT NULL PRIMARY KEY,
         state VARCHAR(16) NOT NULL,
         filter JSON NOT NULL,
         reason VARCHAR(500) NOT NULL,
         subject VARCHAR(64) NOT NULL,
         rate_per_sec INT UNSIGNED NOT NULL,
         stages JSON NOT NULL,
         stop_percent INT UNSIGNED NOT NULL,
         total INT UNSIGNED NOT NULL,
         skipped JSON NOT NULL,
         stopped_why VARCHAR(255) NULL,
         unsettled BOOLEAN NOT NULL DEFAULT FALSE,
         created_at DATETIME(6) NOT NULL,
         started_at DATETIME(6) NULL,
         sent_at DATETIME(6) NULL,
         finished_at DATETIME(6) NULL,
         KEY retries_state (state, unsettled),
         KEY retries_age (created_at)",
    ),
    (
        "retry_items",
        "retry_id BINARY(16) NOT NULL,
         no INT UNSIGNED NOT NULL,
         queue VARCHAR(60) NOT NULL,
         message_id BINARY(16) NOT NULL,
         state VARCHAR(8) NOT NULL,
         failures_before INT UNSIGNED NOT NULL DEFAULT 0,
         code VARCHAR(64) NULL,
         sent_at DATETIME(6) NULL,
         ended_at DATETIME(6) NULL,
         PRIMARY KEY (retry_id, no),
         KEY retry_items_state (retry_id, state, no),
         KEY retry_items_message (queue, message_id)",
    ),
    // An edit that one person proposed and another decides on. The original's count of failures says whether it
    // is still the message that was looked at.
    (
        "proposals",
        "id BINARY(16) NOT NULL PRIMARY KEY,
         state VARCHAR(16) NOT NULL,
         queue VARCHAR(60) NOT NULL,
         message_id BINARY(16) NOT NULL,
         failures INT UNSIGNED NOT NULL,
         to_queue VARCHAR(60) NOT NULL,
         to_kind VARCHAR(64) NOT NULL,
         body MEDIUMBLOB NOT NULL,
         changes JSON NOT NULL,
         reason VARCHAR(500) NOT NULL,
         proposed_by VARCHAR(64) NOT NULL,
         proposed_at DATETIME(6) NOT NULL,
         decided_by VARCHAR(64) NULL,
         decided_at DATETIME(6) NULL,
         decision_reason VARCHAR(500) NULL,
         KEY proposals_state (state, proposed_at),
         KEY proposals_message (queue, message_id)",
    ),
];
