//! One running copy of boxoffice: its folder, its ports, its secrets, its processes.
//!
//! ```text
//! .boxoffice/<profile>/  stack.json    what runs, where, with which environment (0600)
//!                        secrets.json  passwords, kept as long as the data (0600)
//!                        data/  logs/  conf/
//! ```
//!
//! `stack.json` is written after every start of a process, so whatever happens to xtask itself, the
//! next command knows what to stop.

mod folder;
mod ports;
mod process;
mod secrets;
mod state;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

pub(crate) use folder::{Folder, workspace};
#[cfg(test)]
pub(crate) use ports::WORKERS_MAX;
pub(crate) use ports::{DEV_BASE, Port, Ports};
pub(crate) use process::{Identity, last_words};
pub(crate) use secrets::{Secrets, write_private};
pub(crate) use state::{Group, Process, State};

use crate::{probe, ui};

/// Roles finish the message in hand, servers flush.
const STOP_GRACE: Duration = Duration::from_secs(30);
const ORDER_OF_STOPPING: [Group; 3] = [Group::Role, Group::Sandbox, Group::Server];

pub(crate) struct Stack {
    pub(crate) folder: Folder,
    pub(crate) ports: Ports,
    pub(crate) secrets: Secrets,
    state: Mutex<State>,
    children: Mutex<Vec<(String, Child)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Everybody ends in order.
    Gently,
    /// For data that is deleted next.
    AtOnce,
}

impl Stack {
    /// An empty stack; nothing is started yet.
    pub(crate) fn create(folder: Folder, ports: Ports) -> anyhow::Result<Self> {
        folder.create()?;
        let secrets = Secrets::load_or_create(&folder.secrets())?;
        let state = Mutex::new(State::new(folder.profile(), &ports));
        Ok(Self {
            folder,
            ports,
            secrets,
            state,
            children: Mutex::default(),
        })
    }

    /// Starts a program that is to stay: in its own process group, so that Ctrl-C reaches only
    /// xtask and `--detach` leaves it running; its output in `logs/<role>.log`.
    pub(crate) fn start(
        &self,
        group: Group,
        role: &str,
        address: &str,
        command: &mut Command,
    ) -> anyhow::Result<()> {
        let log = self.folder.log(role);
        let child = process::spawn(command, &log)
            .with_context(|| format!("{role} could not be started"))?;
        let identity = Identity::of(child.id());
        self.children().push((role.to_owned(), child));
        let Some(identity) = identity else {
            bail!("{}", self.obituary(role))
        };
        let process = Process {
            role: role.to_owned(),
            group,
            identity,
            log,
            address: address.to_owned(),
        };
        let mut state = self.state();
        state.processes.push(process);
        state.save(&self.folder)
    }

    /// Waits until a started process is ready; when it dies or dawdles, says where to look.
    pub(crate) fn await_ready(
        &self,
        role: &str,
        deadline: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let arrived = probe::until(deadline, || {
            if self.how_died(role).is_some() {
                bail!("{}", self.obituary(role));
            }
            Ok(ready())
        })?;
        if !arrived {
            bail!(
                "{role} did not become ready within {} s: {}",
                deadline.as_secs(),
                self.last_words_of(role)
            );
        }
        Ok(())
    }

    pub(crate) fn remember_env(&self, env: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let mut state = self.state();
        state.env.clone_from(env);
        state.save(&self.folder)
    }

    /// Everything is up.
    pub(crate) fn mark_ready(&self) -> anyhow::Result<()> {
        let mut state = self.state();
        state.ready = true;
        state.save(&self.folder)
    }

    pub(crate) fn snapshot(&self) -> State {
        self.state().clone()
    }

    pub(crate) fn address(&self, port: Port) -> SocketAddr {
        self.ports.address(port)
    }

    /// The first process found dead.
    pub(crate) fn first_death(&self) -> Option<String> {
        let roles: Vec<String> = self
            .state()
            .processes
            .iter()
            .map(|process| process.role.clone())
            .collect();
        roles.into_iter().find(|role| self.how_died(role).is_some())
    }

    pub(crate) fn obituary(&self, role: &str) -> String {
        let how = self.how_died(role).unwrap_or_else(|| "stopped".to_owned());
        format!("{role} {how}: {}", self.last_words_of(role))
    }

    pub(crate) fn stop(&self, manner: Manner) -> anyhow::Result<()> {
        stop(&self.folder, self.snapshot(), manner)
    }

    fn how_died(&self, role: &str) -> Option<String> {
        let mut children = self.children();
        let (_, child) = children.iter_mut().find(|(name, _)| name == role)?;
        let status = child.try_wait().ok().flatten()?;
        Some(match status.code() {
            Some(0) => "ended by itself".to_owned(),
            Some(code) => format!("stopped with exit code {code}"),
            None => format!("was killed ({status})"),
        })
    }

    fn last_words_of(&self, role: &str) -> String {
        last_words(&self.folder.log(role))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn children(&self) -> MutexGuard<'_, Vec<(String, Child)>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops what `state` lists, roles before the servers they use, each group at once. The file goes
/// last, so that an interrupted stop can be repeated.
pub(crate) fn stop(folder: &Folder, mut state: State, manner: Manner) -> anyhow::Result<()> {
    state.stopping = true;
    state.save(folder)?;
    for group in ORDER_OF_STOPPING {
        let members: Vec<&Process> = state
            .processes
            .iter()
            .filter(|process| process.group == group)
            .collect();
        // epmd is the broker's name server: it goes after it.
        let (last, first): (Vec<_>, Vec<_>) = members
            .into_iter()
            .partition(|process| process.role == "epmd");
        for batch in [first, last] {
            if batch.iter().any(|process| process.identity.is_alive()) {
                stop_batch(group, &batch, manner);
            }
        }
    }
    folder.forget()
}

fn stop_batch(group: Group, batch: &[&Process], manner: Manner) {
    let grace = match manner {
        Manner::Gently => STOP_GRACE,
        Manner::AtOnce => Duration::ZERO,
    };
    let names: Vec<&str> = batch.iter().map(|process| process.role.as_str()).collect();
    let step = ui::step("stopping", &names.join(", "));
    thread::scope(|scope| {
        for process in batch {
            scope.spawn(|| {
                if !process.identity.terminate(grace) && manner == Manner::Gently {
                    ui::note(&format!(
                        "{} did not stop within {} s and was killed",
                        process.role,
                        STOP_GRACE.as_secs()
                    ));
                }
            });
        }
    });
    step.done(&format!("{}: {}", group.name(), names.join(", ")));
}
