//! What the broker's Prometheus exporter tells of its queues, as RabbitMQ 3.10 to 4.x write it.

use std::collections::BTreeMap;

/// Asked for beside the vhost. Depths and consumers come from the queues themselves, what was delivered from the
/// channels: a channel that closes takes its counter with it.
const FAMILIES: [&str; 4] = [
    "queue_coarse_metrics",
    "queue_consumer_count",
    "queue_metrics",
    "channel_queue_metrics",
];

/// What is taken of a queue.
const DEPTHS: [&str; 5] = [
    "queue_messages_ready",
    "queue_messages_unacked",
    "queue_consumers",
    "queue_consumer_utilisation",
    "queue_consumer_capacity",
];

/// A queue as its leader tells it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Depth {
    pub(super) ready: u64,
    pub(super) unacked: u64,
    pub(super) consumers: u32,
    /// Share of the time in which its consumers could take more, from 0 to 1.
    pub(super) utilisation: Option<f64>,
}

impl Depth {
    pub(super) const fn total(&self) -> u64 {
        self.ready + self.unacked
    }
}

/// One look at all nodes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seen {
    pub(super) queues: BTreeMap<String, Depth>,
    /// Messages delivered since the channel was opened, by queue and channel.
    pub(super) delivered: BTreeMap<(String, String), u64>,
}

/// The address to ask at one node.
pub(super) fn address(base: &str, vhost: &str) -> String {
    let mut address = format!("{}/metrics/detailed?vhost=", base.trim_end_matches('/'));
    for byte in vhost.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
    for family in FAMILIES {
        address.push_str("&family=");
        address.push_str(family);
    }
    address
}

/// Adds what one node says of a vhost. Lines that are none, or of others, are passed over.
pub(super) fn read(text: &str, vhost: &str, seen: &mut Seen) {
    for line in text.lines() {
        let Some((name, labels, value)) = sample(line) else {
            continue;
        };
        let label = |name: &str| {
            let found = labels.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.as_str())
        };
        let (Some(queue), true) = (label("queue"), label("vhost") == Some(vhost)) else {
            continue;
        };
        let whole = value.max(0.0).round() as u64;
        let name = name.strip_prefix("rabbitmq_detailed_").unwrap_or(name);
        if name == "channel_messages_delivered_ack_total" {
            let channel = label("channel").unwrap_or_default().to_owned();
            seen.delivered.insert((queue.to_owned(), channel), whole);
            continue;
        }
        if !DEPTHS.contains(&name) {
            continue;
        }
        let depth = seen.queues.entry(queue.to_owned()).or_default();
        match name {
            "queue_messages_ready" => depth.ready = whole,
            "queue_messages_unacked" => depth.unacked = whole,
            "queue_consumers" => depth.consumers = u32::try_from(whole).unwrap_or(u32::MAX),
            // The older name, and the one that took its place.
            _ => depth.utilisation = Some(value.clamp(0.0, 1.0)),
        }
    }
}

type Sample<'a> = (&'a str, Vec<(&'a str, String)>, f64);

/// `name{label="value",…} number`, without or with a time behind it.
fn sample(line: &str) -> Option<Sample<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let (name, rest) = line.split_once('{')?;
    let (mut labels, mut rest) = (Vec::new(), rest);
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            rest = after;
            break;
        }
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((key, value));
        rest = after;
    }
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    value.is_finite().then_some((name, labels, value))
}

/// A label's value up to its quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# TYPE rabbitmq_detailed_queue_messages_ready gauge
# HELP rabbitmq_detailed_queue_messages_ready Messages ready to be delivered to consumers
rabbitmq_detailed_queue_messages_ready{vhost="boxoffice",queue="tickets"} 12
rabbitmq_detailed_queue_messages_ready{vhost="another",queue="tickets"} 99
rabbitmq_detailed_queue_messages_unacked{vhost="boxoffice",queue="tickets"} 3
rabbitmq_detailed_queue_messages{vhost="boxoffice",queue="tickets"} 15
rabbitmq_detailed_queue_consumers{vhost="boxoffice",queue="tickets"} 2
rabbitmq_detailed_queue_consumer_capacity{vhost="boxoffice",queue="tickets"} 0.25
rabbitmq_detailed_queue_consumer_utilisation{vhost="boxoffice",queue="mail"} undefined
rabbitmq_detailed_channel_messages_delivered_ack_total{channel="<0.1.2>",vhost="boxoffice",queue="tickets"} 40
rabbitmq_detailed_channel_messages_delivered_ack_total{channel="<0.1.3>",queue="tickets",vhost="boxoffice"} 2 1795000000000
rabbitmq_detailed_channel_messages_delivered_ack_total{queue="a\"b\\c",vhost="boxoffice",channel="x"} 1
rabbitmq_identity_info{rabbitmq_node="rabbit@a"} 1
telemetry_scrape_size_bytes_count{registry="detailed"} 2
broken{queue="x 1
"#;

    #[test]
    fn depths_consumers_and_deliveries_are_read_of_one_vhost_only() {
        let mut seen = Seen::default();
        read(TEXT, "boxoffice", &mut seen);
        let tickets = seen.queues["tickets"];
        assert_eq!(
            (tickets.ready, tickets.unacked, tickets.total()),
            (12, 3, 15)
        );
        assert_eq!((tickets.consumers, tickets.utilisation), (2, Some(0.25)));
        assert!(!seen.queues.contains_key("mail"), "undefined is no value");
        let of = |queue: &str, channel: &str| {
            let key = (queue.to_owned(), channel.to_owned());
            seen.delivered.get(&key).copied()
        };
        assert_eq!(of("tickets", "<0.1.2>"), Some(40));
        assert_eq!(of("tickets", "<0.1.3>"), Some(2));
        assert_eq!(of("a\"b\\c", "x"), Some(1));
    }

    #[test]
    fn a_vhost_is_written_as_a_query_wants_it() {
        let address = address("http://h:15692/", "/eu west");
        assert!(
            address.starts_with("http://h:15692/metrics/detailed?vhost=%2Feu%20west&family="),
            "{address}"
        );
    }
}
