//! One worker's clock is ten minutes off. The database's time decides, so nothing ends early or late.

use super::{
    kind,
    tools::{between_ms, bring_back, chosen_worker},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::Context as _;
use async_trait::async_trait;
use boxoffice_runtime::clock;
use rand::{Rng as _, rngs::StdRng};
use std::{path::Path, time::Duration};

/// Of Debian's package `libfaketime`, which `faketime` brings.
const LIBRARIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const OFF_SECS: i64 = 600;

pub(super) const KINDS: &[Kind] = &[
    kind("clock.fast", 2, |dice| {
        Box::new(Off::made(dice, "clock.fast", OFF_SECS))
    }),
    kind("clock.slow", 2, |dice| {
        Box::new(Off::made(dice, "clock.slow", -OFF_SECS))
    }),
];

struct Off {
    kind: &'static str,
    secs: i64,
    pick: usize,
    lasts: Duration,
    name: Option<String>,
    seen: Option<String>,
}

impl Off {
    fn made(dice: &mut StdRng, kind: &'static str, secs: i64) -> Self {
        Self {
            kind,
            secs,
            pick: dice.random_range(0..1_000),
            lasts: between_ms(dice, 5_000..15_000),
            name: None,
            seen: None,
        }
    }
}

#[async_trait]
impl Fault for Off {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        self.name.clone().unwrap_or_else(|| "a worker".to_owned())
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let library = LIBRARIES.iter().find(|library| Path::new(library).exists());
        let library = library.context("no libfaketime: install Debian's package `faketime`")?;
        let name = chosen_worker(stage, self.pick);
        self.name = Some(name.clone());
        {
            let mut world = stage.world.lock().await;
            let process = world.process(&name);
            process.kill();
            process.besides = [
                ("LD_PRELOAD", (*library).to_owned()),
                ("FAKETIME", format!("{:+}", self.secs)),
                // Waits are measured by another clock, which nobody sets.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        }
        bring_back(stage, &name).await?;
        let off = off_by_secs(stage, &name).await?;
        // What the process itself takes for the time, to some seconds.
        if (off - self.secs).abs() < 30 {
            self.seen = Some(format!("its clock is {off:+} s off"));
        }
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let Some(name) = self.name.clone() else {
            return Ok(());
        };
        {
            let mut world = stage.world.lock().await;
            let process = world.process(&name);
            process.besides.clear();
            process.kill();
        }
        bring_back(stage, &name).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.clone()
    }
}

/// Read from the date of an answer.
async fn off_by_secs(stage: &Stage, name: &str) -> anyhow::Result<i64> {
    let url = format!("http://{}/readyz", stage.internals[name]);
    let answer = reqwest::get(url).await?;
    let date = answer.headers().get("date").context("no date")?.to_str()?;
    let date = chrono::DateTime::parse_from_rfc2822(date)?;
    Ok((date.to_utc() - clock::now()).num_seconds())
}
