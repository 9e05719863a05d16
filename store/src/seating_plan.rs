//! Seating plans in the format of pretix, and the areas without seats that it has no word for: who may be where,
//! before anything is stored.
//!
//! A plan is taken whole or refused whole. A refusal lists what is wrong and where, so that the plan can be
//! mended in one go. Keys that we don't know are passed over: other programs add their own.

use crate::reading::{self, Node, Problem, Problems};
use boxoffice_contracts::{SeatId, id::SEAT_ID_BYTES_MAX};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// Most seats of a plan.
pub const SEATS_MAX: usize = 20_000;
/// Most places of an area.
pub const CAPACITY_MAX: i64 = 100_000;
/// Most categories, zones and areas of a plan and rows of a zone.
const PARTS_MAX: usize = 1_000;
/// Farthest coordinate from the corner, in the plan's own unit.
const COORDINATE_MAX: f64 = 1_000_000.0;

/// A plan that may be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SeatingPlan {
    pub name: String,
    pub categories: Vec<Category>,
    /// In the order of the file.
    pub seats: Vec<PlannedSeat>,
    /// Places without numbers, in the order of the file.
    pub areas: Vec<PlannedArea>,
    /// Of what the file says, however it is written: order of keys and white space don't count.
    pub sha256: [u8; 32],
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

/// A part of the hall where nobody has a place of their own: general admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedArea {
    pub name: String,
    /// No seat and no other area has it: the places are counted by it.
    pub category: String,
    pub capacity: u32,
}

/// Reads a plan.
///
/// # Errors
/// What is wrong with it; nothing of it may be stored then.
pub fn parse(bytes: &[u8]) -> Result<SeatingPlan, Vec<Problem>> {
    let document = reading::parse(bytes).map_err(|problem| vec![problem])?;
    let mut draft = Draft::default();
    let name = draft.plan(&Node::root(&document));
    if !draft.problems.is_empty() {
        return Err(draft.problems.into_list());
    }
    let mut hash = Sha256::new();
    digest(&document, &mut hash);
    Ok(SeatingPlan {
        name,
        categories: draft.categories,
        seats: draft.seats,
        areas: draft.areas,
        sha256: hash.finalize().into(),
    })
}

/// Hashes a document as JSON without white space, keys sorted. The depth is bounded by [`reading::parse`].
fn digest(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Array(list) => {
            hash.update(b"[");
            for element in list {
                digest(element, hash);
                hash.update(b",");
            }
            hash.update(b"]");
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            hash.update(b"{");
            for (name, value) in fields {
                hash.update(Value::from(name.as_str()).to_string());
                hash.update(b":");
                digest(value, hash);
                hash.update(b",");
            }
            hash.update(b"}");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hash.update(value.to_string());
        }
    }
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    problems: Problems,
    categories: Vec<Category>,
    names: HashSet<String>,
    /// None could be read: that is wrong once, not at every seat.
    names_unknown: bool,
    seats: Vec<PlannedSeat>,
    /// Seats that were seen, good or not.
    seats_seen: usize,
    /// Where each guid was seen first.
    guids: HashMap<String, String>,
    /// Categories that seats have.
    seated: HashSet<String>,
    areas: Vec<PlannedArea>,
    /// Categories that areas have.
    standing: HashSet<String>,
}

impl Draft {
    fn plan(&mut self, root: &Node<'_>) -> String {
        let name = root.text("name", 200, &mut self.problems);
        for category in root.list("categories", PARTS_MAX, &mut self.problems) {
            self.category(&category);
        }
        self.names_unknown = self.names.is_empty() && !self.problems.is_empty();
        for zone in root.list("zones", PARTS_MAX, &mut self.problems) {
            self.zone(&zone);
        }
        for area in root.optional_list("areas", PARTS_MAX, &mut self.problems) {
            self.area(&area);
        }
        if self.seats.is_empty() && self.areas.is_empty() && self.problems.is_empty() {
            let detail = "a plan has at least one seat or area";
            self.problems.add("/zones", "no_seats", detail);
        }
        name.unwrap_or_default()
    }

    fn category(&mut self, node: &Node<'_>) {
        let name = node.text("name", 64, &mut self.problems);
        let color = node.optional_text("color", 32, &mut self.problems);
        let Some(name) = name else { return };
        // Databases may compare texts without the spaces at their end.
        let bare = name.trim() == name;
        let detail = format!("{name:?} begins or ends with a space");
        self.problems
            .demand(bare, &node.at("name"), "category_malformed", detail);
        if !self.names.insert(name.clone()) {
            let detail = format!("category {name:?} is declared twice");
            self.problems
                .add(&node.at("name"), "category_repeated", detail);
            return;
        }
        self.categories.push(Category { name, color });
    }

    /// The category that a seat or an area names, if it is declared.
    fn declared(&mut self, node: &Node<'_>) -> Option<String> {
        let category = node.text("category", 64, &mut self.problems)?;
        if self.names_unknown || self.names.contains(&category) {
            return Some(category);
        }
        let detail = format!("no category {category:?} is declared");
        self.problems
            .add(&node.at("category"), "category_undeclared", detail);
        None
    }

    fn zone(&mut self, node: &Node<'_>) {
        let name = node.text("name", 100, &mut self.problems);
        let corner = node.position(COORDINATE_MAX, &mut self.problems);
        for row in node.list("rows", PARTS_MAX, &mut self.problems) {
            self.row(&row, name.as_deref().unwrap_or_default(), corner);
        }
    }

    fn row(&mut self, node: &Node<'_>, zone: &str, corner: (f64, f64)) {
        let label = node.text("row_number", 32, &mut self.problems);
        let (x, y) = node.position(COORDINATE_MAX, &mut self.problems);
        let corner = (corner.0 + x, corner.1 + y);
        for seat in node.list("seats", usize::MAX, &mut self.problems) {
            if self.problems.is_full() {
                return;
            }
            self.seats_seen += 1;
            if self.seats_seen > SEATS_MAX {
                // It would be wrong again at every seat that follows.
                if self.seats_seen == SEATS_MAX + 1 {
                    let detail = format!("at most {SEATS_MAX} seats");
                    self.problems.add(seat.pointer(), "too_many_seats", detail);
                }
                return;
            }
            self.seat(&seat, zone, label.as_deref().unwrap_or_default(), corner);
        }
    }

    fn seat(&mut self, node: &Node<'_>, zone: &str, row: &str, corner: (f64, f64)) {
        let guid = node.text("seat_guid", SEAT_ID_BYTES_MAX, &mut self.problems);
        let number = node.text("seat_number", 32, &mut self.problems);
        let category = self.declared(node);
        let (x, y) = node.required_position(COORDINATE_MAX, &mut self.problems);
        if let Some(category) = &category
            && !self.seated.contains(category)
        {
            self.seated.insert(category.clone());
        }
        let Some(id) = guid.and_then(|guid| self.guid(guid, node)) else {
            return;
        };
        if let (Some(number), Some(category)) = (number, category) {
            self.seats.push(PlannedSeat {
                id,
                zone: zone.to_owned(),
                row: row.to_owned(),
                number,
                category,
                x: corner.0 + x,
                y: corner.1 + y,
            });
        }
    }

    /// The name of a seat, if no other seat has it.
    fn guid(&mut self, guid: String, node: &Node<'_>) -> Option<SeatId> {
        let at = node.at("seat_guid");
        let id = match SeatId::new(guid.as_str()) {
            Ok(id) => id,
            Err(error) => {
                self.problems
                    .add(&at, "seat_guid_malformed", error.to_string());
                return None;
            }
        };
        if let Some(first) = self.guids.get(&guid) {
            let detail = format!("{guid:?} is also the seat at {first}");
            self.problems.add(&at, "seat_guid_repeated", detail);
            return None;
        }
        self.guids.insert(guid, node.pointer().to_owned());
        Some(id)
    }

    fn area(&mut self, node: &Node<'_>) {
        let name = node.text("name", 100, &mut self.problems);
        let category = self.declared(node);
        let capacity = node.whole("capacity", 1..=CAPACITY_MAX, &mut self.problems);
        let at = node.at("category");
        if let Some(category) = &category {
            if self.seated.contains(category) {
                let detail = format!("seats have the category {category:?} too");
                self.problems.add(&at, "category_mixed", detail);
            }
            if !self.standing.insert(category.clone()) {
                let detail = format!("another area has the category {category:?}");
                self.problems.add(&at, "area_category_repeated", detail);
            }
        }
        let capacity = capacity.and_then(|places| u32::try_from(places).ok());
        if let (Some(name), Some(category), Some(capacity)) = (name, category, capacity) {
            self.areas.push(PlannedArea {
                name,
                category,
                capacity,
            });
        }
    }
}

#[cfg(test)]
mod tests;
