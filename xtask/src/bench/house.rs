//! A fresh house for one measurement.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::install::Installed;
use crate::product::{self, Environment, Programs};
use crate::servers::{self, Given, Scope};
use crate::stack::{Folder, Group, Port, Stack, write_private};
use crate::{probe, ui};

use super::trial::Setup;

/// Customers who are told apart.
const CUSTOMERS: &str = "64";
/// Until those who were left out have caught up.
const REST_MAX: Duration = Duration::from_secs(300);

/// Where Linux keeps files that need no disk.
const MEMORY: &str = "/dev/shm";
/// What is kept there, before the id of the process that keeps it.
const KEPT: &str = "boxoffice-bench-";

/// Running.
pub(super) struct House<'a> {
    stack: &'a Stack,
    programs: &'a Programs,
    environment: Environment,
    _elsewhere: Option<Elsewhere>,
}

/// What the mail catcher and the gateway's sandbox keep. Elsewhere they are other people's machines: here they keep it in
/// memory, so that their commits are none of the disk that is measured. Gone with the house.
struct Elsewhere(PathBuf);

impl Elsewhere {
    /// `None` where there is no such memory: then it is on the disk, as everything.
    fn of(folder: &Folder) -> anyhow::Result<Option<Self>> {
        if !Path::new(MEMORY).is_dir() {
            return Ok(None);
        }
        Self::sweep()?;
        let name = format!("{KEPT}{}", std::process::id());
        let elsewhere = Self(Path::new(MEMORY).join(name));
        for role in ["mail", "stripe"] {
            let (kept, data) = (elsewhere.0.join(role), folder.data(role));
            // Mails and cards, if only made up: for nobody else's eyes.
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&kept)?;
            if let Some(parent) = data.parent() {
                fs::create_dir_all(parent)?;
            }
            symlink(&kept, &data).with_context(|| data.display().to_string())?;
        }
        Ok(Some(elsewhere))
    }

    /// What a run that was killed has left: nobody else would ever give that memory back.
    fn sweep() -> anyhow::Result<()> {
        for entry in fs::read_dir(MEMORY)? {
            let entry = entry?;
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix(KEPT));
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            ui::line(&format!("{} is left: {error}", self.0.display()));
        }
    }
}

impl<'a> House<'a> {
    pub(super) fn start(
        stack: &'a Stack,
        installed: &Installed,
        programs: &'a Programs,
        setup: &Setup,
    ) -> anyhow::Result<Self> {
        let servers = servers::start(stack, &Given::default(), installed, Scope::Product)?;
        let mut environment = product::environment(stack, &servers, programs);
        // The load comes from few customers.
        let unlimited = ["CUSTOMER", "ADDRESS", "BUSINESS"];
        for who in unlimited {
            environment.insert(format!("BOXOFFICE__API__RATE__QUOTA_{who}"), "0".to_owned());
        }
        for (name, value) in setup.settings {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        stack.remember_env(&environment)?;
        let elsewhere = Elsewhere::of(&stack.folder)?;
        product::start_sandboxes(stack, programs, &environment)?;
        let catalogue = stack.folder.data("catalogue");
        let status = programs
            .command("boxoffice-bench")?
            .arg("catalogue")
            .arg(&catalogue)
            .args(["--shows", setup.shows])
            .status()?;
        anyhow::ensure!(status.success(), "the catalogue could not be written");
        let catalogue = catalogue.display().to_string();
        product::prepare(stack, programs, &environment, &catalogue)?;
        if let Some(roles) = setup.started.names() {
            product::start_roles(stack, programs, &environment, roles)?;
        }
        stack.mark_ready()?;
        Ok(Self {
            stack,
            programs,
            environment,
            _elsewhere: elsewhere,
        })
    }

    /// What `boxoffice-bench` is told: addresses, tokens, processes.
    pub(super) fn write_place(&self) -> anyhow::Result<PathBuf> {
        let place = json!({
            "api": format!("http://{}", self.stack.address(Port::Api)),
            "amqp": self.environment["BOXOFFICE__AMQP__URL"],
            "mysql": self.environment["BOXOFFICE__MYSQL__URL"],
            "tokens": self.tokens()?,
            "processes": processes(self.stack),
            "program": self.programs.folder().join("boxoffice"),
            "environment": self.environment,
            "logs": self.stack.folder.log("bench").parent(),
            "exporter": self.environment.get("BOXOFFICE__AMQP__PROMETHEUS_URL"),
        });
        let path = self.stack.folder.data("place.json");
        // Tokens and passwords.
        write_private(&path, &serde_json::to_string_pretty(&place)?)?;
        Ok(path)
    }

    fn tokens(&self) -> anyhow::Result<Vec<String>> {
        let output = self
            .programs
            .command("boxoffice")?
            .args(["token", "--role", "customer", "--ttl", "3h"])
            .args(["--subject", "load", "--count", CUSTOMERS])
            .envs(&self.environment)
            .output()
            .context("boxoffice could not be run")?;
        anyhow::ensure!(
            output.status.success(),
            "`boxoffice token` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let tokens = String::from_utf8(output.stdout)?;
        Ok(tokens.lines().map(str::to_owned).collect())
    }

    /// Nothing may have died, and every book must be right when everybody has done their part, those included who were
    /// left out of the measurement: a fast house that errs is worth nothing.
    pub(super) fn check(&self, setup: &Setup) -> anyhow::Result<()> {
        product::check_alive(self.stack)?;
        let rest: Vec<&str> = product::role_names()
            .filter(|role| !setup.started.contains(role))
            .collect();
        if !rest.is_empty() {
            product::start_roles(self.stack, self.programs, &self.environment, &rest)?;
        }
        let step = ui::step("checks", "waiting for rest and comparing the books");
        let log = self.stack.folder.log("checks");
        let right = probe::until(REST_MAX, || {
            let output = self
                .programs
                .command("boxoffice")?
                .args(["doctor", "--check-invariants"])
                .envs(&self.environment)
                .output()
                .context("boxoffice could not be run")?;
            fs::write(&log, &output.stdout)?;
            Ok(output.status.success())
        })?;
        anyhow::ensure!(right, "an invariant does not hold: {}", log.display());
        step.done("every invariant holds");
        Ok(())
    }
}

/// Everything that runs, by whose work it is.
pub(super) fn processes(stack: &Stack) -> Vec<Value> {
    let state = stack.snapshot();
    let processes = state.processes.iter().map(|process| {
        let group = match (process.group, process.role.as_str()) {
            (Group::Role, _) => "app",
            (Group::Sandbox, _) => "aside",
            (Group::Server, "mongodb") => "documents",
            (Group::Server, "mariadb" | "mysql") => "database",
            (Group::Server, _) => "broker",
        };
        json!({"name": process.role, "group": group, "pid": process.identity.pid})
    });
    processes.collect()
}
