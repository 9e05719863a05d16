//! MySQL 9 with the settings the product relies on, run from an unpacked package. As with MariaDB,
//! users and database come from an init file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::mariadb::init_sql;
use crate::stack::{Group, Port, Stack, last_words, write_private};
use crate::ui;

const READY_MAX: Duration = Duration::from_secs(90);

/// What MariaDB is told, where MySQL has it. The binary log stays on, as it is by default.
const SETTINGS: &[&str] = &[
    "--innodb-flush-log-at-trx-commit=1",
    "--sync-binlog=1",
    "--transaction-isolation=READ-COMMITTED",
    "--innodb-rollback-on-timeout=ON",
    "--innodb-lock-wait-timeout=5",
    "--lock-wait-timeout=5",
    // Milliseconds, and of SELECT only.
    "--max-execution-time=5000",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_0900_ai_ci",
    "--default-time-zone=+00:00",
    "--max-connections=400",
    "--innodb-buffer-pool-size=256M",
    "--skip-name-resolve",
    // A second protocol on a port of its own.
    "--mysqlx=OFF",
    "--secure-file-priv=",
];

#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) server: PathBuf,
    pub(super) client: PathBuf,
}

/// Gives the URL without a database.
pub(super) fn start(stack: &Stack, programs: &Programs) -> anyhow::Result<String> {
    let step = ui::step("MySQL", "starting");
    let data = stack.folder.data("mysql");
    if !data.join("mysql.ibd").exists() {
        step.doing("creating the data folder");
        create_data(stack, &programs.server, &data)?;
    }
    let init = stack.folder.conf("mysql")?.join("init.sql");
    write_private(
        &init,
        &format!(
            "{}GRANT SELECT ON performance_schema.data_locks TO 'boxoffice'@'127.0.0.1';\n",
            init_sql(&stack.secrets.mysql_root, &stack.secrets.mysql)
        ),
    )?;

    let address = stack.address(Port::Sql);
    let mut command = server(&programs.server, &data);
    command
        .arg(format!("--init-file={}", init.display()))
        // Relative to the data folder: the path of a socket may not be long.
        .args([
            "--socket=mysql.sock",
            "--pid-file=mysql.pid",
            "--bind-address=127.0.0.1",
        ])
        .arg(format!("--port={}", address.port()))
        .args(SETTINGS);
    stack.start(Group::Server, "mysql", &address.to_string(), &mut command)?;
    stack.await_ready("mysql", READY_MAX, || {
        logs_in(&programs.client, address.port(), &stack.secrets.mysql)
    })?;
    step.done(&format!("ready at {address}"));
    Ok(format!(
        "mysql://boxoffice:{}@{address}",
        stack.secrets.mysql
    ))
}

/// Inside the unpacked root we are root, which the server must be told by name.
fn server(program: &Path, data: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--no-defaults", "--user=root"])
        .arg(format!("--datadir={}", data.display()))
        .env_remove("MYSQL_HOME");
    command
}

/// Made beside and renamed, so that an interrupted creation is not taken for a database.
fn create_data(stack: &Stack, program: &Path, data: &Path) -> anyhow::Result<()> {
    let unfinished = data.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    let log = stack.folder.log("mysql-install");
    let out = fs::File::create(&log)?;
    let status = server(program, &unfinished)
        .args(["--initialize-insecure", "--secure-file-priv="])
        .stdin(Stdio::null())
        .stderr(out.try_clone()?)
        .stdout(out)
        .status()?;
    if !status.success() {
        bail!("mysqld could not create its data: {}", last_words(&log));
    }
    fs::rename(&unfinished, data).context("cannot move MySQL's new data folder into place")
}

fn logs_in(client: &Path, port: u16, password: &str) -> bool {
    Command::new(client)
        .args([
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "--user=boxoffice",
            "--execute=SELECT 1",
        ])
        .arg(format!("--port={port}"))
        .env("MYSQL_PWD", password)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
