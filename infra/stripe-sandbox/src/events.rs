//! Events: what the outside is told, kept whether or not anybody listened.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::secs;
use crate::objects::{EventKind, new_id};
use crate::table::Row;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: EventKind,
    pub(crate) created: i64,
    /// The object as it was at that moment.
    pub(crate) object: Value,
    /// The key of the request that caused it; `None` for what happened by itself or in the dashboard.
    pub(crate) idempotency_key: Option<String>,
    pub(crate) delivery: Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    Pending,
    Delivered,
    /// Lost on purpose by a fault; only the list of events still knows it.
    Dropped,
}

impl Event {
    pub(crate) fn new(kind: EventKind, object: Value, key: Option<&str>, now_ms: i64) -> Self {
        Self {
            id: new_id("evt"),
            kind,
            created: secs(now_ms),
            object,
            idempotency_key: key.map(str::to_owned),
            delivery: Delivery::Pending,
        }
    }

    pub(crate) fn payment_intent(&self) -> Option<&str> {
        match self.object["object"].as_str() {
            Some("payment_intent") => self.object["id"].as_str(),
            _ => self.object["payment_intent"].as_str(),
        }
    }

    pub(crate) fn body(&self) -> Value {
        json!({
            "id": self.id,
            "object": "event",
            "created": self.created,
            "data": { "object": self.object },
            "livemode": false,
            "pending_webhooks": i64::from(self.delivery != Delivery::Delivered),
            "request": { "id": null, "idempotency_key": self.idempotency_key },
            "type": self.kind.as_str(),
        })
    }
}

impl Row for Event {
    fn id(&self) -> &str {
        &self.id
    }
}
