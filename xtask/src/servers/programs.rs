//! Where the programs of broker and SQL database lie, for each generation.

use std::path::PathBuf;

use super::{inside, mariadb, mysql};
use crate::install::{Installed, RABBITMQ_SERVER, RABBITMQCTL};
use crate::stack::Stack;

/// Debian's, not the wrappers in the PATH, which switch user.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) rabbitmq_server: PathBuf,
    pub(super) rabbitmqctl: PathBuf,
    pub(super) epmd: PathBuf,
    sql: Sql,
}

#[derive(Debug, Clone)]
enum Sql {
    MariaDb,
    MySql(mysql::Programs),
}

impl Programs {
    pub(super) fn of(stack: &Stack, installed: &Installed) -> anyhow::Result<Self> {
        let Installed::Next(unpacked) = installed else {
            return Ok(Self {
                rabbitmq_server: RABBITMQ_SERVER.into(),
                rabbitmqctl: RABBITMQCTL.into(),
                epmd: "epmd".into(),
                sql: Sql::MariaDb,
            });
        };
        let inside = |program: &str| inside::script(stack, &unpacked.root, program);
        Ok(Self {
            rabbitmq_server: inside(RABBITMQ_SERVER)?,
            rabbitmqctl: inside(RABBITMQCTL)?,
            epmd: inside("/usr/bin/epmd")?,
            sql: Sql::MySql(mysql::Programs {
                server: inside("/usr/sbin/mysqld")?,
                client: inside("/usr/bin/mysql")?,
            }),
        })
    }

    /// How tests start a SQL server of their own.
    pub(super) fn sql_for_tests(&self) -> Vec<(&'static str, PathBuf)> {
        let found = match &self.sql {
            Sql::MySql(programs) => Some(programs.server.clone()),
            Sql::MariaDb => crate::install::find("mariadbd"),
        };
        found
            .map(|server| ("BOXOFFICE_TEST_SQL_SERVER", server))
            .into_iter()
            .collect()
    }

    /// Gives the URL without a database.
    pub(super) fn start_sql(&self, stack: &Stack) -> anyhow::Result<String> {
        match &self.sql {
            Sql::MariaDb => mariadb::start(stack),
            Sql::MySql(programs) => mysql::start(stack, programs),
        }
    }
}
