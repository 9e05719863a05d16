//! The broker's topology as one sorted table. Declaration, drift check, worker registry, documentation,
//! alerts and pages all read it; nothing else names a queue.
//!
//! The table is checked when the program is compiled.

mod check;
pub mod declared;
pub mod lines;
pub mod roles;
mod route;

use lines::{RESERVATIONS_SUBMIT_1, RESERVATIONS_SUBMIT_2, RESERVATIONS_SUBMIT_3};
pub use route::queues_of;

use crate::{
    Message,
    message::{Kind, booking, event, mail, partner, payment, ticket},
};
use std::time::Duration;

/// Exchanges. Every one is durable; all but [`Exchange::Intake`] have the alternate [`UNROUTABLE`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exchange {
    /// Commands from outside. No alternate: a publisher wants to learn that nobody is bound.
    Intake,
    /// Commands and answers between workers.
    Commands,
    /// Facts.
    Events,
    /// Where messages come back to from their wait, by the name of their queue.
    Return,
    /// What a person must look at, while it can't be written to the database directly.
    Parked,
    /// Where the broker brings what no queue was bound for.
    Unroutable,
}

/// What an exchange is to AMQP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExchangeType {
    Direct,
    Fanout,
    Topic,
}

impl ExchangeType {
    /// As AMQP writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
        }
    }
}

impl Exchange {
    pub const ALL: [Self; 6] = [
        Self::Intake,
        Self::Commands,
        Self::Events,
        Self::Return,
        Self::Parked,
        Self::Unroutable,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intake => "boxoffice.intake",
            Self::Commands => "boxoffice.commands",
            Self::Events => "boxoffice.events",
            Self::Return => "boxoffice.return",
            Self::Parked => "boxoffice.parked",
            Self::Unroutable => "boxoffice.unroutable",
        }
    }

    #[must_use]
    pub const fn kind(self) -> ExchangeType {
        match self {
            Self::Intake | Self::Commands | Self::Events => ExchangeType::Topic,
            Self::Return => ExchangeType::Direct,
            Self::Parked | Self::Unroutable => ExchangeType::Fanout,
        }
    }

    /// Whether what finds no queue goes to [`Exchange::Unroutable`] instead of back to the publisher.
    #[must_use]
    pub const fn has_alternate(self) -> bool {
        !matches!(self, Self::Intake | Self::Unroutable)
    }
}

/// How long a failed message waits. One queue per tier: a per-message TTL would only fire at the head.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum RetryTier {
    Second,
    TenSeconds,
    Minute,
    TenMinutes,
}

impl RetryTier {
    pub const ALL: [Self; 4] = [
        Self::Second,
        Self::TenSeconds,
        Self::Minute,
        Self::TenMinutes,
    ];

    /// Name of the fanout exchange that leads to the wait queue, and of the queue.
    #[must_use]
    pub const fn exchange(self) -> &'static str {
        match self {
            Self::Second => "boxoffice.retry.1s",
            Self::TenSeconds => "boxoffice.retry.10s",
            Self::Minute => "boxoffice.retry.1m",
            Self::TenMinutes => "boxoffice.retry.10m",
        }
    }

    #[must_use]
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Second => "retry.1s",
            Self::TenSeconds => "retry.10s",
            Self::Minute => "retry.1m",
            Self::TenMinutes => "retry.10m",
        }
    }

    /// The product's delay; configuration may set another for tests.
    #[must_use]
    pub const fn delay(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::TenMinutes => 600,
        })
    }
}

/// A kind that is routed to a queue from an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub exchange: Exchange,
    pub pattern: &'static str,
}

/// When a person should be told.
#[derive(Clone, Copy, Debug)]
pub struct Alert {
    pub depth_max: u32,
    pub age_max: Duration,
    /// Objective: 99 of 100 messages are done within this time from when they were sent.
    pub critical_p99: Duration,
}

/// One queue and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    /// Equal to the name of the worker and of its source file; a second queue has a suffix.
    pub name: &'static str,
    pub bindings: &'static [Binding],
    /// Kinds that its worker decodes; any other is parked.
    pub accepts: &'static [Kind],
    /// Most messages that are handled in one transaction.
    pub batch_max: u16,
    /// A busy worker begins a transaction at most once in this time, so that what arrives meanwhile shares it; one that
    /// was idle begins at once, but for `patient` kinds.
    pub pace: Duration,
    /// Kinds that nobody waits for: they begin no transaction before [`PATIENCE`], and go along with those that do.
    pub patient: &'static [Kind],
    /// Most deliveries in hand: as a rule four batches, so that the next is there when one is settled.
    pub prefetch: u16,
    /// Most outside calls in flight at once, for workers that call.
    pub calls_max: u16,
    /// The wait before each attempt after the first; when they are used up the message is parked.
    pub retry: &'static [RetryTier],
    /// The queue that people mean with this one: what they hold or set there holds here.
    pub line_of: Option<&'static str>,
    /// Length bound with `reject-publish`. Only where refusing the publisher is right.
    pub length_max: Option<u32>,
    pub alert: Alert,
    /// One line for `docs/queues.md` and the queue page.
    pub doc: &'static str,
}

/// How long a message that nobody waits for waits for company.
pub const PATIENCE: Duration = millis(100);

/// Deliveries of one message that the broker tolerates before it dead-letters: the backstop for messages
/// that kill the process. Our own attempts are counted in a header.
pub const DELIVERY_LIMIT: u32 = 20;

/// Deliveries after which a message is handled alone, so that its crashes are counted on no neighbour.
pub const SUSPECT_DELIVERIES: u32 = 2;

/// Largest body of a message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Age of the oldest message in the outbox beyond which a person should be told.
pub const OUTBOX_AGE_MAX: Duration = secs(30);

/// Name of the virtual host.
pub const VHOST: &str = "boxoffice";

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn from(exchange: Exchange, kind: Kind) -> Binding {
    Binding {
        exchange,
        pattern: kind.as_str(),
    }
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

use RetryTier::{Minute, Second, TenMinutes, TenSeconds};

/// For faults of one message; an outage of a service pauses the consumer and counts nothing.
const RETRY_USUAL: &[RetryTier] = &[Second, TenSeconds, TenSeconds, Minute, Minute, TenMinutes];

/// For what mail servers ask: greylisting ends after minutes, a full mailbox after hours.
const RETRY_MAIL: &[RetryTier] = &[
    TenSeconds, Minute, Minute, TenMinutes, TenMinutes, TenMinutes, TenMinutes, TenMinutes,
    TenMinutes,
];

pub const MAIL: Queue = Queue {
    name: "mail",
    bindings: &[from(Exchange::Commands, mail::Send::KIND)],
    accepts: &[mail::Send::KIND],
    batch_max: 16,
    pace: millis(200),
    patient: &[],
    prefetch: 64,
    calls_max: 8,
    retry: RETRY_MAIL,
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 5_000,
        age_max: secs(600),
        critical_p99: secs(60),
    },
    doc: "Sends mails about bookings, if they are still true when it is their turn.",
};

pub const PARKED: Queue = Queue {
    name: "parked",
    bindings: &[Binding {
        exchange: Exchange::Parked,
        pattern: "",
    }],
    accepts: &[],
    batch_max: 50,
    pace: Duration::ZERO,
    patient: &[],
    prefetch: 200,
    calls_max: 1,
    retry: &[],
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 100,
        age_max: secs(60),
        critical_p99: secs(60),
    },
    doc: "Files in the database what could not be decoded or was dead-lettered by the broker.",
};

pub const PARTNER_GATE: Queue = Queue {
    name: "partner-gate",
    bindings: &[from(Exchange::Intake, partner::Release::KIND)],
    accepts: &[partner::Release::KIND],
    batch_max: 16,
    pace: Duration::ZERO,
    patient: &[],
    prefetch: 64,
    calls_max: 1,
    retry: RETRY_USUAL,
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 100,
        age_max: secs(60),
        critical_p99: secs(10),
    },
    doc: "Lets quarantined messages of partners pass the gate again. What partners send comes by queues of their own.",
};

pub const PAYMENTS: Queue = Queue {
    name: "payments",
    bindings: &[
        from(Exchange::Commands, payment::Authorize::KIND),
        from(Exchange::Commands, payment::Capture::KIND),
        from(Exchange::Commands, payment::Reconcile::KIND),
        from(Exchange::Commands, payment::Refund::KIND),
        from(Exchange::Commands, payment::Void::KIND),
        from(Exchange::Intake, payment::Webhook::KIND),
    ],
    accepts: &[
        payment::Authorize::KIND,
        payment::Capture::KIND,
        payment::Reconcile::KIND,
        payment::Refund::KIND,
        payment::Void::KIND,
        payment::Webhook::KIND,
    ],
    batch_max: 50,
    pace: millis(16),
    patient: &[
        payment::Capture::KIND,
        payment::Refund::KIND,
        payment::Void::KIND,
        payment::Webhook::KIND,
    ],
    prefetch: 200,
    calls_max: 64,
    retry: RETRY_USUAL,
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 1_000,
        age_max: secs(30),
        critical_p99: secs(10),
    },
    doc: "Authorises, reconciles, captures, voids and refunds at the gateway.",
};

pub const RESERVATIONS: Queue = Queue {
    name: "reservations",
    bindings: &[
        from(Exchange::Intake, booking::Pay::KIND),
        from(Exchange::Intake, booking::Cancel::KIND),
        from(Exchange::Intake, booking::Mend::KIND),
        from(Exchange::Commands, payment::ActionRequired::KIND),
        from(Exchange::Commands, payment::Authorized::KIND),
        from(Exchange::Commands, payment::CaptureFailed::KIND),
        from(Exchange::Commands, payment::Captured::KIND),
        from(Exchange::Commands, payment::Declined::KIND),
        from(Exchange::Commands, payment::Disputed::KIND),
        from(Exchange::Commands, payment::RefundFailed::KIND),
        from(Exchange::Commands, payment::Refunded::KIND),
        from(Exchange::Commands, payment::RefundedOutside::KIND),
        from(Exchange::Commands, payment::Unknown::KIND),
        from(Exchange::Commands, payment::Voided::KIND),
        from(Exchange::Commands, ticket::Rendered::KIND),
    ],
    accepts: &[
        booking::Cancel::KIND,
        booking::Mend::KIND,
        booking::Pay::KIND,
        // Submits come here when they return from a wait.
        booking::Submit::KIND,
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
        ticket::Rendered::KIND,
    ],
    batch_max: 100,
    pace: millis(16),
    patient: &[
        payment::CaptureFailed::KIND,
        payment::Captured::KIND,
        payment::Disputed::KIND,
        payment::RefundFailed::KIND,
        payment::Refunded::KIND,
        payment::RefundedOutside::KIND,
        payment::Voided::KIND,
        ticket::Rendered::KIND,
    ],
    prefetch: 400,
    calls_max: 1,
    retry: RETRY_USUAL,
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 2_000,
        age_max: secs(10),
        critical_p99: secs(2),
    },
    doc: "Drives the saga of each booking; the only writer of claims. Everything but new submits.",
};

pub const RESERVATIONS_SUBMIT: Queue = Queue {
    name: "reservations.submit",
    bindings: &[from(Exchange::Intake, booking::Submit::KIND)],
    accepts: &[booking::Submit::KIND],
    batch_max: 100,
    pace: millis(16),
    patient: &[],
    // Two batches: four lines share a batch.
    prefetch: 200,
    calls_max: 1,
    retry: RETRY_USUAL,
    line_of: None,
    length_max: Some(200_000),
    alert: Alert {
        depth_max: 20_000,
        age_max: secs(30),
        critical_p99: secs(5),
    },
    doc: "New submits, by show in four lines that are drained in turn. Drained after `reservations`, so that a paid booking never waits behind an on-sale.",
};

pub const TICKETS: Queue = Queue {
    name: "tickets",
    bindings: &[from(Exchange::Commands, ticket::Render::KIND)],
    accepts: &[ticket::Render::KIND],
    batch_max: 16,
    pace: millis(150),
    patient: &[],
    prefetch: 64,
    calls_max: 16,
    retry: RETRY_USUAL,
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 5_000,
        age_max: secs(120),
        critical_p99: secs(30),
    },
    doc: "Renders the ticket PDF of a booking and stores it with its hash.",
};

pub const TIMELINE: Queue = Queue {
    name: "timeline",
    bindings: &[Binding {
        exchange: Exchange::Events,
        pattern: "#",
    }],
    accepts: &[
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
    ],
    batch_max: 200,
    pace: millis(100),
    patient: &[],
    prefetch: 800,
    calls_max: 1,
    retry: RETRY_USUAL,
    line_of: None,
    length_max: None,
    alert: Alert {
        depth_max: 20_000,
        age_max: secs(300),
        critical_p99: secs(60),
    },
    doc: "Writes the timeline of each booking to MongoDB.",
};

/// Where [`Exchange::Unroutable`] leads. A message here is a missing binding; the role [`PARKED`] sends it again to
/// where it was meant to go, until the binding is there.
pub const UNROUTABLE: &str = "unroutable";

/// Every queue that has a worker, sorted by name.
pub const QUEUES: &[Queue] = &[
    MAIL,
    PARKED,
    PARTNER_GATE,
    PAYMENTS,
    RESERVATIONS,
    RESERVATIONS_SUBMIT,
    RESERVATIONS_SUBMIT_1,
    RESERVATIONS_SUBMIT_2,
    RESERVATIONS_SUBMIT_3,
    TICKETS,
    TIMELINE,
];

impl Queue {
    /// The role that handles it: its name up to the first dot.
    #[must_use]
    pub fn role(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// Looks a queue up by its name.
#[must_use]
pub fn queue(name: &str) -> Option<&'static Queue> {
    QUEUES.iter().find(|queue| queue.name == name)
}

const _: () = check::check(QUEUES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::CATALOGUE;

    #[test]
    fn every_kind_is_accepted_somewhere_and_bound_where_it_is_published() {
        for line in CATALOGUE {
            assert!(
                QUEUES
                    .iter()
                    .any(|queue| queue.accepts.contains(&line.kind)),
                "{}: nobody accepts it",
                line.kind
            );
        }
        for queue in QUEUES {
            for binding in queue.bindings {
                if matches!(binding.exchange, Exchange::Intake | Exchange::Commands) {
                    assert!(
                        queue.accepts.iter().any(|kind| {
                            let line = binding.pattern.strip_prefix(kind.as_str());
                            line.is_some_and(|line| line.is_empty() || line.starts_with('.'))
                        }),
                        "{}",
                        queue.name
                    );
                }
            }
        }
    }

    #[test]
    fn only_what_a_queue_accepts_is_patient_and_nobody_waits_long() {
        for queue in QUEUES {
            for kind in queue.patient {
                assert!(queue.accepts.contains(kind), "{}: {kind}", queue.name);
            }
            assert!(queue.patient.is_empty() || PATIENCE * 5 < queue.alert.critical_p99);
        }
    }
}
