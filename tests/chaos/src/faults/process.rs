//! What happens to processes of the house.

use super::{
    kind,
    tools::{all_ready, between_ms, bring_back, chosen, is_ready, one_of, until},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use boxoffice_integration::{
    private_server::is_stopped,
    process::{last_lines, signal},
};
use rand::{Rng as _, rngs::StdRng};
use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

/// As signal(7) numbers it everywhere that we run.
const SIGABRT: i32 = 6;
/// From SIGTERM to the end.
const END_MAX: Duration = Duration::from_secs(30);

pub(super) const KINDS: &[Kind] = &[
    kind("process.kill", 8, |dice| {
        Box::new(Ended::made(dice, End::Kill))
    }),
    kind("process.term", 4, |dice| {
        Box::new(Ended::made(dice, End::Term))
    }),
    kind("process.stop", 6, |dice| Box::new(Frozen::made(dice))),
    kind("process.fd_limit", 2, |dice| Box::new(Limited::files(dice))),
    kind("process.memory_limit", 2, |dice| {
        Box::new(Limited::memory(dice))
    }),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Term,
}

/// A process ends and is started again.
struct Ended {
    by: End,
    pick: usize,
    lasts: Duration,
    name: Option<String>,
    seen: Option<ExitStatus>,
}

impl Ended {
    fn made(dice: &mut StdRng, by: End) -> Self {
        Self {
            by,
            pick: dice.random_range(0..1_000),
            lasts: between_ms(dice, 0..2_000),
            name: None,
            seen: None,
        }
    }
}

#[async_trait]
impl Fault for Ended {
    fn kind(&self) -> &'static str {
        match self.by {
            End::Kill => "process.kill",
            End::Term => "process.term",
        }
    }

    fn target(&self) -> String {
        target(&self.name, self.pick)
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let name = chosen(stage, self.pick);
        self.name = Some(name.clone());
        if self.by == End::Kill {
            self.seen = stage.world.lock().await.process(&name).kill();
            ensure!(self.seen.is_some(), "{name} is down already");
            return Ok(());
        }
        let pid = stage.world.lock().await.process(&name).pid();
        // One that has just been started may not hear signals yet: it dies of them, and had nothing in hand.
        let ready = is_ready(stage, &name).await.is_ok();
        signal("TERM", pid.context("it is down already")?);
        let status = until(&format!("the end of {name}"), END_MAX, || async {
            let mut world = stage.world.lock().await;
            world.process(&name).has_ended().ok_or("it goes on")
        })
        .await?;
        stage.world.lock().await.process(&name).kill();
        ensure!(
            status.success() || !ready,
            "{name} ended with {status} after SIGTERM"
        );
        self.seen = Some(status);
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        match &self.name {
            Some(name) => bring_back(stage, name).await,
            None => Ok(()),
        }
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.map(|status| format!("ended: {status}"))
    }
}

/// A process stands still and doesn't know it.
struct Frozen {
    pick: usize,
    lasts: Duration,
    name: Option<String>,
    stopped: Option<u32>,
    seen: bool,
}

impl Frozen {
    fn made(dice: &mut StdRng) -> Self {
        Self {
            pick: dice.random_range(0..1_000),
            lasts: between_ms(dice, 1_000..8_000),
            name: None,
            stopped: None,
            seen: false,
        }
    }
}

#[async_trait]
impl Fault for Frozen {
    fn kind(&self) -> &'static str {
        "process.stop"
    }

    fn target(&self) -> String {
        target(&self.name, self.pick)
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let name = chosen(stage, self.pick);
        self.name = Some(name.clone());
        let pid = stage.world.lock().await.process(&name).pid();
        let pid = pid.with_context(|| format!("{name} is down already"))?;
        signal("STOP", pid);
        self.stopped = Some(pid);
        until("a stopped process", Duration::from_secs(2), || async {
            if is_stopped(pid) { Ok(()) } else { Err("runs") }
        })
        .await?;
        self.seen = true;
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let Some(name) = self.name.clone() else {
            return Ok(());
        };
        {
            // Somebody else may have ended it meanwhile; its number is not for others.
            let mut world = stage.world.lock().await;
            let now = world.process(&name).pid();
            if let Some(pid) = self.stopped.filter(|pid| now == Some(*pid)) {
                signal("CONT", pid);
            }
        }
        all_ready(stage, &[name]).await
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen
            .then(|| format!("stood still for {:.1} s", self.lasts.as_secs_f64()))
    }
}

/// A process is started again with less than it needs. It fails readably or lives with it.
struct Limited {
    kind: &'static str,
    limit: String,
    pick: usize,
    lasts: Duration,
    name: Option<String>,
    seen: Option<String>,
}

impl Limited {
    fn files(dice: &mut StdRng) -> Self {
        let count = one_of(dice, &[16, 64, 72, 96]);
        Self::made(
            dice,
            "process.fd_limit",
            format!("--nofile={count}:{count}"),
        )
    }

    fn memory(dice: &mut StdRng) -> Self {
        let bytes = one_of(dice, &[192_u64, 448, 576, 704]) << 20;
        Self::made(
            dice,
            "process.memory_limit",
            format!("--as={bytes}:{bytes}"),
        )
    }

    fn made(dice: &mut StdRng, kind: &'static str, limit: String) -> Self {
        Self {
            kind,
            limit,
            pick: dice.random_range(0..1_000),
            lasts: between_ms(dice, 2_000..5_000),
            name: None,
            seen: None,
        }
    }
}

#[async_trait]
impl Fault for Limited {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        target(&self.name, self.pick)
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let name = chosen(stage, self.pick);
        self.name = Some(name.clone());
        let mut world = stage.world.lock().await;
        let process = world.process(&name);
        process.kill();
        process.under = vec!["prlimit".to_owned(), self.limit.clone(), "--".to_owned()];
        process.start();
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let Some(name) = self.name.clone() else {
            return Ok(());
        };
        let what = format!("under prlimit {}", self.limit);
        let ended = {
            let mut world = stage.world.lock().await;
            let process = world.process(&name);
            let limited = process.pid().is_some_and(|pid| has_limit(pid, &self.limit));
            let ended = process.has_ended();
            self.seen = match ended {
                Some(status) => Some(format!(
                    "{what} ended: {status}, {}",
                    last_word(&process.log)
                )),
                None => limited.then(|| format!("lived {what}")),
            };
            process.under.clear();
            process.kill();
            ended
        };
        bring_back(stage, &name).await?;
        // The allocator says what it lacks and aborts; any other signal comes without a word.
        let signal = ended.and_then(|status| status.signal());
        ensure!(
            signal.is_none_or(|signal| signal == SIGABRT),
            "{name} {what} ended without a word: {ended:?}"
        );
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.clone()
    }
}

/// Whether the limit is in force: its number is among those of the process.
fn has_limit(pid: u32, limit: &str) -> bool {
    let number = limit.rsplit(':').next().unwrap_or_default();
    std::fs::read_to_string(format!("/proc/{pid}/limits"))
        .is_ok_and(|limits| limits.split_whitespace().any(|word| word == number))
}

fn last_word(log: &std::path::Path) -> String {
    let said = last_lines(log);
    let line = said.lines().last().unwrap_or_default();
    line.chars().take(200).collect()
}

fn target(name: &Option<String>, pick: usize) -> String {
    name.clone().unwrap_or_else(|| format!("process {pick}"))
}
