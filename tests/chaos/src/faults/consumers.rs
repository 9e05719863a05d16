//! Connections that the broker closes under everybody: once, or again and again.

use super::{
    kind,
    tools::{between_ms, ctl, house_ready, reconnect, vhost},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
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

/// Closes the product's connections to its vhost, and counts them.
///
/// The broker's own list: that of the management API is some seconds old, and misses who has just come.
async fn close(stage: &Stage, consumers_only: bool) -> anyhow::Result<usize> {
    let vhost = vhost(stage).await;
    // Ours are named by their purpose, the harness's has no name.
    let wanted = if consumers_only { " consume" } else { "" };
    let closing = format!(
        "length([rabbit_networking:close_connection(P, \"chaos\") \
         || [{{pid, P}}, {{vhost, <<\"{vhost}\">>}}, {{client_properties, C}}] \
         <- rabbit_networking:connection_info_all([pid, vhost, client_properties]), \
         {{_, _, N}} <- [lists:keyfind(<<\"connection_name\">>, 1, C)], \
         lists:suffix(\"{wanted}\", binary_to_list(N))])."
    );
    let said = ctl(stage, &["eval", &closing]).await?;
    let closed = said.trim().parse();
    closed.with_context(|| format!("connections closed: {said}"))
}
