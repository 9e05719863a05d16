//! `docs/asyncapi.yaml`: every message, channel and operation as AsyncAPI 3.0 with AMQP 0-9-1 bindings.
//!
//! A channel is a routing key at its exchange, or a queue; besides, one for all events together. Schemas stand
//! under components, each definition once: `#/$defs` would be looked for in the whole document. What partners send
//! and get is of [`partners`].

use super::{asyncapi_partners as partners, schemas};
use anyhow::{Context as _, Result};
use boxoffice_contracts::{
    Kind,
    envelope::header::{HEADERS, Holds},
    message::{CATALOGUE, Entry},
    topology::{Exchange, MESSAGE_BYTES_MAX, QUEUES, Queue, VHOST, roles},
};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// Of every AMQP binding object.
pub(super) const BINDING: &str = "0.3.0";
/// The channel of all events.
const EVENTS: &str = "events";

/// `root`: where the samples lie.
pub(super) fn document(root: &Path) -> Result<Value> {
    let mut components = schemas::components()?;
    components.insert("envelope".to_owned(), headers());
    let mut messages = Map::new();
    for entry in CATALOGUE {
        let samples = samples(root, entry.kind)?;
        messages.insert(entry.kind.to_string(), message(entry, samples));
    }
    partners::messages(root, &mut messages)?;
    let (mut channels, mut operations) = (channels(), operations());
    partners::channels(&mut channels);
    partners::operations(&mut operations);
    Ok(json!({
        "asyncapi": "3.0.0",
        "id": "urn:boxoffice",
        "info": info(),
        "defaultContentType": "application/json",
        "servers": {"broker": server(), "partners": partners::server()},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": components,
            "securitySchemes": {"user": {"type": "userPassword", "description": "A user of the vhost."}},
        },
    }))
}

fn info() -> Value {
    let properties = format!(
        "Commands, answers and events between the parts of Boxoffice, over RabbitMQ.\n\n\
         A kind is `area.verb.vN` and equals the AMQP `type`, the routing key and the name of the schema. The body \
         is bare JSON of at most {MESSAGE_BYTES_MAX} bytes. Beside it every message has these AMQP properties: \
         `message_id` (a UUID; the same id is the same message, so a repetition is harmless), `type` (the kind), \
         `correlation_id` (the booking), `timestamp`, `content_type`, `delivery_mode` 2; the other fields of the \
         envelope are headers.\n\n\
         A published kind is engraved. It may gain an optional field; a consumer is upgraded before the sender that \
         uses it. Lists that say `x-open` may gain values; a consumer must take one that it doesn't know. Everything \
         else is a `.v2` beside it.\n\n{}",
        partners::ABOUT
    );
    json!({
        "title": "Boxoffice messages",
        "version": env!("CARGO_PKG_VERSION"),
        "description": properties,
        "contact": {"name": "Boxoffice"},
        "license": {"name": "MIT OR Apache-2.0"},
        "tags": [
            {"name": "command", "description": "An order with exactly one consumer."},
            {"name": "answer", "description": "What became of a command, told to the saga."},
            {"name": "event", "description": "A fact, for any number of consumers."},
            {"name": "feed", "description": "The whole state of something that a partner publishes."},
            {"name": "reply", "description": "What the gate says to one message of a partner."},
            {"name": "notice", "description": "What a partner is told about its door."},
        ],
    })
}

fn server() -> Value {
    json!({
        "host": "{host}:{port}",
        "pathname": format!("/{VHOST}"),
        "protocol": "amqp",
        "protocolVersion": "0-9-1",
        "description": "RabbitMQ 3.10 or later.",
        "security": [{"$ref": "#/components/securitySchemes/user"}],
        "variables": {
            "host": {"default": "127.0.0.1", "description": "Name or address."},
            "port": {"default": "5672", "description": "5671 with TLS."},
        },
    })
}

fn channels() -> Map<String, Value> {
    let mut channels = Map::new();
    for entry in CATALOGUE {
        let exchange = roles::exchange_of(entry.kind);
        let channel = json!({
            "address": entry.kind.as_str(),
            "title": entry.kind.as_str(),
            "summary": entry.doc,
            "servers": [{"$ref": "#/servers/broker"}],
            "messages": message_refs([entry.kind]),
            "bindings": {"amqp": at_exchange(exchange)},
        });
        channels.insert(entry.kind.to_string(), channel);
    }
    for queue in QUEUES {
        channels.insert(of_queue(queue), queue_channel(queue));
    }
    let events = json!({
        "address": "#",
        "title": "All events",
        "summary": "Whoever wants events binds a queue of their own.",
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": message_refs(event_kinds()),
        "bindings": {"amqp": at_exchange(Exchange::Events)},
    });
    channels.insert(EVENTS.to_owned(), events);
    channels
}

fn queue_channel(queue: &Queue) -> Value {
    json!({
        "address": queue.name,
        "title": format!("Queue {}", queue.name),
        "summary": queue.doc,
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": message_refs(accepted(queue)),
        "bindings": {"amqp": {
            "bindingVersion": BINDING,
            "is": "queue",
            "queue": {"name": queue.name, "durable": true, "exclusive": false, "autoDelete": false, "vhost": VHOST},
        }},
    })
}

/// What is parked may be of any kind.
fn accepted(queue: &Queue) -> Vec<Kind> {
    if queue.accepts.is_empty() {
        CATALOGUE.iter().map(|entry| entry.kind).collect()
    } else {
        queue.accepts.to_vec()
    }
}

fn event_kinds() -> Vec<Kind> {
    let kinds = CATALOGUE.iter().map(|entry| entry.kind);
    kinds
        .filter(|kind| roles::exchange_of(*kind) == Exchange::Events)
        .collect()
}

fn of_queue(queue: &Queue) -> String {
    format!("queue.{}", queue.name)
}

fn at_exchange(exchange: Exchange) -> Value {
    json!({
        "bindingVersion": BINDING,
        "is": "routingKey",
        "exchange": {
            "name": exchange.name(),
            "type": exchange.kind().as_str(),
            "durable": true,
            "autoDelete": false,
            "vhost": VHOST,
        },
    })
}

fn message_refs(kinds: impl IntoIterator<Item = Kind>) -> Value {
    let refs = kinds.into_iter().map(|kind| {
        let target = json!({"$ref": format!("#/components/messages/{kind}")});
        (kind.to_string(), target)
    });
    Value::Object(refs.collect())
}

fn operations() -> Map<String, Value> {
    let mut operations = Map::new();
    for role in roles::ROLES {
        for kind in role.sends {
            let mandatory = roles::exchange_of(*kind) == Exchange::Intake;
            let name = format!("{}.sends.{kind}", role.name);
            let operation = json!({
                "action": "send",
                "title": format!("{} sends {kind}", role.name),
                "summary": role.doc,
                "channel": {"$ref": format!("#/channels/{kind}")},
                "messages": [{"$ref": format!("#/channels/{kind}/messages/{kind}")}],
                "bindings": {"amqp": {
                    "bindingVersion": BINDING, "deliveryMode": 2, "mandatory": mandatory, "timestamp": true,
                }},
            });
            operations.insert(name, operation);
        }
    }
    for queue in QUEUES {
        let operation = receive(
            queue.role(),
            &of_queue(queue),
            queue.doc,
            true,
            accepted(queue),
        );
        operations.insert(
            format!("{}.receives.{}", queue.role(), queue.name),
            operation,
        );
    }
    let doc = "Learns that watched bookings changed; then it reads them.";
    operations.insert(
        "api.receives.events".to_owned(),
        receive("api", EVENTS, doc, false, event_kinds()),
    );
    operations
}

fn receive(role: &str, channel: &str, doc: &str, ack: bool, kinds: Vec<Kind>) -> Value {
    let messages: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({"$ref": format!("#/channels/{channel}/messages/{kind}")}))
        .collect();
    json!({
        "action": "receive",
        "title": format!("{role} receives from {channel}"),
        "summary": doc,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "messages": messages,
        "bindings": {"amqp": {"bindingVersion": BINDING, "ack": ack}},
    })
}

fn message(entry: &Entry, examples: Vec<Value>) -> Value {
    let kind = entry.kind;
    let sort = entry.doc.split(':').next().unwrap_or_default();
    json!({
        "name": kind.as_str(),
        "title": kind.as_str(),
        "summary": entry.doc,
        "contentType": "application/json",
        "tags": [{"name": sort.to_lowercase()}],
        // The AMQP property of that name has it too, but a runtime expression sees only headers and body.
        "correlationId": {
            "description": "The booking; also the AMQP property `correlation_id`.",
            "location": "$message.payload#/booking_id",
        },
        "headers": {"$ref": "#/components/schemas/envelope"},
        "payload": {"$ref": format!("#/components/schemas/{kind}")},
        "bindings": {"amqp": {"bindingVersion": BINDING, "messageType": kind.as_str()}},
        "examples": examples,
    })
}

fn headers() -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for header in HEADERS {
        let mut schema = match header.holds {
            Holds::Id => json!({"type": "string", "format": "uuid"}),
            Holds::Instant => json!({"type": "string", "format": "date-time"}),
            Holds::Text => json!({"type": "string"}),
            Holds::Count => json!({"type": "integer", "minimum": 0}),
            Holds::Flag => json!({"type": "boolean"}),
            Holds::Trace => {
                json!({"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"})
            }
        };
        schema["description"] = header.doc.into();
        properties.insert(header.name.to_owned(), schema);
        if header.always {
            required.push(header.name);
        }
    }
    json!({
        "type": "object",
        "description": "Application headers of every message.",
        "properties": properties,
        "required": required,
    })
}

/// The samples of a kind as examples.
fn samples(root: &Path, kind: Kind) -> Result<Vec<Value>> {
    let headers = json!({
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "x-tenant": "house",
        "x-sent-at": "2026-11-21T18:30:00.123456Z",
    });
    let found = payloads(&root.join("contracts/samples"), kind)?.into_iter();
    let example = |(name, payload)| json!({"name": name, "headers": headers, "payload": payload});
    Ok(found.map(example).collect())
}

/// `<kind>*.json` of a folder, by file name.
pub(super) fn payloads(folder: &Path, kind: Kind) -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix(kind.as_str());
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let payload = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        found.push((name.into_owned(), payload));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
