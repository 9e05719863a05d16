//! Who waits for a lock, in the words of either server.

use crate::books;
use sea_orm::DatabaseConnection;

/// What to count for those who wait to read a row of `shows` that another transaction holds.
///
/// MySQL 9 fails to list a statement with binary values; there any wait counts, whosever it is.
pub async fn readers_of_shows(db: &DatabaseConnection) -> &'static str {
    let version = books::texts(db, "SELECT VERSION()").await;
    if version[0].contains("MariaDB") {
        "information_schema.processlist WHERE info LIKE '%LOCK IN SHARE MODE%' AND info LIKE '%shows%' \
         AND info NOT LIKE '%processlist%'"
    } else {
        "information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
    }
}
