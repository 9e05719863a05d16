//! `stack.json`: what runs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::ports::Ports;
use super::process::Identity;
use super::secrets::write_private;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) profile: String,
    pub(crate) port_base: u16,
    /// Set by whoever brings the stack down, so that a watching `up` doesn't cry murder.
    pub(crate) stopping: bool,
    /// Everything came up. Until then the stack is only something to clean away.
    pub(crate) ready: bool,
    /// What our programs were started with: `demo` and other commands find the servers here.
    pub(crate) env: BTreeMap<String, String>,
    /// In the order they were started.
    pub(crate) processes: Vec<Process>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Also the name of its log.
    pub(crate) role: String,
    pub(crate) group: Group,
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) log: PathBuf,
    pub(crate) address: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    /// RabbitMQ, MariaDB, MongoDB.
    Server,
    /// The stand-ins for the outside world: Stripe, mail.
    Sandbox,
    /// Roles of `boxoffice`.
    Role,
}

impl Group {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "servers",
            Self::Sandbox => "sandboxes",
            Self::Role => "roles",
        }
    }
}

impl State {
    pub(crate) fn new(profile: &str, ports: &Ports) -> Self {
        Self {
            profile: profile.to_owned(),
            port_base: ports.base(),
            stopping: false,
            ready: false,
            env: BTreeMap::new(),
            processes: Vec::new(),
        }
    }

    /// `None` when nothing runs. A damaged file is an error, because processes may hide behind it.
    pub(crate) fn load(folder: &Folder) -> anyhow::Result<Option<Self>> {
        let path = folder.state();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).with_context(|| {
                format!(
                    "{} is damaged: stop what is left by hand and delete it",
                    path.display()
                )
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Private, because the environment holds passwords.
    pub(crate) fn save(&self, folder: &Folder) -> anyhow::Result<()> {
        write_private(&folder.state(), &serde_json::to_string_pretty(self)?)
    }

    pub(crate) fn dead(&self) -> Vec<&str> {
        self.processes
            .iter()
            .filter(|process| !process.identity.is_alive())
            .map(|process| process.role.as_str())
            .collect()
    }

    /// Up, whole, and meant to stay.
    pub(crate) fn is_running(&self) -> bool {
        self.ready && !self.stopping && self.dead().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_file_and_knows_its_dead() {
        let identity = Identity::of(std::process::id()).unwrap();
        let process = |role: &str, identity| Process {
            role: role.into(),
            group: Group::Role,
            identity,
            log: "x.log".into(),
            address: String::new(),
        };
        let mut state = State::new("dev", &Ports::at(28_000).unwrap());
        state.ready = true;
        state.processes = vec![process("api", identity)];
        let copy: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        assert_eq!(copy, state);
        assert!(state.is_running());

        state.processes.push(process(
            "mail",
            Identity {
                pid: u32::MAX,
                ..identity
            },
        ));
        assert_eq!(state.dead(), ["mail"]);
        assert!(!state.is_running());
    }
}
