//! Takes an object apart, field by field. What was not asked for is unknown, and a mistake.

use super::Mistake;
use crate::rules::Wrong;
use serde_json::{Map, Value};

/// Mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes(Vec<Mistake>);

/// Mistakes of one message that are told; a message of rubbish has thousands.
const MISTAKES_MAX: usize = 50;
/// A field's name is the partner's text: as much as helps to find it.
const NAME_CHARS_MAX: usize = 64;

/// What is left of an object, and where it stands.
pub(super) struct Fields {
    map: Map<String, Value>,
    at: String,
}

impl Mistakes {
    pub(super) fn add(&mut self, pointer: impl Into<String>, (code, detail): Wrong) {
        if self.0.len() < MISTAKES_MAX {
            self.0.push(Mistake::new(pointer, code, detail));
        }
    }

    pub(super) fn into_list(self) -> Vec<Mistake> {
        self.0
    }
}

impl Fields {
    /// An object; whatever else stands there is a mistake.
    pub(super) fn of(value: Value, at: String, mistakes: &mut Mistakes) -> Option<Self> {
        if let Value::Object(map) = value {
            Some(Self { map, at })
        } else {
            mistakes.add(at, ("wrong_type", "must be an object"));
            None
        }
    }

    /// A field that may be left out.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        mistakes: &mut Mistakes,
        parse: impl FnOnce(Value, &str, &mut Mistakes) -> Option<T>,
    ) -> Option<T> {
        match self.map.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => parse(value, &pointer(&self.at, name), mistakes),
        }
    }

    /// A field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        mistakes: &mut Mistakes,
        parse: impl FnOnce(Value, &str, &mut Mistakes) -> Option<T>,
    ) -> Option<T> {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.map.remove(name);
            mistakes.add(pointer(&self.at, name), ("required", "is missing"));
            return None;
        }
        self.optional(name, mistakes, parse)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Nothing may be left.
    pub(super) fn finish(self, mistakes: &mut Mistakes) {
        for name in self.map.keys() {
            let wrong = ("unknown_field", "is not a field of this");
            mistakes.add(pointer(&self.at, name), wrong);
        }
    }
}

/// A string that `check` turns into something.
pub(super) fn text<T>(
    check: impl FnOnce(String) -> Result<T, Wrong>,
) -> impl FnOnce(Value, &str, &mut Mistakes) -> Option<T> {
    move |value, at, mistakes| {
        let Value::String(text) = value else {
            mistakes.add(at, ("wrong_type", "must be a string"));
            return None;
        };
        check(text).map_err(|wrong| mistakes.add(at, wrong)).ok()
    }
}

/// A whole number within bounds.
pub(super) fn whole(
    bounds: std::ops::RangeInclusive<u64>,
) -> impl Fn(Value, &str, &mut Mistakes) -> Option<u64> {
    move |value, at, mistakes| {
        let Some(number) = value.as_u64() else {
            mistakes.add(at, ("wrong_type", "must be a whole number, not negative"));
            return None;
        };
        if !bounds.contains(&number) {
            mistakes.add(at, ("out_of_range", "is out of range"));
            return None;
        }
        Some(number)
    }
}

/// A list with at least one item and at most `len_max`; none when an item of it is wrong.
pub(super) fn list<T>(
    len_max: usize,
    mut item: impl FnMut(Value, &str, &mut Mistakes) -> Option<T>,
) -> impl FnOnce(Value, &str, &mut Mistakes) -> Option<Vec<T>> {
    move |value, at, mistakes| {
        let Value::Array(values) = value else {
            mistakes.add(at, ("wrong_type", "must be a list"));
            return None;
        };
        if values.is_empty() || values.len() > len_max {
            mistakes.add(at, ("out_of_range", "has too few or too many items"));
            return None;
        }
        let items: Vec<Option<T>> = values
            .into_iter()
            .enumerate()
            .map(|(i, value)| item(value, &format!("{at}/{i}"), mistakes))
            .collect();
        items.into_iter().collect()
    }
}

fn pointer(at: &str, name: &str) -> String {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
