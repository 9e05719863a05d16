//! Takes a JSON object apart, field by field, so that every mistake is told at once and with its place.
//!
//! What was not asked for is unknown, and refused.

use crate::Code;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What is wrong with one field. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// RFC 6901 pointer into the body.
    pub pointer: String,
    /// A word for programs, such as `required` or `malformed`.
    pub code: &'static str,
    /// The same for people.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    #[must_use]
    pub fn new(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }
    }
}

/// The code of a request whose fields are wrong. One cause that has a code of its own gives it to the whole.
#[must_use]
pub fn code_of(errors: &[FieldError]) -> Code {
    let special = |code: Code| errors.iter().any(|error| error.code == code.as_str());
    let all = |code: Code| errors.iter().all(|error| error.code == code.as_str());
    if special(Code::CardNumberRefused) {
        Code::CardNumberRefused
    } else if !errors.is_empty() && all(Code::SeatRepeated) {
        Code::SeatRepeated
    } else {
        Code::ValidationFailed
    }
}

/// Mistakes found so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<FieldError>);

/// What is left of an object, and where it stands.
#[derive(Debug)]
pub struct Fields {
    map: Map<String, Value>,
    at: String,
}

pub use crate::rules::Wrong;

/// Mistakes of one request that are told; one of rubbish has thousands.
const MISTAKES_MAX: usize = 50;

impl Mistakes {
    pub fn add(&mut self, pointer: impl Into<String>, (code, detail): Wrong) {
        if self.0.len() < MISTAKES_MAX {
            self.0.push(FieldError::new(pointer, code, detail));
        }
    }

    /// # Errors
    /// Everything that was found.
    pub fn refuse(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl Fields {
    /// An object; whatever else stands there is a mistake.
    pub fn of(value: Value, at: String, mistakes: &mut Mistakes) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self { map, at }),
            _ => {
                mistakes.add(at, ("wrong_type", "must be an object"));
                None
            }
        }
    }

    /// A field that may be left out; `null` counts as left out.
    pub fn optional<T>(
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
    pub fn required<T>(
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

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    #[must_use]
    pub fn place(&self) -> &str {
        &self.at
    }

    /// Nothing may be left.
    pub fn finish(self, mistakes: &mut Mistakes) {
        for name in self.map.keys() {
            mistakes.add(
                pointer(&self.at, name),
                ("unknown_field", "is not a field of this"),
            );
        }
    }
}

/// A string that `check` turns into something.
pub fn text<T>(
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
pub fn whole(
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

/// A list with at least one item and at most `len_max`; none when an item of it is wrong, so that indices are right.
pub fn list<T>(
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

/// Appends a name to an RFC 6901 pointer.
#[must_use]
pub fn pointer(at: &str, name: &str) -> String {
    // A field name is the client's text: as much as helps to find it.
    const NAME_CHARS_MAX: usize = 64;
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
