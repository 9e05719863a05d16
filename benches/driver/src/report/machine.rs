//! Where and when it was measured.

use serde::Serialize;
use std::{fs, path::Path, process::Command, thread};

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: f64,
    pub(crate) system: String,
    pub(crate) servers: Vec<String>,
    /// Of the pipelines that ours was compared with.
    pub(crate) peers: Vec<String>,
}

impl Machine {
    /// Versions of peers lie beside their numbers.
    pub(crate) fn look(raw: &Path) -> Self {
        let dirty = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
        let commit = said("git", &["rev-parse", "--short", "HEAD"]);
        Self {
            date: said("date", &["--utc", "+%Y-%m-%d %H:%M UTC"]),
            commit: commit + if dirty { " and changes" } else { "" },
            cores: thread::available_parallelism().map_or(0, usize::from),
            processor: field("/proc/cpuinfo", "model name"),
            memory_gib: memory_gib(),
            system: field("/etc/os-release", "PRETTY_NAME")
                .trim_matches('"')
                .to_owned(),
            servers: servers(),
            peers: versions(raw),
        }
    }

    /// Everything but the peers.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{}, commit {}; {} cores ({}), {} GiB, {}; {}.",
            self.date,
            self.commit,
            self.cores,
            self.processor,
            self.memory_gib,
            self.system,
            self.servers.join("; ")
        )
    }
}

/// Those that are there.
fn servers() -> Vec<String> {
    let all = [
        ("", said("mariadbd", &["--version"])),
        ("RabbitMQ ", said("rabbitmqctl", &["version"])),
        ("MongoDB, ", said("mongod", &["--version"])),
    ];
    let there = all.iter().filter(|(_, version)| !version.is_empty());
    there
        .map(|(name, version)| format!("{name}{version}"))
        .collect()
}

/// In one line for each peer.
fn versions(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path());
    let mut all: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "versions"))
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let name = path.file_stem()?.to_string_lossy();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            Some(format!("{name}: {}", lines.join(", ")))
        })
        .collect();
    all.sort();
    all
}

/// The rest of the line that begins so.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| {
        let (key, value) = line.split_once([':', '='])?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
}

fn memory_gib() -> f64 {
    let total = field("/proc/meminfo", "MemTotal");
    let kib: f64 = total
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    (kib / 1024.0 / 1024.0).round()
}

/// What a program prints first; nothing if it isn't there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}
