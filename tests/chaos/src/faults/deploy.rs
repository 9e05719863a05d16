//! Workers are replaced one after the other while everybody books, with another build if there is one.

use super::{
    kind,
    tools::{bring_back, house_ready, until},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use boxoffice_integration::process::signal;
use rand::{rngs::StdRng, seq::SliceRandom as _};
use std::{env, path::PathBuf, time::Duration};

/// Names another build of `boxoffice`: the version before this one, say.
const OTHER: &str = "BOXOFFICE_CHAOS_OTHER";
const END_MAX: Duration = Duration::from_secs(30);
/// More than there are processes.
const PLACES: usize = 32;

pub(super) const KINDS: &[Kind] = &[kind("deploy.rolling", 1, |dice| {
    Box::new(Rolling::made(dice))
})];

struct Rolling {
    order: Vec<usize>,
    other: Option<PathBuf>,
    replaced: usize,
}

impl Rolling {
    fn made(dice: &mut StdRng) -> Self {
        let mut order: Vec<usize> = (0..PLACES).collect();
        order.shuffle(dice);
        Self {
            order,
            other: env::var_os(OTHER).map(PathBuf::from),
            replaced: 0,
        }
    }

    async fn roll(&mut self, stage: &Stage, program: Option<&PathBuf>) -> anyhow::Result<()> {
        let names: Vec<String> = stage.internals.keys().cloned().collect();
        for name in self.order.iter().filter_map(|place| names.get(*place)) {
            // A supervisor would have started it again by now.
            bring_back(stage, name).await?;
            let pid = stage.world.lock().await.process(name).pid();
            signal("TERM", pid.with_context(|| format!("{name} is down"))?);
            let status = until(&format!("the end of {name}"), END_MAX, || async {
                let mut world = stage.world.lock().await;
                world.process(name).has_ended().ok_or("it goes on")
            })
            .await?;
            ensure!(status.success(), "{name} ended with {status} after SIGTERM");
            {
                let mut world = stage.world.lock().await;
                let process = world.process(name);
                process.kill();
                process.other = program.cloned();
            }
            bring_back(stage, name).await?;
            self.replaced += 1;
        }
        Ok(())
    }
}

#[async_trait]
impl Fault for Rolling {
    fn kind(&self) -> &'static str {
        "deploy.rolling"
    }

    fn target(&self) -> String {
        match &self.other {
            Some(other) => format!("every process, by {}", other.display()),
            None => "every process".to_owned(),
        }
    }

    fn lasts(&self) -> Duration {
        Duration::ZERO
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let other = self.other.clone();
        self.roll(stage, other.as_ref()).await
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let names: Vec<String> = stage.internals.keys().cloned().collect();
        for name in names {
            // What a failed deployment left behind.
            bring_back(stage, &name).await?;
        }
        if self.other.is_some() {
            self.roll(stage, None).await?;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.replaced > 0).then(|| format!("{} processes replaced", self.replaced))
    }
}
