//! What happens to MongoDB beside its end: no primary, a projection that is gone.

use super::{
    kind,
    tools::{between_ms, house_ready, product},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::anyhow;
use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use rand::{Rng as _, rngs::StdRng};
use std::time::Duration;

pub(super) const KINDS: &[Kind] = &[
    kind("mongodb.step_down", 3, |dice| {
        Box::new(SteppedDown::made(dice))
    }),
    kind("mongodb.drop_projection", 1, |dice| {
        Box::new(Dropped {
            lasts: between_ms(dice, 0..1_500),
            had: 0,
            lines: None,
        })
    }),
];

/// The projection, and nothing but it.
const TIMELINES: &str = "timelines";

/// The set has no primary for some seconds.
struct SteppedDown {
    secs: u32,
    seen: bool,
}

impl SteppedDown {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            secs: dice.random_range(2..10),
            seen: false,
        }
    }
}

#[async_trait]
impl Fault for SteppedDown {
    fn kind(&self) -> &'static str {
        "mongodb.step_down"
    }

    fn target(&self) -> String {
        "mongodb".to_owned()
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(self.secs.into())
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let order = doc! { "replSetStepDown": self.secs, "secondaryCatchUpPeriodSecs": 0,
        "force": true };
        let mongodb = stage.mongodb.lock().await;
        mongodb
            .command(order)
            .await
            .map_err(|error| anyhow!(error))?;
        let said = mongodb.command(doc! { "hello": 1 }).await;
        let said = said.map_err(|error| anyhow!(error))?;
        self.seen = matches!(said.get_bool("isWritablePrimary"), Ok(false));
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let serves = stage.mongodb.lock().await.serves().await;
        serves.map_err(|error| anyhow!(error))?;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.then(|| format!("no primary for {} s", self.secs))
    }
}

/// Somebody drops the timelines; the product makes them again from what is on record.
struct Dropped {
    lasts: Duration,
    had: u64,
    lines: Option<String>,
}

#[async_trait]
impl Fault for Dropped {
    fn kind(&self) -> &'static str {
        "mongodb.drop_projection"
    }

    fn target(&self) -> String {
        "timelines".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let documents = stage.world.lock().await.documents.clone();
        let timelines = documents.collection::<Document>(TIMELINES);
        self.had = timelines.count_documents(doc! {}).await?;
        timelines.delete_many(doc! {}).await?;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.lines = Some(product(stage, &["timeline", "rebuild", "--all"]).await?);
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        let said = self.lines.as_ref()?.lines().last().unwrap_or_default();
        (self.had > 0).then(|| format!("{} lines gone, made again: {said}", self.had))
    }
}
