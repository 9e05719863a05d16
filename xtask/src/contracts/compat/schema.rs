//! Two JSON Schemas of one kind, as schemars writes them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What says nothing about which bodies are right.
const ANNOTATIONS: &[&str] = &[
    "$schema",
    "$id",
    "$defs",
    "title",
    "description",
    "examples",
];
/// What has a rule of its own below.
const RULED: &[&str] = &["$ref", "properties", "required", "x-open"];
/// Where listed values stand.
const LISTS: &[&str] = &["enum", "oneOf"];
/// Keywords whose value is a schema, or a list of them in which the place counts.
const NESTED: &[&str] = &[
    "items",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "additionalProperties",
    "prefixItems",
];
/// Deeper than any message of ours: a type that contains itself ends here.
const DEPTH_MAX: usize = 24;

/// One line for each thing of `old` that `new` breaks.
pub(super) fn breakages(kind: &str, old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison {
        old,
        new,
        found: Vec::new(),
    };
    comparison.schemas(kind, old, new, 0);
    comparison.found
}

struct Comparison<'a> {
    /// The documents, in which references lead to definitions.
    old: &'a Value,
    new: &'a Value,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn schemas(&mut self, at: &str, old: &Value, new: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let (old, new) = match (resolved(self.old, old), resolved(self.new, new)) {
            (Some(old), Some(new)) => (old, new),
            // `true`, `false`, or a number beside a keyword.
            _ => {
                if old != new {
                    self.say(at, &format!("is {new}, was {old}"));
                }
                return;
            }
        };
        let lists = (values(&old), values(&new));
        let listed = lists != (None, None);
        match lists {
            (Some(before), Some(now)) => self.lists(at, &old, &new, &before, &now),
            (None, None) => {}
            (Some(_), None) => self.say(at, "is no longer a list of values"),
            (None, Some(_)) => self.say(at, "became a list of values"),
        }
        self.fields(at, &old, &new, depth);
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let key = key.as_str();
            let ruled = RULED.contains(&key) || (listed && LISTS.contains(&key));
            if ruled || ANNOTATIONS.contains(&key) {
                continue;
            }
            match (old.get(key), new.get(key)) {
                (Some(a), Some(b)) if NESTED.contains(&key) => {
                    self.nested(&format!("{at}/{key}"), a, b, depth);
                }
                (a, b) if a == b => {}
                (a, b) => self.say(at, &format!("{key} is {}, was {}", show(b), show(a))),
            }
        }
    }

    fn nested(&mut self, at: &str, old: &Value, new: &Value, depth: usize) {
        match (old, new) {
            (Value::Array(old), Value::Array(new)) => {
                if old.len() != new.len() {
                    self.say(at, &format!("has {} forms, had {}", new.len(), old.len()));
                    return;
                }
                for (i, (old, new)) in old.iter().zip(new).enumerate() {
                    self.schemas(&format!("{at}/{i}"), old, new, depth + 1);
                }
            }
            (old, new) => self.schemas(at, old, new, depth + 1),
        }
    }

    fn fields(
        &mut self,
        at: &str,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        depth: usize,
    ) {
        let (before, now) = (properties(old), properties(new));
        let (needed_before, needed) = (required(old), required(new));
        for (name, schema) in &before {
            match now.get(name) {
                None => self.say(at, &format!("the field {name} is gone")),
                Some(today) => self.schemas(&format!("{at}/{name}"), schema, today, depth + 1),
            }
        }
        for name in now.keys().filter(|name| !before.contains_key(*name)) {
            if needed.contains(name.as_str()) {
                self.say(at, &format!("the new field {name} is required"));
            }
        }
        for name in before.keys().filter(|name| now.contains_key(*name)) {
            match (
                needed_before.contains(name.as_str()),
                needed.contains(name.as_str()),
            ) {
                (false, true) => self.say(at, &format!("the field {name} became required")),
                (true, false) => self.say(at, &format!("the field {name} may now be left out")),
                _ => {}
            }
        }
    }

    fn lists(
        &mut self,
        at: &str,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        before: &[Value],
        now: &[Value],
    ) {
        for value in before.iter().filter(|value| !now.contains(value)) {
            self.say(at, &format!("the value {value} is gone"));
        }
        // Whoever reads a closed list was told that they know every value.
        let (was_open, is_open) = (is_open(old), is_open(new));
        if was_open != is_open {
            let text = if is_open { "opened" } else { "closed" };
            self.say(at, &format!("the list was {text}"));
        }
        for value in now.iter().filter(|value| !before.contains(value)) {
            if !was_open {
                self.say(
                    at,
                    &format!("the value {value} is new, and the list is closed"),
                );
            }
        }
    }

    fn say(&mut self, at: &str, what: &str) {
        self.found.push(format!("{at}: {what}"));
    }
}

fn is_open(schema: &Map<String, Value>) -> bool {
    schema.get("x-open") == Some(&Value::Bool(true))
}

fn show(value: Option<&Value>) -> String {
    value.map_or("nothing".to_owned(), Value::to_string)
}

/// The schema with what its reference leads to; what stands beside the reference wins.
fn resolved(document: &Value, schema: &Value) -> Option<Map<String, Value>> {
    let mut schema = schema.as_object()?.clone();
    for _ in 0..DEPTH_MAX {
        let Some(Value::String(target)) = schema.remove("$ref") else {
            break;
        };
        let found = document.pointer(target.strip_prefix('#')?)?.as_object()?;
        for (key, value) in found {
            schema.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Some(schema)
}

/// The values that are listed: as `enum`, or as a `oneOf` of constants with a description each.
fn values(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(Value::Array(values)) = schema.get("enum") {
        return Some(values.clone());
    }
    let forms = schema.get("oneOf")?.as_array()?;
    forms
        .iter()
        .map(|form| form.get("const").cloned())
        .collect()
}

fn properties(schema: &Map<String, Value>) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default()
}

fn required(schema: &Map<String, Value>) -> BTreeSet<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
