//! Answers for people: columns as wide as what is in them.

use crate::commands::say;
use serde_json::Value;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Said instead of an empty table.
    empty: &'static str,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str], empty: &'static str) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
            empty,
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines; numbers stand to the right.
    pub(crate) fn lines(&self) -> Vec<String> {
        if self.rows.is_empty() {
            return vec![self.empty.to_owned()];
        }
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| cell.chars().count());
            cells
                .max()
                .unwrap_or(0)
                .max(self.headings[column].chars().count())
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let headings = self.headings.iter().map(|heading| (*heading).to_owned());
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let mut line = String::new();
            for (cell, width) in cells.zip(&widths) {
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let right = cell.bytes().next().is_some_and(|b| b.is_ascii_digit())
                    && cell
                        .bytes()
                        .all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
                line.push_str(&if right {
                    padding + &cell
                } else {
                    cell + &padding
                });
                line.push_str("  ");
            }
            line.trim_end().to_owned()
        };
        let mut lines = vec![line(&mut headings.into_iter())];
        for row in &self.rows {
            lines.push(line(&mut row.iter().cloned()));
        }
        lines
    }
}

/// Prints the answer itself, or what `table` makes of it.
pub(crate) fn show(format: Format, answer: &Value, table: impl FnOnce(&Value) -> Table) {
    match format {
        Format::Json => say(&format!("{answer:#}")),
        Format::Table => table(answer).lines().iter().for_each(|line| say(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["queue", "ready"], "no queues");
        assert_eq!(table.lines(), ["no queues"]);
        table.row(vec!["mail".to_owned(), "7".to_owned()]);
        table.row(vec!["reservations".to_owned(), "1200".to_owned()]);
        assert_eq!(
            table.lines(),
            [
                "queue         ready",
                "mail              7",
                "reservations   1200"
            ]
        );
    }
}
