//! On what it ran: commit, machine, versions.

use crate::stage::Stage;
use mongodb::bson::{Document, doc};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, fs, process::Command};

#[derive(Debug, Clone, Default, Serialize)]
pub struct Machine {
    /// With `+` when something is not committed.
    pub commit: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub system: String,
    /// Servers, and the crates that talk to them.
    pub versions: BTreeMap<String, String>,
}

/// Whose versions decide.
const CRATES: &[&str] = &[
    "lapin",
    "sea-orm",
    "sqlx",
    "mongodb",
    "async-stripe",
    "lettre",
    "tokio",
];

impl Machine {
    /// Asks everybody. What doesn't answer is left out.
    pub async fn look(stage: &Stage) -> Self {
        let mut versions = crates();
        if let Some(version) = broker(stage).await {
            versions.insert("broker".to_owned(), version);
        }
        let ask = Statement::from_string(DbBackend::MySql, "SELECT VERSION() AS v");
        if let Ok(Some(row)) = stage.db.query_one_raw(ask).await
            && let Ok(version) = row.try_get::<String>("", "v")
        {
            versions.insert("database".to_owned(), version);
        }
        let documents = stage.world.lock().await.documents.clone();
        let info: Result<Document, _> = documents.run_command(doc! {"buildInfo": 1}).await;
        if let Ok(info) = info
            && let Ok(version) = info.get_str("version")
        {
            versions.insert("MongoDB".to_owned(), version.to_owned());
        }
        Self {
            commit: commit(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_mib(),
            system: said("uname", &["-sr"]),
            versions,
        }
    }
}

async fn broker(stage: &Stage) -> Option<String> {
    let overview = format!("{}/api/overview", stage.management);
    let overview: Value = reqwest::get(overview).await.ok()?.json().await.ok()?;
    Some(format!(
        "RabbitMQ {}",
        overview["rabbitmq_version"].as_str()?
    ))
}

fn commit() -> String {
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    if changed { commit + "+" } else { commit }
}

/// The lines of Cargo.lock that matter.
fn crates() -> BTreeMap<String, String> {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let mut versions = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_matches(['"', ' ', '=']).to_owned())
        };
        if let (Some(name), Some(version)) = (field("name = "), field("version = "))
            && CRATES.contains(&name.as_str())
        {
            versions.insert(name, version);
        }
    }
    versions
}

fn memory_mib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

/// What a command prints; nothing when there is no such command.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_missing| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
