//! The single samples: one booking of two seats, in euros.

use super::start;
use crate::{
    Input,
    booking::{Position, RefundPolicy},
    input::{LateFacts, Mend, Offer, Submit},
};
use boxoffice_contracts::{
    BookingId, Code, Currency, Instant, Money, OperationId, RefundId, ShowId,
    message::booking::{CancelledBy, LatePolicy, MendAction, Tender},
};
use chrono::TimeDelta;

pub(super) const PRICE_MINOR: i64 = 1000;
pub(super) const FEE_MINOR: i64 = 100;
pub(super) const HOLD_SHOWN_SECS: u32 = 480;
pub(super) const HOLD_CAP_SECS: u32 = 1200;

pub(super) fn operation(number: u128) -> OperationId {
    OperationId(BookingId::derive("samples", "operation", &number.to_string()).0)
}

pub(super) fn booking_id() -> BookingId {
    BookingId::derive("samples", "booking", "1")
}

pub(super) fn refund() -> RefundId {
    RefundId::derive(booking_id(), operation(2))
}

pub(super) fn far() -> Instant {
    start() + TimeDelta::days(365)
}

pub(super) fn total() -> Money {
    Money::new(2 * PRICE_MINOR, Currency::EUR)
}

pub(super) fn submit(pays: bool) -> Input {
    submit_by(far(), pays)
}

pub(super) fn submit_by(deadline: Instant, pays: bool) -> Input {
    let position = |no| Position {
        no,
        price_minor: PRICE_MINOR,
        retained_minor: 0,
        live: true,
    };
    Input::Submit(Submit {
        booking: booking_id(),
        operation: operation(0),
        show: ShowId::from(booking_id().0),
        deadline,
        late_policy: LatePolicy::SameSeats,
        method: None,
        pays,
        tender: Tender::Card,
        by_partner: false,
        offer: Ok(Offer {
            currency: Currency::EUR,
            positions: vec![position(1), position(2)],
            seats_free: true,
            hold_shown_secs: HOLD_SHOWN_SECS,
            hold_grace_secs: 120,
            hold_cap_secs: HOLD_CAP_SECS,
            sales_from: start(),
            sales_until: far(),
            cancelled: false,
            refund_policy: RefundPolicy {
                cancel_until: far(),
                fee_minor: FEE_MINOR,
            },
        }),
    })
}

/// A submit that nobody decided in time.
pub(super) fn late_submit() -> Input {
    submit_by(start(), false)
}

pub(super) fn pay(number: u128) -> Input {
    Input::Pay {
        operation: operation(number),
        method: None,
        accepted_at: far(),
        deadline: far(),
    }
}

pub(super) fn cancel(number: u128, position: Option<u16>) -> Input {
    Input::Cancel {
        operation: operation(number),
        positions: position.map(|no| vec![no]),
        by: CancelledBy::Customer,
        deadline: far(),
        scanned: vec![],
    }
}

pub(super) fn mend(number: u128, action: MendAction) -> Mend {
    Mend {
        operation: operation(number),
        action,
        deadline: far(),
        scanned: vec![],
    }
}

pub(super) fn late(seats_free: bool) -> LateFacts {
    LateFacts {
        seats_free,
        on_sale: true,
        price_unchanged: true,
    }
}

pub(super) fn authorized(attempt: u16) -> Input {
    Input::Authorized {
        attempt,
        amount: total(),
        late: late(true),
    }
}

pub(super) fn declined(attempt: u16) -> Input {
    Input::Declined {
        attempt,
        code: Code::CardDeclined,
    }
}

pub(super) fn captured() -> Input {
    Input::Captured {
        generation: 1,
        amount: total(),
    }
}

pub(super) fn capture_failed() -> Input {
    Input::CaptureFailed {
        generation: 1,
        code: Code::CaptureFailed,
    }
}

pub(super) fn voided(generation: u16) -> Input {
    Input::Voided { generation }
}

pub(super) fn refunded() -> Input {
    Input::Refunded {
        refund: refund(),
        amount: Money::new(2 * (PRICE_MINOR - FEE_MINOR), Currency::EUR),
    }
}
