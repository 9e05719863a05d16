//! What happens to the SQL server beside its end: no writes, killed connections.

use super::{
    kind,
    tools::{between_ms, house_ready},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use rand::rngs::StdRng;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

/// How often somebody looks who waits.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) const KINDS: &[Kind] = &[
    kind("mysql.read_lock", 3, |dice| Box::new(ReadLock::made(dice))),
    kind("mysql.read_only", 3, |dice| Box::new(ReadOnly::made(dice))),
    kind("mysql.kill_connections", 4, |dice| {
        Box::new(Killed {
            lasts: between_ms(dice, 0..500),
            killed: 0,
        })
    }),
];

/// `FLUSH TABLES WITH READ LOCK`, as an old backup does.
struct ReadLock {
    lasts: Duration,
    lock: Option<DatabaseConnection>,
    waiting: Option<Waiting>,
    seen: u64,
}

impl ReadLock {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            lasts: between_ms(dice, 1_000..8_000),
            lock: None,
            waiting: None,
            seen: 0,
        }
    }
}

#[async_trait]
impl Fault for ReadLock {
    fn kind(&self) -> &'static str {
        "mysql.read_lock"
    }

    fn target(&self) -> String {
        "every table".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (lock, looks) = {
            let mysql = stage.mysql.lock().await;
            (mysql.admin().await?, mysql.admin().await?)
        };
        lock.execute_unprepared("FLUSH TABLES WITH READ LOCK")
            .await?;
        self.lock = Some(lock);
        let query = "SELECT COUNT(*) FROM information_schema.processlist \
                     WHERE user = 'boxoffice' AND state LIKE 'Waiting for%lock%'";
        self.waiting = Some(Waiting::watch(looks, query));
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        if let Some(waiting) = self.waiting.take() {
            self.seen = waiting.end();
        }
        if let Some(lock) = self.lock.take() {
            // Its end frees the tables, whatever it says.
            let _ = lock.execute_unprepared("UNLOCK TABLES").await;
            let _ = lock.close().await;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.seen > 0).then(|| format!("{} statements waited at once", self.seen))
    }
}

/// Looks again and again how many wait for a lock, and keeps the most.
pub(super) struct Waiting {
    most: Arc<AtomicU64>,
    looking: JoinHandle<()>,
}

impl Waiting {
    /// `query` gives one number.
    pub(super) fn watch(db: DatabaseConnection, query: &'static str) -> Self {
        let most = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&most);
        let looking = tokio::spawn(async move {
            loop {
                let asked = Statement::from_string(DbBackend::MySql, query);
                let row = db.query_one_raw(asked).await.ok().flatten();
                let count = row.and_then(|row| row.try_get_by_index::<i64>(0).ok());
                let count = count.and_then(|count| u64::try_from(count).ok());
                seen.fetch_max(count.unwrap_or_default(), Ordering::Relaxed);
                sleep(LOOK_EVERY).await;
            }
        });
        Self { most, looking }
    }

    pub(super) fn end(&self) -> u64 {
        self.looking.abort();
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// The server refuses writes, as a replica does that nobody promoted.
struct ReadOnly {
    lasts: Duration,
    seen: Option<String>,
}

impl ReadOnly {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            lasts: between_ms(dice, 1_000..10_000),
            seen: None,
        }
    }
}

#[async_trait]
impl Fault for ReadOnly {
    fn kind(&self) -> &'static str {
        "mysql.read_only"
    }

    fn target(&self) -> String {
        "mysql".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let admin = stage.mysql.lock().await.admin().await?;
        admin
            .execute_unprepared("SET GLOBAL read_only = ON")
            .await?;
        admin.close().await?;
        // Touches nothing, and is refused all the same.
        let probe = "UPDATE parked_messages SET status = status WHERE 1 = 0";
        let refused = stage.db.execute_unprepared(probe).await.err();
        let said = refused.context("a write went through")?.to_string();
        ensure!(said.contains("read"), "another refusal: {said}");
        self.seen = Some("a write was refused: read only".to_owned());
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let admin = stage.mysql.lock().await.admin().await?;
        admin
            .execute_unprepared("SET GLOBAL read_only = OFF")
            .await?;
        admin.close().await?;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.clone()
    }
}

/// Every connection of the product is killed, in the middle of whatever it does.
struct Killed {
    lasts: Duration,
    killed: usize,
}

#[async_trait]
impl Fault for Killed {
    fn kind(&self) -> &'static str {
        "mysql.kill_connections"
    }

    fn target(&self) -> String {
        "every connection".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let admin = stage.mysql.lock().await.admin().await?;
        let list = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
                    WHERE user = 'boxoffice'";
        let list = Statement::from_string(DbBackend::MySql, list);
        for row in admin.query_all_raw(list).await? {
            let id: i64 = row.try_get_by_index(0)?;
            // One that has gone by itself can't be killed.
            let killed = admin.execute_unprepared(&format!("KILL {id}")).await;
            self.killed += usize::from(killed.is_ok());
        }
        admin.close().await?;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.killed > 0).then(|| format!("{} connections killed", self.killed))
    }
}
