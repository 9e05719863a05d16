//! A SQL server of one run's own, for what nobody would do to the one that all tests share.
//!
//! MariaDB as Debian has it, or the program that `BOXOFFICE_TEST_SQL_SERVER` names: a `mysqld` is taken for MySQL.
//! The settings are those of `cargo xtask up`. Beside the product's user there is [`ADMIN`], who may do everything.

use crate::{
    private_server::{Server, clear, folder, program},
    process::{free_port, last_lines},
};
use boxoffice_runtime::{DatabaseConfig, pool};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

/// Who breaks it.
pub const ADMIN: &str = "nemesis";
const USER: &str = "boxoffice";
const PASSWORD: &str = "of-a-test";
const READY_MAX: Duration = Duration::from_secs(90);

const SETTINGS: &[&str] = &[
    "--innodb-flush-log-at-trx-commit=1",
    "--sync-binlog=1",
    "--transaction-isolation=READ-COMMITTED",
    "--innodb-rollback-on-timeout=ON",
    "--innodb-lock-wait-timeout=5",
    "--lock-wait-timeout=5",
    "--character-set-server=utf8mb4",
    "--default-time-zone=+00:00",
    "--max-connections=400",
    "--innodb-buffer-pool-size=256M",
    // All tables in one file, so that it can be forbidden to grow.
    "--innodb-file-per-table=OFF",
    "--skip-name-resolve",
];
const OF_MARIADB: &[&str] = &[
    "--innodb-snapshot-isolation=ON",
    "--max-statement-time=5",
    "--idle-transaction-timeout=10",
    "--collation-server=utf8mb4_unicode_ci",
];
const OF_MYSQL: &[&str] = &[
    "--max-execution-time=5000",
    "--collation-server=utf8mb4_0900_ai_ci",
    "--mysqlx=OFF",
    // No encryption.
    "--tls-version=",
    "--secure-file-priv=",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    MariaDb,
    MySql,
}

pub struct PrivateMysql {
    make: Make,
    program: String,
    folder: PathBuf,
    port: u16,
    server: Server,
}

impl PrivateMysql {
    /// Creates the data and starts it.
    ///
    /// # Panics
    /// There is no such server, or it doesn't start.
    pub async fn start() -> Self {
        let program = program("BOXOFFICE_TEST_SQL_SERVER", &["/usr/sbin/mariadbd"]);
        let make = if program.ends_with("mysqld") {
            Make::MySql
        } else {
            Make::MariaDb
        };
        let folder = folder("sql");
        let mut mysql = Self {
            make,
            program,
            port: free_port(),
            server: Server::new("the private SQL server", folder.join("server.log")),
            folder,
        };
        mysql.create().unwrap();
        mysql.start_again().await.unwrap();
        mysql
    }

    /// Without a schema, as the product logs in.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://{USER}{}@{}", self.password(":"), self.address())
    }

    /// Without a schema, for [`ADMIN`].
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("mysql://{ADMIN}{}@{}", self.password(":"), self.address())
    }

    /// Behind `before` where there is one. MySQL 9 takes no password unencrypted from a client without RSA, and
    /// encrypted a proxy can't read along; nobody but this machine reaches the server.
    fn password(&self, before: &str) -> String {
        match self.make {
            Make::MariaDb => format!("{before}{PASSWORD}"),
            Make::MySql => String::new(),
        }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.server.is_started()
    }

    /// How it ended, if it did by itself.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.server.has_ended()
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
    /// # Errors
    /// It runs already, ended by itself or doesn't serve in time.
    pub async fn start_again(&mut self) -> Result<(), String> {
        self.start_with(&[]).await
    }

    /// The same, but the file of all tables may not grow any more.
    ///
    /// # Errors
    /// It runs already, ended by itself or doesn't serve in time.
    pub async fn start_bounded(&mut self) -> Result<(), String> {
        let file = self.folder.join("data/ibdata1");
        let bytes = fs::metadata(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let size = bytes.len().div_ceil(1 << 20);
        self.start_with(&[format!(
            "--innodb-data-file-path=ibdata1:12M:autoextend:max:{size}M"
        )])
        .await
    }

    async fn start_with(&mut self, settings: &[String]) -> Result<(), String> {
        let mut command = self.command(&self.folder.join("data"));
        command
            .arg(format!(
                "--init-file={}",
                self.folder.join("init.sql").display()
            ))
            .args([
                "--socket=server.sock",
                "--pid-file=server.pid",
                "--bind-address=127.0.0.1",
            ])
            .arg(format!("--port={}", self.port))
            .args(SETTINGS)
            .args(match self.make {
                Make::MariaDb => OF_MARIADB,
                Make::MySql => OF_MYSQL,
            })
            .args(settings);
        self.server.spawn(&mut command)?;
        let admin = self.admin_url();
        self.server
            .ready(READY_MAX, || async {
                let db = connect(&admin).await.map_err(|error| error.to_string())?;
                let said = db.execute_unprepared("SELECT 1").await;
                let _ = db.close().await;
                said.map(drop).map_err(|error| error.to_string())
            })
            .await
    }

    /// One connection of [`ADMIN`], past every proxy. What it locks is locked until it is closed.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub async fn admin(&self) -> Result<DatabaseConnection, DbErr> {
        connect(&self.admin_url()).await
    }

    /// What [`ADMIN`] asks to count transactions that wait for a row lock.
    #[must_use]
    pub const fn lock_waits(&self) -> &'static str {
        match self.make {
            Make::MariaDb => {
                "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            }
            Make::MySql => "SELECT COUNT(*) FROM performance_schema.data_lock_waits",
        }
    }

    /// The product's own pool of some connections, past every proxy.
    ///
    /// # Panics
    /// The server doesn't answer.
    pub async fn database(&self, schema: &str) -> DatabaseConnection {
        let config = DatabaseConfig {
            url: format!("{}/{schema}", self.url()),
            connections_max: 4,
            ..DatabaseConfig::default()
        };
        pool::connect(&config).await.unwrap()
    }

    fn create(&self) -> Result<(), String> {
        let data = self.folder.join("data");
        fs::create_dir_all(&data).map_err(|error| error.to_string())?;
        let password = self.password("");
        let sql = format!(
            "CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON `boxoffice%`.* TO '{USER}'@'127.0.0.1';\n\
             GRANT ALL ON `bx\\_%`.* TO '{USER}'@'127.0.0.1';\n\
             CREATE USER IF NOT EXISTS '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        fs::write(self.folder.join("init.sql"), sql).map_err(|error| error.to_string())?;
        let log = self.folder.join("install.log");
        let out = fs::File::create(&log).map_err(|error| error.to_string())?;
        let mut command = match self.make {
            Make::MariaDb => {
                let install = program(
                    "BOXOFFICE_TEST_SQL_INSTALL",
                    &["/usr/bin/mariadb-install-db"],
                );
                let mut command = self.own(Command::new(install), &data);
                command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
                command
            }
            Make::MySql => {
                let mut command = self.command(&data);
                command.args(["--initialize-insecure", "--secure-file-priv="]);
                command
            }
        };
        let copy = out.try_clone().map_err(|error| error.to_string())?;
        let status = command
            .stdin(Stdio::null())
            .stdout(copy)
            .stderr(out)
            .status()
            .map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!(
                "the SQL server's data: {status}: {}",
                last_lines(&log)
            ))
        }
    }

    fn command(&self, data: &Path) -> Command {
        self.own(Command::new(&self.program), data)
    }

    fn own(&self, mut command: Command, data: &Path) -> Command {
        // Inside an unpacked root we are root; elsewhere the server must be told so too if we are.
        let user = match self.make {
            Make::MySql => "root".to_owned(),
            Make::MariaDb => user_name(),
        };
        command
            .arg("--no-defaults")
            .arg(format!("--user={user}"))
            .arg(format!("--datadir={}", data.display()))
            .env_remove("MYSQL_HOME")
            // Two that are created at once name their temporary tables alike.
            .env("TMPDIR", &self.folder);
        command
    }
}

impl Drop for PrivateMysql {
    fn drop(&mut self) {
        self.server.kill();
        clear("private SQL server", &self.folder);
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .min_connections(1)
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    Database::connect(options).await
}

/// As root the server runs only if told so by name.
fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
