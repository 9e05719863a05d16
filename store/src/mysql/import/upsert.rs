//! Writes a row by its id and tells what that changed.
//!
//! The server compares: the counts of `ON DUPLICATE KEY UPDATE` don't tell a change from a repetition under
//! this driver, which asks for found rows.

use super::Change;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

/// A column and what it should hold.
pub(super) struct Cell {
    column: &'static str,
    value: Value,
    /// How the server writes JSON is its own affair: lists are compared by their elements.
    json: bool,
}

pub(super) fn cell(column: &'static str, value: impl Into<Value>) -> Cell {
    Cell {
        column,
        value: value.into(),
        json: false,
    }
}

pub(super) fn json_list(column: &'static str, list: &[String]) -> Cell {
    Cell {
        column,
        value: serde_json::json!(list).to_string().into(),
        json: true,
    }
}

/// Inserts the row, or changes it where it differs. It is locked until the transaction ends.
pub(super) async fn upsert(
    db: &impl ConnectionTrait,
    table: &str,
    id: Uuid,
    cells: &[Cell],
) -> Result<Change, DbErr> {
    let (mut tests, mut compared) = (Vec::new(), Vec::new());
    for Cell {
        column,
        value,
        json,
    } in cells
    {
        if *json {
            tests.push(format!(
                "(JSON_CONTAINS({column}, ?) AND JSON_LENGTH({column}) = JSON_LENGTH(?))"
            ));
            compared.extend([value.clone(), value.clone()]);
        } else {
            tests.push(format!("({column} <=> ?)"));
            compared.push(value.clone());
        }
    }
    compared.push(id.into());
    let same = tests.join(" AND ");
    let ask = format!("SELECT CAST({same} AS SIGNED) AS same FROM {table} WHERE id = ? FOR UPDATE");
    let there = db
        .query_one_raw(Statement::from_sql_and_values(
            DbBackend::MySql,
            ask,
            compared,
        ))
        .await?;

    let values = cells
        .iter()
        .map(|cell| cell.value.clone())
        .chain([id.into()]);
    let names: Vec<&str> = cells.iter().map(|cell| cell.column).collect();
    let (write, change) = match there {
        Some(row) if row.try_get::<i64>("", "same")? == 1 => return Ok(Change::Unchanged),
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
