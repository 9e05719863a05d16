//! The gateway: idempotent by key, truthful when asked, silent when it likes. The model of `saga/tests/exploration`.

use crate::{
    Planted,
    settings::Method,
    sim::{Port, Sim, State},
    store::Intent,
};
use boxoffice_contracts::{
    BookingId, Code, Envelope, MessageId, Money, RefundId, message::payment, topology::Exchange,
    trace::TraceParent,
};
use boxoffice_runtime::Wire;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

#[derive(Debug, Default)]
pub struct Gateway {
    pub intents: BTreeMap<(BookingId, u16), There>,
    pub refunds: BTreeMap<(BookingId, String), i64>,
    events: u64,
}

/// An intent, as the gateway has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct There {
    pub state: Stands,
    pub amount: Money,
    /// Last attempt that was confirmed on it.
    pub attempt: u16,
    pub captured: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    Absent,
    Open,
    Action,
    Authorized,
    Captured,
    Lapsed,
    Canceled,
}

/// What is asked of the gateway.
#[derive(Debug, Clone)]
pub enum Ask {
    Confirm {
        attempt: u16,
        method: Method,
    },
    Look {
        attempt: u16,
    },
    Capture {
        minor: i64,
    },
    Cancel,
    Refund {
        refund: RefundId,
        minor: i64,
        key: String,
    },
}

/// What the saga is told.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Authorized(u16, Money),
    ActionRequired(u16),
    Declined(u16),
    Unknown(u16),
    Captured(u16, Money),
    CaptureFailed(u16),
    Voided(u16),
    Refunded(RefundId, Money),
    RefundFailed(RefundId, Money),
}

impl There {
    fn truth(self, attempt: u16, generation: u16) -> Reply {
        match self.state {
            Stands::Absent | Stands::Open | Stands::Lapsed => Reply::Declined(attempt),
            Stands::Action => Reply::ActionRequired(attempt),
            Stands::Authorized => Reply::Authorized(attempt, self.amount),
            Stands::Captured => {
                Reply::Captured(generation, Money::new(self.captured, self.amount.currency))
            }
            Stands::Canceled => Reply::Voided(generation),
        }
    }
}

impl State {
    /// The intent at the gateway; absent where none was made.
    pub fn there(&self, booking: BookingId, generation: u16, row: Intent) -> There {
        let there = self.gateway.intents.get(&(booking, generation)).copied();
        there.unwrap_or(There {
            state: Stands::Absent,
            amount: row.amount,
            attempt: 0,
            captured: 0,
        })
    }

    fn answer(&mut self, booking: BookingId, generation: u16, row: Intent, ask: &Ask) -> Reply {
        let mut there = self.there(booking, generation, row);
        let reply = match ask {
            Ask::Confirm { attempt, method } => {
                let takes = matches!(there.state, Stands::Absent | Stands::Open);
                if takes && there.attempt < *attempt && !row.is_closing {
                    there.attempt = *attempt;
                    there.state = match method {
                        Method::Good => Stands::Authorized,
                        Method::Declined => Stands::Open,
                        Method::Asks { .. } => Stands::Action,
                    };
                }
                there.truth(*attempt, generation)
            }
            Ask::Look { attempt } => there.truth(*attempt, generation),
            Ask::Capture { minor } => match there.state {
                Stands::Authorized if self.fault(20) => {
                    there.state = Stands::Lapsed;
                    Reply::CaptureFailed(generation)
                }
                Stands::Authorized => {
                    self.is_sold(booking);
                    there.captured = (*minor).min(there.amount.minor);
                    there.state = Stands::Captured;
                    there.truth(0, generation)
                }
                Stands::Captured | Stands::Canceled => there.truth(0, generation),
                Stands::Absent | Stands::Open | Stands::Action | Stands::Lapsed => {
                    Reply::CaptureFailed(generation)
                }
            },
            Ask::Cancel => {
                if there.state != Stands::Captured {
                    there.state = Stands::Canceled;
                }
                there.truth(0, generation)
            }
            Ask::Refund { refund, minor, key } => {
                let money = Money::new(*minor, there.amount.currency);
                let key = (booking, key.clone());
                if !self.gateway.refunds.contains_key(&key) {
                    if self.fault(20) {
                        return Reply::RefundFailed(*refund, money);
                    }
                    self.gateway.refunds.insert(key, *minor);
                }
                return Reply::Refunded(*refund, money);
            }
        };
        self.gateway.intents.insert((booking, generation), there);
        self.money_at_the_gateway(booking);
        reply
    }
}

/// Asks; `None` when no answer came, whatever happened there.
pub async fn ask(
    port: &Port,
    booking: BookingId,
    generation: u16,
    row: Intent,
    ask: &Ask,
) -> Option<Reply> {
    let name = match ask {
        Ask::Confirm { .. } => "confirms at the gateway",
        Ask::Look { .. } => "looks at the gateway",
        Ask::Capture { .. } => "captures",
        Ask::Cancel => "cancels at the gateway",
        Ask::Refund { .. } => "refunds",
    };
    port.step(name, u64::from(generation)).await;
    let answer = {
        let mut state = port.sim.state();
        if state.fault(20) {
            state.note("gateway", "never heard of it", 0);
            return None;
        }
        let answer = state.answer(booking, generation, row, ask);
        let silent = state.fault(20);
        if silent {
            state.note("gateway", "does it and is silent", 0);
        }
        if state.fault(15) {
            hint(&port.sim, &mut state, booking);
        }
        (!silent).then_some(answer)
    };
    port.step("hears of the gateway", u64::from(answer.is_some()))
        .await;
    answer
}

/// The customer authenticates, and the gateway tells of it, or doesn't, or twice.
pub fn finish(sim: &Arc<Sim>, booking: BookingId, passes: bool) {
    let mut state = sim.state();
    let all = state
        .gateway
        .intents
        .range_mut((booking, 0)..=(booking, u16::MAX));
    let Some((_, there)) = all.last() else { return };
    if there.state != Stands::Action {
        return;
    }
    there.state = if passes {
        Stands::Authorized
    } else {
        Stands::Open
    };
    state.note("customer", "authenticates", u64::from(passes));
    let hints = if state.fault(4) {
        state.chance.below(3)
    } else {
        1
    };
    for _ in 0..hints {
        hint(sim, &mut state, booking);
    }
}

/// A webhook: from the gateway by the API to the worker.
fn hint(sim: &Arc<Sim>, state: &mut State, booking: BookingId) {
    state.gateway.events += 1;
    let event_id = format!("evt_{}", state.gateway.events);
    let message_id = MessageId::of_outside_event(&event_id);
    let body = payment::Webhook {
        booking_id: booking,
        event_id,
        event_type: "payment_intent.amount_capturable_updated".to_owned(),
    };
    let trace = TraceParent::root(message_id.0);
    let envelope = Envelope::root::<payment::Webhook>(message_id, booking, state.now, trace);
    let wire = Wire::new(
        Exchange::Intake,
        &envelope,
        serde_json::to_vec(&body).unwrap_or_default(),
    );
    let wait = state.chance.millis(0, 3_000);
    let sim = Arc::clone(sim);
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        let mut state = sim.state();
        sim.arrive(&mut state, &wire);
    });
}

/// The worker's key of a refund: the order's, unless the error is planted.
pub fn refund_key(state: &mut State, refund: RefundId) -> String {
    if state.settings.is(Planted::NewRefundKey) {
        return format!("refund:{refund}:{}", state.chance.next());
    }
    format!("refund:{refund}:1")
}

impl Reply {
    /// How long the worker waits before it asks again.
    pub const AGAIN: Duration = Duration::from_millis(700);

    /// Code of what was refused.
    pub const CODE: Code = Code::CardDeclined;
}
