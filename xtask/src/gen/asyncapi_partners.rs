//! The partners' part of `docs/asyncapi.yaml`: a server of its own, and a channel for each routing key.
//!
//! `{partner}` stands for the partner's id in the names of exchanges, queues and users.

use super::asyncapi::{BINDING, payloads};
use anyhow::Result;
use boxoffice_contracts::partner::{
    broker::{CONTENT_TYPE, MESSAGE_BYTES_MAX, VHOST},
    kinds::{Direction, PARTNER_CATALOGUE, PARTNER_REPLY, PartnerEntry},
    reply::Outcome,
};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a partner must know before it reads the rest.
pub(super) const ABOUT: &str = "Partners have a virtual host of their own, `partners`, and in it the exchanges \
    `partner.{partner}.in` and `partner.{partner}.out`. What they send and get are CloudEvents 1.0 in structured \
    JSON; the AMQP property `user_id` is set and is the user that is connected; `type` is the kind and equals the \
    routing key. A schema file is that of `data`. A kind of a partner is not the house's own of the same name.";

/// The queue that every partner has.
const QUEUE: &str = "partner.out.all";
const EXCHANGE_IN: &str = "partner.{partner}.in";
const EXCHANGE_OUT: &str = "partner.{partner}.out";
const USER: &str = "{partner}.{serial}";

pub(super) fn server() -> Value {
    json!({
        "host": "{host}:{port}",
        "pathname": format!("/{VHOST}"),
        "protocol": "amqps",
        "protocolVersion": "0-9-1",
        "description": "Where partners connect, with the user that they were given.",
        "security": [{"$ref": "#/components/securitySchemes/user"}],
        "variables": {
            "host": {"default": "127.0.0.1", "description": "Name or address."},
            "port": {"default": "5671", "description": "5672 without TLS, within a machine."},
        },
    })
}

pub(super) fn messages(root: &Path, messages: &mut Map<String, Value>) -> Result<()> {
    for entry in PARTNER_CATALOGUE {
        let found = payloads(&root.join("contracts/samples/partner"), entry.kind)?;
        let example = |(name, payload)| json!({"name": name, "payload": payload});
        let examples: Vec<Value> = found.into_iter().map(example).collect();
        let name = name(entry);
        let sort = entry.doc.split(':').next().unwrap_or_default();
        let message = json!({
            "name": name,
            "title": name,
            "summary": entry.doc,
            "description": format!("At most {MESSAGE_BYTES_MAX} bytes."),
            "contentType": CONTENT_TYPE,
            "tags": [{"name": sort.to_lowercase()}],
            "correlationId": {
                "description": "Chosen by the partner in the command that began the story.",
                "location": "$message.payload#/correlationid",
            },
            "payload": {"$ref": format!("#/components/schemas/{name}")},
            "bindings": {"amqp": {"bindingVersion": BINDING, "messageType": entry.kind.as_str()}},
            "examples": examples,
        });
        messages.insert(name, message);
    }
    Ok(())
}

pub(super) fn channels(channels: &mut Map<String, Value>) {
    for entry in PARTNER_CATALOGUE {
        let mut channel = json!({
            "address": entry.kind.as_str(),
            "title": name(entry),
            "summary": entry.doc,
            "servers": [{"$ref": "#/servers/partners"}],
            "messages": refs([entry]),
            "bindings": {"amqp": {
                "bindingVersion": BINDING,
                "is": "routingKey",
                "exchange": {
                    "name": exchange(entry), "type": "topic", "durable": true, "autoDelete": false, "vhost": VHOST,
                },
            }},
        });
        if entry.kind == PARTNER_REPLY {
            let outcomes = Outcome::ALL.map(Outcome::as_str);
            channel["address"] = "reply.{kind}.{outcome}".into();
            channel["parameters"] = json!({
                "kind": {"description": "Of the message that is answered; it has dots itself.", "enum": sent()},
                "outcome": {"description": "What became of it.", "enum": outcomes},
            });
        }
        channels.insert(channel_of(entry), channel);
    }
    let queue = json!({
        "address": "partner.{partner}.out.all",
        "title": "All that a partner gets",
        "summary": "Made by the house; the partner may declare more beside it, and bind what it wants to them.",
        "servers": [{"$ref": "#/servers/partners"}],
        "parameters": {"partner": {"description": "The partner's id."}},
        "messages": refs(of(Direction::ToPartner)),
        "bindings": {"amqp": {
            "bindingVersion": BINDING,
            "is": "queue",
            "queue": {
                "name": "partner.{partner}.out.all", "durable": true, "exclusive": false, "autoDelete": false,
                "vhost": VHOST,
            },
        }},
    });
    channels.insert(QUEUE.to_owned(), queue);
}

/// As the house sees them: it receives what partners send.
pub(super) fn operations(operations: &mut Map<String, Value>) {
    for entry in PARTNER_CATALOGUE {
        let (verb, action) = match entry.direction {
            Direction::FromPartner => ("receives", "receive"),
            Direction::ToPartner => ("sends", "send"),
        };
        let channel = channel_of(entry);
        let name = name(entry);
        let mut operation = json!({
            "action": action,
            "title": format!("partner-gate {verb} {}", entry.kind),
            "summary": entry.doc,
            "channel": {"$ref": format!("#/channels/{channel}")},
            "messages": [{"$ref": format!("#/channels/{channel}/messages/{name}")}],
        });
        operation["bindings"] = match entry.direction {
            Direction::FromPartner => json!({"amqp": {
                "bindingVersion": BINDING, "userId": USER, "deliveryMode": 2, "timestamp": true, "ack": true,
            }}),
            Direction::ToPartner => json!({"amqp": {
                "bindingVersion": BINDING, "deliveryMode": 2, "timestamp": true,
            }}),
        };
        if entry.direction == Direction::FromPartner {
            let reply = format!("partner.out.{PARTNER_REPLY}");
            operation["reply"] = json!({
                "channel": {"$ref": format!("#/channels/{reply}")},
                "messages": [{"$ref": format!("#/channels/{reply}/messages/partner.{PARTNER_REPLY}")}],
            });
        }
        operations.insert(format!("partner-gate.{verb}.{}", entry.kind), operation);
    }
}

fn name(entry: &PartnerEntry) -> String {
    format!("partner.{}", entry.kind)
}

fn channel_of(entry: &PartnerEntry) -> String {
    match entry.direction {
        Direction::FromPartner => format!("partner.in.{}", entry.kind),
        Direction::ToPartner => format!("partner.out.{}", entry.kind),
    }
}

const fn exchange(entry: &PartnerEntry) -> &'static str {
    match entry.direction {
        Direction::FromPartner => EXCHANGE_IN,
        Direction::ToPartner => EXCHANGE_OUT,
    }
}

fn of(direction: Direction) -> impl Iterator<Item = &'static PartnerEntry> {
    let all = PARTNER_CATALOGUE.iter();
    all.filter(move |entry| entry.direction == direction)
}

fn sent() -> Vec<&'static str> {
    of(Direction::FromPartner)
        .map(|entry| entry.kind.as_str())
        .collect()
}

fn refs<'a>(entries: impl IntoIterator<Item = &'a PartnerEntry>) -> Value {
    let refs = entries.into_iter().map(|entry| {
        let target = json!({"$ref": format!("#/components/messages/{}", name(entry))});
        (name(entry), target)
    });
    Value::Object(refs.collect())
}
