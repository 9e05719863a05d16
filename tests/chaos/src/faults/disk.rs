//! The SQL server finds no room for another row.
//!
//! All tables lie in one file, which may not grow any more: error 1114, as on a disk that is full. A ballast takes
//! what is left in it.

use super::{
    kind,
    tools::{between_ms, counted, house_ready, until},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{anyhow, bail};
use async_trait::async_trait;
use rand::rngs::StdRng;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use std::time::Duration;

/// Until the first worker has met it.
const MET_MAX: Duration = Duration::from_secs(20);
/// Bytes a row, the largest first. The last size leaves no page.
const BALLAST: [usize; 3] = [1_048_576, 65_536, 4_096];
/// More rows of one size were never free.
const ROWS_MAX: usize = 2_000;

pub(super) const KINDS: &[Kind] = &[kind("mysql.disk_full", 2, |dice| {
    Box::new(Full::made(dice))
})];

struct Full {
    lasts: Duration,
    rows: usize,
    paused: u64,
}

impl Full {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            lasts: between_ms(dice, 500..5_000),
            rows: 0,
            paused: 0,
        }
    }
}

#[async_trait]
impl Fault for Full {
    fn kind(&self) -> &'static str {
        "mysql.disk_full"
    }

    fn target(&self) -> String {
        "mysql".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let admin = {
            let mut mysql = stage.mysql.lock().await;
            mysql.terminate().await.map_err(|error| anyhow!(error))?;
            mysql
                .start_bounded()
                .await
                .map_err(|error| anyhow!(error))?;
            mysql.admin().await?
        };
        admin.execute_unprepared("CREATE DATABASE ballast").await?;
        admin
            .execute_unprepared("CREATE TABLE ballast.ballast (bytes LONGBLOB NOT NULL)")
            .await?;
        for bytes in BALLAST {
            self.rows += fill(&admin, bytes).await?;
        }
        admin.close().await?;
        self.paused = until("somebody who pauses", MET_MAX, || async {
            match counted(stage, &["boxoffice_paused{"]).await {
                0 => Err("nobody"),
                paused => Ok(paused),
            }
        })
        .await?;
        Ok(())
    }

    /// A larger disk first: without any room not even a table can be dropped.
    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        {
            let mut mysql = stage.mysql.lock().await;
            if mysql.is_started() {
                mysql.terminate().await.map_err(|error| anyhow!(error))?;
            }
            mysql.start_again().await.map_err(|error| anyhow!(error))?;
            let admin = mysql.admin().await?;
            admin
                .execute_unprepared("DROP DATABASE IF EXISTS ballast")
                .await?;
            admin.close().await?;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.paused > 0).then(|| {
            let (paused, rows) = (self.paused, self.rows);
            format!("{paused} roles paused, no room after {rows} rows of ballast")
        })
    }
}

/// Rows of one size until there is no room for another.
async fn fill(admin: &DatabaseConnection, bytes: usize) -> anyhow::Result<usize> {
    let insert = format!("INSERT INTO ballast.ballast VALUES (REPEAT('x', {bytes}))");
    for rows in 0..ROWS_MAX {
        match admin.execute_unprepared(&insert).await {
            Ok(_) => {}
            Err(full) if full.to_string().contains("1114") => return Ok(rows),
            Err(other) => return Err(other.into()),
        }
    }
    bail!("there is room for {ROWS_MAX} rows of {bytes} bytes")
}
