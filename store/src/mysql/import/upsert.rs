//! Writes a row by its id and tells what that changed.
//!
//! The server compares: the counts of `ON DUPLICATE KEY UPDATE` don't tell a change from a repetition under
//! this driver, which asks for found rows.

use super::Change;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

/// A column and what it should hold.
pub(in crate::mysql) struct Cell {
    column: &'static str,
    value: Value,
    /// How the server writes JSON is its own affair: lists are compared when they are read again.
    list: Option<serde_json::Value>,
}

pub(in crate::mysql) fn cell(column: &'static str, value: impl Into<Value>) -> Cell {
    Cell {
        column,
        value: value.into(),
        list: None,
    }
}

pub(in crate::mysql) fn json_list(column: &'static str, list: &[String]) -> Cell {
    let list = serde_json::json!(list);
    Cell {
        column,
        value: list.to_string().into(),
        list: Some(list),
    }
}

/// Inserts the row, or changes it where it differs. It is locked until the transaction ends.
pub(in crate::mysql) async fn upsert(
    db: &impl ConnectionTrait,
    table: &str,
    id: Uuid,
    cells: &[Cell],
) -> Result<Change, DbErr> {
    let plain = || cells.iter().filter(|cell| cell.list.is_none());
    let lists: Vec<&Cell> = cells.iter().filter(|cell| cell.list.is_some()).collect();
    let tests: Vec<String> = plain().map(|c| format!("({} <=> ?)", c.column)).collect();
    let compared = plain()
        .map(|cell| cell.value.clone())
        .chain([id.into()])
        .collect::<Vec<_>>();
    let same = tests.join(" AND ");
    let columns: String = lists.iter().map(|c| format!(", {}", c.column)).collect();
    let ask = format!(
        "SELECT CAST({same} AS SIGNED) AS same{columns} FROM {table} WHERE id = ? FOR UPDATE"
    );
    let there = db
        .query_one_raw(Statement::from_sql_and_values(
            DbBackend::MySql,
            ask,
            compared,
        ))
        .await?;
    let is_same = match &there {
        Some(row) => {
            let mut same = row.try_get::<i64>("", "same")? == 1;
            for list in lists {
                let stored: Option<serde_json::Value> = row.try_get("", list.column)?;
                same &= stored.as_ref() == list.list.as_ref();
            }
            same
        }
        None => false,
    };

    let values = cells
        .iter()
        .map(|cell| cell.value.clone())
        .chain([id.into()]);
    let names: Vec<&str> = cells.iter().map(|cell| cell.column).collect();
    let (write, change) = match there {
        Some(_) if is_same => return Ok(Change::Unchanged),
        Some(_) => {
            let set = names
                .iter()
                .map(|name| format!("{name} = ?"))
                .collect::<Vec<_>>()
                .join(", ");
            (
                format!("UPDATE {table} SET {set} WHERE id = ?"),
                Change::Updated,
            )
        }
        None => {
            let marks = vec!["?"; names.len() + 1].join(", ");
            (
                format!(
                    "INSERT INTO {table} ({}, id) VALUES ({marks})",
                    names.join(", ")
                ),
                Change::Created,
            )
        }
    };
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::MySql,
        write,
        values,
    ))
    .await?;
    Ok(change)
}
