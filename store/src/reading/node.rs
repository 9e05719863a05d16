//! Reads fields of a JSON document and remembers where each stands and what was wrong with it.

use super::{PROBLEMS_MAX, Problem};
use serde_json::Value;
use std::ops::RangeInclusive;

/// What is wrong so far, and what was passed over.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    passed_over: Vec<String>,
}

impl Problems {
    /// Adds a problem; the same one at the same place is told once.
    pub(crate) fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        let told = self
            .list
            .iter()
            .any(|problem| problem.pointer == pointer && problem.code == code);
        if !told && !self.is_full() {
            let (pointer, detail) = (pointer.to_owned(), detail.into());
            self.list.push(Problem {
                pointer,
                code,
                detail,
            });
        }
    }

    /// Adds a problem unless what was demanded holds.
    pub(crate) fn demand(
        &mut self,
        good: bool,
        pointer: &str,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        if !good {
            self.add(pointer, code, detail);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= PROBLEMS_MAX
    }

    pub(crate) fn into_list(self) -> Vec<Problem> {
        self.list
    }

    /// Pointers to fields that nobody knows. Not wrong, but worth telling: it may be a slip of the pen.
    pub(crate) fn take_passed_over(&mut self) -> Vec<String> {
        std::mem::take(&mut self.passed_over)
    }
}

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Where a field of this object stands.
    pub(crate) fn at(&self, field: &str) -> String {
        format!("{}/{}", self.pointer, escape(field))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.value.get(field).is_some_and(|value| !value.is_null())
    }

    /// A text of 1 to `bytes_max` bytes without control characters.
    pub(crate) fn text(
        &self,
        field: &str,
        bytes_max: usize,
        problems: &mut Problems,
    ) -> Option<String> {
        let value = self.field(field, problems)?;
        let node = Self {
            value,
            pointer: self.at(field),
        };
        node.as_text(bytes_max, problems)
    }

    /// This value as a text of 1 to `bytes_max` bytes without control characters.
    fn as_text(&self, bytes_max: usize, problems: &mut Problems) -> Option<String> {
        let Some(text) = self.value.as_str() else {
            self.is_no("a string", problems);
            return None;
        };
        let (code, detail) = if text.trim().is_empty() {
            ("text_empty", "must not be empty".to_owned())
        } else if text.len() > bytes_max {
            ("text_too_long", format!("at most {bytes_max} bytes"))
        } else if text.chars().any(char::is_control) {
            ("text_malformed", "no control characters".to_owned())
        } else {
            return Some(text.to_owned());
        };
        problems.add(&self.pointer, code, detail);
        None
    }

    /// As [`Node::text`], for a field that may be left out or null.
    pub(crate) fn optional_text(
        &self,
        field: &str,
        bytes_max: usize,
        problems: &mut Problems,
    ) -> Option<String> {
        self.has(field)
            .then(|| self.text(field, bytes_max, problems))
            .flatten()
    }

    /// A text of paragraphs; empty when it is left out.
    pub(crate) fn prose(&self, field: &str, bytes_max: usize, problems: &mut Problems) -> String {
        let Some(value) = self.value.get(field).filter(|value| !value.is_null()) else {
            return String::new();
        };
        match value.as_str() {
            Some(text) if text.len() <= bytes_max => return text.to_owned(),
            Some(_) => problems.add(
                &self.at(field),
                "text_too_long",
                format!("at most {bytes_max} bytes"),
            ),
            None => self.mistyped(field, "a string", value, problems),
        }
        String::new()
    }

    /// A list of texts; empty when it is left out.
    pub(crate) fn texts(
        &self,
        field: &str,
        len_max: usize,
        bytes_max: usize,
        problems: &mut Problems,
    ) -> Vec<String> {
        self.optional_list(field, len_max, problems)
            .filter_map(|node| node.as_text(bytes_max, problems))
            .collect()
    }

    /// A whole number within a range.
    pub(crate) fn whole(
        &self,
        field: &str,
        range: RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        let value = self.field(field, problems)?;
        let node = Self {
            value,
            pointer: self.at(field),
        };
        node.as_whole(range, problems)
    }

    /// As [`Node::whole`], for a field that may be left out or null.
    pub(crate) fn optional_whole(
        &self,
        field: &str,
        range: RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        self.has(field)
            .then(|| self.whole(field, range, problems))
            .flatten()
    }

    /// This value as a whole number within a range.
    pub(crate) fn as_whole(
        &self,
        range: RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        match self.value.as_i64() {
            Some(number) if range.contains(&number) => return Some(number),
            None if !self.value.is_number() || self.value.is_f64() => {
                self.is_no("a whole number", problems);
            }
            Some(_) | None => {
                let detail = format!("{} to {}", range.start(), range.end());
                problems.add(&self.pointer, "number_out_of_range", detail);
            }
        }
        None
    }

    /// The elements of a list; none when it is missing, no list, or longer than `len_max`.
    pub(crate) fn list(
        &self,
        field: &str,
        len_max: usize,
        problems: &mut Problems,
    ) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let elements = match self.field(field, problems) {
            Some(Value::Array(elements)) if elements.len() > len_max => {
                let detail = format!("{} elements, at most {len_max}", elements.len());
                problems.add(&self.at(field), "list_too_long", detail);
                &[]
            }
            Some(Value::Array(elements)) => elements.as_slice(),
            Some(value) => {
                self.mistyped(field, "a list", value, problems);
                &[]
            }
            None => &[],
        };
        let at = self.at(field);
        elements.iter().enumerate().map(move |(index, value)| Node {
            value,
            pointer: format!("{at}/{index}"),
        })
    }

    /// As [`Node::list`], for a field that may be left out or null.
    pub(crate) fn optional_list(
        &self,
        field: &str,
        len_max: usize,
        problems: &mut Problems,
    ) -> impl Iterator<Item = Node<'a>> + use<'a> {
        self.has(field)
            .then(|| self.list(field, len_max, problems))
            .into_iter()
            .flatten()
    }

    /// The elements of this list.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Node<'a>> {
        let elements = self.value.as_array().map_or(&[][..], Vec::as_slice);
        elements.iter().enumerate().map(|(index, value)| Node {
            value,
            pointer: format!("{}/{index}", self.pointer),
        })
    }

    /// The fields of the object in `field`, by name.
    pub(crate) fn entries(&self, field: &str, problems: &mut Problems) -> Vec<(&'a str, Node<'a>)> {
        let Some(value) = self.field(field, problems) else {
            return Vec::new();
        };
        let Some(fields) = value.as_object() else {
            self.mistyped(field, "an object", value, problems);
            return Vec::new();
        };
        let at = self.at(field);
        if fields.keys().any(|name| name.len() > NAME_BYTES_MAX) {
            let detail = format!("a name of more than {NAME_BYTES_MAX} bytes");
            problems.add(&at, "text_too_long", detail);
            return Vec::new();
        }
        let entry = |(name, value): (&'a String, &'a Value)| {
            let pointer = format!("{at}/{}", escape(name));
            (name.as_str(), Node { value, pointer })
        };
        fields.iter().map(entry).collect()
    }

    /// The field `position`: `{x, y}`, each at most `farthest` from 0. Left out, it is the parent's corner.
    pub(crate) fn position(&self, farthest: f64, problems: &mut Problems) -> (f64, f64) {
        if !self.has("position") {
            return (0.0, 0.0);
        }
        let Some(value) = self.field("position", problems) else {
            return (0.0, 0.0);
        };
        if !value.is_object() {
            self.mistyped("position", "an object", value, problems);
            return (0.0, 0.0);
        }
        let position = Node {
            value,
            pointer: self.at("position"),
        };
        (
            position.coordinate("x", farthest, problems),
            position.coordinate("y", farthest, problems),
        )
    }

    /// As [`Node::position`], for what lies on its neighbour when it has none.
    pub(crate) fn required_position(&self, farthest: f64, problems: &mut Problems) -> (f64, f64) {
        match self.field("position", problems) {
            Some(_) => self.position(farthest, problems),
            None => (0.0, 0.0),
        }
    }

    fn coordinate(&self, field: &str, farthest: f64, problems: &mut Problems) -> f64 {
        let Some(value) = self.field(field, problems) else {
            return 0.0;
        };
        match value.as_f64() {
            Some(number) if number.abs() <= farthest => number,
            Some(_) => {
                let detail = format!("-{farthest} to {farthest}");
                problems.add(&self.at(field), "number_out_of_range", detail);
                0.0
            }
            None => {
                self.mistyped(field, "a number", value, problems);
                0.0
            }
        }
    }

    /// Notes the fields of this object that nobody knows.
    pub(crate) fn pass_over_except(&self, known: &[&str], problems: &mut Problems) {
        for name in self.value.as_object().into_iter().flat_map(|o| o.keys()) {
            let tellable =
                name.len() <= NAME_BYTES_MAX && problems.passed_over.len() < PROBLEMS_MAX;
            if tellable && !known.contains(&name.as_str()) {
                problems.passed_over.push(self.at(name));
            }
        }
    }

    fn field(&self, field: &str, problems: &mut Problems) -> Option<&'a Value> {
        if !self.value.is_object() {
            self.is_no("an object", problems);
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

    fn is_no(&self, wanted: &str, problems: &mut Problems) {
        let detail = format!("must be {wanted}, is {}", name_of(self.value));
        problems.add(&self.pointer, "field_mistyped", detail);
    }
}

/// Longest name of a field that is repeated to whoever wrote it.
pub(super) const NAME_BYTES_MAX: usize = 200;

/// A name as a token of a pointer.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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
