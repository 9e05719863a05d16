//! Our own programs: how they are built, configured, prepared and started.
//!
//! The lists to edit are [`PREPARATION`] and [`ROLES`]; the environment is made in [`environment`].

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::probe;
use crate::servers::Servers;
use crate::stack::{Group, Port, Ports, Stack, State, last_words, workspace};
use crate::ui;

const PACKAGES: [&str; 3] = [
    "boxoffice",
    "boxoffice-stripe-sandbox",
    "boxoffice-mail-catcher",
];
/// Where the programs of a running stack lie; for `demo`, not for them.
const BIN_DIR: &str = "BOXOFFICE_BIN_DIR";
const READY_MAX: Duration = Duration::from_secs(60);
/// A role that has lived this long after the API answered did not fail at its start.
const SETTLED: Duration = Duration::from_millis(500);

/// `boxoffice …`, run one after the other before the roles start; running them again is harmless.
/// Files are named from the root of the checkout.
const PREPARATION: &[(&str, &[&str])] = &[
    ("migrate", &["migrate"]),
    ("topology", &["topology", "declare"]),
];
/// What `up` sells.
pub(crate) const DEMO: &str = "demo";

/// `boxoffice …`, one process each. The name is that of the log and of `logs ROLE`.
const ROLES: &[(&str, &[&str])] = &[
    ("api", &["api"]),
    ("reservations", &["worker", "run", "reservations"]),
    ("payments", &["worker", "run", "payments"]),
    ("hold-expiry", &["worker", "run", "hold-expiry"]),
    ("tickets", &["worker", "run", "tickets"]),
    ("mail", &["worker", "run", "mail"]),
    ("mender", &["worker", "run", "mender"]),
    ("parked", &["worker", "run", "parked"]),
    ("partner-gate", &["worker", "run", "partner-gate"]),
    ("partners", &["worker", "run", "partners"]),
    ("timeline", &["worker", "run", "timeline"]),
    ("retention", &["worker", "run", "retention"]),
    ("invariants", &["worker", "run", "invariants"]),
    ("queue-watch", &["worker", "run", "queue-watch"]),
    ("alerts", &["worker", "run", "alerts"]),
];

/// The programs, built.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
}

pub(crate) type Environment = BTreeMap<String, String>;

/// Cargo's own output is the progress.
pub(crate) fn build(release: bool) -> anyhow::Result<Programs> {
    build_with(release, &[])
}

/// The same, and some packages more.
pub(crate) fn build_with(release: bool, more: &[&str]) -> anyhow::Result<Programs> {
    ui::note("building (cargo's own progress follows; the first time takes minutes)");
    let mut command = cargo()?;
    command.arg("build").args(
        PACKAGES
            .iter()
            .chain(more)
            .flat_map(|package| ["--package", package]),
    );
    if release {
        command.arg("--release");
    }
    let status = command.status().context("cargo could not be run")?;
    ensure!(status.success(), "the build failed: cargo says why above");
    Programs::built(release)
}

/// Run at the root of the checkout.
pub(crate) fn cargo() -> anyhow::Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace()?).stdin(Stdio::null());
    // What `cargo run` told us of ourselves. The build scripts of some crates (ring) run again when it changes, and
    // half of the workspace after them.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    Ok(command)
}

/// Where cargo builds.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(workspace()?.join(target))
}

impl Programs {
    /// Where cargo puts them.
    pub(crate) fn built(release: bool) -> anyhow::Result<Self> {
        let target = target()?;
        Ok(Self {
            folder: target.join(if release { "release" } else { "debug" }),
        })
    }

    /// Those that a running stack was started from.
    pub(crate) fn of_running(state: &State) -> anyhow::Result<Self> {
        let folder = state
            .env
            .get(BIN_DIR)
            .context("the stack is older than this xtask")?;
        Ok(Self {
            folder: PathBuf::from(folder),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(workspace()?).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `boxoffice …` to its end; when it fails, says so in one line with its last one.
    pub(crate) fn run(
        &self,
        stack: &Stack,
        name: &str,
        arguments: &[&str],
        environment: &Environment,
    ) -> anyhow::Result<()> {
        let step = ui::step(name, &format!("boxoffice {}", arguments.join(" ")));
        let log = stack.folder.log(name);
        let out = std::fs::File::create(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let status = self
            .command("boxoffice")?
            .args(arguments)
            .envs(environment)
            .stderr(out.try_clone()?)
            .stdout(out)
            .status()
            .context("boxoffice could not be run")?;
        if !status.success() {
            bail!(
                "`boxoffice {}` failed ({status}): {}",
                arguments.join(" "),
                last_words(&log)
            );
        }
        step.done("done");
        Ok(())
    }
}

/// What every program of ours is told. What the caller has set stays: their Stripe, their SMTP
/// server, their hold times.
pub(crate) fn environment(stack: &Stack, servers: &Servers, programs: &Programs) -> Environment {
    let at = |scheme: &str, port: Port| format!("{scheme}://{}", stack.address(port));
    let mut environment: Environment = [
        (BIN_DIR, programs.folder.display().to_string()),
        ("BOXOFFICE__MYSQL__URL", servers.mysql.clone()),
        ("BOXOFFICE__AMQP__URL", servers.amqp.clone()),
        ("BOXOFFICE__MONGODB__URL", servers.mongodb.clone()),
        (
            "BOXOFFICE__MONGODB__INITIATE_REPLICA_SET",
            "true".to_owned(),
        ),
        ("BOXOFFICE__SMTP__URL", at("smtp+plain", Port::Smtp)),
        ("BOXOFFICE__GATEWAY__URL", at("http", Port::Stripe) + "/"),
        (
            "BOXOFFICE__GATEWAY__SECRET_KEY",
            stack.secrets.stripe_key.clone(),
        ),
        (
            "BOXOFFICE__API__WEBHOOK__SECRETS",
            stack.secrets.stripe_webhook.clone(),
        ),
        (
            "BOXOFFICE__API__LISTEN",
            stack.address(Port::Api).to_string(),
        ),
        ("BOXOFFICE__API__PUBLIC_URL", at("http", Port::Api)),
        // What German cinemas charge, so that a ticket of the demo shows the line.
        ("BOXOFFICE__TICKETS__TAX_BASIS_POINTS", "700".to_owned()),
        (
            "BOXOFFICE__KEYS__FOLDER",
            stack.folder.data("keys").display().to_string(),
        ),
        (
            "BOXOFFICE__API__INTERNAL_LISTEN",
            stack.address(Port::ApiInternal).to_string(),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some(management) = &servers.management {
        environment.insert(
            "BOXOFFICE__AMQP__MANAGEMENT_URL".to_owned(),
            management.clone(),
        );
        environment.insert(
            "BOXOFFICE__PARTNERS__MANAGEMENT_URL".to_owned(),
            management.clone(),
        );
        // `topology declare` makes the vhost and this user.
        let gate = format!("partner-gate:{}", stack.secrets.gate);
        environment.insert(
            "BOXOFFICE__PARTNERS__AMQP_URL".to_owned(),
            format!("amqp://{gate}@{}/partners", host_of(&servers.amqp)),
        );
    }
    // The exporter of our own broker; that of a given one is for the caller to name.
    let exporter = "BOXOFFICE__AMQP__PROMETHEUS_URL";
    match set_by_caller(exporter) {
        Some(theirs) => _ = environment.insert(exporter.to_owned(), theirs),
        None if set_by_caller("BOXOFFICE__AMQP__URL").is_none() => {
            environment.insert(exporter.to_owned(), at("http", Port::Prometheus));
        }
        None => {}
    }
    // But where the API listens follows from --port-base, like all our ports.
    for (name, value) in environment
        .iter_mut()
        .filter(|(name, _)| !name.starts_with("BOXOFFICE__API__") || name.contains("WEBHOOK"))
    {
        if let Some(theirs) = set_by_caller(name) {
            *value = theirs;
        }
    }
    environment
}

/// Host and port of a URL with a user.
fn host_of(url: &str) -> &str {
    let place = url.rsplit_once('@').map_or(url, |(_, place)| place);
    place.split('/').next().unwrap_or(place)
}

fn set_by_caller(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The stand-ins for the outside world, unless the caller has named the real ones.
pub(crate) fn start_sandboxes(
    stack: &Stack,
    programs: &Programs,
    environment: &Environment,
) -> anyhow::Result<()> {
    if set_by_caller("BOXOFFICE__SMTP__URL").is_none() {
        let step = ui::step("mail catcher", "starting");
        let page = stack.address(Port::MailPage);
        let mut command = programs.command("boxoffice-mail-catcher")?;
        command
            .args([
                "--smtp",
                &stack.address(Port::Smtp).to_string(),
                "--http",
                &page.to_string(),
                "--data",
            ])
            .arg(stack.folder.data("mail"));
        stack.start(
            Group::Sandbox,
            "mail-catcher",
            &format!("http://{page}"),
            &mut command,
        )?;
        let health = format!("http://{page}/healthz");
        stack.await_ready("mail-catcher", READY_MAX, || probe::answers_http(&health))?;
        step.done(&format!("ready at http://{page}"));
    }
    if set_by_caller("BOXOFFICE__GATEWAY__URL").is_none() {
        let step = ui::step("Stripe sandbox", "starting");
        let address = stack.address(Port::Stripe);
        let mut command = stripe_sandbox(stack, programs, environment)?;
        stack.start(
            Group::Sandbox,
            "stripe-sandbox",
            &format!("http://{address}"),
            &mut command,
        )?;
        stack.await_ready("stripe-sandbox", READY_MAX, || probe::accepts_tcp(address))?;
        step.done(&format!("ready at http://{address}"));
    }
    Ok(())
}

/// Secrets travel in the environment: arguments are seen by everybody on the machine.
fn stripe_sandbox(
    stack: &Stack,
    programs: &Programs,
    environment: &Environment,
) -> anyhow::Result<Command> {
    let mut command = programs.command("boxoffice-stripe-sandbox")?;
    let webhook = format!("http://{}/v1/webhooks/stripe", stack.address(Port::Api));
    command
        .args([
            "--listen",
            &stack.address(Port::Stripe).to_string(),
            "--webhook-url",
            &webhook,
            "--data",
        ])
        .arg(stack.folder.data("stripe"))
        .env(
            "SANDBOX_SECRET_KEY",
            &environment["BOXOFFICE__GATEWAY__SECRET_KEY"],
        )
        .env(
            "SANDBOX_WEBHOOK_SECRET",
            &environment["BOXOFFICE__API__WEBHOOK__SECRETS"],
        );
    let latency = "SANDBOX_LATENCY_MS";
    if let Some(slow) = environment.get(latency) {
        command.env(latency, slow);
    }
    Ok(command)
}

pub(crate) fn prepare(
    stack: &Stack,
    programs: &Programs,
    environment: &Environment,
    catalogue: &str,
) -> anyhow::Result<()> {
    let keys = environment["BOXOFFICE__KEYS__FOLDER"].clone();
    programs.run(stack, "keys", &["keys", &keys], environment)?;
    for (name, arguments) in PREPARATION {
        programs.run(stack, name, arguments, environment)?;
    }
    let import = ["import", "all", catalogue];
    programs.run(stack, "catalogue", &import, environment)
}

/// Starts these roles, or every one if none is named, and waits until the API answers and none has died.
pub(crate) fn start_roles(
    stack: &Stack,
    programs: &Programs,
    environment: &Environment,
    only: &[&str],
) -> anyhow::Result<()> {
    let step = ui::step("roles", "starting");
    let mut names = Vec::new();
    for (index, (role, arguments)) in (0..).zip(ROLES) {
        if !only.is_empty() && !only.contains(role) {
            continue;
        }
        names.push(*role);
        let internal = if *role == "api" {
            stack.address(Port::ApiInternal)
        } else {
            stack.ports.worker(index)
        };
        let address = if *role == "api" {
            format!("http://{}", stack.address(Port::Api))
        } else {
            String::new()
        };
        let mut command = programs.command("boxoffice")?;
        // Each process has its own internal port, for health and metrics.
        command
            .args(*arguments)
            .envs(environment)
            .env("BOXOFFICE__API__INTERNAL_LISTEN", internal.to_string());
        stack.start(Group::Role, role, &address, &mut command)?;
    }
    let api = stack.address(Port::Api);
    stack.await_ready("api", READY_MAX, || probe::accepts_tcp(api))?;
    let settled = Instant::now() + SETTLED;
    while Instant::now() < settled {
        check_alive(stack)?;
        thread::sleep(Duration::from_millis(50));
    }
    step.done(&names.join(", "));
    Ok(())
}

/// Of every role.
pub(crate) fn role_names() -> impl Iterator<Item = &'static str> {
    ROLES.iter().map(|(name, _)| *name)
}

/// Where a role of a running stack serves health and metrics.
pub(crate) fn internal_address(state: &State, role: &str) -> anyhow::Result<String> {
    let ports = Ports::at(state.port_base)?;
    let index = (0..).zip(ROLES).find(|(_, (name, _))| *name == role);
    let (index, _) = index.with_context(|| format!("there is no role {role}"))?;
    Ok(format!("http://{}", ports.worker(index)))
}

/// Names the first process that has died.
pub(crate) fn check_alive(stack: &Stack) -> anyhow::Result<()> {
    match stack.first_death() {
        Some(role) => bail!("{}", stack.obituary(&role)),
        None => Ok(()),
    }
}

/// The replica set of the test stack; `migrate` does it for `up`.
pub(crate) fn initiate_replica_set(
    stack: &Stack,
    programs: &Programs,
    url: &str,
) -> anyhow::Result<()> {
    programs.run(
        stack,
        "replica-set",
        &["mongo", "initiate", "--url", url],
        &Environment::new(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::WORKERS_MAX;

    #[test]
    fn every_role_has_its_name_once_and_an_internal_port() {
        let mut names: Vec<&str> = ROLES.iter().map(|(role, _)| *role).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROLES.len());
        assert!(ROLES.len() <= usize::from(WORKERS_MAX));
    }
}
