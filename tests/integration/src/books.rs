//! Small questions to the database, in the words of a test.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// `SELECT COUNT(*) FROM` whatever follows.
pub async fn count(db: &DatabaseConnection, from: &str) -> u64 {
    let ask = Statement::from_string(
        DbBackend::MySql,
        format!("SELECT COUNT(*) AS n FROM {from}"),
    );
    let row = db.query_one_raw(ask).await.unwrap().unwrap();
    u64::try_from(row.try_get::<i64>("", "n").unwrap()).unwrap()
}

/// The first column of each row, as text.
pub async fn texts(db: &DatabaseConnection, query: &str) -> Vec<String> {
    let ask = Statement::from_string(DbBackend::MySql, query.to_owned());
    let rows = db.query_all_raw(ask).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}
