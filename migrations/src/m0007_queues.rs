//! What is seen of queues and workers, what people order of them, and alerts.

use crate::sql::{create_tables, drop_tables};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tables(manager, TABLES).await?;
        // Alerts count by it every few seconds.
        let index = "CREATE INDEX bookings_attention_count ON bookings (attention)";
        let db = manager.get_connection();
        db.execute_unprepared(index).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = "DROP INDEX bookings_attention_count ON bookings";
        manager.get_connection().execute_unprepared(index).await?;
        drop_tables(manager, TABLES).await
    }
}

const TABLES: &[(&str, &str)] = &[
    // What people have ordered: a row while it holds.
    (
        "controls",
        "kind VARCHAR(8) NOT NULL,
         name VARCHAR(60) NOT NULL,
         mode VARCHAR(8) NOT NULL,
         reason VARCHAR(500) NOT NULL,
         set_by VARCHAR(64) NOT NULL,
         set_at DATETIME(6) NOT NULL,
         until_at DATETIME(6) NULL,
         PRIMARY KEY (kind, name)",
    ),
    // The last that each process said of a queue of a role; the queue of a role without is empty.
    (
        "worker_beats",
        "process VARCHAR(96) NOT NULL,
         role VARCHAR(32) NOT NULL,
         queue VARCHAR(60) NOT NULL,
         at DATETIME(6) NOT NULL,
         state VARCHAR(12) NOT NULL,
         service VARCHAR(16) NULL,
         in_hand INT UNSIGNED NOT NULL,
         handled_total BIGINT UNSIGNED NOT NULL,
         oldest_at DATETIME(6) NULL,
         taken_at DATETIME(6) NULL,
         PRIMARY KEY (process, role, queue),
         KEY worker_beats_age (at)",
    ),
    // What each process finished within a minute, and how long it took from when it was sent.
    (
        "queue_work",
        "queue VARCHAR(60) NOT NULL,
         minute DATETIME NOT NULL,
         process VARCHAR(96) NOT NULL,
         handled BIGINT UNSIGNED NOT NULL,
         times TEXT NOT NULL,
         PRIMARY KEY (queue, minute, process),
         KEY queue_work_age (minute)",
    ),
    // Every queue as it was seen last.
    (
        "queue_now",
        "queue VARCHAR(60) NOT NULL PRIMARY KEY,
         at DATETIME(6) NOT NULL,
         seen_at DATETIME(6) NULL,
         ready BIGINT UNSIGNED NOT NULL,
         unacked BIGINT UNSIGNED NOT NULL,
         consumers INT UNSIGNED NOT NULL,
         utilisation DOUBLE NULL,
         arrived_per_sec DOUBLE NULL,
         delivered_per_sec DOUBLE NULL,
         settled_per_sec DOUBLE NULL,
         oldest_secs DOUBLE NULL,
         breach_secs DOUBLE NULL,
         critical_messages BIGINT UNSIGNED NOT NULL,
         critical_p50_ms BIGINT UNSIGNED NULL,
         critical_p95_ms BIGINT UNSIGNED NULL,
         critical_p99_ms BIGINT UNSIGNED NULL,
         parked BIGINT UNSIGNED NOT NULL,
         empty_at DATETIME(6) NULL,
         floor_at DATETIME(6) NULL,
         consumed_at DATETIME(6) NOT NULL",
    ),
    (
        "queue_minutes",
        "queue VARCHAR(60) NOT NULL,
         minute DATETIME NOT NULL,
         ready BIGINT UNSIGNED NOT NULL,
         unacked BIGINT UNSIGNED NOT NULL,
         depth_peak BIGINT UNSIGNED NOT NULL,
         consumers INT UNSIGNED NOT NULL,
         arrived BIGINT UNSIGNED NOT NULL,
         delivered BIGINT UNSIGNED NOT NULL,
         settled BIGINT UNSIGNED NOT NULL,
         utilisation DOUBLE NULL,
         oldest_secs DOUBLE NULL,
         critical_p50_ms BIGINT UNSIGNED NULL,
         critical_p99_ms BIGINT UNSIGNED NULL,
         parked BIGINT UNSIGNED NOT NULL,
         PRIMARY KEY (queue, minute),
         KEY queue_minutes_age (minute)",
    ),
    // One row for each rule and target that is, or was, beyond its limit.
    (
        "alerts",
        "alert_key VARCHAR(120) NOT NULL PRIMARY KEY,
         rule VARCHAR(24) NOT NULL,
         target VARCHAR(80) NOT NULL,
         state VARCHAR(8) NOT NULL,
         severity VARCHAR(8) NOT NULL,
         summary VARCHAR(300) NOT NULL,
         value DOUBLE NULL,
         limit_value DOUBLE NULL,
         episode INT UNSIGNED NOT NULL,
         since DATETIME(6) NOT NULL,
         raised_at DATETIME(6) NULL,
         last_seen DATETIME(6) NOT NULL,
         fine_since DATETIME(6) NULL,
         cleared_at DATETIME(6) NULL,
         acknowledged_by VARCHAR(64) NULL,
         acknowledged_at DATETIME(6) NULL,
         acknowledged_reason VARCHAR(500) NULL,
         KEY alerts_state (state)",
    ),
    // What is to be told to people, once for each way; kept until it was sent or given up.
    (
        "alert_notices",
        "id BINARY(16) NOT NULL PRIMARY KEY,
         alert_key VARCHAR(120) NOT NULL,
         episode INT UNSIGNED NOT NULL,
         event VARCHAR(8) NOT NULL,
         channel VARCHAR(8) NOT NULL,
         recipient VARCHAR(320) NOT NULL,
         body JSON NOT NULL,
         created_at DATETIME(6) NOT NULL,
         due_at DATETIME(6) NULL,
         attempts INT UNSIGNED NOT NULL DEFAULT 0,
         sent_at DATETIME(6) NULL,
         error VARCHAR(200) NULL,
         KEY alert_notices_due (due_at),
         KEY alert_notices_sent (channel, sent_at),
         KEY alert_notices_age (created_at)",
    ),
];
