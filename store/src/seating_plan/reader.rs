//! Reads fields of a JSON document and remembers where each stands and what was wrong with it.

use super::{COORDINATE_MAX, PROBLEMS_MAX, Problem};
use serde_json::Value;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        let told = self
            .0
            .iter()
            .any(|problem| problem.pointer == pointer && problem.code == code);
        if !told && !self.is_full() {
            let (pointer, detail) = (pointer.to_owned(), detail.into());
            self.0.push(Problem {
                pointer,
                code,
                detail,
            });
        }
    }

    /// For what would be wrong again at every following place.
    pub(super) fn add_once(
        &mut self,
        pointer: &str,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        if !self.0.iter().any(|problem| problem.code == code) {
            self.add(pointer, code, detail);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= PROBLEMS_MAX
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.0
    }
}

/// A value and where it stands.
pub(super) struct Node<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    pub(super) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Where a field of this object stands.
    pub(super) fn at(&self, field: &str) -> String {
        format!("{}/{field}", self.pointer)
    }

    /// A text of 1 to `bytes_max` bytes without control characters.
    pub(super) fn text(
        &self,
        field: &str,
        bytes_max: usize,
        problems: &mut Problems,
    ) -> Option<String> {
        let value = self.field(field, problems)?;
        let Some(text) = value.as_str() else {
            self.mistyped(field, "a string", value, problems);
            return None;
        };
        let fault = if text.trim().is_empty() {
            Some(("text_empty", "must not be empty".to_owned()))
        } else if text.len() > bytes_max {
            Some(("text_too_long", format!("at most {bytes_max} bytes")))
        } else if text.chars().any(char::is_control) {
            Some(("text_malformed", "no control characters".to_owned()))
        } else {
            None
        };
        match fault {
            Some((code, detail)) => {
                problems.add(&self.at(field), code, detail);
                None
            }
            None => Some(text.to_owned()),
        }
    }

    /// As [`Node::text`], for a field that may be left out or null.
    pub(super) fn optional_text(
        &self,
        field: &str,
        bytes_max: usize,
        problems: &mut Problems,
    ) -> Option<String> {
        match self.value.get(field) {
            None | Some(Value::Null) => None,
            Some(_) => self.text(field, bytes_max, problems),
        }
    }

    /// The elements of a list; none when it is missing or no list.
    pub(super) fn list(
        &self,
        field: &str,
        len_max: usize,
        problems: &mut Problems,
    ) -> Vec<Node<'a>> {
        let Some(value) = self.field(field, problems) else {
            return Vec::new();
        };
        let Some(elements) = value.as_array() else {
            self.mistyped(field, "a list", value, problems);
            return Vec::new();
        };
        if elements.len() > len_max {
            problems.add(
                &self.at(field),
                "list_too_long",
                format!("at most {len_max} elements"),
            );
            return Vec::new();
        }
        let at = self.at(field);
        let node = |(index, value)| Node {
            value,
            pointer: format!("{at}/{index}"),
        };
        elements.iter().enumerate().map(node).collect()
    }

    /// The field `position`: `{x, y}` in the unit of the plan. Left out, it is the parent's corner.
    pub(super) fn position(&self, problems: &mut Problems) -> (f64, f64) {
        let position = match self.value.get("position") {
            None | Some(Value::Null) => return (0.0, 0.0),
            Some(value) if value.is_object() => Node {
                value,
                pointer: self.at("position"),
            },
            Some(value) => {
                self.mistyped("position", "an object", value, problems);
                return (0.0, 0.0);
            }
        };
        (
            position.coordinate("x", problems),
            position.coordinate("y", problems),
        )
    }

    fn coordinate(&self, field: &str, problems: &mut Problems) -> f64 {
        let Some(value) = self.field(field, problems) else {
            return 0.0;
        };
        match value.as_f64() {
            Some(number) if number.abs() <= COORDINATE_MAX => number,
            Some(_) => {
                problems.add(
                    &self.at(field),
                    "number_out_of_range",
                    format!("at most {COORDINATE_MAX}"),
                );
                0.0
            }
            None => {
                self.mistyped(field, "a number", value, problems);
                0.0
            }
        }
    }

    fn field(&self, field: &str, problems: &mut Problems) -> Option<&'a Value> {
        if !self.value.is_object() {
            let detail = format!("must be an object, is {}", name_of(self.value));
            problems.add(&self.pointer, "field_mistyped", detail);
            return None;
        }
        let found = self.value.get(field).filter(|value| !value.is_null());
        if found.is_none() {
            problems.add(&self.at(field), "field_missing", "must be given");
        }
        found
    }

    fn mistyped(&self, field: &str, wanted: &str, value: &Value, problems: &mut Problems) {
        let detail = format!("must be {wanted}, is {}", name_of(value));
        problems.add(&self.at(field), "field_mistyped", detail);
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
