//! Who waits for a lock, in the words of either server.

use crate::books;
use sea_orm::DatabaseConnection;

/// What to count for those who wait to read a row that another transaction holds.
///
/// MySQL 9 fails to show a statement with binary values in `information_schema`; MariaDB has no other list.
pub async fn readers_waiting(db: &DatabaseConnection, schema: &str, table: &str) -> String {
    let version = books::texts(db, "SELECT VERSION()").await;
    let list = if version[0].contains("MariaDB") {
        "information_schema.processlist"
    } else {
        "performance_schema.processlist"
    };
    format!(
        "{list} WHERE db = '{schema}' AND info LIKE '%LOCK IN SHARE MODE%' AND info LIKE '%{table}%' \
         AND info NOT LIKE '%processlist%'"
    )
}
