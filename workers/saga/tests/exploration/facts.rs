//! From a message to the input of the saga, with the facts that the shell reads under its locks.

use crate::world::{Envelope, Msg, Scenario, Who, World, at, operation};
use boxoffice_contracts::{
    BookingId, Code, Currency, Money, ShowId,
    message::booking::{CancelledBy, LatePolicy, Tender},
};
use boxoffice_saga::{
    Input,
    booking::{Position, RefundPolicy},
    input::{LateFacts, Mend, Offer, Submit},
};
use uuid::Uuid;

const FEE: i64 = 1;
const FAR: i64 = 1_000_000;

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

impl World {
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
                tender: scenario.tender,
                by_partner: scenario.tender == Tender::PartnerCredit,
                offer: Ok(self.offer(scenario, wants)),
            }),
            Msg::Pay(number) => Input::Pay {
                operation: id(number),
                method: None,
                accepted_at: deadline,
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
            Msg::Mend(number, action) => Input::Mend(Mend {
                operation: id(number),
                action,
                deadline,
                scanned: vec![],
            }),
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
