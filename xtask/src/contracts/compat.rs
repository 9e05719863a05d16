//! What a change breaks of what was published. Strict: what is not known to be harmless is refused.
//!
//! Harmless are: another title or description, a new kind, a new field that may be left out, a new value of a
//! list that said `x-open`, a new exchange, queue, binding or accepted kind.

mod schema;
#[cfg(test)]
mod tests;

use super::snapshot::{Snapshot, Topology};

/// One line for each thing that is broken.
pub(super) fn breakages(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    for (kind, schema) in &old.schemas {
        match new.schemas.get(kind) {
            None => found.push(format!("{kind} is gone")),
            Some(today) => found.extend(schema::breakages(kind, schema, today)),
        }
    }
    for (kind, schema) in &old.partner {
        let name = format!("partner {kind}");
        match new.partner.get(kind) {
            None => found.push(format!("{name} is gone")),
            Some(today) => found.extend(schema::breakages(&name, schema, today)),
        }
    }
    topology(&old.topology, &new.topology, &mut found);
    found
}

fn topology(old: &Topology, new: &Topology, found: &mut Vec<String>) {
    for (name, exchange) in &old.exchanges {
        match new.exchanges.get(name) {
            None => found.push(format!("exchange {name} is gone")),
            Some(today) if today != exchange => found.push(format!(
                "exchange {name} is {} {}, was {} {}: a broker refuses to declare it anew",
                today.r#type, today.arguments, exchange.r#type, exchange.arguments
            )),
            Some(_) => {}
        }
    }
    for (name, queue) in &old.queues {
        let Some(today) = new.queues.get(name) else {
            found.push(format!("queue {name} is gone: messages may still be in it"));
            continue;
        };
        if today.arguments != queue.arguments {
            found.push(format!(
                "queue {name} has the arguments {}, had {}: a broker refuses to declare it anew",
                today.arguments, queue.arguments
            ));
        }
        for kind in queue.accepts.iter().filter(|k| !today.accepts.contains(k)) {
            found.push(format!(
                "queue {name} no longer accepts {kind}: messages may still be in it"
            ));
        }
    }
    for binding in old.bindings.iter().filter(|b| !new.bindings.contains(b)) {
        found.push(format!(
            "{} no longer leads from {} to {}",
            binding.key, binding.exchange, binding.queue
        ));
    }
    for (kind, exchange) in &old.published_to {
        if let Some(today) = new
            .published_to
            .get(kind)
            .filter(|today| *today != exchange)
        {
            found.push(format!("{kind} is published to {today}, was to {exchange}"));
        }
    }
}
