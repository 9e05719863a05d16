//! What staff are offered: asked of the rule itself, so that nothing is offered that it would refuse.

use crate::{Booking, Decision, Input, Policy, decide, input::Mend};
use boxoffice_contracts::{Instant, OperationId, message::booking::MendAction};

/// The actions that [`decide()`] would carry out now. `scanned`: positions whose ticket was scanned.
#[must_use]
pub fn actions(
    booking: &Booking,
    scanned: &[u16],
    now: Instant,
    policy: &Policy,
) -> Vec<MendAction> {
    let is_accepted = |action: &MendAction| {
        let order = Input::Mend(Mend {
            operation: OperationId(booking.id.0),
            action: *action,
            deadline: now,
            scanned: scanned.to_vec(),
        });
        let decision = decide(Some(booking), &order, now, policy);
        matches!(decision, Decision::Advance { .. })
    };
    MendAction::ALL.into_iter().filter(is_accepted).collect()
}
