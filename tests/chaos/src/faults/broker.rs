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
use std::time::Duration;

/// Until the broker has noticed that it has or lacks memory.
const NOTICE_MAX: Duration = Duration::from_secs(20);

pub(super) const KINDS: &[Kind] = &[
    kind("broker.memory_alarm", 3, |dice| {
        Box::new(Alarm::made(dice, memory()))
    }),
    kind("broker.disk_alarm", 3, |dice| {
        Box::new(Alarm::made(dice, disk()))
    }),
    journal_kind("broker.wipe", 1, |dice| Box::new(Wiped::made(dice))),
];

/// A resource runs short, says the broker.
struct Resource {
    kind: &'static str,
    /// In the broker's list of alarms.
    alarm: &'static str,
    /// In Erlang: from now on even this is too little.
    raise: String,
    clear: String,
}

fn memory() -> Resource {
    let limit = |share: &str| format!("vm_memory_monitor:set_vm_memory_high_watermark({share})");
    Resource {
        kind: "broker.memory_alarm",
        alarm: "resource_limit,memory",
        raise: limit("0.0001"),
        clear: limit(MEMORY_SHARE),
    }
}

fn disk() -> Resource {
    let limit = |least: &str| format!("rabbit_disk_monitor:set_disk_free_limit(\"{least}\")");
    Resource {
        kind: "broker.disk_alarm",
        alarm: "resource_limit,disk",
        raise: limit("900000GB"),
        clear: limit(DISK_FREE_MIN),
    }
}

/// The broker takes no messages.
struct Alarm {
    resource: Resource,
    lasts: Duration,
    seen: bool,
}

impl Alarm {
    fn made(dice: &mut StdRng, resource: Resource) -> Self {
        Self {
            resource,
            lasts: between_ms(dice, 2_000..9_000),
            seen: false,
        }
    }

    /// Sets the limit and asks for the alarms in one call: the management API knows of them some seconds later, and
    /// each call of `rabbitmqctl` costs a second of CPU time.
    async fn set(&self, stage: &Stage, limit: &str, wanted: bool) -> anyhow::Result<()> {
        let script = format!("{limit}, rabbit_alarm:get_alarms().");
        let alarm = self.resource.alarm;
        until(&format!("{alarm} is {wanted}"), NOTICE_MAX, || async {
            let alarms = ctl(stage, &["eval", &script]).await?;
            ensure!(alarms.contains(alarm) == wanted, "{alarms}");
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
        self.set(stage, &self.resource.raise, true).await?;
        self.seen = true;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.set(stage, &self.resource.clear, false).await?;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen
            .then(|| format!("{} was raised", self.resource.alarm))
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
