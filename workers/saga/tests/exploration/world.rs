//! A small world: one or two bookings, their seats, the gateway, and everything that is under way.

use boxoffice_contracts::{
    Instant, OperationId, RefundId,
    message::booking::{MendAction, Tender},
};
use boxoffice_saga::{Booking, Decision, Input, Policy};
use chrono::{DateTime, TimeDelta};
use std::rc::Rc;
use uuid::Uuid;

/// The function under exploration: the real one, or a mutant of it.
pub(crate) type Decide<'a> = &'a dyn Fn(Option<&Booking>, &Input, Instant, &Policy) -> Decision;

/// What may happen in a world, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Seats that each booking asks for; position n is the nth of them.
    pub(crate) wants: &'static [&'static [usize]],
    /// Prices of positions 1 and 2.
    pub(crate) prices: [u8; 2],
    /// Commands that are under way from the start, in any order.
    pub(crate) commands: &'static [(usize, Msg)],
    /// Whether the submit asks to pay at once.
    pub(crate) pays: bool,
    pub(crate) tender: Tender,
    pub(crate) three_ds: bool,
    /// Whether documents are rendered; else the wait for them always lapses.
    pub(crate) documents: bool,
    pub(crate) budget: Budget,
}

/// How many misfortunes of a kind may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// The same news comes again in another message.
    pub(crate) dup: u8,
    /// A process dies after the commit, before the ack: the same message comes again.
    pub(crate) crash: u8,
    /// The gateway did it, and nobody hears.
    pub(crate) lost: u8,
    /// The card is declined.
    pub(crate) decline: u8,
    /// The capture is refused for good.
    pub(crate) capture: u8,
    /// The refund is refused for good.
    pub(crate) refund: u8,
    /// Something that nobody here ordered: a wrong amount, a capture or a void by hand, a client's own retry.
    pub(crate) odd: u8,
}

/// A message under way. The first half is for the saga, the second for the worker that calls the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Msg {
    Submit,
    Pay(u8),
    /// Operation, position or all, and on whose behalf.
    Cancel(u8, Option<u16>, Who),
    /// Operation, and what staff order; at any moment, whether it is offered then or not.
    Mend(u8, MendAction),
    Authorized {
        attempt: u16,
        amount: i64,
    },
    ActionRequired {
        attempt: u16,
    },
    Declined {
        attempt: u16,
    },
    Unknown {
        attempt: u16,
    },
    Captured {
        generation: u16,
        amount: i64,
    },
    CaptureFailed {
        generation: u16,
    },
    Voided {
        generation: u16,
    },
    Refunded {
        refund: RefundId,
        amount: i64,
    },
    RefundFailed {
        refund: RefundId,
    },
    Rendered {
        revision: u16,
    },
    DoAuthorize {
        attempt: u16,
        generation: u16,
        amount: i64,
    },
    DoReconcile {
        attempt: u16,
        generation: u16,
    },
    DoCapture {
        generation: u16,
        amount: i64,
    },
    DoVoid {
        generation: u16,
    },
    DoRefund {
        refund: RefundId,
        amount: i64,
    },
    DoRender {
        revision: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who {
    Customer,
    Show,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Envelope {
    pub(crate) booking: usize,
    pub(crate) msg: Msg,
    /// The inbox knows it: the transaction that handled it was committed, the ack was not.
    pub(crate) handled: bool,
}

/// A row with primary key seat: one at most, by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) booking: usize,
    pub(crate) epoch: u32,
    pub(crate) sold: bool,
}

/// An intent as the gateway keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Intent {
    pub(crate) state: Gate,
    /// The last attempt that was confirmed.
    pub(crate) attempt: u16,
    /// What is, or would be, reserved.
    pub(crate) amount: i64,
    pub(crate) captured: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Gate {
    #[default]
    Absent,
    /// Takes a confirm.
    Open,
    /// Waits for 3-D Secure.
    Action,
    Authorized,
    Captured,
    /// The authorisation is gone, the intent not yet canceled.
    Lapsed,
    Canceled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    #[default]
    Open,
    Pending,
    Done,
    Refused,
}

pub(crate) const GENERATIONS: usize = 4;
pub(crate) const OPERATIONS: usize = 5;

/// One booking and all that belongs to it alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    pub(crate) booking: Option<Rc<Booking>>,
    pub(crate) intents: [Intent; GENERATIONS],
    pub(crate) refunds: Vec<(RefundId, i64)>,
    pub(crate) operations: [Op; OPERATIONS],
    /// Bit n: position n has a valid ticket.
    pub(crate) tickets: u16,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) sides: Vec<Side>,
    pub(crate) seats: [Option<Claim>; 2],
    /// Sorted; equal messages are one, since delivering one twice is a move of its own.
    pub(crate) queue: Vec<Envelope>,
    pub(crate) budget: Budget,
    /// The first invariant that a step broke.
    pub(crate) broken: Option<&'static str>,
}

/// All waits are alike and constant: other lengths would only be other names for the same orders of events.
pub(crate) const POLICY: Policy = Policy {
    attempts_max: 2,
    authorize_answer_secs: 10,
    action_secs: 10,
    resend_secs: 10,
    resend_max_secs: 10,
    pay_again_secs: 10,
    document_wait_secs: 10,
    refund_retry_secs: 10,
    mail_wait_secs: 10,
};

pub(crate) fn at(secs: i64) -> Instant {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(secs)
}

pub(crate) fn operation(booking: usize, number: u8) -> OperationId {
    OperationId(Uuid::from_u128(
        (booking as u128 + 1) * 100 + u128::from(number),
    ))
}

pub(crate) fn operation_number(operation: OperationId) -> usize {
    (operation.0.as_u128() % 100) as usize
}

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut world = Self {
            now: at(0),
            sides: vec![Side::default(); scenario.wants.len()],
            seats: [None; 2],
            queue: Vec::new(),
            budget: scenario.budget,
            broken: None,
        };
        for (booking, msg) in scenario.commands {
            world.send(*booking, *msg);
        }
        world
    }

    pub(crate) fn send(&mut self, booking: usize, msg: Msg) {
        let envelope = Envelope {
            booking,
            msg,
            handled: false,
        };
        if let Err(place) = self.queue.binary_search(&envelope) {
            self.queue.insert(place, envelope);
        }
    }

    pub(crate) fn broke(&mut self, invariant: &'static str) {
        self.broken.get_or_insert(invariant);
    }
}
