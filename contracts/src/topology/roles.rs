//! Who says what: the messages that each role sends. What it receives stands in the queues' rows.

use super::{Exchange, QUEUES};
use crate::{
    Kind, Message,
    message::{booking, event, mail, partner, payment, ticket},
};

/// A role as the broker sees it.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// The name that `boxoffice worker run` takes, or `api`.
    pub name: &'static str,
    pub sends: &'static [Kind],
    /// Whether somebody waits while it works. A process without such a role leaves them the cores of its machine.
    pub waited_for: bool,
    pub doc: &'static str,
}

/// What the saga may order, and the facts that it tells.
const SAGA: &[Kind] = &[
    event::ActionRequired::KIND,
    event::AttentionNeeded::KIND,
    event::Cancelled::KIND,
    event::Completed::KIND,
    event::Confirmed::KIND,
    event::Declined::KIND,
    event::Expired::KIND,
    event::Held::KIND,
    event::OperationRefused::KIND,
    event::Paid::KIND,
    event::PaymentFailed::KIND,
    event::PaymentStarted::KIND,
    event::PositionsCancelled::KIND,
    event::Recorded::KIND,
    event::Refunded::KIND,
    event::Rejected::KIND,
    mail::Send::KIND,
    payment::Authorize::KIND,
    payment::Capture::KIND,
    payment::Reconcile::KIND,
    payment::Refund::KIND,
    payment::Void::KIND,
    ticket::Render::KIND,
];

/// Every role, sorted by name.
pub const ROLES: &[Role] = &[
    Role {
        name: "alerts",
        sends: &[],
        waited_for: false,
        doc: "Tells people of alerts, by mail and webhook.",
    },
    Role {
        name: "api",
        sends: &[
            booking::Cancel::KIND,
            booking::Mend::KIND,
            booking::Pay::KIND,
            booking::Submit::KIND,
            partner::Release::KIND,
            payment::Webhook::KIND,
        ],
        waited_for: true,
        doc: "Turns requests and the gateway's webhooks into commands; follows the events of watched bookings.",
    },
    Role {
        name: "hold-expiry",
        sends: SAGA,
        waited_for: true,
        doc: "Takes bookings that are due a step.",
    },
    Role {
        name: "invariants",
        sends: &[],
        waited_for: false,
        doc: "Looks whether what was promised holds.",
    },
    Role {
        name: "mail",
        sends: &[event::Recorded::KIND],
        waited_for: false,
        doc: "Sends mails.",
    },
    Role {
        name: "mender",
        // What it sends back is said by those who sent it first.
        sends: &[],
        waited_for: false,
        doc: "Sends parked messages back, when a person says so.",
    },
    Role {
        name: "parked",
        sends: &[],
        waited_for: false,
        doc: "Files what failed.",
    },
    Role {
        name: "partner-gate",
        sends: &[booking::Cancel::KIND, booking::Submit::KIND],
        waited_for: true,
        doc: "Checks what partners send, answers it, and sends them what they are to know.",
    },
    Role {
        name: "partners",
        sends: &[],
        waited_for: false,
        doc: "Brings the partners' vhost to what their rows say.",
    },
    Role {
        name: "payments",
        sends: &[
            event::Recorded::KIND,
            payment::ActionRequired::KIND,
            payment::Authorized::KIND,
            payment::CaptureFailed::KIND,
            payment::Captured::KIND,
            payment::Declined::KIND,
            payment::Disputed::KIND,
            payment::RefundFailed::KIND,
            payment::Refunded::KIND,
            payment::RefundedOutside::KIND,
            payment::Unknown::KIND,
            payment::Voided::KIND,
        ],
        waited_for: true,
        doc: "Talks to the gateway.",
    },
    Role {
        name: "queue-watch",
        sends: &[],
        waited_for: false,
        doc: "Watches queues and raises alerts.",
    },
    Role {
        name: "reservations",
        sends: SAGA,
        waited_for: true,
        doc: "Decides.",
    },
    Role {
        name: "retention",
        sends: &[],
        waited_for: false,
        doc: "Forgets what is old enough.",
    },
    Role {
        name: "tickets",
        sends: &[ticket::Rendered::KIND],
        waited_for: false,
        doc: "Makes documents.",
    },
    Role {
        name: "timeline",
        sends: &[],
        waited_for: false,
        doc: "Writes timelines.",
    },
];

/// The exchange that a kind is published to: where a queue is bound to it by name, else events.
#[must_use]
pub fn exchange_of(kind: Kind) -> Exchange {
    QUEUES
        .iter()
        .flat_map(|queue| queue.bindings)
        .find(|binding| binding.pattern == kind.as_str())
        .map_or(Exchange::Events, |binding| binding.exchange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::CATALOGUE;

    #[test]
    fn every_kind_has_a_sender() {
        for line in CATALOGUE {
            assert!(
                ROLES.iter().any(|role| role.sends.contains(&line.kind)),
                "{}: nobody sends it",
                line.kind
            );
        }
    }

    #[test]
    fn every_queue_belongs_to_a_role_and_roles_are_sorted() {
        assert!(ROLES.is_sorted_by(|a, b| a.name < b.name));
        for queue in QUEUES {
            assert!(ROLES.iter().any(|role| role.name == queue.role()));
        }
    }

    /// The catalogue says of each kind what it is; where it is published must agree.
    #[test]
    fn events_go_to_events_and_nothing_else_does() {
        for line in CATALOGUE {
            let event = line.doc.starts_with("Event: ");
            let exchange = exchange_of(line.kind);
            assert_eq!(event, exchange == Exchange::Events, "{}", line.kind);
        }
    }
}
