//! No booking yet: only a submit brings one about.

use super::{money, step::Step};
use crate::{
    Booking, Decision, Effect, Fact, Input, Outcome, Status, Why,
    booking::{Hold, Payment, RefundPolicy},
    input::{Offer, Submit},
    wake::after,
};
use boxoffice_contracts::{Code, Currency, Instant, OperationId, message::booking::Tender};

pub(super) fn decide(input: &Input, now: Instant) -> Decision {
    match input {
        Input::Submit(submit) => match check(submit, now) {
            Ok(offer) => book(submit, offer, now),
            Err(code) => refuse(submit, code, now),
        },
        // It overtook its submit.
        Input::Pay {
            operation,
            deadline,
            ..
        }
        | Input::Cancel {
            operation,
            deadline,
            ..
        } => wait_or_reject(*operation, *deadline, now),
        Input::Mend(order) => wait_or_reject(order.operation, order.deadline, now),
        Input::Tick => Decision::Stay(Why::NotDue),
        Input::Authorized { .. }
        | Input::ActionRequired { .. }
        | Input::Declined { .. }
        | Input::Unknown { .. }
        | Input::Captured { .. }
        | Input::CaptureFailed { .. }
        | Input::Voided { .. }
        | Input::Refunded { .. }
        | Input::RefundFailed { .. }
        | Input::RefundedOutside { .. }
        | Input::Disputed
        | Input::Rendered { .. } => Decision::Refuse(Why::Impossible),
    }
}

/// Reasons against, in the order that helps the customer most: taken seats come last, they may come back.
fn check(submit: &Submit, now: Instant) -> Result<&Offer, Code> {
    if now > submit.deadline {
        return Err(Code::DeadlineExceeded);
    }
    // Only a partner has credit, and it needs no card beside it.
    let on_credit = submit.tender == Tender::PartnerCredit;
    if on_credit && (!submit.by_partner || submit.method.is_some()) {
        return Err(Code::TenderRefused);
    }
    let offer = submit.offer.as_ref().map_err(|code| *code)?;
    if offer.cancelled {
        Err(Code::ShowCancelled)
    } else if now < offer.sales_from {
        Err(Code::SalesNotOpen)
    } else if now > offer.sales_until {
        Err(Code::SalesClosed)
    } else if offer.positions.is_empty() {
        Err(Code::ValidationFailed)
    } else if !offer.seats_free {
        Err(Code::SeatsUnavailable)
    } else {
        Ok(offer)
    }
}

fn book(submit: &Submit, offer: &Offer, now: Instant) -> Decision {
    let mut step = born(submit, Some(offer), now);
    step.next.epoch = 1;
    let step = step
        .and(Effect::Claim { epoch: 1 })
        .settle(submit.operation, Outcome::Done);
    if step.next.total_minor() <= 0 {
        return money::free_of_charge(step).done();
    }
    // Neither the shown end nor the grace may pass the cap.
    let mut step = step.to(Status::Held).tell(Fact::Held);
    let cap_at = after(now, offer.hold_cap_secs);
    let expires_at = after(now, offer.hold_shown_secs).min(cap_at);
    step.next.hold = Some(Hold {
        first_held_at: now,
        expires_at,
        grace_until: after(expires_at, offer.hold_grace_secs).min(cap_at),
        cap_at,
    });
    if submit.pays || submit.tender == Tender::PartnerCredit {
        step = money::begin_attempt(step, submit.method.clone());
    }
    step.done()
}

fn refuse(submit: &Submit, code: Code, now: Instant) -> Decision {
    let mut step = born(submit, submit.offer.as_ref().ok(), now);
    step.next.code = Some(code);
    step.to(Status::Rejected)
        .settle(submit.operation, Outcome::Refused(code))
        .tell(Fact::Rejected)
        .done()
}

/// A booking of version 1. Without an offer it has no positions; its currency and policy then mean nothing.
fn born(submit: &Submit, offer: Option<&Offer>, now: Instant) -> Step {
    let booking = Booking {
        id: submit.booking,
        show_id: submit.show,
        version: 0,
        status: Status::Rejected,
        since: now,
        resends: 0,
        epoch: 0,
        currency: offer.map_or(Currency::EUR, |o| o.currency),
        positions: offer.map_or_else(Vec::new, |o| o.positions.clone()),
        hold: None,
        tender: submit.tender,
        payment: Payment::default(),
        refunds: Vec::new(),
        pending_cancel: None,
        late_policy: submit.late_policy,
        refund_policy: offer.map_or(
            RefundPolicy {
                cancel_until: now,
                fee_minor: 0,
            },
            |o| o.refund_policy.clone(),
        ),
        ticket_revision: 0,
        rendered_revision: 0,
        mailed_revision: 0,
        mail_copies: 0,
        code: None,
        attention: None,
        disputed: false,
    };
    Step::of(&booking, now)
}

fn wait_or_reject(operation: OperationId, deadline: Instant, now: Instant) -> Decision {
    if now > deadline {
        Decision::RejectUnborn {
            operation,
            code: Code::DeadlineExceeded,
        }
    } else {
        Decision::Defer(Why::NotThereYet)
    }
}
