//! The connection pool, and what every session in it is told.

use crate::config::DatabaseConfig;
use boxoffice_contracts::planted::{self, Bug};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait,
};
use sqlx::Executor;
use std::time::Duration;

/// A connection that lay idle for longer is asked whether it lives before it is handed out.
const IDLE_BEFORE_PING: Duration = Duration::from_secs(5);

/// A connection that lay idle for longer is closed by us, before the server does it.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// The server ends a session that has said nothing for so long, and with it the locks of a transaction whose process
/// stands still or whose machine is gone. MariaDB has `idle_transaction_timeout` for that, MySQL has nothing else.
const SILENCE_MAX_SECS: u32 = 20;

/// Prepared statements kept per connection.
///
/// sqlx doesn't set TCP_NODELAY. A statement that is dropped from a full cache is closed by a packet that
/// nobody answers; the next command waits behind it for the server's delayed acknowledgement, 40 ms. The store
/// keeps the shapes of its statements few; all connections together stay below the server's limit of 16,382.
const STATEMENTS_MAX: usize = 256;

/// Opens the pool; fails if the database can't be reached.
///
/// After connect, each session gets what we rely on instead of what the server's defaults happen to be. Transactions are
/// begun by [`begin`] alone.
///
/// # Errors
/// When no connection can be made.
pub async fn connect(config: &DatabaseConfig) -> Result<DatabaseConnection, DbErr> {
    Database::connect(options(config)).await
}

/// The same without a first connection, for what must start while the database is down.
///
/// # Errors
/// When the URL is malformed.
pub async fn connect_lazy(config: &DatabaseConfig) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(config);
    options.connect_lazy(true);
    Database::connect(options).await
}

fn options(config: &DatabaseConfig) -> ConnectOptions {
    let mut options = ConnectOptions::new(config.url.as_str());
    options
        .max_connections(config.connections_max)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .max_lifetime(Duration::from_secs(config.lifetime_secs))
        .idle_timeout(IDLE_MAX)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .test_before_acquire_if_idle_for(IDLE_BEFORE_PING);
    options.map_sqlx_mysql_opts(|mysql| mysql.statement_cache_capacity(STATEMENTS_MAX));
    let session = session(config.lock_wait_secs);
    options.map_sqlx_mysql_pool_opts(move |pool| {
        let session = session.clone();
        pool.after_connect(move |connection, _| {
            let session = sqlx::AssertSqlSafe(session.clone());
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(session)).await?;
                Ok(())
            })
        })
    });
    options
}

/// Begins a transaction, on a task of its own.
///
/// A `begin()` that is cancelled during its round trip leaves its session in a transaction that sqlx doesn't know of, and
/// the acknowledged writes of whoever borrows the connection next would vanish with it. Here only the waiting can be
/// cancelled: what has begun by then is rolled back as any transaction that is dropped. Nothing else begins one; tidy sees to
/// that. A `ROLLBACK` whenever a connection is released would do, too, and cost a round trip each time.
///
/// # Errors
/// When the database refuses, or the process ends.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    if planted::is(Bug::CancelledBegin) {
        return db.begin().await;
    }
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin().await });
    match begun.await {
        Ok(begun) => begun,
        Err(stopped) => Err(DbErr::Custom(format!("begin: {stopped}"))),
    }
}

/// One round trip per new connection. The numbers come from configuration, not from outside.
fn session(lock_wait_secs: u32) -> String {
    format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = {lock_wait_secs}, \
         wait_timeout = {SILENCE_MAX_SECS}, \
         sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
    )
}

/// Asks the database on a connection of its own, so that the answer is not that of a pooled, half-dead one.
pub(crate) async fn probe(db: &DatabaseConnection) -> bool {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = db.get_mysql_connection_pool().connect_options();
    let ask = async {
        let mut connection = options.connect().await?;
        connection.execute(sqlx::raw_sql("SELECT 1")).await?;
        connection.close().await
    };
    matches!(tokio::time::timeout(PROBE_TIMEOUT, ask).await, Ok(Ok(())))
}

const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
