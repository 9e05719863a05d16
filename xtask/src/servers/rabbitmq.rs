//! RabbitMQ with management and metrics, its Erlang port mapper beside it.
//!
//! Debian's `rabbitmq-server` wrapper switches user and loses the environment, so the script behind
//! it is called. That one becomes the Erlang VM itself when it thinks it runs under systemd: one
//! process, which stops in order on SIGTERM.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::programs::Programs;
use crate::probe;
use crate::stack::{Group, Port, Stack, write_private};
use crate::ui;

const READY_MAX: Duration = Duration::from_secs(120);
const EPMD_READY_MAX: Duration = Duration::from_secs(20);
const PLUGINS: &str = "[rabbitmq_management,rabbitmq_prometheus].\n";
/// Bound to this machine; schedulers sleep instead of spinning, because the cores are shared.
const ERLANG_ARGUMENTS: &str =
    "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";

pub(super) struct Broker {
    /// Without a vhost.
    pub(super) amqp: String,
    pub(super) management: String,
}

pub(super) fn start(stack: &Stack, programs: &Programs) -> anyhow::Result<Broker> {
    let step = ui::step("RabbitMQ", "starting");
    let (conf, data) = (
        stack.folder.conf("rabbitmq")?,
        stack.folder.data("rabbitmq"),
    );
    fs::create_dir_all(&data)?;
    write_cookie(&data.join(".erlang.cookie"), &stack.secrets.erlang_cookie)?;
    write_private(&conf.join("rabbitmq.conf"), &configuration(stack))?;
    fs::write(conf.join("enabled_plugins"), PLUGINS)?;
    // Exists, so that the machine's own /etc/rabbitmq/rabbitmq-env.conf is not read.
    fs::write(conf.join("rabbitmq-env.conf"), "")?;

    let mut command = command(&programs.rabbitmq_server, stack, &conf, &data);
    write_ctl(stack, &programs.rabbitmqctl, &command)?;
    start_epmd(stack, &programs.epmd)?;
    stack.start(
        Group::Server,
        "rabbitmq",
        &stack.address(Port::Amqp).to_string(),
        &mut command,
    )?;

    let credentials = format!("boxoffice:{}", stack.secrets.amqp);
    let management = format!("http://{credentials}@{}", stack.address(Port::Management));
    let overview = format!("{management}/api/overview");
    stack.await_ready("rabbitmq", READY_MAX, || {
        probe::accepts_tcp(stack.address(Port::Amqp)) && probe::answers_http(&overview)
    })?;
    step.done(&format!("ready at {}", stack.address(Port::Amqp)));
    Ok(Broker {
        amqp: format!("amqp://{credentials}@{}", stack.address(Port::Amqp)),
        management,
    })
}

/// Where the script lies that calls `rabbitmqctl` for the stack's broker.
pub(crate) fn ctl(stack: &Stack) -> anyhow::Result<PathBuf> {
    Ok(stack.folder.conf("rabbitmq")?.join("rabbitmqctl"))
}

/// `rabbitmqctl` finds a private broker only with its settings around it.
fn write_ctl(stack: &Stack, program: &Path, server: &Command) -> anyhow::Result<()> {
    let mut script = String::from("#!/bin/sh\n");
    for (name, value) in server.get_envs() {
        if let Some(value) = value {
            let value = value.to_string_lossy().replace('\'', "'\\''");
            script.push_str(&format!("export {}='{value}'\n", name.to_string_lossy()));
        }
    }
    script.push_str(&format!("exec '{}' \"$@\"\n", program.display()));
    let path = ctl(stack)?;
    write_private(&path, &script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

fn command(program: &Path, stack: &Stack, conf: &Path, data: &Path) -> Command {
    let mut command = Command::new(program);
    forget_foreign_settings(&mut command);
    command
        .current_dir(data)
        .env("HOME", data)
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env(
            "RABBITMQ_NODENAME",
            format!("boxoffice-{}@localhost", stack.folder.profile()),
        )
        .env(
            "RABBITMQ_DIST_PORT",
            stack.ports.number(Port::Distribution).to_string(),
        )
        .env("ERL_EPMD_PORT", stack.ports.number(Port::Epmd).to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_CRASH_DUMP", stack.folder.logs().join("erl_crash.dump"))
        .env("RABBITMQ_MNESIA_BASE", data.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", stack.folder.logs())
        .env("RABBITMQ_LOG", "-color")
        .env("RABBITMQ_CONFIG_FILE", conf.join("rabbitmq"))
        .env("RABBITMQ_CONF_ENV_FILE", conf.join("rabbitmq-env.conf"))
        .env(
            "RABBITMQ_ADVANCED_CONFIG_FILE",
            conf.join("advanced.config"),
        )
        .env("RABBITMQ_GENERATED_CONFIG_DIR", data.join("generated"))
        .env(
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            conf.join("enabled_plugins"),
        )
        .env("RABBITMQ_PID_FILE", data.join("rabbitmq.pid"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ARGUMENTS);
    command
}

/// The first start makes user and vhost of these names instead of `guest` and `/`.
fn configuration(stack: &Stack) -> String {
    format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {management}\n\
         prometheus.tcp.ip = 127.0.0.1\n\
         prometheus.tcp.port = {prometheus}\n\
         default_vhost = boxoffice\n\
         default_user = boxoffice\n\
         default_pass = {password}\n\
         default_user_tags.administrator = true\n\
         loopback_users.guest = true\n\
         heartbeat = 10\n\
         channel_max = 128\n\
         max_message_size = 1048576\n\
         vm_memory_high_watermark.relative = 0.4\n\
         disk_free_limit.absolute = 2GB\n\
         consumer_timeout = 900000\n\
         log.console = true\n\
         log.console.level = info\n\
         log.file = false\n",
        amqp = stack.ports.number(Port::Amqp),
        management = stack.ports.number(Port::Management),
        prometheus = stack.ports.number(Port::Prometheus),
        password = stack.secrets.amqp,
    )
}

/// Started by us, and not by Erlang, it is a process that can be stopped like any other.
fn start_epmd(stack: &Stack, program: &Path) -> anyhow::Result<()> {
    let port = stack.ports.number(Port::Epmd).to_string();
    let mut command = Command::new(program);
    forget_foreign_settings(&mut command);
    command.args(["-address", "127.0.0.1", "-port", &port]);
    let address = stack.address(Port::Epmd);
    stack.start(Group::Server, "epmd", &address.to_string(), &mut command)?;
    stack.await_ready("epmd", EPMD_READY_MAX, || probe::accepts_tcp(address))
}

fn forget_foreign_settings(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("RABBITMQ_") || text.starts_with("ERL_") || text == "NOTIFY_SOCKET" {
            command.env_remove(&name);
        }
    }
}

fn write_cookie(path: &Path, cookie: &str) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path);
    file.and_then(|mut file| file.write_all(cookie.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
