//! The three foreign servers, as private processes of this stack. A server whose URL the caller has
//! set is used instead and not touched. Broker and SQL database come in two generations; where the
//! programs of each lie is in `programs.rs`. Another way to run them (a Docker engine, say) would be
//! another function with the signature of [`start`].

mod inside;
mod mariadb;
mod mongodb;
mod mysql;
mod programs;
mod rabbitmq;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, bail, ensure};

use crate::install::{self, Installed, Needs};
use crate::stack::{Ports, Stack};

pub(crate) use install::Generation;
use programs::Programs;

/// URLs of servers that run elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) mysql: Option<String>,
    pub(crate) amqp: Option<String>,
    pub(crate) management: Option<String>,
    pub(crate) mongodb: Option<String>,
}

/// Where to find the servers, passwords included.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) mysql: String,
    pub(crate) amqp: String,
    /// Unknown when only the broker's AMQP URL was given.
    pub(crate) management: Option<String>,
    pub(crate) mongodb: String,
}

/// What the URLs of the servers we start end in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// Database and vhost `boxoffice`.
    Product,
    /// None: each test makes its own.
    Tests,
}

impl Scope {
    fn suffix(self) -> &'static str {
        match self {
            Self::Product => "/boxoffice",
            Self::Tests => "",
        }
    }
}

impl Given {
    /// Reads the variables of these names; an empty one counts as unset.
    pub(crate) fn from_env(mysql: &str, amqp: &str, management: &str, mongodb: &str) -> Self {
        let read = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            mysql: read(mysql),
            amqp: read(amqp),
            management: read(management),
            mongodb: read(mongodb),
        }
    }

    fn needs(&self) -> Needs {
        Needs {
            rabbitmq: self.amqp.is_none(),
            sql: self.mysql.is_none(),
            mongodb: self.mongodb.is_none(),
        }
    }
}

/// Everything that can go wrong before something is started: missing programs, busy ports.
pub(crate) fn prepare(
    given: &Given,
    ports: Ports,
    generation: Generation,
) -> anyhow::Result<Installed> {
    ports.check_free()?;
    install::ensure(given.needs(), generation)
}

/// Starts what was not given, all at once, and waits until each is ready.
pub(crate) fn start(
    stack: &Stack,
    given: &Given,
    installed: &Installed,
    scope: Scope,
) -> anyhow::Result<Servers> {
    let suffix = scope.suffix();
    keep_to_generation(stack, installed)?;
    let programs = Programs::of(stack, installed)?;
    thread::scope(|threads| {
        let amqp = threads.spawn(|| match &given.amqp {
            Some(url) => Ok((url.clone(), given.management.clone())),
            None => rabbitmq::start(stack, &programs)
                .map(|broker| (broker.amqp + suffix, Some(broker.management))),
        });
        let mysql = threads.spawn(|| match &given.mysql {
            Some(url) => Ok(url.clone()),
            None => programs.start_sql(stack).map(|url| url + suffix),
        });
        let mongodb = threads.spawn(|| match &given.mongodb {
            Some(url) => Ok(url.clone()),
            None => mongodb::start(stack),
        });
        // All are awaited before the first error is returned: nothing is started behind our back.
        let (amqp, mysql, mongodb) = (join(amqp), join(mysql), join(mongodb));
        let (amqp, management) = amqp?;
        Ok(Servers {
            mysql: mysql?,
            amqp,
            management,
            mongodb: mongodb?,
        })
    })
}

/// A broker does not read the data of one that is two generations older, and never of a younger one.
fn keep_to_generation(stack: &Stack, installed: &Installed) -> anyhow::Result<()> {
    let ours = match installed {
        Installed::Machine => "current",
        Installed::Next(_) => "next",
    };
    let note = stack.folder.data("servers");
    match fs::read_to_string(&note) {
        Ok(theirs) => ensure!(
            theirs == ours,
            "the data of profile {profile:?} belong to `--servers {theirs}`: choose another              --profile, or delete them with `cargo xtask down --purge --profile {profile}`",
            profile = stack.folder.profile()
        ),
        // Before there were two generations no note was made.
        Err(_) if ours == "next" && stack.folder.data("rabbitmq").exists() => bail!(
            "profile {profile:?} has data of older servers: choose another --profile, or delete              them with `cargo xtask down --purge --profile {profile}`",
            profile = stack.folder.profile()
        ),
        Err(_) => {
            fs::write(&note, ours).with_context(|| format!("cannot write {}", note.display()))?
        }
    }
    Ok(())
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().ok().context("a start-up thread panicked")?
}

/// How tests call `rabbitmqctl` for the stack's own broker, and start servers of their own.
pub(crate) fn for_tests(
    stack: &Stack,
    installed: &Installed,
) -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    let programs = Programs::of(stack, installed)?;
    let mut environment = Vec::from([
        ("BOXOFFICE_TEST_MONGOD", install::mongod()?),
        ("BOXOFFICE_TEST_RABBITMQCTL", rabbitmq::ctl(stack)?),
        (
            "BOXOFFICE_TEST_RABBITMQ_SERVER",
            programs.rabbitmq_server.clone(),
        ),
        (
            "BOXOFFICE_TEST_RABBITMQCTL_PROGRAM",
            programs.rabbitmqctl.clone(),
        ),
        ("BOXOFFICE_TEST_EPMD", programs.epmd.clone()),
    ]);
    environment.extend(programs.sql_for_tests());
    Ok(environment)
}
