//! What somebody does to queues: purge, delete, bound them.

use super::{
    journal_kind, kind,
    tools::{
        between_ms, bring_back, channel, counted, house_ready, manage, one_of, product, until,
        vhost,
    },
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::ensure;
use async_trait::async_trait;
use boxoffice_contracts::topology::UNROUTABLE;
use lapin::{
    Channel, Confirmation,
    options::{
        BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
    },
    types::FieldTable,
};
use rand::rngs::StdRng;
use reqwest::Method;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What these lose is ordered again by the saga. Each is served by the process of its name.
const HEALED: &[&str] = &["mail", "payments", "tickets"];
/// What these lose was accepted from outside.
const ACCEPTED: &[&str] = &[
    "reservations",
    "reservations.submit",
    "reservations.submit.1",
    "reservations.submit.2",
    "reservations.submit.3",
];
/// Until a queue whose consumer is away has something.
const PURGE_MAX: Duration = Duration::from_secs(15);
const CONSUMED_MAX: Duration = Duration::from_secs(60);
/// Between two purges of one fault.
const PURGE_EVERY: Duration = Duration::from_millis(250);
const POLICY: &str = "chaos-length";

pub(super) const KINDS: &[Kind] = &[
    kind("broker.purge", 3, |dice| {
        Box::new(Purged::made(dice, "broker.purge", HEALED))
    }),
    journal_kind("broker.purge_intake", 1, |dice| {
        Box::new(Purged::made(dice, "broker.purge_intake", ACCEPTED))
    }),
    kind("broker.delete_queue", 2, |dice| {
        Box::new(Deleted::made(dice, "broker.delete_queue", HEALED))
    }),
    journal_kind("broker.delete_intake", 1, |dice| {
        Box::new(Deleted::made(dice, "broker.delete_intake", ACCEPTED))
    }),
    kind("broker.max_length", 2, |dice| Box::new(Bounded::made(dice))),
];

fn owner(queue: &str) -> &str {
    queue.split('.').next().unwrap_or(queue)
}

/// A worker is away, and somebody empties its queue.
struct Purged {
    kind: &'static str,
    queue: &'static str,
    purged: u32,
}

impl Purged {
    fn made(dice: &mut StdRng, kind: &'static str, queues: &[&'static str]) -> Self {
        Self {
            kind,
            queue: one_of(dice, queues),
            purged: 0,
        }
    }
}

#[async_trait]
impl Fault for Purged {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        self.queue.to_owned()
    }

    /// The strike itself waits for messages.
    fn lasts(&self) -> Duration {
        Duration::ZERO
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.world.lock().await.process(owner(self.queue)).kill();
        let (connection, channel) = channel(stage).await?;
        let end = Instant::now() + PURGE_MAX;
        while self.purged == 0 && Instant::now() < end {
            let options = QueuePurgeOptions::default();
            self.purged += channel.queue_purge(self.queue.into(), options).await?;
            // The condition is the loop's.
            sleep(PURGE_EVERY).await;
        }
        let _ = connection.close(200, "done".into()).await;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        bring_back(stage, owner(self.queue)).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.purged > 0).then(|| format!("{} messages purged", self.purged))
    }
}

/// Somebody deletes a queue; an operator declares it again.
struct Deleted {
    kind: &'static str,
    queue: &'static str,
    lasts: Duration,
    seen: Option<String>,
    rescued: u32,
}

impl Deleted {
    fn made(dice: &mut StdRng, kind: &'static str, queues: &[&'static str]) -> Self {
        Self {
            kind,
            queue: one_of(dice, queues),
            lasts: between_ms(dice, 500..4_000),
            seen: None,
            rescued: 0,
        }
    }
}

#[async_trait]
impl Fault for Deleted {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        self.queue.to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (connection, channel) = channel(stage).await?;
        let options = QueueDeleteOptions::default();
        let held = channel.queue_delete(self.queue.into(), options).await?;
        self.seen = Some(format!("deleted with {held} messages"));
        let _ = connection.close(200, "done".into()).await;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        product(stage, &["topology", "declare"]).await?;
        let (connection, channel) = channel(stage).await?;
        let what = format!("a consumer of {}", self.queue);
        until(&what, CONSUMED_MAX, || async {
            let passive = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            let asked = channel.queue_declare(self.queue.into(), passive, FieldTable::default());
            let consumers = asked.await?.consumer_count();
            ensure!(consumers > 0, "none");
            Ok(())
        })
        .await?;
        self.rescued = rescue(&channel).await?;
        let _ = connection.close(200, "done".into()).await;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        let seen = self.seen.as_ref()?;
        Some(format!("{seen}, {} more found no queue", self.rescued))
    }
}

/// Moves what found no queue back to where it was sent, as OPERATIONS tells an operator.
async fn rescue(channel: &Channel) -> anyhow::Result<u32> {
    let confirm = ConfirmSelectOptions::default();
    channel.confirm_select(confirm).await?;
    let mut moved = 0;
    // What comes back again is not looked at twice.
    let mut left = 1;
    while left > 0 {
        let get = channel.basic_get(UNROUTABLE.into(), BasicGetOptions::default());
        let Some(message) = get.await? else {
            break;
        };
        left = if moved == 0 {
            message.message_count
        } else {
            left - 1
        };
        let message = message.delivery;
        let (exchange, key) = (message.exchange.clone(), message.routing_key.clone());
        let properties = message.properties.clone();
        // Not mandatory: without a queue it comes back to where it lies now.
        let options = BasicPublishOptions::default();
        let publish = channel.basic_publish(exchange, key, options, &message.data, properties);
        let confirmed = publish.await?.await?;
        ensure!(
            matches!(confirmed, Confirmation::Ack(None)),
            "{confirmed:?}"
        );
        message.acker.ack(BasicAckOptions::default()).await?;
        moved += 1;
    }
    Ok(moved)
}

/// A worker is away, and its queue takes one message and no more: publishers are refused.
struct Bounded {
    queue: &'static str,
    lasts: Duration,
    before: u64,
    refused: u64,
}

impl Bounded {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            queue: one_of(dice, &["mail", "payments", "tickets", "reservations"]),
            lasts: between_ms(dice, 3_000..8_000),
            before: 0,
            refused: 0,
        }
    }

    async fn count(stage: &Stage) -> u64 {
        counted(stage, &["unconfirmed_total", "refused"]).await
    }
}

#[async_trait]
impl Fault for Bounded {
    fn kind(&self) -> &'static str {
        "broker.max_length"
    }

    fn target(&self) -> String {
        self.queue.to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.world.lock().await.process(owner(self.queue)).kill();
        // The killed one's counters are gone: it counts from now.
        self.before = Self::count(stage).await;
        let policy = format!(
            r#"{{"pattern":"^{}$","priority":100,"apply-to":"queues",
                "definition":{{"max-length":1,"overflow":"reject-publish"}}}}"#,
            self.queue.replace('.', "\\\\.")
        );
        let path = format!("/api/policies/{}/{POLICY}", vhost(stage).await);
        manage(stage, Method::PUT, &path, &policy).await?;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.refused = Self::count(stage).await.saturating_sub(self.before);
        let path = format!("/api/policies/{}/{POLICY}", vhost(stage).await);
        manage(stage, Method::DELETE, &path, "").await?;
        bring_back(stage, owner(self.queue)).await?;
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.refused > 0).then(|| format!("{} publishes refused", self.refused))
    }
}
