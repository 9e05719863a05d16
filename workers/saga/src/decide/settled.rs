//! Paid and completed: the tickets are valid. Paid waits for the document, for a while.

use super::{
    give_back, mend, money, refunding, release,
    step::{Age, Step, age_of_attempt, age_of_generation, document_overtaken, overtaken, reject},
};
use crate::{Booking, Decision, Effect, Fact, Input, Policy, Status, Why};
use boxoffice_contracts::message::booking::MendAction::{
    Acknowledge, Cancel, MailTickets, Nudge, RenderTickets,
};
use boxoffice_contracts::{
    Code, Instant, OperationId,
    message::{booking::CancelledBy, mail::Template},
};

pub(super) fn decide(booking: &Booking, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match input {
        Input::Submit(_) => Decision::Stay(Why::AlreadyDone),
        Input::Pay { operation, .. } => reject(booking, *operation, Code::AlreadyPaid, now),
        Input::Cancel {
            operation,
            positions,
            by,
            deadline,
            scanned,
        } => {
            let wanted = positions.as_deref();
            match may_cancel(booking, wanted, *by, *deadline, scanned, now) {
                Ok(targets) => cancel(booking, *operation, &targets, *by, now),
                Err(code) => reject(booking, *operation, code, now),
            }
        }
        Input::Rendered { revision } => {
            if *revision != booking.ticket_revision {
                return document_overtaken(booking, *revision);
            }
            let step = Step::of(booking, now).rendered(*revision);
            if booking.mailed_revision < *revision {
                complete(step).done()
            } else if booking.lacks_document() {
                // Late: the mail went with a link, which leads somewhere now.
                step.done()
            } else {
                Decision::Stay(Why::AlreadyDone)
            }
        }
        Input::Tick => late(booking, now),
        Input::Captured { generation, .. } | Input::CaptureFailed { generation, .. } => {
            overtaken(age_of_generation(booking, *generation))
        }
        // What was captured cannot be canceled.
        Input::Voided { generation } => match age_of_generation(booking, *generation) {
            Age::Former => Decision::Stay(Why::Stale),
            Age::Present | Age::Unheard => Decision::Refuse(Why::Impossible),
        },
        Input::Authorized { attempt, .. }
        | Input::ActionRequired { attempt }
        | Input::Declined { attempt, .. }
        | Input::Unknown { attempt } => overtaken(age_of_attempt(booking, *attempt)),
        Input::Refunded { refund, amount } => refunding::refunded(booking, *refund, *amount, now),
        Input::RefundFailed { refund, .. } => refunding::failed(booking, *refund, now),
        Input::RefundedOutside { amount } => give_back::refunded_outside(booking, *amount, now),
        Input::Mend(order) => mend::decide(
            booking,
            order,
            now,
            policy,
            &[Nudge, Cancel, RenderTickets, MailTickets, Acknowledge],
        ),
        Input::Disputed => money::disputed(booking, now),
    }
}

/// The document does not come: the mail goes with a link, and the order is repeated until it is there. The first one
/// may have been lost with its queue.
fn late(booking: &Booking, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    if booking.mailed_revision < booking.ticket_revision {
        step = complete(step);
    }
    if booking.lacks_document() {
        let revision = booking.ticket_revision;
        step = step.resent().and(Effect::Render { revision });
    }
    step.done()
}

/// The tickets are out, or what is left of them: the confirmation is mailed once per revision.
fn complete(step: Step) -> Step {
    let step = mail_tickets(step);
    if step.next.status == Status::Paid {
        step.to(Status::Completed).tell(Fact::Completed)
    } else {
        step
    }
}

pub(super) fn mail_tickets(mut step: Step) -> Step {
    let revision = step.next.ticket_revision;
    step.next.mailed_revision = revision;
    step.and(Effect::Mail {
        template: Template::Confirmation,
        revision,
    })
}

/// Which positions may be cancelled now. A ticket that was scanned is used.
pub(super) fn may_cancel(
    booking: &Booking,
    positions: Option<&[u16]>,
    by: CancelledBy,
    deadline: Instant,
    scanned: &[u16],
    now: Instant,
) -> Result<Vec<u16>, Code> {
    let targets = release::targets(booking, positions, deadline, now)?;
    if targets.iter().any(|no| scanned.contains(no)) {
        return Err(Code::TicketUsed);
    }
    in_time(booking, by, now)?;
    Ok(targets)
}

/// The policy that was snapshotted at purchase binds the customer only.
pub(super) fn in_time(booking: &Booking, by: CancelledBy, now: Instant) -> Result<(), Code> {
    match by {
        CancelledBy::Customer if now > booking.refund_policy.cancel_until => {
            Err(Code::CancelTooLate)
        }
        CancelledBy::Customer | CancelledBy::Staff | CancelledBy::Show => Ok(()),
    }
}

/// Takes them back and lands where the money says.
pub(super) fn cancel(
    booking: &Booking,
    operation: OperationId,
    targets: &[u16],
    by: CancelledBy,
    now: Instant,
) -> Decision {
    let step = Step::of(booking, now);
    give_back::land(give_back::take_back(step, targets, Some(operation), by)).done()
}
