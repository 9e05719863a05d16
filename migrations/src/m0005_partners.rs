//! Partners that publish and consume over AMQP.

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
    // What a partner is to have at the broker. `version` rises with every change; `applied_version` is what the
    // broker was last brought to. `discard_unread` concerns removed ones only: what they left unread goes, too.
    (
        "partners",
        "id VARCHAR(32) NOT NULL PRIMARY KEY,
         name VARCHAR(200) NOT NULL,
         state VARCHAR(16) NOT NULL,
         state_reason VARCHAR(500) NULL,
         rate_per_sec INT UNSIGNED NOT NULL,
         burst INT UNSIGNED NOT NULL,
         queue_length_max INT UNSIGNED NOT NULL,
         connections_max INT UNSIGNED NOT NULL,
         channels_max INT UNSIGNED NOT NULL,
         version INT UNSIGNED NOT NULL,
         applied_version INT UNSIGNED NOT NULL DEFAULT 0,
         apply_error VARCHAR(500) NULL,
         out_sequence BIGINT UNSIGNED NOT NULL DEFAULT 0,
         discard_unread BOOLEAN NOT NULL DEFAULT FALSE,
         created_at DATETIME(6) NOT NULL,
         updated_at DATETIME(6) NOT NULL",
    ),
    // The broker's salted hash; the password itself is shown once and kept nowhere.
    (
        "partner_credentials",
        "partner_id VARCHAR(32) NOT NULL,
         serial SMALLINT UNSIGNED NOT NULL,
         password_hash VARCHAR(128) NOT NULL,
         created_at DATETIME(6) NOT NULL,
         expires_at DATETIME(6) NULL,
         revoked_at DATETIME(6) NULL,
         PRIMARY KEY (partner_id, serial)",
    ),
    // The venues whose shows a partner may publish.
    (
        "partner_venues",
        "partner_id VARCHAR(32) NOT NULL,
         venue_id BINARY(16) NOT NULL,
         PRIMARY KEY (partner_id, venue_id)",
    ),
    // What the gate has decided: a repetition is answered with the same reply, the row of `partner_out` with the
    // id `reply_id`.
    (
        "partner_inbox",
        "partner_id VARCHAR(32) NOT NULL,
         message_id BINARY(16) NOT NULL,
         outcome VARCHAR(16) NOT NULL,
         code VARCHAR(64) NULL,
         reply_id BINARY(16) NOT NULL,
         at DATETIME(6) NOT NULL,
         PRIMARY KEY (partner_id, message_id),
         KEY partner_inbox_outcome (partner_id, outcome, at),
         KEY partner_inbox_age (at)",
    ),
    // What a partner ordered under which key, by the operation's id: tells a repetition from a reused key.
    (
        "partner_operations",
        "operation_id BINARY(16) NOT NULL PRIMARY KEY,
         partner_id VARCHAR(32) NOT NULL,
         booking_id BINARY(16) NOT NULL,
         request_hash BINARY(32) NOT NULL,
         deadline DATETIME(6) NOT NULL,
         created_at DATETIME(6) NOT NULL",
    ),
    // What a partner calls a booking of its own.
    (
        "partner_bookings",
        "booking_id BINARY(16) NOT NULL PRIMARY KEY,
         partner_id VARCHAR(32) NOT NULL,
         reference VARCHAR(64) NULL,
         correlation_id VARCHAR(128) NULL,
         created_at DATETIME(6) NOT NULL,
         KEY partner_bookings_partner (partner_id, created_at)",
    ),
    // Shows, inventories and prices by the partner's own ids, and the last sequence that was taken of each, with the
    // hash of what it said: a repetition is told from another state of the same number.
    (
        "partner_entities",
        "partner_id VARCHAR(32) NOT NULL,
         kind VARCHAR(16) NOT NULL,
         own_id VARCHAR(64) NOT NULL,
         sequence BIGINT UNSIGNED NOT NULL,
         content_sha256 BINARY(32) NOT NULL,
         entity_id BINARY(16) NULL,
         updated_at DATETIME(6) NOT NULL,
         PRIMARY KEY (partner_id, kind, own_id)",
    ),
    // Outbox to partners, and the memory that they recover from. Sequences are given when rows are sent, so that
    // they have no gaps and follow no order of commits.
    (
        "partner_out",
        "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
         partner_id VARCHAR(32) NOT NULL,
         message_id BINARY(16) NOT NULL,
         sequence BIGINT UNSIGNED NULL,
         routing_key VARCHAR(128) NOT NULL,
         booking_id BINARY(16) NULL,
         correlation_id VARCHAR(128) NULL,
         body MEDIUMBLOB NOT NULL,
         created_at DATETIME(6) NOT NULL,
         sent_at DATETIME(6) NULL,
         UNIQUE KEY partner_out_message (partner_id, message_id),
         UNIQUE KEY partner_out_sequence (partner_id, sequence),
         KEY partner_out_unsent (sent_at, partner_id, id),
         KEY partner_out_age (created_at)",
    ),
];
