//! What is measured: addresses, tokens and processes, as `cargo xtask bench` writes them down.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A running house, or a running peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Without a slash at its end.
    pub(crate) api: String,
    pub(crate) amqp: String,
    pub(crate) mysql: String,
    /// Bearer tokens of as many customers; a peer asks for none.
    #[serde(default)]
    pub(crate) tokens: Vec<String>,
    pub(crate) processes: Vec<Process>,
    /// Of whoever starts processes of the house by itself: `boxoffice`, and what it is told.
    #[serde(default)]
    pub(crate) program: Option<PathBuf>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// Where they write their logs.
    #[serde(default)]
    pub(crate) logs: Option<PathBuf>,
    /// Where the broker tells its counters.
    #[serde(default)]
    pub(crate) exporter: Option<String>,
}

/// One process that works for the bookings, with everything that it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) group: Group,
    pub(crate) pid: i32,
}

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// The processes that are compared.
    App,
    Broker,
    Database,
    Documents,
    /// Gateway, mail server: shown, and not counted. They stand for somebody else's machines.
    Aside,
}

impl Group {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Broker => "broker",
            Self::Database => "database",
            Self::Documents => "documents",
            Self::Aside => "aside",
        }
    }
}

impl Place {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// Of customer `n`, round and round.
    pub(crate) fn token(&self, n: usize) -> Option<&str> {
        let count = self.tokens.len().max(1);
        self.tokens.get(n % count).map(String::as_str)
    }
}
