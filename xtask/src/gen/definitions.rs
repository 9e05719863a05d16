//! `infra/docker/rabbitmq/definitions.json`: the topology as a broker imports it. No users, no passwords.

use boxoffice_contracts::topology::{
    RetryTier, VHOST,
    declared::{self, Argument, Arguments},
};
use serde_json::{Map, Value, json};

/// The definitions, for RabbitMQ 3.10 and later.
pub(super) fn definitions() -> Value {
    let exchanges: Vec<Value> = declared::exchanges()
        .iter()
        .map(|exchange| {
            json!({
                "name": exchange.name,
                "vhost": VHOST,
                "type": exchange.kind.as_str(),
                "durable": true,
                "auto_delete": false,
                "internal": false,
                "arguments": arguments(&exchange.arguments),
            })
        })
        .collect();
    let declared_queues = declared::queues(RetryTier::delay);
    let queues: Vec<Value> = declared_queues
        .iter()
        .map(|queue| {
            json!({
                "name": queue.name,
                "vhost": VHOST,
                "durable": true,
                "auto_delete": false,
                "arguments": arguments(&queue.arguments),
            })
        })
        .collect();
    let bindings: Vec<Value> = declared::bindings()
        .iter()
        .map(|binding| {
            json!({
                "source": binding.exchange,
                "vhost": VHOST,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.key,
                "arguments": {},
            })
        })
        .collect();
    let names: Vec<String> = declared_queues
        .iter()
        .map(|queue| queue.name.replace('.', "\\."))
        .collect();
    // What a queue is stands in its arguments, so that a role can refuse another; a policy only says where its
    // leader is put when there are several nodes.
    let policies = json!([{
        "name": "boxoffice-leaders",
        "vhost": VHOST,
        "pattern": format!("^({})$", names.join("|")),
        "apply-to": "queues",
        "priority": 0,
        "definition": {"queue-leader-locator": "balanced"},
    }]);
    json!({
        "vhosts": [{"name": VHOST}],
        "exchanges": exchanges,
        "queues": queues,
        "bindings": bindings,
        "policies": policies,
    })
}

/// Arguments as JSON.
pub(crate) fn arguments(arguments: &Arguments) -> Value {
    let map: Map<String, Value> = arguments
        .iter()
        .map(|(name, value)| {
            let value = match *value {
                Argument::Text(text) => Value::from(text),
                Argument::Number(number) => Value::from(number),
            };
            ((*name).to_owned(), value)
        })
        .collect();
    Value::Object(map)
}
