//! What happens alike to all three servers: killed, stopped in order, standing still.

use super::{
    kind,
    tools::{between_ms, house_ready, reconnect, until},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use boxoffice_integration::{private_server::is_stopped, process::signal};
use rand::rngs::StdRng;
use std::time::Duration;

pub(super) const KINDS: &[Kind] = &[
    kind("broker.kill", 3, |dice| {
        of(dice, "broker.kill", Which::Broker, Way::Kill)
    }),
    kind("broker.restart", 3, |dice| {
        of(dice, "broker.restart", Which::Broker, Way::Term)
    }),
    kind("broker.stop", 4, |dice| {
        of(dice, "broker.stop", Which::Broker, Way::Freeze)
    }),
    kind("mysql.kill", 4, |dice| {
        of(dice, "mysql.kill", Which::Mysql, Way::Kill)
    }),
    kind("mysql.restart", 3, |dice| {
        of(dice, "mysql.restart", Which::Mysql, Way::Term)
    }),
    kind("mysql.stop", 4, |dice| {
        of(dice, "mysql.stop", Which::Mysql, Way::Freeze)
    }),
    kind("mongodb.kill", 4, |dice| {
        of(dice, "mongodb.kill", Which::Mongodb, Way::Kill)
    }),
    kind("mongodb.restart", 2, |dice| {
        of(dice, "mongodb.restart", Which::Mongodb, Way::Term)
    }),
    kind("mongodb.stop", 4, |dice| {
        of(dice, "mongodb.stop", Which::Mongodb, Way::Freeze)
    }),
];

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Broker,
    Mysql,
    Mongodb,
}

impl Which {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Mysql => "mysql",
            Self::Mongodb => "mongodb",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Kill,
    Term,
    Freeze,
}

/// A server is away for a while.
pub(crate) struct Away {
    kind: &'static str,
    which: Which,
    way: Way,
    lasts: Duration,
    stopped: Option<u32>,
    seen: Option<String>,
}

fn of(dice: &mut StdRng, kind: &'static str, which: Which, way: Way) -> Box<dyn Fault> {
    let lasts = match way {
        Way::Freeze => between_ms(dice, 2_000..12_000),
        Way::Kill | Way::Term => between_ms(dice, 0..4_000),
    };
    Box::new(Away::new(kind, which, way, lasts))
}

impl Away {
    pub(crate) const fn new(kind: &'static str, which: Which, way: Way, lasts: Duration) -> Self {
        Self {
            kind,
            which,
            way,
            lasts,
            stopped: None,
            seen: None,
        }
    }
}

#[async_trait]
impl Fault for Away {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        self.which.as_str().to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        match self.way {
            Way::Kill => {
                let status = kill(stage, self.which)
                    .await
                    .context("it is down already")?;
                self.seen = Some(format!("ended: {status}"));
            }
            Way::Term => {
                let status = terminate(stage, self.which).await?;
                self.seen = Some(format!("ended in order: {status}"));
            }
            Way::Freeze => {
                let pid = pid(stage, self.which).await.context("it is down already")?;
                self.stopped = Some(pid);
                signal("STOP", pid);
                until("a stopped server", Duration::from_secs(2), || async {
                    if is_stopped(pid) { Ok(()) } else { Err("runs") }
                })
                .await?;
                self.seen = Some(format!("stood still for {:.1} s", self.lasts.as_secs_f64()));
            }
        }
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let now = pid(stage, self.which).await;
        if let Some(stopped) = self.stopped.take() {
            ensure!(
                now == Some(stopped),
                "somebody else ended the {}",
                self.which.as_str()
            );
            signal("CONT", stopped);
        } else if now.is_none() {
            start_again(stage, self.which).await?;
        }
        if self.which == Which::Broker {
            reconnect(stage).await;
        }
        house_ready(stage).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.clone()
    }
}

pub(super) async fn kill(stage: &Stage, which: Which) -> Option<std::process::ExitStatus> {
    match which {
        Which::Broker => stage.broker.lock().await.kill(),
        Which::Mysql => stage.mysql.lock().await.kill(),
        Which::Mongodb => stage.mongodb.lock().await.kill(),
    }
}

async fn terminate(stage: &Stage, which: Which) -> anyhow::Result<std::process::ExitStatus> {
    match which {
        Which::Broker => stage.broker.lock().await.terminate().await,
        Which::Mysql => stage.mysql.lock().await.terminate().await,
        Which::Mongodb => stage.mongodb.lock().await.terminate().await,
    }
    .map_err(|error| anyhow!(error))
}

async fn pid(stage: &Stage, which: Which) -> Option<u32> {
    match which {
        Which::Broker => stage.broker.lock().await.pid(),
        Which::Mysql => stage.mysql.lock().await.pid(),
        Which::Mongodb => stage.mongodb.lock().await.pid(),
    }
}

pub(super) async fn start_again(stage: &Stage, which: Which) -> anyhow::Result<()> {
    match which {
        Which::Broker => stage.broker.lock().await.try_start_again().await,
        Which::Mysql => stage.mysql.lock().await.start_again().await,
        Which::Mongodb => stage.mongodb.lock().await.start_again().await,
    }
    .map_err(|error| anyhow!(error))
}
