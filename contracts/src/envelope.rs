//! What every message carries beside its body: AMQP properties and headers, without AMQP.
//!
//! On the wire `message_id`, `type`, `correlation_id` and `timestamp` are AMQP 0-9-1 basic properties,
//! everything else is a header with an `x-` name. The body is bare JSON.

use crate::{
    BookingId, Instant, Kind, Message, MessageId, principal::TENANT_HOUSE, trace::TraceParent,
};

/// Names of the headers.
pub mod header {
    /// Id of the message that caused this one.
    pub const CAUSATION: &str = "x-causation-id";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// Tenant on whose behalf the command runs.
    pub const TENANT: &str = "x-tenant";
    /// RFC 3339 instant after which a command from outside is refused instead of handled.
    pub const DEADLINE: &str = "x-deadline";
    /// How often handling failed so far. Counted by us: brokers count differently by version.
    pub const ATTEMPT: &str = "x-attempt";
    /// Why the last attempt failed.
    pub const CAUSE: &str = "x-cause";
    /// Queue that a parked or retried message failed in.
    pub const FAILED_QUEUE: &str = "x-failed-queue";
    /// Id of the parked message that this one replays.
    pub const REPLAY_OF: &str = "x-replay-of";
    /// RFC 3339 instant of creation with microseconds; the AMQP property has whole seconds.
    pub const SENT_AT: &str = "x-sent-at";
    /// How often a message was too early so far. Apart from the attempts, which are bounded.
    pub const DEFERRED: &str = "x-deferred";
    /// Set on a message that the broker dead-lettered by its limit and that gets one more chance, alone.
    pub const ALONE: &str = "x-alone";

    /// What a header holds.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Holds {
        /// A UUID in hyphenated lower case.
        Id,
        /// An RFC 3339 instant in UTC with microseconds.
        Instant,
        Text,
        Count,
        Flag,
        /// `traceparent` of W3C trace context, version 00.
        Trace,
    }

    /// One header as it is published.
    #[derive(Clone, Copy, Debug)]
    pub struct Header {
        pub name: &'static str,
        pub holds: Holds,
        /// Whether every message of ours has it.
        pub always: bool,
        pub doc: &'static str,
    }

    const fn line(name: &'static str, holds: Holds, always: bool, doc: &'static str) -> Header {
        Header {
            name,
            holds,
            always,
            doc,
        }
    }

    /// Every header, sorted by name.
    pub const HEADERS: &[Header] = &[
        line(
            TRACEPARENT,
            Holds::Trace,
            true,
            "The trace that the message belongs to, and the step that sent it.",
        ),
        line(
            ALONE,
            Holds::Flag,
            false,
            "Delivered too often: gets one more chance with no neighbour. Set by the parked worker.",
        ),
        line(
            ATTEMPT,
            Holds::Count,
            false,
            "How often handling failed so far. Absent means never.",
        ),
        line(
            CAUSATION,
            Holds::Id,
            false,
            "The message that caused this one.",
        ),
        line(
            CAUSE,
            Holds::Text,
            false,
            "Why the last attempt failed, cut to 1,000 characters.",
        ),
        line(
            DEADLINE,
            Holds::Instant,
            false,
            "A command from outside is refused instead of handled after this.",
        ),
        line(
            DEFERRED,
            Holds::Count,
            false,
            "How often it was too early so far.",
        ),
        line(
            FAILED_QUEUE,
            Holds::Text,
            false,
            "The queue that a retried or parked message failed in.",
        ),
        line(
            REPLAY_OF,
            Holds::Id,
            false,
            "The parked message that this one replays.",
        ),
        line(
            SENT_AT,
            Holds::Instant,
            false,
            "When it was made; the AMQP property has whole seconds.",
        ),
        line(
            TENANT,
            Holds::Text,
            true,
            "On whose behalf: `house`, or the id of a partner.",
        ),
    ];
}

/// Everything about a message but its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    pub message_id: MessageId,
    /// Kind as it came; an unknown one is not an error here but at the gate of the worker.
    pub kind: String,
    /// The booking that it is about.
    pub correlation_id: Option<BookingId>,
    pub causation_id: Option<MessageId>,
    pub sent_at: Option<Instant>,
    pub trace: TraceParent,
    pub tenant: String,
    /// Only commands from outside have one; derived messages never inherit it.
    pub deadline: Option<Instant>,
    /// Failed attempts so far.
    pub attempt: u32,
    pub replay_of: Option<MessageId>,
}

impl Envelope {
    /// The envelope of a message that begins a story: a command from outside.
    #[must_use]
    pub fn root<M: Message>(
        message_id: MessageId,
        booking: BookingId,
        sent_at: Instant,
        trace: TraceParent,
    ) -> Self {
        Self {
            message_id,
            kind: M::KIND.as_str().to_owned(),
            correlation_id: Some(booking),
            causation_id: None,
            sent_at: Some(sent_at),
            trace: trace.child(message_id.0),
            tenant: TENANT_HOUSE.to_owned(),
            deadline: None,
            attempt: 0,
            replay_of: None,
        }
    }

    /// The envelope of a message that this one causes. The deadline is not inherited.
    #[must_use]
    pub fn caused(
        &self,
        message_id: MessageId,
        kind: Kind,
        booking: BookingId,
        sent_at: Instant,
    ) -> Self {
        Self {
            message_id,
            kind: kind.as_str().to_owned(),
            correlation_id: Some(booking),
            causation_id: Some(self.message_id),
            sent_at: Some(sent_at),
            trace: self.trace.child(message_id.0),
            tenant: self.tenant.clone(),
            deadline: None,
            attempt: 0,
            replay_of: None,
        }
    }
}
