//! Processes that outlive a command: started, recognised again, stopped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

const POLL: Duration = Duration::from_millis(50);
/// Enough to hold a few lines.
const TAIL_BYTES: u64 = 8 << 10;
const LAST_WORDS_CHARS: usize = 300;

/// A process id alone is given to somebody else one day; with the start time it is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Clock ticks since the machine started.
    pub(super) started: u64,
}

impl Identity {
    /// `None` when there is no such process, or only its remains.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            pid,
            started: start_time(&stat)?,
        })
    }

    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    pub(crate) fn ask_to_end(self) {
        signal("TERM", &self.pid.to_string());
    }

    /// Asks to end, waits, then kills the whole process group. Says whether asking was enough.
    pub(crate) fn terminate(self, grace: Duration) -> bool {
        if !self.is_alive() {
            return true;
        }
        self.ask_to_end();
        let end = Instant::now() + grace;
        while self.is_alive() && Instant::now() < end {
            thread::sleep(POLL);
        }
        let obeyed = !self.is_alive();
        // Helpers of the process are in its group; of an emptied group nobody is left to hit.
        signal("KILL", &format!("-{}", self.pid));
        while self.is_alive() {
            thread::sleep(POLL);
        }
        obeyed
    }
}

/// Starts a process in its own group with its output in a fresh log; the former becomes `.log.1`.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> io::Result<Child> {
    if log.exists() {
        fs::rename(log, log.with_extension("log.1"))?;
    }
    let out = OpenOptions::new().create(true).append(true).open(log)?;
    let err = out.try_clone()?;
    command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
}

/// The last line that says something, and where to read the rest.
pub(crate) fn last_words(log: &Path) -> String {
    let tail = tail(log).unwrap_or_default();
    let line = tail
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("it said nothing");
    let line: String = line.chars().take(LAST_WORDS_CHARS).collect();
    format!("{line} (log: {})", log.display())
}

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The shell's own `kill`, because a bare machine may have no other and unsafe code is forbidden.
/// Failing means that nobody is left, which is what was wanted.
fn signal(name: &str, target: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" -- \"$2\"", "kill", name, target])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Field 22; counted after the name, which may hold spaces and brackets. A zombie has none.
fn start_time(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_a_wicked_name() {
        let line = |state: &str| {
            format!("42 (a ) b) {state} 1 42 42 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 987654 0 0")
        };
        assert_eq!(start_time(&line("S")), Some(987_654));
        assert_eq!(start_time(&line("Z")), None);
        assert_eq!(start_time("rubbish"), None);
    }

    #[test]
    fn a_process_is_recognised_stopped_and_then_gone() {
        let log = std::env::temp_dir().join(format!("xtask-process-{}.log", std::process::id()));
        let mut child = spawn(
            Command::new("/bin/sh").args(["-c", "echo ready; exec sleep 60"]),
            &log,
        )
        .unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());
        assert!(identity.terminate(Duration::from_secs(5)));
        assert!(!identity.is_alive());
        assert!(
            !Identity {
                started: 0,
                ..identity
            }
            .is_alive()
        );
        child.wait().unwrap();
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn one_that_ignores_the_request_is_killed() {
        let log = std::env::temp_dir().join(format!("xtask-stubborn-{}.log", std::process::id()));
        let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
        let mut child = spawn(Command::new("/bin/sh").args(["-c", script]), &log).unwrap();
        while !tail(&log).unwrap().contains("ready") {
            thread::sleep(POLL);
        }
        assert!(
            !Identity::of(child.id())
                .unwrap()
                .terminate(Duration::from_millis(200))
        );
        child.wait().unwrap();
        assert!(last_words(&log).starts_with("ready (log: "));
        fs::remove_file(log).unwrap();
    }
}
