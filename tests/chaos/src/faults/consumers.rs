//! Connections that the broker closes under everybody: once, or again and again.

use super::{
    kind,
    tools::{between_ms, house_ready, manage, reconnect, vhost},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::ensure;
use async_trait::async_trait;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Of "again and again".
const EVERY: Duration = Duration::from_secs(2);
const FOR: Duration = Duration::from_secs(60);

pub(super) const KINDS: &[Kind] = &[
    kind("broker.close_connections", 5, |dice| {
        Box::new(Closed {
            kind: "broker.close_connections",
            // Also those of the API; some may be opening just now.
            consumers_only: false,
            every: Duration::MAX,
            until: between_ms(dice, 0..500),
            closed: 0,
        })
    }),
    kind("broker.cut_consumers", 1, |_| {
        Box::new(Closed {
            kind: "broker.cut_consumers",
            consumers_only: true,
            every: EVERY,
            until: FOR,
            closed: 0,
        })
    }),
];

struct Closed {
    kind: &'static str,
    consumers_only: bool,
    every: Duration,
    until: Duration,
    closed: usize,
}

#[async_trait]
impl Fault for Closed {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        if self.consumers_only {
            "every consumer".to_owned()
        } else {
            "every connection".to_owned()
        }
    }

    /// The strike itself takes its time.
    fn lasts(&self) -> Duration {
        Duration::ZERO
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let end = Instant::now() + self.until;
        loop {
            self.closed += close(stage, self.consumers_only).await?;
            let next = Instant::now().checked_add(self.every);
            match next.filter(|next| *next < end) {
                // The interval is the fault.
                Some(_) => sleep(self.every).await,
                None => break,
            }
        }
        ensure!(self.closed > 0, "there was no connection");
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        if !self.consumers_only {
            reconnect(stage).await;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.closed > 0).then(|| format!("{} connections closed", self.closed))
    }
}

/// Closes the product's connections to its vhost.
async fn close(stage: &Stage, consumers_only: bool) -> anyhow::Result<usize> {
    let vhost = vhost(stage).await;
    let list = format!("/api/vhosts/{vhost}/connections");
    let list = manage(stage, Method::GET, &list, "").await?;
    let list: Vec<Value> = serde_json::from_str(&list)?;
    let wanted = |connection: &&Value| {
        let name = connection["client_properties"]["connection_name"].as_str();
        // Ours are named by their purpose, the harness's has no name.
        name.is_some_and(|name| !consumers_only || name.ends_with(" consume"))
    };
    let mut closed = 0;
    for connection in list.iter().filter(wanted) {
        if let Some(name) = connection["name"].as_str() {
            let name = name.replace(' ', "%20").replace('>', "%3E");
            manage(
                stage,
                Method::DELETE,
                &format!("/api/connections/{name}"),
                "",
            )
            .await?;
            closed += 1;
        }
    }
    Ok(closed)
}
