use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::install::Installed;
use crate::product::{self, Environment, Programs};
use crate::servers::{self, Generation, Given, Scope, Servers};
use crate::stack::{self, Folder, Identity, Manner, Port, Ports, Stack, State};
use crate::{install, interrupt, npm, pypi, ui};

const POLL: Duration = Duration::from_millis(50);

/// Run every test against private servers on free ports, then take them away again.
///
/// FILTER picks tests by name; what follows `--` goes to `cargo nextest run`, for example
/// `cargo xtask test -- -p boxoffice-saga --no-capture`. Installs cargo-nextest when it is missing.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this.
    filter: Option<String>,
    /// Leave the servers and their data for a look; `cargo xtask down --profile test` ends them.
    #[arg(long)]
    keep: bool,
    /// `next`: against RabbitMQ 4 and MySQL 9 from Debian sid instead; needs root.
    #[arg(long, value_enum, default_value = "current")]
    servers: Generation,
    /// Two test runs at once need two names.
    #[arg(long, value_name = "NAME", default_value = "test")]
    profile: String,
    /// Arguments for nextest.
    #[arg(last = true, value_name = "NEXTEST_ARGUMENTS")]
    extra: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    interrupt::listen()?;
    let folder = Folder::new(&arguments.profile)?;
    let _lock = folder.lock()?;
    if let Some(state) = State::load(&folder)? {
        stack::stop(&folder, state, Manner::AtOnce)?;
    }
    folder.purge()?;

    let given = Given::from_env(
        "BOXOFFICE_TEST_MYSQL_URL",
        "BOXOFFICE_TEST_AMQP_URL",
        "BOXOFFICE_TEST_MANAGEMENT_URL",
        "BOXOFFICE_TEST_MONGODB_URL",
    );
    let ports = Ports::find_free(std::process::id())?;
    let installed = servers::prepare(&given, ports, arguments.servers)?;
    ensure_nextest()?;
    let tools = Tools::prepare()?;
    let programs = build(arguments)?;

    let stack = Stack::create(folder, ports)?;
    let outcome = run_tests(arguments, &stack, &given, &installed, &programs, &tools);
    if arguments.keep {
        stack.mark_ready()?;
        ui::note(&format!(
            "the servers stay up; end them with `cargo xtask down --purge --profile {}`",
            arguments.profile
        ));
    } else {
        stack.stop(Manner::AtOnce)?;
        stack.folder.purge()?;
    }
    // Nextest has said what failed; its code is ours.
    Ok(match outcome?.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

/// What the tests are told.
pub(crate) fn environment(
    stack: &Stack,
    given: &Given,
    installed: &Installed,
    servers: &Servers,
) -> anyhow::Result<Environment> {
    let mut environment = Environment::from([
        ("BOXOFFICE_TEST_MYSQL_URL".to_owned(), servers.mysql.clone()),
        ("BOXOFFICE_TEST_AMQP_URL".to_owned(), servers.amqp.clone()),
        (
            "BOXOFFICE_TEST_MONGODB_URL".to_owned(),
            servers.mongodb.clone(),
        ),
    ]);
    if let Some(management) = &servers.management {
        environment.insert(
            "BOXOFFICE_TEST_MANAGEMENT_URL".to_owned(),
            management.clone(),
        );
    }
    if given.amqp.is_none() {
        for (name, program) in servers::for_tests(stack, installed)? {
            environment.insert(name.to_owned(), program.display().to_string());
        }
    }
    Ok(environment)
}

/// Programs of others that tests judge ours with.
pub(crate) struct Tools {
    asyncapi_parser: PathBuf,
    client: PathBuf,
    schemathesis: PathBuf,
    partner_node: PathBuf,
    partner_python: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        install::ensure_readers()?;
        Ok(Self {
            asyncapi_parser: npm::ASYNCAPI.prepare()?,
            client: npm::CLIENT.prepare()?,
            schemathesis: pypi::SCHEMATHESIS.prepare()?,
            partner_node: npm::PARTNER.prepare()?,
            partner_python: pypi::PARTNER.prepare()?,
        })
    }

    /// What the tests are told of them. A broker that was given has its metrics elsewhere.
    pub(crate) fn environment(&self, stack: &Stack) -> Environment {
        let path = |path: &Path| path.display().to_string();
        let metrics = "BOXOFFICE_TEST_BROKER_METRICS_URL".to_owned();
        let address = env::var(&metrics).ok();
        let address =
            address.unwrap_or_else(|| format!("http://{}", stack.address(Port::Prometheus)));
        Environment::from([
            ("BOXOFFICE_TEST_CLIENT".to_owned(), path(&self.client)),
            (
                "BOXOFFICE_TEST_ASYNCAPI_PARSER".to_owned(),
                path(&self.asyncapi_parser),
            ),
            (
                "BOXOFFICE_TEST_SCHEMATHESIS".to_owned(),
                path(&self.schemathesis),
            ),
            (
                "BOXOFFICE_TEST_PARTNER_NODE".to_owned(),
                path(&self.partner_node),
            ),
            (
                "BOXOFFICE_TEST_PARTNER_PYTHON".to_owned(),
                path(&self.partner_python),
            ),
            (metrics, address),
        ])
    }
}

fn run_tests(
    arguments: &Arguments,
    stack: &Stack,
    given: &Given,
    installed: &Installed,
    programs: &Programs,
    tools: &Tools,
) -> anyhow::Result<ExitStatus> {
    interrupt::check()?;
    let servers = servers::start(stack, given, installed, Scope::Tests)?;
    let mut environment = environment(stack, given, installed, &servers)?;
    environment.insert(
        "BOXOFFICE_TEST_BIN_DIR".to_owned(),
        programs.folder().display().to_string(),
    );
    environment.extend(tools.environment(stack));
    stack.remember_env(&environment)?;
    if given.mongodb.is_none() {
        product::initiate_replica_set(stack, programs, &servers.mongodb)?;
    }
    let status = run_to_end(nextest(arguments)?.envs(environment))?;
    // A server that died explains failures better than they do.
    if let Err(death) = product::check_alive(stack)
        && !interrupt::asked()
    {
        bail!("{death:#}");
    }
    Ok(status)
}

/// Ctrl-C reaches it by itself; a SIGTERM meant for us is passed on.
pub(crate) fn run_to_end(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .spawn()
        .with_context(|| format!("{name} could not be run"))?;
    let identity = Identity::of(child.id());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt::asked()
            && let Some(identity) = identity
        {
            identity.ask_to_end();
            return Ok(child.wait()?);
        }
        thread::sleep(POLL);
    }
}

/// The programs that tests start, then the tests themselves, so that the servers wait for nothing.
fn build(arguments: &Arguments) -> anyhow::Result<Programs> {
    ui::note("building the programs and the tests");
    let status = product::cargo()?
        // With the tests in one go: what their dependencies ask for is asked of the programs, too, and nothing is
        // compiled twice.
        .args(["build", "--workspace", "--bins", "--tests"])
        .status()
        .context("cargo could not be run")?;
    ensure!(status.success(), "the build failed: cargo says why above");
    let status = nextest(arguments)?
        .arg("--no-run")
        .status()
        .context("cargo nextest could not be run")?;
    ensure!(
        status.success(),
        "the tests do not build: cargo says why above"
    );
    Programs::built(false)
}

fn nextest(arguments: &Arguments) -> anyhow::Result<Command> {
    let mut command = product::cargo()?;
    command.args(["nextest", "run"]);
    if !arguments
        .extra
        .iter()
        .any(|argument| argument == "-p" || argument.starts_with("--package"))
    {
        command.arg("--workspace");
    }
    if env::var_os("CI").is_some() && env::var_os("NEXTEST_PROFILE").is_none() {
        command.args(["--profile", "ci"]);
    }
    command.args(&arguments.filter).args(&arguments.extra);
    // Settings of the person's own stack are no business of the tests.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("BOXOFFICE__") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

fn ensure_nextest() -> anyhow::Result<()> {
    let there = product::cargo()?
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if there {
        return Ok(());
    }
    ui::note("installing cargo-nextest from source: this takes minutes, once");
    let status = product::cargo()?
        .args(["install", "--locked", "cargo-nextest"])
        .status()
        .context("cargo could not be run")?;
    ensure!(
        status.success(),
        "cargo-nextest could not be installed: check the network, or install it by hand (https://nexte.st)"
    );
    Ok(())
}
