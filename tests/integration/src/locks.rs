//! Who waits for a lock, in the words of either server. The list of processes can't tell: MySQL 9 fails to show
//! statements with binary values.

use crate::books;
use sea_orm::DatabaseConnection;

/// What to count for those who wait for a lock on a table.
pub async fn waiting(db: &DatabaseConnection, schema: &str, table: &str) -> String {
    let version = books::texts(db, "SELECT VERSION()").await;
    if version[0].contains("MariaDB") {
        format!("information_schema.innodb_locks WHERE lock_table = '`{schema}`.`{table}`'")
    } else {
        format!(
            "performance_schema.data_locks WHERE object_schema = '{schema}' AND object_name = '{table}' \
             AND lock_status = 'WAITING'"
        )
    }
}
