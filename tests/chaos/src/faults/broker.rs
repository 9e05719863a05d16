//! What happens to the broker beside its end: alarms, closed connections, a wiped disk.

use super::{
    journal_kind, kind,
    server::{self, Which},
    tools::{between_ms, ctl, house_ready, manage, product, reconnect, until, vhost},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{anyhow, ensure};
use async_trait::async_trait;
use boxoffice_integration::private_broker::{DISK_FREE_MIN, MEMORY_SHARE};
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// Until the broker has noticed that it has or lacks memory.
const NOTICE_MAX: Duration = Duration::from_secs(20);

pub(super) const KINDS: &[Kind] = &[
    kind("broker.memory_alarm", 3, |dice| {
        Box::new(Alarm::made(dice, &MEMORY))
    }),
    kind("broker.disk_alarm", 3, |dice| {
        Box::new(Alarm::made(dice, &DISK))
    }),
    journal_kind("broker.wipe", 1, |dice| Box::new(Wiped::made(dice))),
];

/// A resource runs short, says the broker.
struct Resource {
    kind: &'static str,
    /// In the node's overview.
    field: &'static str,
    raise: &'static [&'static str],
    clear: &'static [&'static str],
}

const MEMORY: Resource = Resource {
    kind: "broker.memory_alarm",
    field: "mem_alarm",
    raise: &["set_vm_memory_high_watermark", "absolute", "1MB"],
    clear: &["set_vm_memory_high_watermark", MEMORY_SHARE],
};

const DISK: Resource = Resource {
    kind: "broker.disk_alarm",
    field: "disk_free_alarm",
    raise: &["set_disk_free_limit", "900000GB"],
    clear: &["set_disk_free_limit", DISK_FREE_MIN],
};

/// The broker takes no messages. It notices some ten seconds after it was told to, and as late that it is over: the
/// time between comes on top of this.
struct Alarm {
    resource: &'static Resource,
    lasts: Duration,
    seen: bool,
}

impl Alarm {
    fn made(dice: &mut StdRng, resource: &'static Resource) -> Self {
        Self {
            resource,
            lasts: between_ms(dice, 1_000..5_000),
            seen: false,
        }
    }

    async fn is(&self, stage: &Stage, wanted: bool) -> anyhow::Result<()> {
        let field = self.resource.field;
        until(&format!("{field} is {wanted}"), NOTICE_MAX, || async {
            let nodes = manage(stage, Method::GET, "/api/nodes", "").await?;
            let nodes: Value = serde_json::from_str(&nodes)?;
            ensure!(nodes[0][field] == wanted, "{}", nodes[0][field]);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Fault for Alarm {
    fn kind(&self) -> &'static str {
        self.resource.kind
    }

    fn target(&self) -> String {
        "broker".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        ctl(stage, self.resource.raise).await?;
        self.is(stage, true).await?;
        self.seen = true;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        ctl(stage, self.resource.clear).await?;
        self.is(stage, false).await?;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen
            .then(|| format!("{} was raised", self.resource.field))
    }
}

/// The broker's disk is lost with all that lay on it.
struct Wiped {
    lasts: Duration,
    seen: bool,
}

impl Wiped {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            lasts: between_ms(dice, 0..2_000),
            seen: false,
        }
    }
}

#[async_trait]
impl Fault for Wiped {
    fn kind(&self) -> &'static str {
        "broker.wipe"
    }

    fn target(&self) -> String {
        "broker".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let mut broker = stage.broker.lock().await;
        ensure!(broker.kill().is_some(), "it is down already");
        broker.wipe().map_err(|error| anyhow!(error))?;
        self.seen = true;
        Ok(())
    }

    /// As an operator does with a new broker: virtual hosts, rights, topology.
    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        if !stage.broker.lock().await.is_started() {
            server::start_again(stage, Which::Broker).await?;
        }
        let house = vhost(stage).await;
        let partners = stage.world.lock().await.partners_vhost();
        for vhost in [house, partners] {
            manage(stage, Method::PUT, &format!("/api/vhosts/{vhost}"), "{}").await?;
            let all = r#"{"configure":".*","write":".*","read":".*"}"#;
            let permissions = format!("/api/permissions/{vhost}/boxoffice");
            manage(stage, Method::PUT, &permissions, all).await?;
        }
        product(stage, &["topology", "declare"]).await?;
        reconnect(stage).await;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.then(|| "all queues were lost".to_owned())
    }
}
