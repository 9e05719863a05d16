//! What each partner has at the broker, as data: exchanges, queues, bindings, users and what they may.
//!
//! Everything is declared by us; a partner may declare queues below its `out` and nothing else.

use super::PartnerId;

/// Virtual host of all partners; nothing but the gate bridges from there.
pub const VHOST: &str = "partners";

/// Largest message of a partner, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Media type of what partners send and get: `CloudEvents` 1.0, structured mode.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// Exchange and queue of what the gate could not take, whoever sent it. Ours alone.
pub const DEAD: &str = "partners.dead";

/// What a partner may send begins with one of these words; [`queue_in`] is bound to these and nothing else, so that
/// replies, which begin with `reply`, never come back in, however a partner binds.
pub const AREAS: [&str; 5] = ["booking", "show", "inventory", "price", "snapshot"];

/// Bound of each queue below an `out`, in messages; beyond it publishes are refused and nothing is deleted.
pub const OUT_LENGTH_MAX: u32 = 100_000;
/// The same in bytes.
pub const OUT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bound of a queue in, in bytes: partners may send less than the length says, but not a disk full.
pub const IN_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Topic exchange that the partner publishes to.
#[must_use]
pub fn exchange_in(id: &PartnerId) -> String {
    format!("partner.{id}.in")
}

/// Queue that the gate reads; all [`AREAS`] of [`exchange_in`] are bound to it. Quorum, one active consumer,
/// bounded with `reject-publish`.
///
/// Not named as the exchange: a permission to publish there would be one to bind this queue elsewhere.
#[must_use]
pub fn queue_in(id: &PartnerId) -> String {
    format!("partner.{id}.in.all")
}

/// Pattern of the queues of one area, bound to [`exchange_in`].
#[must_use]
pub fn binding_in(area: &str) -> String {
    format!("{area}.#")
}

/// Topic exchange of replies and events, from which the partner binds its queues.
#[must_use]
pub fn exchange_out(id: &PartnerId) -> String {
    format!("partner.{id}.out")
}

/// The queue that every partner gets: all of [`exchange_out`]. More may be declared by the partner beside it.
#[must_use]
pub fn queue_out(id: &PartnerId) -> String {
    format!("partner.{id}.out.all")
}

/// Name of a credential's user. Two may live during rotation.
#[must_use]
pub fn user(id: &PartnerId, serial: u16) -> String {
    format!("{id}.{serial}")
}

/// The partner that a user belongs to, and the serial of the credential.
#[must_use]
pub fn of_user(user: &str) -> Option<(PartnerId, u16)> {
    let (id, serial) = user.split_once('.')?;
    Some((id.parse().ok()?, serial.parse().ok()?))
}

/// What a user may, as regular expressions of RabbitMQ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permissions {
    pub configure: String,
    pub write: String,
    pub read: String,
    /// Routing keys that may be published to [`exchange_in`]. Without a rule everything would be allowed.
    pub topic_write: String,
    /// Keys that may be bound from [`exchange_out`].
    pub topic_read: String,
}

const NOTHING: &str = "^$";

/// A queue that a partner makes for itself. [`queue_out`] is ours: it may be read, and not deleted or bound.
const OWN_QUEUE: &str = r"out\.(?!all$)[a-z0-9-]{1,32}";

/// Names in one expression: RabbitMQ's are at most 64 KiB when compiled.
const BOUNDED_NAMES_MAX: usize = 400;

/// Partner and last part of the name of a queue that a partner made itself.
#[must_use]
pub fn own_queue(queue: &str) -> Option<(PartnerId, &str)> {
    let (id, name) = queue.strip_prefix("partner.")?.split_once(".out.")?;
    (name != "all").then_some((id.parse().ok()?, name))
}

impl Permissions {
    /// Of an active partner.
    ///
    /// Binding a queue needs write on the queue and read on the exchange
    /// (<https://www.rabbitmq.com/docs/access-control>).
    #[must_use]
    pub fn active(id: &PartnerId) -> Self {
        Self {
            configure: format!(r"^partner\.{id}\.{OWN_QUEUE}$"),
            write: format!(r"^partner\.{id}\.(in|{OWN_QUEUE})$"),
            read: format!(r"^partner\.{id}\.(out|out\.[a-z0-9-]{{1,32}})$"),
            topic_write: format!(r"^({})\.[a-z_]+\.v[0-9]+$", AREAS.join("|")),
            topic_read: ".*".to_owned(),
        }
    }

    /// Of an active one that has as many queues as it may: those that are there may be declared again and deleted, no
    /// other. RabbitMQ bounds the queues of a virtual host only.
    #[must_use]
    pub fn bounded(id: &PartnerId, queues: &[String]) -> Self {
        let ours = format!(r"^partner\.{id}\.out\.(");
        let names: Vec<&str> = queues
            .iter()
            .filter_map(|queue| own_queue(queue).filter(|(of, _)| of == id))
            .map(|(_, name)| name)
            .take(BOUNDED_NAMES_MAX)
            .collect();
        Self {
            configure: format!("{ours}{})$", names.join("|")),
            ..Self::active(id)
        }
    }

    /// Whether a right to configure is one that [`Self::active`] or [`Self::bounded`] gives, so that nothing it allowed
    /// was outside of the partner's own.
    #[must_use]
    pub fn is_own_configure(id: &PartnerId, configure: &str) -> bool {
        let listed = configure
            .strip_prefix(&*format!(r"^partner\.{id}\.out\.("))
            .and_then(|rest| rest.strip_suffix(")$"));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-|".contains(c);
        configure == Self::active(id).configure
            || listed.is_some_and(|names| names.chars().all(plain))
    }

    /// Of a suspended one: it publishes nothing, and reads what is there.
    #[must_use]
    pub fn suspended(id: &PartnerId) -> Self {
        Self {
            write: NOTHING.to_owned(),
            topic_write: NOTHING.to_owned(),
            configure: NOTHING.to_owned(),
            ..Self::active(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read by people, because a mistake here opens a wall; the stories in `hostile.rs` ask a broker.
    #[test]
    fn what_a_partner_may_is_spelled_out() {
        let id: PartnerId = "acme".parse().unwrap();
        let may = Permissions::active(&id);
        assert_eq!(
            may.configure,
            r"^partner\.acme\.out\.(?!all$)[a-z0-9-]{1,32}$"
        );
        assert_eq!(
            may.write,
            r"^partner\.acme\.(in|out\.(?!all$)[a-z0-9-]{1,32})$"
        );
        assert_eq!(may.read, r"^partner\.acme\.(out|out\.[a-z0-9-]{1,32})$");
        assert_eq!(
            may.topic_write,
            r"^(booking|show|inventory|price|snapshot)\.[a-z_]+\.v[0-9]+$"
        );
        let suspended = Permissions::suspended(&id);
        assert_eq!(suspended.read, may.read);
        for nothing in [suspended.configure, suspended.write, suspended.topic_write] {
            assert_eq!(nothing, "^$");
        }
    }

    #[test]
    fn who_has_as_many_queues_as_it_may_keeps_those_and_makes_no_other() {
        let id: PartnerId = "acme".parse().unwrap();
        let names = [
            "partner.acme.out.a",
            "partner.acme.out.all",
            "partner.acme-2.out.b",
            "partner.acme.out.c-1",
        ];
        let may = Permissions::bounded(&id, &names.map(str::to_owned));
        assert_eq!(may.configure, r"^partner\.acme\.out\.(a|c-1)$");
        assert_eq!(may.write, Permissions::active(&id).write);
        for own in [may.configure, Permissions::active(&id).configure] {
            assert!(Permissions::is_own_configure(&id, &own), "{own}");
        }
        for foreign in [
            ".*",
            "^$",
            r"^partner\.acme\.out\.(.*)$",
            r"^partner\.acme-2\.out\.(b)$",
        ] {
            assert!(!Permissions::is_own_configure(&id, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_user_names_its_partner_even_when_ids_begin_alike() {
        let id: PartnerId = "acme-2".parse().unwrap();
        assert_eq!(of_user(&user(&id, 1)), Some((id, 1)));
        for none in ["boxoffice", "acme", "acme.x", "Acme.1", "acme.1.2", ".1"] {
            assert_eq!(of_user(none), None, "{none}");
        }
    }
}
