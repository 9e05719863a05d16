//! The three foreign servers, as private processes of this stack. A server whose URL the caller has
//! set is used instead and not touched. Another way to run them (a Docker engine, say) would be
//! another function with the signature of [`start`].

mod mariadb;
mod mongodb;
mod rabbitmq;

use std::env;
use std::thread;

use anyhow::Context as _;

use crate::install::{self, Needs};
use crate::stack::{Ports, Stack};

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
            mariadb: self.mysql.is_none(),
            mongodb: self.mongodb.is_none(),
        }
    }
}

/// Everything that can go wrong before something is started: missing programs, busy ports.
pub(crate) fn prepare(given: &Given, ports: Ports) -> anyhow::Result<()> {
    ports.check_free()?;
    install::ensure(given.needs())
}

/// Starts what was not given, all at once, and waits until each is ready.
pub(crate) fn start(stack: &Stack, given: &Given, scope: Scope) -> anyhow::Result<Servers> {
    let suffix = scope.suffix();
    thread::scope(|threads| {
        let amqp = threads.spawn(|| match &given.amqp {
            Some(url) => Ok((url.clone(), given.management.clone())),
            None => {
                rabbitmq::start(stack).map(|broker| (broker.amqp + suffix, Some(broker.management)))
            }
        });
        let mysql = threads.spawn(|| match &given.mysql {
            Some(url) => Ok(url.clone()),
            None => mariadb::start(stack).map(|url| url + suffix),
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

fn join<T>(thread: thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().ok().context("a start-up thread panicked")?
}

/// The script that calls `rabbitmqctl` for the stack's own broker.
pub(crate) fn rabbitmqctl(stack: &Stack) -> anyhow::Result<std::path::PathBuf> {
    rabbitmq::ctl(stack)
}
