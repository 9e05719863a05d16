//! JSON from somebody who may mean harm: a field that stands twice is told, and nesting is bounded.
//!
//! Parsers differ in which of two equal names they believe; what passes here means the same to all of them.

use boxoffice_contracts::request::{
    card::holds_card_number,
    fields::{FieldError, pointer},
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deeper than any message of ours, and far above what the stack bears.
const DEPTH_MAX: usize = 16;

/// Why it isn't JSON that can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsound {
    pub detail: String,
    pub errors: Vec<FieldError>,
}

/// # Errors
/// When it is no JSON, nests too deeply, or has a field twice in one object.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Unsound> {
    let mut walk = Walk::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let node = Node {
        walk: &mut walk,
        at: String::new(),
        depth: 0,
    };
    let parsed = node
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    let unsound = |detail: String, errors| Err(Unsound { detail, errors });
    match parsed {
        Err(_) if walk.too_deep => {
            unsound(format!("Nested deeper than {DEPTH_MAX} levels."), vec![])
        }
        // The parser's own words may quote the body.
        Err(error) => unsound(
            format!(
                "Not JSON at line {}, column {}.",
                error.line(),
                error.column()
            ),
            vec![],
        ),
        Ok(_) if !walk.repeated.is_empty() => {
            let twice = |at| FieldError::new(at, "repeated", "stands twice in its object");
            let errors = walk.repeated.into_iter().map(twice).collect();
            unsound("A field stands twice.".to_owned(), errors)
        }
        Ok(value) => Ok(value),
    }
}

#[derive(Default)]
struct Walk {
    repeated: Vec<String>,
    too_deep: bool,
}

struct Node<'a> {
    walk: &'a mut Walk,
    at: String,
    depth: usize,
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth == DEPTH_MAX {
            self.walk.too_deep = true;
            return Err(E::custom("too deep"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.deeper()?;
        let mut found = Vec::new();
        loop {
            let node = Node {
                at: format!("{}/{}", self.at, found.len()),
                depth: self.depth + 1,
                walk: self.walk,
            };
            match items.next_element_seed(node)? {
                Some(item) => found.push(item),
                None => return Ok(Value::Array(found)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        self.deeper()?;
        let mut found = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let at = pointer(&self.at, &name);
            let node = Node {
                at: at.clone(),
                depth: self.depth + 1,
                walk: self.walk,
            };
            let value = fields.next_value_seed(node)?;
            let secret = holds_card_number(&name);
            if found.insert(name, value).is_some() {
                // A name may itself be what must not be repeated: then point at what holds it.
                let at = if secret { self.at.clone() } else { at };
                self.walk.repeated.push(at);
            }
        }
        Ok(Value::Object(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_json_is_read_as_it_is() {
        let text = br#" {"a":[1,-2,3.5,true,null,"\u00e9"],"b":{"a":{}}} "#;
        let plain: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(parse(text).unwrap(), plain);
    }

    #[test]
    fn a_field_that_stands_twice_is_told_with_its_place() {
        let unsound = parse(br#"{"data":{"x":[{"a":1,"a":1}],"b/c":1,"b/c":2},"id":"1"}"#);
        let errors = unsound.unwrap_err().errors;
        let places: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(places, ["/data/x/0/a", "/data/b~1c"]);
        // Written differently, it is the same name.
        assert!(parse(br#"{"a":1,"\u0061":2}"#).is_err());
        let card = parse(br#"{"4242424242424242":1,"4242424242424242":2}"#).unwrap_err();
        assert!(!format!("{card:?}").contains("4242"));
    }

    #[test]
    fn depth_is_bounded_and_what_is_no_json_says_where() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        let deep = parse(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert!(deep.detail.contains("deeper"), "{}", deep.detail);
        assert!(parse(nested(30_000).as_bytes()).is_err());
        for (bad, place) in [
            (&b"{\"a\":secret}"[..], "line 1"),
            (b"", "line 1"),
            (b"{} x", "line 1"),
            (b"{\"a\":1e999}", "line 1"),
            (b"{\"a\":\"\xff\"}", "line 1"),
            (b"{\"a\":\"\\ud800\"}", "line 1"),
        ] {
            let detail = parse(bad).unwrap_err().detail;
            assert!(
                detail.contains(place) && !detail.contains("secret"),
                "{detail}"
            );
        }
    }
}
