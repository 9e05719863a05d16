//! The schemas of all kinds as one set of components, as AsyncAPI's own dialect reads them.

use anyhow::{Result, ensure};
use boxoffice_contracts::{
    message::CATALOGUE,
    partner::kinds::{self, PARTNER_CATALOGUE},
};
use serde_json::{Map, Value, json};

/// A component for each kind and each type within, by name. What partners send and get is named after them:
/// `partner.<kind>` is the whole message, `partner.<kind>.data` what its schema file says.
pub(super) fn components() -> Result<Map<String, Value>> {
    let mut components = Map::new();
    for entry in CATALOGUE {
        add(&mut components, entry.kind.as_str(), entry.document())?;
    }
    add(&mut components, CLOUD_EVENT, kinds::envelope_document())?;
    for entry in PARTNER_CATALOGUE {
        let name = format!("partner.{}", entry.kind);
        let data = format!("{name}.data");
        add(&mut components, &data, entry.document())?;
        let whole = json!({
            "title": name,
            "description": entry.doc,
            "allOf": [
                {"$ref": format!("#/components/schemas/{CLOUD_EVENT}")},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": entry.kind.as_str()},
                        "data": {"$ref": format!("#/components/schemas/{data}")},
                    },
                    "required": ["data"],
                },
            ],
        });
        components.insert(name, whole);
    }
    Ok(components)
}

/// The envelope of partners' messages.
const CLOUD_EVENT: &str = "CloudEvent";

fn add(components: &mut Map<String, Value>, name: &str, mut schema: Value) -> Result<()> {
    let Some(map) = schema.as_object_mut() else {
        return Ok(());
    };
    let definitions = map.remove("$defs");
    // An own base or dialect would change what references mean here.
    map.remove("$schema");
    map.remove("$id");
    for (inner, definition) in definitions
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let definition = hoisted(definition);
        let known = components
            .entry(inner.clone())
            .or_insert_with(|| definition.clone());
        ensure!(
            *known == definition,
            "two types are called {inner}, one of them in {name}: rename one"
        );
    }
    components.insert(name.to_owned(), hoisted(&schema));
    Ok(())
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
        assert!(
            targets.len() >= CATALOGUE.len() + 2 * PARTNER_CATALOGUE.len(),
            "{}",
            targets.len()
        );
        for target in targets {
            assert!(components.contains_key(target), "{target}");
        }
    }
}
