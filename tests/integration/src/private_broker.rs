//! A RabbitMQ of one test's own, for what nobody would do to the one that all tests share: kill -9.
//!
//! `BOXOFFICE_TEST_RABBITMQ_SERVER` and `BOXOFFICE_TEST_EPMD` name the programs of the generation under test,
//! in whatever way they are run there; without them it is Debian's. Debian's wrapper switches user and loses the environment, so the script behind it is called; told that it
//! runs under systemd, it becomes the Erlang VM itself: one process, and killing it is killing the broker.

use crate::{
    private_server::{Server, clear, folder},
    process::free_port,
    wait::eventually,
};
use std::{
    env, fs,
    io::Write as _,
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Of the machine, when no other is named.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const EPMD: &str = "epmd";
const CTL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const PLUGINS: &str = "[rabbitmq_management,rabbitmq_prometheus].\n";
const USER: &str = "boxoffice";
const PASSWORD: &str = "of-a-test";
/// Of the machine's memory, before it takes no more messages.
pub const MEMORY_SHARE: &str = "0.4";
/// Below it, it takes no more messages.
pub const DISK_FREE_MIN: &str = "2GB";
const READY_MAX: Duration = Duration::from_secs(90);

pub struct PrivateBroker {
    program: String,
    folder: PathBuf,
    name: String,
    amqp: u16,
    management: u16,
    prometheus: u16,
    distribution: u16,
    epmd_port: u16,
    epmd: Child,
    server: Server,
}

impl PrivateBroker {
    pub async fn start() -> Self {
        let program = named("BOXOFFICE_TEST_RABBITMQ_SERVER", SERVER);
        assert!(
            Path::new(&program).exists(),
            "no {program}: install rabbitmq-server (`cargo xtask up` does)"
        );
        let id = uuid::Uuid::new_v4().simple().to_string();
        let folder = folder("rabbit");
        let epmd_port = free_port();
        let epmd = command(&named("BOXOFFICE_TEST_EPMD", EPMD))
            .args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut broker = Self {
            name: format!("bx{}@localhost", &id[..8]),
            amqp: free_port(),
            management: free_port(),
            program,
            prometheus: free_port(),
            distribution: free_port(),
            server: Server::new("the private broker", folder.join("rabbitmq.log")),
            folder,
            epmd_port,
            epmd,
        };
        broker.write_configuration();
        eventually("epmd", Duration::from_secs(10), async || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, epmd_port)).map(drop)
        })
        .await;
        broker.start_again().await;
        broker
    }

    #[must_use]
    pub fn amqp_url(&self) -> String {
        format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{}", self.amqp)
    }

    #[must_use]
    pub fn management_url(&self) -> String {
        format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", self.management)
    }

    /// Where it tells Prometheus.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.prometheus)
    }

    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.server.is_started()
    }

    /// kill -9.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        self.server.kill()
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn terminate(&mut self) -> Result<ExitStatus, String> {
        self.server.terminate().await
    }

    /// `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        self.server.signal(name);
    }

    /// Starts it on the data that is there, and waits until it serves.
    ///
    /// # Panics
    /// It runs already, ends by itself or doesn't serve in time.
    pub async fn start_again(&mut self) {
        self.try_start_again().await.unwrap();
    }

    /// The same for who goes on when it fails.
    ///
    /// # Errors
    /// It runs already, ended by itself or doesn't serve in time.
    pub async fn try_start_again(&mut self) -> Result<(), String> {
        let mut command = self.command(&self.program);
        command
            .current_dir(&self.folder)
            .env("RUNNING_UNDER_SYSTEMD", "true");
        self.server.spawn(&mut command)?;
        let overview = format!("{}/api/overview", self.management_url());
        let amqp = self.amqp;
        self.server
            .ready(READY_MAX, || async {
                TcpStream::connect((Ipv4Addr::LOCALHOST, amqp))
                    .map_err(|error| error.to_string())?;
                let answer = reqwest::get(&overview)
                    .await
                    .map_err(|error| error.to_string())?;
                if answer.status().is_success() {
                    Ok(())
                } else {
                    Err(answer.status().to_string())
                }
            })
            .await
    }

    /// Takes everything that it ever kept. It must not run.
    ///
    /// # Errors
    /// It runs, or the data can't be removed.
    pub fn wipe(&mut self) -> Result<(), String> {
        if self.is_started() {
            return Err("the broker runs".to_owned());
        }
        fs::remove_dir_all(self.path("mnesia")).map_err(|error| error.to_string())
    }

    /// Runs `rabbitmqctl`.
    ///
    /// # Errors
    /// What it said, when it failed.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String, String> {
        let program = named("BOXOFFICE_TEST_RABBITMQCTL_PROGRAM", CTL);
        let output = self.command(&program).args(arguments).output();
        let output = output.map_err(|error| format!("{program}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(said)
        } else {
            let complained = String::from_utf8_lossy(&output.stderr);
            Err(format!("rabbitmqctl {arguments:?}: {said}{complained}"))
        }
    }

    /// A program of the broker's, with what it needs to find this one.
    fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        command
            .env("HOME", &self.folder)
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_CRASH_DUMP", self.path("erl_crash.dump"))
            .env("RABBITMQ_MNESIA_BASE", self.path("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.path("logs"))
            .env("RABBITMQ_CONFIG_FILE", self.path("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", self.path("rabbitmq-env.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.path("advanced.config"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", self.path("generated"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.path("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", self.path("rabbitmq.pid"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        command
    }

    fn write_configuration(&self) {
        let (amqp, management, prometheus) = (self.amqp, self.management, self.prometheus);
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {management}\n\
             prometheus.tcp.ip = 127.0.0.1\n\
             prometheus.tcp.port = {prometheus}\n\
             default_user = {USER}\n\
             default_pass = {PASSWORD}\n\
             default_user_tags.administrator = true\n\
             heartbeat = 10\n\
             channel_max = 128\n\
             max_message_size = 1048576\n\
             vm_memory_high_watermark.relative = {MEMORY_SHARE}\n\
             disk_free_limit.absolute = {DISK_FREE_MIN}\n\
             consumer_timeout = 900000\n\
             log.console = true\n\
             log.console.level = info\n\
             log.file = false\n"
        );
        fs::write(self.path("rabbitmq.conf"), configuration).unwrap();
        fs::write(self.path("enabled_plugins"), PLUGINS).unwrap();
        // There, so that the machine's own is not read.
        fs::write(self.path("rabbitmq-env.conf"), "").unwrap();
        let cookie = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(self.path(".erlang.cookie"));
        cookie.unwrap().write_all(b"OF-A-TEST").unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for PrivateBroker {
    fn drop(&mut self) {
        self.server.kill();
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
        clear("private broker", &self.folder);
    }
}

fn named(variable: &str, usual: &str) -> String {
    env::var(variable).unwrap_or_else(|_| usual.to_owned())
}

/// A program without the settings of anybody else's broker.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("RABBITMQ_") || text.starts_with("ERL_") || text == "NOTIFY_SOCKET" {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command
}
