//! What is to be at the broker, as data: where it is asked for, how it is made, and what must be seen of it.

use super::{Door, management::part};
use boxoffice_contracts::partner::{
    PartnerId,
    broker::{self, AREAS, DEAD, IN_BYTES_MAX, OUT_BYTES_MAX, OUT_LENGTH_MAX, Permissions},
};
use boxoffice_store::{
    broker_password::ALGORITHM,
    mysql::{
        partner_admin::Limits,
        partner_credentials::Credential,
        partners::{Partner, PartnerState},
    },
};
use serde_json::{Value, json};

/// Something that is made by a PUT where a GET shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    /// For logs, without secrets.
    pub what: String,
    pub path: String,
    pub body: Value,
    /// What the GET must show; more may stand there.
    pub shows: Value,
    /// Where a GET shows it, if not at `path`.
    pub seen_at: Option<String>,
}

impl Thing {
    fn new(what: String, path: String, body: Value) -> Self {
        Self {
            what,
            path,
            shows: body.clone(),
            body,
            seen_at: None,
        }
    }
}

/// Deliveries of a message before the broker gives it up to [`DEAD`].
const DELIVERY_LIMIT: u32 = 20;

/// What all partners share.
pub(super) fn house(door: &Door) -> Vec<Thing> {
    let v = part(&door.vhost);
    let mut things = vec![
        Thing::new(
            format!("vhost {}", door.vhost),
            format!("/api/vhosts/{v}"),
            json!({}),
        ),
        permissions(&v, door.management.user(), [".*"; 3]),
    ];
    if let Some(gate) = &door.gate {
        things.push(permissions(&v, &gate.user, [".*"; 3]));
    }
    things.extend([
        exchange(&v, DEAD, "fanout"),
        queue(&v, DEAD, json!({"x-queue-type": "quorum"})),
        // Theirs and ours: whatever they ask for themselves, it stays bounded.
        policy(
            &v,
            "partners.out",
            r"^partner\.[a-z0-9-]{3,32}\.out\.",
            json!({
                "max-length": OUT_LENGTH_MAX,
                "max-length-bytes": OUT_BYTES_MAX,
                "overflow": "reject-publish",
            }),
        ),
    ]);
    things
}

/// The partner's exchanges and queues, bounds first.
pub(super) fn places(door: &Door, partner: &Partner) -> Vec<Thing> {
    let (v, id) = (part(&door.vhost), &partner.id);
    vec![
        policy(
            &v,
            &policy_name(id),
            &format!(r"^partner\.{id}\.in\.all$"),
            json!({
                "max-length": partner.queue_length_max,
                "max-length-bytes": IN_BYTES_MAX,
                "overflow": "reject-publish",
                "delivery-limit": DELIVERY_LIMIT,
                "dead-letter-exchange": DEAD,
                "dead-letter-strategy": "at-least-once",
            }),
        ),
        exchange(&v, &broker::exchange_in(id), "topic"),
        exchange(&v, &broker::exchange_out(id), "topic"),
        queue(
            &v,
            &broker::queue_in(id),
            json!({"x-queue-type": "quorum", "x-single-active-consumer": true}),
        ),
        queue(
            &v,
            &broker::queue_out(id),
            json!({"x-queue-type": "quorum"}),
        ),
    ]
}

pub(super) fn policy_name(id: &PartnerId) -> String {
    format!("partner.{id}.in")
}

/// Exchange, queue and routing keys of each binding.
pub(super) fn bindings(id: &PartnerId) -> [(String, String, Vec<String>); 2] {
    [
        (
            broker::exchange_in(id),
            broker::queue_in(id),
            AREAS.map(broker::binding_in).to_vec(),
        ),
        (
            broker::exchange_out(id),
            broker::queue_out(id),
            vec!["#".to_owned()],
        ),
    ]
}

/// A live credential's user. What it may comes last: without a topic rule every key would be allowed.
/// `full`: its own queues, when it may make no more.
pub(super) fn user(
    door: &Door,
    partner: &Partner,
    credential: &Credential,
    full: Option<&[String]>,
) -> Vec<Thing> {
    let (v, id) = (part(&door.vhost), &partner.id);
    let user = credential.user(id);
    let u = part(&user);
    let may = match (partner.state, full) {
        (PartnerState::Active, None) => Permissions::active(id),
        (PartnerState::Active, Some(queues)) => Permissions::bounded(id, queues),
        (PartnerState::Suspended | PartnerState::Removed, _) => Permissions::suspended(id),
    };
    let mut account = Thing::new(
        format!("user {user}"),
        format!("/api/users/{u}"),
        json!({
            "password_hash": credential.password_hash,
            "hashing_algorithm": ALGORITHM,
            "tags": "",
        }),
    );
    account.shows["tags"] = json!([]);
    let mut things = vec![account];
    let Limits {
        connections_max,
        channels_max,
        ..
    } = Limits::of(partner);
    let limits = json!({"max-connections": connections_max, "max-channels": channels_max});
    for name in ["max-connections", "max-channels"] {
        things.push(Thing {
            what: format!("{name} of {user}"),
            path: format!("/api/user-limits/{u}/{name}"),
            body: json!({"value": limits[name]}),
            shows: json!([{"value": limits}]),
            seen_at: Some(format!("/api/user-limits/{u}")),
        });
    }
    for (exchange, write, read) in [
        (broker::exchange_in(id), may.topic_write.as_str(), NOTHING),
        (broker::exchange_out(id), NOTHING, may.topic_read.as_str()),
    ] {
        let body = json!({"exchange": exchange, "write": write, "read": read});
        let path = format!("/api/topic-permissions/{v}/{u}");
        things.push(Thing {
            what: format!("topics of {user} at {exchange}"),
            shows: json!([body]),
            body,
            path,
            seen_at: None,
        });
    }
    things.push(permissions(
        &v,
        &user,
        [&may.configure, &may.write, &may.read],
    ));
    things
}

const NOTHING: &str = "^$";

fn permissions(v: &str, user: &str, [configure, write, read]: [&str; 3]) -> Thing {
    Thing::new(
        format!("permissions of {user}"),
        format!("/api/permissions/{v}/{}", part(user)),
        json!({"configure": configure, "write": write, "read": read}),
    )
}

fn exchange(v: &str, name: &str, kind: &str) -> Thing {
    Thing::new(
        format!("exchange {name}"),
        format!("/api/exchanges/{v}/{}", part(name)),
        json!({
            "type": kind, "durable": true, "auto_delete": false, "internal": false, "arguments": {},
        }),
    )
}

fn queue(v: &str, name: &str, arguments: Value) -> Thing {
    Thing::new(
        format!("queue {name}"),
        format!("/api/queues/{v}/{}", part(name)),
        json!({"durable": true, "auto_delete": false, "arguments": arguments}),
    )
}

/// Lengths are policies and no arguments: arguments of a queue never change.
fn policy(v: &str, name: &str, pattern: &str, definition: Value) -> Thing {
    Thing::new(
        format!("policy {name}"),
        format!("/api/policies/{v}/{}", part(name)),
        json!({
            "pattern": pattern, "definition": definition, "priority": 10, "apply-to": "queues",
        }),
    )
}

/// Whether what must be seen is seen: of an object the fields that are named, exactly as they are to be; of a list
/// an item for each.
pub(super) fn is_seen(wanted: &Value, seen: &Value) -> bool {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => wanted
            .iter()
            .all(|(name, value)| seen.get(name) == Some(value)),
        (Value::Array(wanted), Value::Array(seen)) => wanted
            .iter()
            .all(|value| seen.iter().any(|seen| is_seen(value, seen))),
        (wanted, seen) => wanted == seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partners::Management;
    use chrono::DateTime;

    fn door() -> Door {
        Door {
            management: Management::new("http://root:x@h:1").unwrap(),
            vhost: "a vhost".to_owned(),
            gate: None,
            queues_max: 1,
        }
    }

    fn partner(state: PartnerState) -> Partner {
        Partner {
            id: "acme".parse().unwrap(),
            name: "Acme".to_owned(),
            state,
            state_reason: None,
            rate_per_sec: 1,
            burst: 1,
            queue_length_max: 7,
            connections_max: 2,
            channels_max: 3,
            version: 1,
            applied_version: 0,
            apply_error: None,
        }
    }

    fn credential() -> Credential {
        Credential {
            serial: 4,
            password_hash: "hash".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            ended_at: None,
        }
    }

    /// A topic exchange without a rule takes every key: the rules stand before the right to publish at all.
    #[test]
    fn a_user_may_nothing_before_its_topics_are_ruled() {
        let things = user(&door(), &partner(PartnerState::Active), &credential(), None);
        let paths: Vec<&str> = things.iter().map(|thing| thing.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/api/users/acme.4",
                "/api/user-limits/acme.4/max-connections",
                "/api/user-limits/acme.4/max-channels",
                "/api/topic-permissions/a%20vhost/acme.4",
                "/api/topic-permissions/a%20vhost/acme.4",
                "/api/permissions/a%20vhost/acme.4",
            ]
        );
        assert_eq!(things[0].body["tags"], "");
        assert_eq!(things[3].body["read"], NOTHING);
        assert_eq!(things[4].body["write"], NOTHING);
    }

    #[test]
    fn a_suspended_partner_keeps_its_users_and_writes_nothing() {
        let things = user(
            &door(),
            &partner(PartnerState::Suspended),
            &credential(),
            None,
        );
        let may = &things.last().unwrap().body;
        assert_eq!(
            (&may["write"], &may["configure"]),
            (&json!(NOTHING), &json!(NOTHING))
        );
        assert_ne!(may["read"], NOTHING);
        assert_eq!(things[3].body["write"], NOTHING);
    }

    #[test]
    fn nothing_of_the_way_in_is_bound_to_replies() {
        let id = "acme".parse().unwrap();
        let [(exchange, queue, keys), _] = bindings(&id);
        assert_eq!(
            (exchange.as_str(), queue.as_str()),
            ("partner.acme.in", "partner.acme.in.all")
        );
        assert!(
            keys.iter()
                .all(|key| key != "#" && !key.starts_with("reply"))
        );
        let things = places(&door(), &partner(PartnerState::Active));
        assert_eq!(things[0].body["definition"]["max-length"], 7);
        assert_eq!(things[0].body["pattern"], r"^partner\.acme\.in\.all$");
    }

    #[test]
    fn more_may_be_seen_than_is_wanted_and_not_less() {
        let wanted = json!({"definition": {"max-length": 1}, "tags": []});
        let with = |name: &str, value: Value| {
            let mut seen = wanted.clone();
            seen[name] = value;
            is_seen(&wanted, &seen)
        };
        assert!(with("vhost", json!("x")));
        assert!(!with("tags", json!(["administrator"])));
        assert!(!with("definition", json!({"max-length": 2})));
        // Somebody made messages expire.
        assert!(!with(
            "definition",
            json!({"max-length": 1, "message-ttl": 0})
        ));
        assert!(!is_seen(&wanted, &json!({"tags": []})));
        let topics = json!([{"exchange": "a", "write": "^$"}]);
        let other = json!({"exchange": "b", "write": ".*"});
        assert!(is_seen(
            &topics,
            &json!([other, {"exchange": "a", "write": "^$", "user": "u"}])
        ));
        assert!(!is_seen(&topics, &json!([other])));
    }
}
