//! What the database says of itself and of the bookings.

use anyhow::Context as _;
use boxoffice_contracts::ShowId;
use sqlx::{
    MySqlPool, Row as _,
    mysql::{MySqlPoolOptions, MySqlRow},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Counters of the server that are told per booking.
const COUNTERS: [(&str, &str); 7] = [
    ("Com_commit", "sql.commits"),
    ("Com_stmt_execute", "sql.prepared"),
    ("Questions", "sql.questions"),
    ("Innodb_os_log_fsyncs", "sql.log_fsyncs"),
    ("Innodb_data_fsyncs", "sql.data_fsyncs"),
    ("Bytes_received", "sql.received_bytes"),
    ("Bytes_sent", "sql.sent_bytes"),
];
/// A key, a number, and as many bytes as such a row has.
const PARTS: [(&str, &str); 4] = [
    ("part_inbox", PART),
    ("part_bookings", PART),
    ("part_claims", PART),
    ("part_outbox", PART),
];
const PART: &str =
    "id BINARY(16) NOT NULL, no INT UNSIGNED NOT NULL, body BLOB NOT NULL, PRIMARY KEY (id, no)";
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Clone)]
pub(crate) struct Database(MySqlPool);

/// At one moment.
#[derive(Debug)]
pub(crate) struct Counters(BTreeMap<&'static str, f64>);

impl Database {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let pool = MySqlPoolOptions::new().max_connections(2);
        Ok(Self(pool.connect(url).await.context("mysql")?))
    }

    pub(crate) async fn counters(&self) -> anyhow::Result<Counters> {
        let rows = sqlx::query("SHOW GLOBAL STATUS").fetch_all(&self.0).await?;
        let mut found = BTreeMap::new();
        for row in rows {
            let name: String = row.try_get(0)?;
            let known = COUNTERS.iter().find(|(counter, _)| *counter == name);
            if let Some((_, told)) = known {
                let value: String = row.try_get(1)?;
                found.insert(*told, value.parse()?);
            }
        }
        Ok(Counters(found))
    }

    /// Shows whose slug in the catalogue is this, or begins so; an import adds the date.
    pub(crate) async fn shows(&self, slug: &str) -> anyhow::Result<Vec<ShowId>> {
        let rows = sqlx::query("SELECT id FROM shows WHERE slug LIKE ? ORDER BY slug")
            .bind(format!("{slug}-%"))
            .fetch_all(&self.0)
            .await?;
        let id = |row: &MySqlRow| -> anyhow::Result<ShowId> {
            let bytes: Vec<u8> = row.try_get(0)?;
            Ok(ShowId(Uuid::from_slice(&bytes)?))
        };
        rows.iter().map(id).collect()
    }

    /// Tables of the shape that a booking's have.
    pub(crate) async fn make_parts(&self) -> anyhow::Result<()> {
        for (table, columns) in PARTS {
            let create = format!("CREATE TABLE {table} ({columns}) ENGINE=InnoDB");
            sqlx::raw_sql(sqlx::AssertSqlSafe(create))
                .execute(&self.0)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn drop_parts(&self) -> anyhow::Result<()> {
        for (table, _) in PARTS {
            let drop = format!("DROP TABLE {table}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
                .execute(&self.0)
                .await?;
        }
        Ok(())
    }

    /// What so many bookings write at least, in one transaction, with one statement a table.
    pub(crate) async fn write_parts(&self, bookings: usize) -> anyhow::Result<()> {
        let ids: Vec<Uuid> = (0..bookings).map(|_| Uuid::now_v7()).collect();
        let body = [b'x'; 400];
        let mut tx = self.0.begin().await?;
        for (table, rows) in [
            ("part_inbox", 1),
            ("part_bookings", 1),
            ("part_claims", 2),
            ("part_outbox", 2),
        ] {
            let marks = vec!["(?, ?, ?)"; bookings * rows].join(",");
            let insert = format!("INSERT INTO {table} VALUES {marks}");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(insert));
            for (id, row) in ids
                .iter()
                .flat_map(|id| (0..rows).map(move |row| (id, row)))
            {
                let row = u32::try_from(row)?;
                query = query
                    .bind(id.as_bytes().as_slice())
                    .bind(row)
                    .bind(body.as_slice());
            }
            query.execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// A number that a statement answers with.
    pub(crate) async fn count(&self, query: &'static str) -> anyhow::Result<i64> {
        let row = sqlx::query(query).fetch_one(&self.0).await?;
        Ok(row.try_get(0)?)
    }

    /// Waits until so many bookings have their mail.
    pub(crate) async fn until_mailed(
        &self,
        bookings: usize,
        stuck_max: Duration,
    ) -> anyhow::Result<()> {
        let mails = "SELECT COUNT(*) FROM mails WHERE state = 'sent'";
        self.until(mails, i64::try_from(bookings)?, stuck_max).await
    }

    /// Waits until a number is reached, or doesn't grow for a while.
    pub(crate) async fn until(
        &self,
        query: &'static str,
        wanted: i64,
        stuck_max: Duration,
    ) -> anyhow::Result<()> {
        let (mut seen, mut since) = (-1, Instant::now());
        loop {
            let now = self.count(query).await?;
            if now >= wanted {
                return Ok(());
            }
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            anyhow::ensure!(
                since.elapsed() < stuck_max,
                "{query}: {now} of {wanted}, and then nothing happened"
            );
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Counters {
    /// By name, per booking.
    pub(crate) fn until(&self, end: &Self, bookings: usize) -> BTreeMap<&'static str, f64> {
        let each = |name: &&'static str| {
            let before = self.0.get(*name).copied().unwrap_or_default();
            let after = end.0.get(*name).copied().unwrap_or_default();
            (after - before) / bookings.max(1) as f64
        };
        self.0.keys().map(|name| (*name, each(name))).collect()
    }
}
