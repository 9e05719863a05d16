//! MariaDB with the settings the product relies on. Users and database come from an init file that
//! the server executes at every start, so nobody logs in as root.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::install;
use crate::stack::{Group, Port, Stack, last_words, write_private};
use crate::ui;

const READY_MAX: Duration = Duration::from_secs(90);

/// Durable, READ COMMITTED, and no wait that outlasts a worker's patience.
const SETTINGS: &[&str] = &[
    "--innodb-flush-log-at-trx-commit=1",
    "--sync-binlog=1",
    "--transaction-isolation=READ-COMMITTED",
    "--innodb-snapshot-isolation=ON",
    "--innodb-rollback-on-timeout=ON",
    "--innodb-lock-wait-timeout=5",
    "--lock-wait-timeout=5",
    "--max-statement-time=5",
    "--idle-transaction-timeout=10",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--default-time-zone=+00:00",
    "--max-connections=400",
    "--innodb-buffer-pool-size=256M",
    "--skip-name-resolve",
];

/// Gives the URL without a database.
pub(super) fn start(stack: &Stack) -> anyhow::Result<String> {
    let step = ui::step("MariaDB", "starting");
    let data = stack.folder.data("mariadb");
    let user = user_name()?;
    if !data.join("mysql").exists() {
        step.doing("creating the data folder");
        create_data(stack, &data, &user)?;
    }
    let init = stack.folder.conf("mariadb")?.join("init.sql");
    write_private(
        &init,
        &init_sql(&stack.secrets.mysql_root, &stack.secrets.mysql),
    )?;

    let address = stack.address(Port::Sql);
    let mut command = Command::new(install::find("mariadbd").context("mariadbd has vanished")?);
    command
        .arg("--no-defaults")
        .arg(format!("--user={user}"))
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--init-file={}", init.display()))
        // Relative to the data folder: the path of a socket may not be long.
        .args([
            "--socket=mariadb.sock",
            "--pid-file=mariadb.pid",
            "--bind-address=127.0.0.1",
        ])
        .arg(format!("--port={}", address.port()))
        .args(SETTINGS)
        .env_remove("MYSQL_HOME");
    stack.start(Group::Server, "mariadb", &address.to_string(), &mut command)?;
    stack.await_ready("mariadb", READY_MAX, || {
        logs_in(address.port(), &stack.secrets.mysql)
    })?;
    step.done(&format!("ready at {address}"));
    Ok(format!(
        "mysql://boxoffice:{}@{address}",
        stack.secrets.mysql
    ))
}

/// Made beside and renamed, so that an interrupted creation is not taken for a database.
fn create_data(stack: &Stack, data: &Path, user: &str) -> anyhow::Result<()> {
    let unfinished = data.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    let log = stack.folder.log("mariadb-install");
    let out = fs::File::create(&log)?;
    let status = Command::new(
        install::find("mariadb-install-db").context("mariadb-install-db has vanished")?,
    )
    .arg("--no-defaults")
    .arg(format!("--datadir={}", unfinished.display()))
    .arg(format!("--user={user}"))
    .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
    .stdin(Stdio::null())
    .stderr(out.try_clone()?)
    .stdout(out)
    .status()?;
    if !status.success() {
        bail!("mariadb-install-db failed: {}", last_words(&log));
    }
    fs::rename(&unfinished, data).context("cannot move MariaDB's new data folder into place")
}

/// One statement a line. `bx_…` are the databases of tests.
pub(super) fn init_sql(root_password: &str, password: &str) -> String {
    format!(
        "ALTER USER 'root'@'localhost' IDENTIFIED BY '{root_password}';\n\
         DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';\n\
         CREATE DATABASE IF NOT EXISTS boxoffice;\n\
         CREATE USER IF NOT EXISTS 'boxoffice'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
         GRANT ALL ON `boxoffice%`.* TO 'boxoffice'@'127.0.0.1';\n\
         GRANT ALL ON `bx\\_%`.* TO 'boxoffice'@'127.0.0.1';\n"
    )
}

fn logs_in(port: u16, password: &str) -> bool {
    let client = install::find("mariadb").unwrap_or_else(|| "mariadb".into());
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

/// As root the server runs only if told so by name.
fn user_name() -> anyhow::Result<String> {
    let output = Command::new("id")
        .arg("-un")
        .output()
        .context("cannot ask `id` for the user's name")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_init_file_holds_whole_statements_line_by_line() {
        let sql = init_sql("a", "b");
        assert!(sql.lines().all(|line| line.ends_with(';')), "{sql}");
        assert!(sql.contains(r"`bx\_%`"));
    }
}
