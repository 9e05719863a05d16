//! Seating plans in the format of pretix: who may sit where, before anything is stored.
//!
//! A plan is taken whole or refused whole. A refusal lists what is wrong and where, so that the plan can be
//! mended in one go. Keys that we don't know are passed over: other programs add their own.

mod reader;

use boxoffice_contracts::{SeatId, id::SEAT_ID_BYTES_MAX};
use reader::{Node, Problems};
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Largest file, in bytes.
pub const PLAN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most seats of a plan.
pub const SEATS_MAX: usize = 20_000;
/// Deepest nesting; a plan needs ten levels, MongoDB takes a hundred.
const DEPTH_MAX: usize = 64;
/// Most categories, zones of a plan and rows of a zone.
const PARTS_MAX: usize = 1_000;
/// Most problems that are listed; a plan with more is beyond mending by list.
pub const PROBLEMS_MAX: usize = 100;
/// Farthest coordinate from the corner, in the plan's own unit.
const COORDINATE_MAX: f64 = 1_000_000.0;

/// Something wrong with an imported file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// RFC 6901.
    pub pointer: String,
    /// Stable, for programs.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

/// A plan that may be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SeatingPlan {
    pub name: String,
    pub categories: Vec<Category>,
    /// In the order of the file.
    pub seats: Vec<PlannedSeat>,
    /// The file as it was, for pages that draw it.
    pub document: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    pub name: String,
    pub color: Option<String>,
}

/// A seat with its place counted from the corner of the hall.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSeat {
    pub id: SeatId,
    pub zone: String,
    pub row: String,
    pub number: String,
    pub category: String,
    pub x: f64,
    pub y: f64,
}

/// Reads a plan.
///
/// # Errors
/// What is wrong with it; nothing of it may be stored then.
pub fn parse(bytes: &[u8]) -> Result<SeatingPlan, Vec<Problem>> {
    let mut problems = Problems::default();
    if bytes.len() > PLAN_BYTES_MAX {
        problems.add("", "too_large", format!("at most {PLAN_BYTES_MAX} bytes"));
        return Err(problems.into_list());
    }
    let document: Value = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(error) => {
            problems.add("", "not_json", error.to_string());
            return Err(problems.into_list());
        }
    };
    if depth(&document) > DEPTH_MAX {
        problems.add("", "too_deep", format!("at most {DEPTH_MAX} levels"));
        return Err(problems.into_list());
    }
    let mut draft = Draft {
        problems,
        ..Draft::default()
    };
    let name = draft.plan(&Node::root(&document));
    if draft.problems.is_empty() {
        let Draft {
            categories, seats, ..
        } = draft;
        return Ok(SeatingPlan {
            name,
            categories,
            seats,
            document,
        });
    }
    Err(draft.problems.into_list())
}

/// Levels of nesting. Bounded: `serde_json` refuses more than 128.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    problems: Problems,
    categories: Vec<Category>,
    names: HashSet<String>,
    seats: Vec<PlannedSeat>,
    /// Where each seat was seen first.
    seen: HashMap<String, String>,
}

impl Draft {
    fn plan(&mut self, root: &Node<'_>) -> String {
        let name = root.text("name", 200, &mut self.problems);
        for category in root.list("categories", PARTS_MAX, &mut self.problems) {
            self.category(&category);
        }
        for zone in root.list("zones", PARTS_MAX, &mut self.problems) {
            self.zone(&zone);
        }
        if self.seats.is_empty() && self.problems.is_empty() {
            self.problems
                .add("/zones", "no_seats", "a plan has at least one seat");
        }
        name.unwrap_or_default()
    }

    fn category(&mut self, node: &Node<'_>) {
        let Some(name) = node.text("name", 64, &mut self.problems) else {
            return;
        };
        if !self.names.insert(name.clone()) {
            let detail = format!("category {name:?} is declared twice");
            self.problems
                .add(&node.at("name"), "category_repeated", detail);
            return;
        }
        let color = node.optional_text("color", 32, &mut self.problems);
        self.categories.push(Category { name, color });
    }

    fn zone(&mut self, node: &Node<'_>) {
        let name = node
            .text("name", 100, &mut self.problems)
            .unwrap_or_default();
        let corner = node.position(&mut self.problems);
        for row in node.list("rows", PARTS_MAX, &mut self.problems) {
            self.row(&row, &name, corner);
        }
    }

    fn row(&mut self, node: &Node<'_>, zone: &str, corner: (f64, f64)) {
        let label = node
            .text("row_number", 32, &mut self.problems)
            .unwrap_or_default();
        let (x, y) = node.position(&mut self.problems);
        let corner = (corner.0 + x, corner.1 + y);
        for seat in node.list("seats", SEATS_MAX, &mut self.problems) {
            if self.problems.is_full() {
                return;
            }
            if self.seats.len() == SEATS_MAX {
                let detail = format!("at most {SEATS_MAX} seats");
                self.problems
                    .add_once(seat.pointer(), "too_many_seats", detail);
                return;
            }
            self.seat(&seat, zone, &label, corner);
        }
    }

    fn seat(&mut self, node: &Node<'_>, zone: &str, row: &str, corner: (f64, f64)) {
        let guid = node.text("seat_guid", SEAT_ID_BYTES_MAX, &mut self.problems);
        let number = node.text("seat_number", 32, &mut self.problems);
        let category = node.text("category", 64, &mut self.problems);
        let (x, y) = node.position(&mut self.problems);
        if let Some(category) = &category
            && !self.names.contains(category)
        {
            let detail = format!("no category {category:?} is declared");
            self.problems
                .add(&node.at("category"), "category_undeclared", detail);
        }
        let Some(guid) = guid else { return };
        let id = match SeatId::new(guid.as_str()) {
            Ok(id) => id,
            Err(error) => {
                self.problems.add(
                    &node.at("seat_guid"),
                    "seat_guid_malformed",
                    error.to_string(),
                );
                return;
            }
        };
        if let Some(first) = self.seen.get(&guid) {
            let detail = format!("{guid:?} is also the seat at {first}");
            self.problems
                .add(&node.at("seat_guid"), "seat_guid_repeated", detail);
            return;
        }
        self.seen.insert(guid, node.pointer().to_owned());
        if let (Some(number), Some(category)) = (number, category) {
            let (x, y) = (corner.0 + x, corner.1 + y);
            let (zone, row) = (zone.to_owned(), row.to_owned());
            self.seats.push(PlannedSeat {
                id,
                zone,
                row,
                number,
                category,
                x,
                y,
            });
        }
    }
}

#[cfg(test)]
mod tests;
