//! How the database's schema stands to this program: two versions run side by side during an upgrade.

use anyhow::{Context as _, Result, bail};
use boxoffice_migrations::{Migrator, MigratorTrait as _};
use boxoffice_runtime::failure::mysql_number;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr, Statement};
use std::collections::BTreeSet;

/// The table that a fresh database lacks.
const NO_SUCH_TABLE: u16 = 1146;

/// Names of migrations, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Same,
    /// The program's migrations that the database doesn't have yet: it cannot work with it.
    Behind(Vec<String>),
    /// The database's that the program doesn't know: it is the older one of two, and goes on.
    Ahead(Vec<String>),
}

/// Asks the database.
///
/// # Errors
/// It does not answer, or refuses.
pub(crate) async fn standing(db: &DatabaseConnection) -> Result<Standing, DbErr> {
    let known = Migrator::migrations();
    let known = known.iter().map(|migration| migration.name().to_owned());
    Ok(compare(known.collect(), applied(db).await?))
}

/// For a process that is about to serve: refuses a schema that it could only fail on.
///
/// # Errors
/// What is missing, and what to do.
pub(crate) async fn require(db: &DatabaseConnection) -> Result<()> {
    match standing(db).await.context("mysql: which schema it has")? {
        Standing::Same => {}
        Standing::Behind(missing) => bail!("{}", told_behind(&missing)),
        Standing::Ahead(unknown) => {
            tracing::info!(
                migrations = unknown.join(" "),
                "the schema is newer than this program"
            );
        }
    }
    Ok(())
}

/// For whoever would change it: an older program must not.
///
/// # Errors
/// What it does not know.
pub(crate) async fn require_known(db: &DatabaseConnection) -> Result<()> {
    if let Standing::Ahead(unknown) = standing(db).await.context("mysql")? {
        bail!(
            "{}; the newer program's `boxoffice migrate` is the one to run",
            told_ahead(&unknown)
        );
    }
    Ok(())
}

pub(crate) fn told_behind(missing: &[String]) -> String {
    format!(
        "mysql: {} migrations are pending ({}); run `boxoffice migrate`",
        missing.len(),
        missing.join(", ")
    )
}

pub(crate) fn told_ahead(unknown: &[String]) -> String {
    format!(
        "mysql: the schema is newer than this program, which does not know {}",
        unknown.join(", ")
    )
}

/// What is missing weighs more than what is unknown.
fn compare(known: BTreeSet<String>, applied: BTreeSet<String>) -> Standing {
    let only = |of: &BTreeSet<String>, beside: &BTreeSet<String>| -> Vec<String> {
        of.difference(beside).cloned().collect()
    };
    let missing = only(&known, &applied);
    let unknown = only(&applied, &known);
    if !missing.is_empty() {
        Standing::Behind(missing)
    } else if !unknown.is_empty() {
        Standing::Ahead(unknown)
    } else {
        Standing::Same
    }
}

/// Read only: a process that serves needs no right to create a table.
async fn applied(db: &DatabaseConnection) -> Result<BTreeSet<String>, DbErr> {
    let query = Statement::from_string(
        db.get_database_backend(),
        "SELECT version FROM seaql_migrations",
    );
    match db.query_all_raw(query).await {
        Ok(rows) => rows.iter().map(|row| row.try_get_by_index(0)).collect(),
        Err(error) if mysql_number(&error) == Some(NO_SUCH_TABLE) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_missing_weighs_more_than_what_is_unknown() {
        let list = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        for (known, applied, standing) in [
            (&["a", "b"][..], &["a", "b"][..], Standing::Same),
            (&["a", "b"], &["a"], Standing::Behind(list(&["b"]))),
            (&["a", "b"], &[], Standing::Behind(list(&["a", "b"]))),
            (&["a"], &["a", "b"], Standing::Ahead(list(&["b"]))),
            (&["a", "b"], &["a", "c"], Standing::Behind(list(&["b"]))),
        ] {
            assert_eq!(compare(names(known), names(applied)), standing);
        }
    }
}
