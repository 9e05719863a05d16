//! Who waits for a lock, in the words of either server.
//!
//! MySQL 9 fails to list a statement with binary values, but it has a table of locks.

use crate::books;
use sea_orm::DatabaseConnection;

/// What to count for statements of this schema that have been under way for a second: they wait for a row lock.
pub(crate) async fn waiting(db: &DatabaseConnection) -> &'static str {
    if is_mariadb(db).await {
        "information_schema.processlist WHERE db = DATABASE() AND command IN ('Query', 'Execute') AND time >= 1 \
         AND id <> CONNECTION_ID()"
    } else {
        "performance_schema.data_locks WHERE lock_status = 'WAITING' AND object_schema = DATABASE()"
    }
}

async fn is_mariadb(db: &DatabaseConnection) -> bool {
    let version = books::texts(db, "SELECT VERSION()").await;
    version[0].contains("MariaDB")
}

/// What to count for those who wait to read a row of `shows` that another transaction holds.
pub async fn readers_of_shows(db: &DatabaseConnection) -> &'static str {
    if is_mariadb(db).await {
        "information_schema.processlist WHERE info LIKE '%LOCK IN SHARE MODE%' AND info LIKE '%shows%' \
         AND info NOT LIKE '%processlist%'"
    } else {
        "performance_schema.data_locks WHERE lock_status = 'WAITING' AND object_name = 'shows' \
         AND object_schema = DATABASE()"
    }
}
