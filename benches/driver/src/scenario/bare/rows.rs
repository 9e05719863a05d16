//! The rows that a booking leaves, of the size that the house's have.

use anyhow::Context as _;
use sqlx::{MySql, MySqlPool, Transaction, mysql::MySqlPoolOptions};
use uuid::Uuid;

const CONNECTIONS: u32 = 8;
const BODY_BYTES: usize = 400;

/// A table, and how many rows a booking has in it.
pub(super) type Insert = (&'static str, usize);

#[derive(Debug, Clone)]
pub(super) struct Rows(MySqlPool);

const TABLES: [&str; 6] = [
    "bare_inbox",
    "bare_bookings",
    "bare_claims",
    "bare_outbox",
    "bare_events",
    "bare_calls",
];

impl Rows {
    pub(super) async fn make(url: &str) -> anyhow::Result<Self> {
        let pool = MySqlPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect(url)
            .await
            .context("mysql")?;
        for table in TABLES {
            let create = format!(
                "CREATE TABLE {table} (id BINARY(16) NOT NULL, no INT UNSIGNED NOT NULL, body BLOB NOT NULL, \
                 PRIMARY KEY (id, no)) ENGINE=InnoDB"
            );
            run(&pool, create).await?;
        }
        Ok(Self(pool))
    }

    pub(super) async fn drop(&self) -> anyhow::Result<()> {
        for table in TABLES {
            run(&self.0, format!("DROP TABLE {table}")).await?;
        }
        Ok(())
    }

    /// One transaction, and one statement a table. `no` tells steps of one booking apart.
    pub(super) async fn write(
        &self,
        ids: &[Uuid],
        no: u32,
        inserts: &[Insert],
        changes: bool,
    ) -> anyhow::Result<()> {
        let mut tx = self.0.begin().await?;
        for (table, rows) in inserts {
            insert(&mut tx, table, ids, no, *rows).await?;
        }
        if changes {
            let marks = marks("?", ids.len());
            let update = format!("UPDATE bare_bookings SET body = ? WHERE id IN ({marks})");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(update)).bind(vec![b'y'; BODY_BYTES]);
            for id in ids {
                query = query.bind(id.as_bytes().to_vec());
            }
            query.execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// What was confirmed need not be sent again.
    pub(super) async fn forget(&self, ids: &[Uuid], no: u32) -> anyhow::Result<()> {
        let marks = marks("?", ids.len());
        let delete = format!("DELETE FROM bare_outbox WHERE id IN ({marks}) AND no DIV 10 = ?");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(delete));
        for id in ids {
            query = query.bind(id.as_bytes().to_vec());
        }
        query.bind(no).execute(&self.0).await?;
        Ok(())
    }
}

async fn insert(
    tx: &mut Transaction<'_, MySql>,
    table: &str,
    ids: &[Uuid],
    no: u32,
    rows: usize,
) -> anyhow::Result<()> {
    let marks = marks("(?, ?, ?)", ids.len() * rows);
    let insert = format!("INSERT INTO {table} VALUES {marks}");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(insert));
    for id in ids {
        for row in 0..rows {
            query = query
                .bind(id.as_bytes().to_vec())
                .bind(no * 10 + u32::try_from(row)?)
                .bind(vec![b'x'; BODY_BYTES]);
        }
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

fn marks(one: &str, count: usize) -> String {
    vec![one; count].join(",")
}

async fn run(pool: &MySqlPool, statement: String) -> anyhow::Result<()> {
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
    statement.execute(pool).await?;
    Ok(())
}
