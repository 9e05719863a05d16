//! The pipelines that ours is compared with, on the same servers: `benches/peers` says what they are.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::install::{self, Installed};
use crate::servers::{self, Given, Scope, Servers};
use crate::stack::{Group, Port, Stack, workspace, write_private};
use crate::{probe, pypi, ui};

const READY_MAX: Duration = Duration::from_secs(60);

/// As `peers.json` describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    name: String,
    /// What people call it.
    title: String,
    folder: PathBuf,
    /// Creates queues and tables.
    declare: Vec<String>,
    /// Prints a line for each version worth telling.
    versions: Vec<String>,
    /// Answers 200 when the intake reaches database and broker.
    ready: String,
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Process {
    name: String,
    argv: Vec<String>,
}

/// Its programs, installed.
pub(super) struct Ready {
    peer: Peer,
    folder: PathBuf,
    python: PathBuf,
}

impl Peer {
    /// Installs it, once.
    pub(super) fn prepare(name: &str) -> anyhow::Result<Ready> {
        let all = workspace()?.join("benches/peers");
        let text = std::fs::read(all.join("peers.json"))?;
        let peers: Vec<Self> = serde_json::from_slice(&text).context("peers.json")?;
        let peer = peers.into_iter().find(|peer| peer.name == name);
        let peer = peer.with_context(|| format!("there is no peer {name}"))?;
        let folder = all.join(&peer.folder);
        let python = if folder.join("requirements.txt").exists() {
            pypi::PEER.prepare()?
        } else {
            install_from_npm(&peer.title, &folder)?;
            PathBuf::new()
        };
        Ok(Ready {
            peer,
            folder,
            python,
        })
    }
}

/// Exactly what its lock says.
fn install_from_npm(title: &str, folder: &Path) -> anyhow::Result<()> {
    install::ensure_node()?;
    let installed = folder.join("node_modules/.package-lock.json");
    let newer = |than: &Path| {
        let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
        time(than) >= time(&folder.join("package-lock.json"))
    };
    if installed.exists() && newer(&installed) {
        return Ok(());
    }
    let step = ui::step(title, "installing it from npm");
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("npm could not be run")?;
    ensure!(
        output.status.success(),
        "npm could not install {title}: {}",
        install::explain(&output, "npm.log")?
    );
    step.done("installed");
    Ok(())
}

impl Ready {
    /// Starts it on fresh servers; returns what the bench is told of it.
    pub(super) fn start(&self, stack: &Stack, installed: &Installed) -> anyhow::Result<PathBuf> {
        let servers = servers::start(stack, &Given::default(), installed, Scope::Product)?;
        make_vhost(&servers)?;
        let declared = self
            .command(stack, &servers, &self.peer.declare)?
            .output()?;
        ensure!(
            declared.status.success(),
            "{} could not declare its queues and tables: {}",
            self.peer.title,
            install::explain(&declared, "declare.log")?
        );
        for process in &self.peer.processes {
            let mut command = self.command(stack, &servers, &process.argv)?;
            stack.start(Group::Role, &process.name, "", &mut command)?;
        }
        let ready = self.filled(stack, &self.peer.ready);
        let intake = &self.peer.processes[0].name;
        stack.await_ready(intake, READY_MAX, || probe::answers_http(&ready))?;
        stack.mark_ready()?;
        self.write_place(stack, &servers)
    }

    /// Lines of `NAME VERSION`.
    pub(super) fn versions(&self) -> anyhow::Result<String> {
        let output = self.program(&self.peer.versions)?.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(format!(
            "{}: {}",
            self.peer.title,
            said.trim().replace('\n', ", ")
        ))
    }

    fn write_place(&self, stack: &Stack, servers: &Servers) -> anyhow::Result<PathBuf> {
        let place = json!({
            "api": format!("http://{}", stack.address(Port::Api)),
            "amqp": servers.amqp,
            "mysql": servers.mysql,
            "processes": super::house::processes(stack),
        });
        let path = stack.folder.data("place.json");
        write_private(&path, &serde_json::to_string_pretty(&place)?)?;
        Ok(path)
    }

    fn command(
        &self,
        stack: &Stack,
        servers: &Servers,
        argv: &[String],
    ) -> anyhow::Result<Command> {
        let mut command = self.program(argv)?;
        command
            .env("PEER_AMQP_URL", &servers.amqp)
            .env("PEER_MYSQL_URL", &servers.mysql)
            .env(
                "PEER_HTTP_PORT",
                stack.address(Port::Api).port().to_string(),
            );
        Ok(command)
    }

    fn program(&self, argv: &[String]) -> anyhow::Result<Command> {
        let (program, arguments) = argv.split_first().context("an empty command")?;
        let program = match program.as_str() {
            "{python}" => self.python.clone().into_os_string(),
            "{node}" => "node".into(),
            other => other.into(),
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        Ok(command)
    }

    fn filled(&self, stack: &Stack, text: &str) -> String {
        text.replace("{port}", &stack.address(Port::Api).port().to_string())
    }
}

/// `boxoffice topology declare` does it for ours.
fn make_vhost(servers: &Servers) -> anyhow::Result<()> {
    let management = servers.management.as_deref().context("no management API")?;
    let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
    let put = |path: &str, body: &serde_json::Value| -> anyhow::Result<()> {
        let url = format!("{management}{path}");
        ureq::put(&url)
            .send_json(body)
            .context("the management API")?;
        Ok(())
    };
    put("/api/vhosts/boxoffice", &json!({}))?;
    put("/api/permissions/boxoffice/boxoffice", &all)
}
