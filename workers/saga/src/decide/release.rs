//! Giving seats back while nothing is captured: expiry, failure, cancellation.

use super::{
    money,
    step::{Step, reject},
};
use crate::{
    Booking, Decision, Effect, Fact, IntentState, Outcome, Phase, Status, booking::PendingCancel,
};
use boxoffice_contracts::{
    Code, Instant, OperationId,
    message::{booking::CancelledBy, mail::Template},
};

/// The hold ends. With an attempt under way the gateway is asked, not told: its answer may be late money,
/// and late money is honoured while the seats are still free.
pub(super) fn expire(booking: &Booking, now: Instant) -> Decision {
    let mut step = Step::of(booking, now);
    if let Some(cancel) = step.take_pending() {
        return cancel_unpaid(step, Some(cancel.operation_id)).done();
    }
    let attempt = booking.payment.attempt;
    let asks = matches!(
        booking.status,
        Status::Authorizing(Phase::InFlight | Phase::ActionRequired | Phase::Unknown)
    );
    let mut step = free(step).to(Status::Expired);
    step.next.code = None;
    let step = if asks {
        step.and(Effect::Reconcile { attempt })
    } else {
        close_intent(step)
    };
    step.mail(Template::Expired).tell(Fact::Expired).done()
}

/// Paying has failed for good: seats back, and no money may move any more.
pub(super) fn fail(mut step: Step, code: Code) -> Step {
    step.next.code = Some(code);
    close_intent(free(step).to(Status::PaymentFailed))
        .mail(Template::PaymentFailed)
        .tell(Fact::PaymentFailed)
}

/// Cancels everything before anything was captured.
pub(super) fn cancel_unpaid(step: Step, operation: Option<OperationId>) -> Step {
    let mut step = free(step);
    for position in &mut step.next.positions {
        position.live = false;
    }
    step.next.pending_cancel = None;
    step.next.code = None;
    let mut step = close_intent(step.to(Status::Cancelling));
    if let Some(operation) = operation {
        step = step.settle(operation, Outcome::Done);
    }
    match step.next.payment.intent {
        IntentState::Open | IntentState::Closing => step,
        IntentState::None | IntentState::Closed | IntentState::Captured => cancelled(step),
    }
}

/// Nothing is owed to anybody any more.
pub(super) fn cancelled(step: Step) -> Step {
    step.to(Status::Cancelled)
        .mail(Template::Cancelled)
        .tell(Fact::Cancelled)
}

/// Gives back some positions of a hold that nobody began to pay.
pub(super) fn cancel_some_unpaid(
    booking: &Booking,
    operation: OperationId,
    targets: &[u16],
    now: Instant,
) -> Decision {
    let mut step = Step::of(booking, now);
    for position in &mut step.next.positions {
        position.live &= !targets.contains(&position.no);
    }
    let step = step
        .and(Effect::Free {
            positions: targets.to_vec(),
        })
        .settle(operation, Outcome::Done)
        .tell(Fact::PositionsCancelled);
    // What is left may cost nothing: there is no payment to wait for.
    if step.next.total_minor() <= 0 {
        money::free_of_charge(step).done()
    } else {
        step.done()
    }
}

/// Money is moving: the cancellation is taken when it has come to rest.
pub(super) fn remember_cancel(
    booking: &Booking,
    operation_id: OperationId,
    positions: Option<Vec<u16>>,
    by: CancelledBy,
    now: Instant,
) -> Decision {
    let mut step = Step::of(booking, now);
    if let Some(former) = &booking.pending_cancel {
        // A show that does not take place takes the wish of one customer along, fees included.
        let wider = by == CancelledBy::Show && former.by != by && positions.is_none();
        if !wider {
            return reject(booking, operation_id, Code::CancelInProgress, now);
        }
        step = step.settle(former.operation_id, Outcome::Done);
    }
    step.next.pending_cancel = Some(PendingCancel {
        operation_id,
        positions,
        by,
    });
    step.settle(operation_id, Outcome::Pending).done()
}

/// The live positions that a command names, or why it can't be.
pub(super) fn targets(
    booking: &Booking,
    positions: Option<&[u16]>,
    deadline: Instant,
    now: Instant,
) -> Result<Vec<u16>, Code> {
    if now > deadline {
        return Err(Code::DeadlineExceeded);
    }
    let live = booking.live_positions();
    let mut targets = positions.map_or_else(|| live.clone(), <[u16]>::to_vec);
    targets.sort_unstable();
    targets.dedup();
    if targets.is_empty() || targets.iter().any(|no| !live.contains(no)) {
        return Err(Code::PositionUnknown);
    }
    Ok(targets)
}

/// Orders the void of an intent that may still be used. Closing is never undone.
pub(super) fn close_intent(mut step: Step) -> Step {
    match step.next.payment.intent {
        IntentState::Open => {
            step.next.payment.intent = IntentState::Closing;
            step.and(Effect::CloseIntent)
        }
        IntentState::None | IntentState::Closing | IntentState::Closed | IntentState::Captured => {
            step
        }
    }
}

fn free(step: Step) -> Step {
    let positions = step.next.live_positions();
    step.and(Effect::Free { positions })
}
