//! The product as a process: started, watched, killed, asked to end, started again.

use crate::wait::eventually;
use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Mutex,
    time::Duration,
};

/// From its start until it says that it is ready, on a machine that does other things too.
const READY_MAX: Duration = Duration::from_secs(40);
/// From SIGTERM to its end: as long as supervisors wait before they kill.
const END_MAX: Duration = Duration::from_secs(30);
/// How much of a log a failed test shows.
const LAST_LINES: usize = 40;

pub type Environment = BTreeMap<String, String>;

/// A program with what it needs to be started again as it was.
pub struct Process {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Environment,
    pub log: PathBuf,
    internal: SocketAddr,
    child: Option<Child>,
    /// What it is started under, such as `prlimit --nofile=20`. Nothing by default.
    pub under: Vec<String>,
    /// On top of its settings.
    pub besides: Environment,
    /// Another build of the program, while it is set.
    pub other: Option<PathBuf>,
}

impl Process {
    /// Not started yet. The environment must name the internal port.
    #[must_use]
    pub fn new(
        name: &str,
        program: &Path,
        arguments: &[&str],
        mut environment: Environment,
        logs: &Path,
    ) -> Self {
        let internal = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        environment.insert(
            "BOXOFFICE__API__INTERNAL_LISTEN".to_owned(),
            internal.to_string(),
        );
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            environment,
            log: logs.join(format!("{name}.log")),
            internal,
            child: None,
            under: Vec::new(),
            besides: Environment::new(),
            other: None,
        }
    }

    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let program = self.other.as_ref().unwrap_or(&self.program);
        let mut command = match self.under.split_first() {
            None => Command::new(program),
            Some((first, more)) => {
                let mut command = Command::new(first);
                command.args(more).arg(program);
                command
            }
        };
        let started = command
            .args(&self.arguments)
            .envs(&self.environment)
            .envs(&self.besides)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        match started {
            Ok(child) => self.child = Some(child),
            Err(error) => panic!(
                "{}: {error}; build it with `cargo build`",
                self.program.display()
            ),
        }
    }

    /// Waits until the process says that it is ready.
    pub async fn ready(&mut self) {
        let url = format!("http://{}/readyz", self.internal);
        let http = reqwest::Client::new();
        let name = self.name.clone();
        eventually(&format!("{name} ready"), READY_MAX, async || {
            if let Some(status) = self.has_ended() {
                panic!(
                    "{name} ended at its start ({status}):\n{}",
                    last_lines(&self.log)
                );
            }
            let answer = http.get(&url).timeout(Duration::from_secs(3)).send().await;
            match answer {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }

    /// A variable that it has from its next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// A variable that it has.
    #[must_use]
    pub fn environment(&self, name: &str) -> String {
        self.environment[name].clone()
    }

    /// What it would tell Prometheus now.
    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.internal);
        let answer = reqwest::get(url).await.unwrap();
        answer.text().await.unwrap()
    }

    /// Where it answers probes and Prometheus.
    #[must_use]
    pub const fn internal(&self) -> SocketAddr {
        self.internal
    }

    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// kill -9. Says how it ended, which may have been before and by itself.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        child.kill().unwrap();
        Some(child.wait().unwrap())
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(&mut self) -> ExitStatus {
        signal("TERM", self.child.as_ref().unwrap().id());
        let name = self.name.clone();
        let status = eventually(&format!("the end of {name}"), END_MAX, async || {
            self.has_ended().ok_or_else(|| last_lines(&self.log))
        })
        .await;
        self.child = None;
        status
    }

    /// Kills it and starts it anew.
    pub async fn restart(&mut self) {
        self.kill();
        self.start();
        self.ready().await;
    }

    /// Runs another command of the program in the same place, and returns what it said.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Output {
        Command::new(&self.program)
            .args(arguments)
            .envs(&self.environment)
            .env("BOXOFFICE__LOG__FILTER", "error")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs the program to its end, as a person would.
    pub async fn run_to_end(mut self) {
        self.start();
        let mut child = self.child.take().unwrap();
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
            .await
            .unwrap();
        assert!(
            status.success(),
            "{}: {status}:\n{}",
            self.name,
            last_lines(&self.log)
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by the system's own `kill`.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "kill -{name} {pid}: {sent}");
}

/// What a process said last.
#[must_use]
pub fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// A port that nobody listens on, below those that the system gives to outgoing connections.
///
/// It is this test's until its process ends: between the choice and the moment when a server listens there nobody
/// else would see that it is taken.
///
/// # Panics
/// When the folder of reservations can't be written.
#[must_use]
pub fn free_port() -> u16 {
    static OURS: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = env::temp_dir().join("boxoffice-ports");
    fs::create_dir_all(&folder).unwrap();
    loop {
        let port: u16 = rand::random_range(10_000..30_000);
        // Of a lock that is left behind nothing remains but an empty file.
        let reserved = File::create(folder.join(port.to_string())).unwrap();
        if reserved.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            OURS.lock().unwrap().push(reserved);
            return port;
        }
    }
}
