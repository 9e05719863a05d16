//! What the private servers have in common: a child process with a log, its signals, and waiting without panic.

use crate::process::{last_lines, signal};
use std::{
    fmt::Display,
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// From SIGTERM to the end of a server that writes its data out.
const END_MAX: Duration = Duration::from_secs(60);

/// A server that a fault may be done to.
pub(crate) struct Server {
    name: &'static str,
    pub(crate) log: PathBuf,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn new(name: &'static str, log: PathBuf) -> Self {
        Self {
            name,
            log,
            child: None,
        }
    }

    /// # Errors
    /// It runs already, or the program can't be started.
    pub(crate) fn spawn(&mut self, command: &mut Command) -> Result<(), String> {
        if self.child.is_some() {
            return Err(format!("{} runs already", self.name));
        }
        let tell = |error: &dyn Display| format!("{}: {error}", self.name);
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(|error| tell(&error))?;
        let copy = log.try_clone().map_err(|error| tell(&error))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(copy)
            .stderr(log)
            .spawn();
        self.child = Some(child.map_err(|error| tell(&error))?);
        Ok(())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(crate) const fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// How it ended, if it did by itself.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// kill -9, also of one that is stopped.
    pub(crate) fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        let _ = child.kill();
        child.wait().ok()
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It didn't run, or goes on for a minute.
    pub(crate) async fn terminate(&mut self) -> Result<ExitStatus, String> {
        let pid = self
            .pid()
            .ok_or_else(|| format!("{} does not run", self.name))?;
        signal("TERM", pid);
        let deadline = Instant::now() + END_MAX;
        loop {
            if let Some(status) = self.has_ended() {
                self.child = None;
                return Ok(status);
            }
            if Instant::now() >= deadline {
                let said = last_lines(&self.log);
                return Err(format!(
                    "{} goes on {END_MAX:?} after SIGTERM:\n{said}",
                    self.name
                ));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// A signal such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        if let Some(pid) = self.pid() {
            signal(name, pid);
        }
    }

    /// Waits until `look` says yes, or the server ends.
    ///
    /// # Errors
    /// Not in time, or it ended by itself.
    pub(crate) async fn ready<F>(
        &mut self,
        within: Duration,
        mut look: impl FnMut() -> F + Send,
    ) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>> + Send,
    {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.has_ended() {
                self.child = None;
                let said = last_lines(&self.log);
                return Err(format!("{} ended ({status}):\n{said}", self.name));
            }
            match look().await {
                Ok(()) => return Ok(()),
                Err(why) if Instant::now() >= deadline => {
                    let said = last_lines(&self.log);
                    return Err(format!(
                        "{} not ready within {within:?}: {why}\n{said}",
                        self.name
                    ));
                }
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// Whether a process is stopped by a signal now.
#[must_use]
pub fn is_stopped(pid: u32) -> bool {
    // The name in parentheses may hold anything; the state follows the last of them.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('T'))
    })
}

/// Waits until `look` finds what it looks for.
///
/// # Errors
/// What it said last, when it doesn't in time.
pub async fn until<R, E: Display, F>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> F + Send,
) -> Result<R, String>
where
    F: Future<Output = Result<R, E>> + Send,
{
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(why) if Instant::now() >= deadline => {
                return Err(format!("{what}: not within {within:?}: {why}"));
            }
            Err(_) => sleep(LOOK_EVERY).await,
        }
    }
}

/// A folder of its own for a server.
pub(crate) fn folder(name: &str) -> PathBuf {
    let id = uuid::Uuid::new_v4().simple();
    let folder = std::env::temp_dir()
        .join("boxoffice-tests")
        .join(format!("{name}-{id}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The program that a variable names, or the first of these that is there.
///
/// # Panics
/// There is none.
pub(crate) fn program(variable: &str, usual: &[&str]) -> String {
    if let Ok(named) = std::env::var(variable) {
        return named;
    }
    usual
        .iter()
        .find(|program| Path::new(program).exists())
        .unwrap_or_else(|| {
            panic!("{variable} is not set, and there is none of {usual:?} (`cargo xtask up` installs them)")
        })
        .to_string()
}

/// Takes the data away, unless somebody will want to read the log.
pub(crate) fn clear(name: &str, folder: &Path) {
    if std::thread::panicking() {
        eprintln!("the {name}'s log is in {}", folder.display());
    } else {
        let _ = std::fs::remove_dir_all(folder);
    }
}
