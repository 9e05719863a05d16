//! The schemas of all kinds as one set of components, as AsyncAPI's own dialect reads them.

use anyhow::{Result, ensure};
use boxoffice_contracts::message::CATALOGUE;
use serde_json::{Map, Value, json};

/// A component for each kind and each type within, by name.
pub(super) fn components() -> Result<Map<String, Value>> {
    let mut components = Map::new();
    for entry in CATALOGUE {
        let mut schema = entry.document();
        let Some(map) = schema.as_object_mut() else {
            continue;
        };
        let definitions = map.remove("$defs");
        // An own base or dialect would change what references mean here.
        map.remove("$schema");
        map.remove("$id");
        for (name, definition) in definitions
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let definition = hoisted(definition);
            let known = components
                .entry(name.clone())
                .or_insert_with(|| definition.clone());
            ensure!(
                *known == definition,
                "two types are called {name}, one of them in {}: rename one",
                entry.kind
            );
        }
        components.insert(entry.kind.to_string(), hoisted(&schema));
    }
    Ok(components)
}

/// References lead to components. What stands beside a reference moves into an `allOf`: the dialect is of
/// draft 7, which ignores neighbours of `$ref`.
fn hoisted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(hoisted).collect(),
        Value::Object(map) => {
            let mut out: Map<String, Value> = map
                .iter()
                .filter(|(key, _)| *key != "$ref")
                .map(|(key, value)| (key.clone(), hoisted(value)))
                .collect();
            if let Some(Value::String(target)) = map.get("$ref") {
                let target = target.replace("#/$defs/", "#/components/schemas/");
                let reference = json!({"$ref": target});
                if out.is_empty() {
                    return reference;
                }
                out.insert("allOf".to_owned(), json!([reference]));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_component() {
        let components = components().unwrap();
        let text = Value::Object(components.clone()).to_string();
        assert!(!text.contains("$defs"));
        let targets: Vec<&str> = text
            .split("\"$ref\":\"#/components/schemas/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert!(targets.len() >= CATALOGUE.len(), "{}", targets.len());
        for target in targets {
            assert!(components.contains_key(target), "{target}");
        }
    }
}
