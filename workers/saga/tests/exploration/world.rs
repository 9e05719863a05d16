//! A small world: one or two bookings, their seats, the gateway, and everything that is under way.

use boxoffice_contracts::{
    BookingId, Code, Currency, Instant, Money, OperationId, RefundId, ShowId,
    message::booking::{CancelledBy, LatePolicy},
};
use boxoffice_saga::{
    Booking, Decision, Input, Policy,
    booking::{Position, RefundPolicy},
    input::{LateFacts, Offer, Submit},
};
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
};
const FEE: i64 = 1;
const FAR: i64 = 1_000_000;

pub(crate) fn at(secs: i64) -> Instant {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(secs)
}

pub(crate) fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
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

    /// Whether all seats that these positions name are free.
    fn seats_free(&self, wants: &[usize], positions: &[u16]) -> bool {
        positions
            .iter()
            .all(|no| self.seats[wants[usize::from(*no) - 1]].is_none())
    }

    /// The message with the facts that the shell reads under its locks. None: it is not for the saga.
    pub(crate) fn input(&self, scenario: &Scenario, envelope: &Envelope) -> Option<Input> {
        let wants = scenario.wants[envelope.booking];
        let booking = self.sides[envelope.booking].booking.as_deref();
        let id = |number| operation(envelope.booking, number);
        let deadline = at(FAR);
        Some(match envelope.msg {
            Msg::Submit => Input::Submit(Submit {
                booking: BookingId(Uuid::from_u128(envelope.booking as u128 + 1)),
                operation: id(0),
                show: ShowId(Uuid::nil()),
                deadline,
                late_policy: LatePolicy::SameSeats,
                method: None,
                pays: scenario.pays,
                offer: Ok(self.offer(scenario, wants)),
            }),
            Msg::Pay(number) => Input::Pay {
                operation: id(number),
                method: None,
                deadline,
            },
            Msg::Cancel(number, position, who) => Input::Cancel {
                operation: id(number),
                positions: position.map(|no| vec![no]),
                by: match who {
                    Who::Customer => CancelledBy::Customer,
                    Who::Show => CancelledBy::Show,
                },
                deadline,
                scanned: vec![],
            },
            Msg::Authorized { attempt, amount } => Input::Authorized {
                attempt,
                amount: euros(amount),
                late: LateFacts {
                    seats_free: booking
                        .is_some_and(|b| self.seats_free(wants, &b.live_positions())),
                    on_sale: true,
                    price_unchanged: true,
                },
            },
            Msg::ActionRequired { attempt } => Input::ActionRequired { attempt },
            Msg::Declined { attempt } => Input::Declined {
                attempt,
                code: Code::CardDeclined,
            },
            Msg::Unknown { attempt } => Input::Unknown { attempt },
            Msg::Captured { generation, amount } => Input::Captured {
                generation,
                amount: euros(amount),
            },
            Msg::CaptureFailed { generation } => Input::CaptureFailed {
                generation,
                code: Code::CaptureFailed,
            },
            Msg::Voided { generation } => Input::Voided { generation },
            Msg::Refunded { refund, amount } => Input::Refunded {
                refund,
                amount: euros(amount),
            },
            Msg::RefundFailed { refund } => Input::RefundFailed {
                refund,
                code: Code::InternalError,
            },
            Msg::Rendered { revision } => Input::Rendered { revision },
            Msg::DoAuthorize { .. }
            | Msg::DoReconcile { .. }
            | Msg::DoCapture { .. }
            | Msg::DoVoid { .. }
            | Msg::DoRefund { .. }
            | Msg::DoRender { .. } => return None,
        })
    }

    fn offer(&self, scenario: &Scenario, wants: &[usize]) -> Offer {
        Offer {
            currency: Currency::EUR,
            positions: (0..wants.len())
                .map(|index| Position {
                    no: index as u16 + 1,
                    price_minor: i64::from(scenario.prices[index]),
                    retained_minor: 0,
                    live: true,
                })
                .collect(),
            seats_free: wants.iter().all(|seat| self.seats[*seat].is_none()),
            hold_shown_secs: 8,
            hold_grace_secs: 2,
            hold_cap_secs: 20,
            sales_from: at(0),
            sales_until: at(FAR),
            cancelled: false,
            refund_policy: RefundPolicy {
                cancel_until: at(FAR),
                fee_minor: FEE,
            },
        }
    }
}
