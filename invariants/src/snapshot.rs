//! What one moment looks like: a read-only transaction, in which every statement sees the same.

use boxoffice_contracts::Instant;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, QueryResult, Statement, TransactionTrait, Value,
};

/// An open snapshot; dropped, it is rolled back.
pub(crate) struct Snapshot(DatabaseTransaction);

impl Snapshot {
    /// Sessions of the pool read what is committed; this transaction alone reads repeatably.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn open(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let db = db.clone();
        // Never cancelled between `SET TRANSACTION` and `BEGIN`: the next borrower would get what was set.
        let begun = tokio::spawn(async move {
            let level = Some(IsolationLevel::RepeatableRead);
            db.begin_with_config(level, Some(AccessMode::ReadOnly))
                .await
        });
        match begun.await {
            Ok(begun) => Ok(Self(begun?)),
            Err(stopped) => Err(DbErr::Custom(format!("snapshot: {stopped}"))),
        }
    }

    pub(crate) const fn db(&self) -> &DatabaseTransaction {
        &self.0
    }

    /// The database's clock, in UTC.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn now(&self) -> Result<Instant, DbErr> {
        let row = self.one("SELECT UTC_TIMESTAMP(6) AS at", []).await?;
        let naive: chrono::NaiveDateTime = row.try_get("", "at")?;
        Ok(naive.and_utc())
    }

    pub(crate) async fn all(
        &self,
        query: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let ask = Statement::from_sql_and_values(DbBackend::MySql, query, values);
        self.0.query_all_raw(ask).await
    }

    pub(crate) async fn one(
        &self,
        query: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<QueryResult, DbErr> {
        let ask = Statement::from_sql_and_values(DbBackend::MySql, query, values);
        let row = self.0.query_one_raw(ask).await?;
        row.ok_or_else(|| DbErr::RecordNotFound(query.to_owned()))
    }

    /// # Errors
    /// When the database refuses; nothing was written, so nothing is lost.
    pub(crate) async fn close(self) -> Result<(), DbErr> {
        self.0.rollback().await
    }
}
