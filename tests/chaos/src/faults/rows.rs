//! Rows that somebody holds locked: a report, a forgotten console.

use super::{
    kind,
    mysql::Waiting,
    tools::{between_ms, house_ready, one_of},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use async_trait::async_trait;
use rand::rngs::StdRng;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use std::time::Duration;

/// What is locked. Each is changed by bookings all the time.
const HOT: &[(&str, &str)] = &[
    ("admissions", "SELECT show_id FROM admissions FOR UPDATE"),
    (
        "bookings",
        "SELECT id FROM bookings WHERE wake_at IS NOT NULL ORDER BY id FOR UPDATE",
    ),
    ("claims", "SELECT show_id FROM claims FOR UPDATE"),
];

pub(super) const KINDS: &[Kind] = &[kind("mysql.row_locks", 4, |dice| {
    Box::new(Held::made(dice))
})];

struct Held {
    table: &'static str,
    query: &'static str,
    lasts: Duration,
    lock: Option<DatabaseConnection>,
    waiting: Option<Waiting>,
    seen: u64,
}

impl Held {
    fn made(dice: &mut StdRng) -> Self {
        let (table, query) = one_of(dice, HOT);
        Self {
            table,
            query,
            // Shorter and longer than a statement waits.
            lasts: between_ms(dice, 1_500..9_000),
            lock: None,
            waiting: None,
            seen: 0,
        }
    }
}

#[async_trait]
impl Fault for Held {
    fn kind(&self) -> &'static str {
        "mysql.row_locks"
    }

    fn target(&self) -> String {
        self.table.to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let schema = stage.world.lock().await.vhost_name().to_owned();
        let (lock, looks, waits) = {
            let mysql = stage.mysql.lock().await;
            (
                mysql.admin().await?,
                mysql.admin().await?,
                mysql.lock_waits(),
            )
        };
        lock.execute_unprepared(&format!("USE {schema}")).await?;
        // Only MariaDB ends idle transactions.
        let _ = lock
            .execute_unprepared("SET SESSION idle_transaction_timeout = 0")
            .await;
        lock.execute_unprepared("START TRANSACTION").await?;
        lock.execute_unprepared(self.query).await?;
        self.lock = Some(lock);
        self.waiting = Some(Waiting::watch(looks, waits));
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        if let Some(waiting) = self.waiting.take() {
            self.seen = waiting.end();
        }
        if let Some(lock) = self.lock.take() {
            let _ = lock.execute_unprepared("ROLLBACK").await;
            let _ = lock.close().await;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.seen > 0).then(|| format!("{} transactions waited at once", self.seen))
    }
}
