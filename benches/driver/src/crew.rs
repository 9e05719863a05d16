//! Processes of the house that the bench starts, ends and kills by itself.

use crate::place::{Group, Place, Process};
use anyhow::{Context as _, ensure};
use std::{fs::OpenOptions, process::Stdio};
use tokio::process::{Child, Command};

/// A port of its own for health and metrics, whichever is free.
const ANY_PORT: (&str, &str) = ("BOXOFFICE__API__INTERNAL_LISTEN", "127.0.0.1:0");

/// Ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Crew {
    place: Place,
    hands: Vec<Hand>,
}

#[derive(Debug)]
struct Hand {
    process: Process,
    child: Child,
}

impl Crew {
    pub(crate) const fn of(place: Place) -> Self {
        Self {
            place,
            hands: Vec::new(),
        }
    }

    /// Starts `boxoffice ARGUMENTS` under this name.
    pub(crate) fn start(&mut self, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let program = self.place.program.as_ref();
        let program = program.context("the place doesn't say where the program lies")?;
        let child = Command::new(program)
            .args(arguments)
            .envs(&self.place.environment)
            .env(ANY_PORT.0, ANY_PORT.1)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log(name)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let pid = child.id().context("it has ended at once")?;
        let process = Process {
            name: name.to_owned(),
            group: Group::App,
            pid: i32::try_from(pid)?,
        };
        self.hands.push(Hand { process, child });
        Ok(())
    }

    /// Where it says what it does; a second one of the name goes on below the first.
    fn log(&self, name: &str) -> anyhow::Result<Stdio> {
        let Some(folder) = &self.place.logs else {
            return Ok(Stdio::null());
        };
        let path = folder.join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(file.with_context(|| path.display().to_string())?.into())
    }

    /// A worker by the name of its role.
    pub(crate) fn start_worker(&mut self, role: &str) -> anyhow::Result<()> {
        self.start(role, &["worker", "run", role])
    }

    /// The place with those who were started.
    pub(crate) fn place(&self) -> Place {
        let mut place = self.place.clone();
        let ours = self.hands.iter().map(|hand| hand.process.clone());
        place.processes.extend(ours);
        place
    }

    /// Nothing is told to it; it is there no more when this returns.
    pub(crate) async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let at = self.hands.iter().position(|hand| hand.process.name == name);
        let at = at.with_context(|| format!("{name} was not started"))?;
        let mut hand = self.hands.remove(at);
        hand.child.kill().await?;
        Ok(())
    }

    /// Asks all to end, and waits until they have.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for hand in &self.hands {
            let pid = hand.process.pid.to_string();
            let asked = Command::new("kill").args(["-TERM", &pid]).status().await?;
            ensure!(asked.success(), "{} has ended by itself", hand.process.name);
        }
        for mut hand in self.hands.drain(..) {
            let status = hand.child.wait().await?;
            ensure!(status.success(), "{}: {status}", hand.process.name);
        }
        Ok(())
    }
}
