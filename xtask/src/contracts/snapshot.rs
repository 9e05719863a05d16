//! Contracts at one moment: the schema of each kind, and the topology as the broker knows it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use boxoffice_contracts::{
    message::CATALOGUE,
    partner::kinds::PARTNER_CATALOGUE,
    topology::{QUEUES, RetryTier, declared, roles},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::r#gen::{definitions::arguments, pretty};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    pub(super) schemas: BTreeMap<String, Value>,
    /// Of what partners send and get.
    pub(super) partner: BTreeMap<String, Value>,
    pub(super) topology: Topology,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Topology {
    pub(super) exchanges: BTreeMap<String, Exchange>,
    pub(super) queues: BTreeMap<String, Queue>,
    pub(super) bindings: Vec<Binding>,
    /// Where each kind is published.
    pub(super) published_to: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Exchange {
    pub(super) r#type: String,
    pub(super) arguments: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) arguments: Value,
    /// Kinds that its worker decodes.
    pub(super) accepts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Binding {
    pub(super) exchange: String,
    pub(super) queue: String,
    pub(super) key: String,
}

const TOPOLOGY: &str = "topology.json";
const SCHEMAS: &str = "schemas";
const PARTNER: &str = "schemas/partner";

impl Snapshot {
    /// What the code says now.
    pub(super) fn today() -> Result<Self> {
        let schemas = CATALOGUE
            .iter()
            .map(|entry| (entry.kind.to_string(), entry.document()));
        let partner = PARTNER_CATALOGUE
            .iter()
            .map(|entry| (entry.kind.to_string(), entry.document()));
        Ok(Self {
            schemas: schemas.collect(),
            partner: partner.collect(),
            topology: topology(),
        })
    }

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let text = fs::read_to_string(folder.join(TOPOLOGY)).context(TOPOLOGY)?;
        let partner = folder.join(PARTNER);
        Ok(Self {
            schemas: read_schemas(&folder.join(SCHEMAS))?,
            // The first release had none.
            partner: if partner.exists() {
                read_schemas(&partner)?
            } else {
                BTreeMap::new()
            },
            topology: serde_json::from_str(&text).context(TOPOLOGY)?,
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        for (name, schemas) in [(SCHEMAS, &self.schemas), (PARTNER, &self.partner)] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)?;
            for (kind, schema) in schemas {
                fs::write(folder.join(format!("{kind}.json")), pretty(schema)?)?;
            }
        }
        let topology = serde_json::to_value(&self.topology)?;
        fs::write(folder.join(TOPOLOGY), pretty(&topology)?)?;
        Ok(())
    }
}

fn read_schemas(folder: &Path) -> Result<BTreeMap<String, Value>> {
    let mut schemas = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.is_dir() {
            continue;
        }
        let kind = path.file_stem().context("a schema has a name")?;
        let schema = serde_json::from_str(&fs::read_to_string(&path)?)
            .with_context(|| path.display().to_string())?;
        schemas.insert(kind.to_string_lossy().into_owned(), schema);
    }
    Ok(schemas)
}

fn topology() -> Topology {
    let exchanges = declared::exchanges().into_iter().map(|exchange| {
        let known = Exchange {
            r#type: exchange.kind.as_str().to_owned(),
            arguments: arguments(&exchange.arguments),
        };
        (exchange.name.to_owned(), known)
    });
    let queues = declared::queues(RetryTier::delay).into_iter().map(|queue| {
        let worker = QUEUES.iter().find(|row| row.name == queue.name);
        let accepts = worker.into_iter().flat_map(|row| row.accepts);
        let known = Queue {
            arguments: arguments(&queue.arguments),
            accepts: accepts.map(ToString::to_string).collect(),
        };
        (queue.name.to_owned(), known)
    });
    let bindings = declared::bindings().into_iter().map(|binding| Binding {
        exchange: binding.exchange.to_owned(),
        queue: binding.queue.to_owned(),
        key: binding.key.to_owned(),
    });
    let published = CATALOGUE.iter().map(|entry| {
        let exchange = roles::exchange_of(entry.kind).name().to_owned();
        (entry.kind.to_string(), exchange)
    });
    Topology {
        exchanges: exchanges.collect(),
        queues: queues.collect(),
        bindings: bindings.collect(),
        published_to: published.collect(),
    }
}
