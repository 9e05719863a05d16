//! Planted errors: each must be caught, else the walk looks away.

use crate::{
    CANCELLING, LONELY, NONE, PARTIAL, RUSH, STORIES, UNWAVERING,
    explore::explore,
    world::{Budget, Scenario},
};
use boxoffice_contracts::{Instant, Money, RefundId};
use boxoffice_saga::{
    Booking, Decision, Effect, Input, IntentState, Outcome, Policy, Status, Why, decide,
};
use uuid::Uuid;

type Mutant = fn(Option<&Booking>, &Input, Instant, &Policy) -> Decision;

struct Planted {
    error: &'static str,
    mutant: Mutant,
    scenario: Scenario,
    caught_by: &'static str,
}

const LATE: &str = "late money honoured";

fn planted() -> Vec<Planted> {
    let row = |error, mutant, scenario, caught_by| Planted {
        error,
        mutant,
        scenario,
        caught_by,
    };
    let with = |scenario: Scenario, budget: Budget| Scenario { budget, ..scenario };
    let lost = Budget { lost: 1, ..NONE };
    let decline = Budget { decline: 1, ..NONE };
    let odd = Budget { odd: 1, ..NONE };
    let repaid = Budget {
        capture: 1,
        dup: 1,
        ..NONE
    };
    vec![
        row(
            "claims again without looking at the seats",
            seats_unseen,
            with(RUSH, lost),
            "at most one live claim per seat",
        ),
        row(
            "confirms late money under the former epoch",
            former_epoch,
            with(LONELY, lost),
            "claims are what the status says",
        ),
        row(
            "keeps the seats when a hold ends",
            seats_kept,
            LONELY,
            "claims are what the status says",
        ),
        row(
            "takes a void for done when it is ordered",
            void_forgotten,
            LONELY,
            "no intent is left open",
        ),
        row(
            "never asks the gateway",
            never_asks,
            with(LONELY, lost),
            "every world can come to rest",
        ),
        row(
            "voids at expiry instead of asking",
            voids_at_expiry,
            with(LONELY, lost),
            LATE,
        ),
        row(
            "gives every refund order a fresh id",
            fresh_refund_id,
            CANCELLING,
            "no more goes back than was taken",
        ),
        row(
            "begins every attempt on a new intent",
            new_intents,
            with(UNWAVERING, decline),
            "no intent is left open",
        ),
        row(
            "believes answers about a former intent",
            any_generation,
            with(UNWAVERING, repaid),
            "no intent is left open",
        ),
        row(
            "frees seats without a refund",
            no_refund,
            CANCELLING,
            "money equals valid tickets and retained fees",
        ),
        row(
            "keeps money that was taken without seats",
            money_kept,
            with(CANCELLING, odd),
            "money equals valid tickets and retained fees",
        ),
        row(
            "forgets the cancellation that waits",
            cancel_forgotten,
            CANCELLING,
            "every operation has an outcome",
        ),
        row(
            "takes any amount for the right one",
            any_amount,
            with(LONELY, odd),
            "money equals valid tickets and retained fees",
        ),
        row(
            "leaves tickets valid that are paid back",
            tickets_valid,
            PARTIAL,
            "tickets are valid for sold positions only",
        ),
        row(
            "captures before the seats are sold",
            unsold,
            LONELY,
            "claims are what the status says",
        ),
        row(
            "decides without a new version",
            same_version,
            LONELY,
            "every decision raises the version by one",
        ),
    ]
}

#[test]
fn every_planted_error_is_caught() {
    let mut missed = Vec::new();
    for Planted {
        error,
        mutant,
        scenario,
        caught_by,
    } in planted()
    {
        let caught = match explore(&scenario, &mutant) {
            Err(broken) => Some((broken.invariant, broken.trace.len())),
            // The promise was kept, but what customers are owed no longer happens.
            Ok(explored) => STORIES
                .iter()
                .find(|story| **story == caught_by && !explored.stories.contains_key(**story))
                .map(|story| (*story, 0)),
        };
        println!("{error}: {caught:?}");
        if caught.is_none_or(|(invariant, _)| invariant != caught_by) {
            missed.push((error, caught));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Changes what comes out: the next state and its effects.
fn altered(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
    alter: impl FnOnce(&mut Booking, &mut Vec<Effect>),
) -> Decision {
    let mut decision = decide(booking, input, now, policy);
    if let Decision::Advance { next, effects } = &mut decision {
        alter(next, effects);
    }
    decision
}

fn seats_unseen(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let mut input = input.clone();
    if let Input::Authorized { late, .. } = &mut input {
        late.seats_free = true;
    }
    decide(booking, &input, now, policy)
}

fn former_epoch(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        for effect in effects {
            if let Effect::Sell { epoch } = effect {
                *epoch = 1;
            }
        }
    })
}

fn seats_kept(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        if next.status == Status::Expired {
            effects.retain(|effect| !matches!(effect, Effect::Free { .. }));
        }
    })
}

fn void_forgotten(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        effects.retain(|effect| !matches!(effect, Effect::CloseIntent));
        if next.payment.intent == IntentState::Closing {
            next.payment.intent = IntentState::Closed;
        }
    })
}

fn never_asks(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        effects.retain(|effect| !matches!(effect, Effect::Reconcile { .. }));
    })
}

fn voids_at_expiry(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        if next.status == Status::Expired && next.payment.intent == IntentState::Open {
            next.payment.intent = IntentState::Closing;
            effects.retain(|effect| !matches!(effect, Effect::Reconcile { .. }));
            effects.push(Effect::CloseIntent);
        }
    })
}

fn fresh_refund_id(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        let fresh = RefundId(Uuid::from_u128(u128::from(next.version)));
        for effect in effects {
            if let Effect::Refund { refund, .. } = effect {
                *refund = fresh;
                for line in &mut next.refunds {
                    line.id = fresh;
                }
            }
        }
    })
}

fn new_intents(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        for effect in effects {
            if let Effect::Authorize {
                attempt,
                generation,
                ..
            } = effect
            {
                *generation = *attempt;
                next.payment.generation = *attempt;
                next.payment.first_attempt = *attempt;
            }
        }
    })
}

fn any_generation(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    let mut input = input.clone();
    if let (Some(booking), Input::Voided { generation }) = (booking, &mut input) {
        *generation = booking.payment.generation;
    }
    decide(booking, &input, now, policy)
}

fn no_refund(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        if matches!(input, Input::Cancel { .. }) && next.status == Status::Refunding {
            effects.retain(|effect| !matches!(effect, Effect::Refund { .. }));
            next.refunds.clear();
            next.status = Status::Cancelled;
        }
    })
}

fn money_kept(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    match (booking.map(|b| b.status), input) {
        (Some(Status::Cancelling | Status::Expired), Input::Captured { .. }) => {
            altered(booking, input, now, policy, |next, effects| {
                next.status = Status::Cancelled;
                next.refunds.clear();
                effects.clear();
            })
        }
        _ => decide(booking, input, now, policy),
    }
}

fn cancel_forgotten(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |next, effects| {
        let pending = |effect: &Effect| {
            matches!(
                effect,
                Effect::Settle {
                    outcome: Outcome::Pending,
                    ..
                }
            )
        };
        if effects.iter().any(pending) {
            next.pending_cancel = None;
        }
    })
}

fn any_amount(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    let mut input = input.clone();
    if let (Some(booking), Input::Authorized { amount, .. }) = (booking, &mut input) {
        *amount = Money::new(booking.total_minor(), booking.currency);
    }
    decide(booking, &input, now, policy)
}

fn tickets_valid(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        effects.retain(|effect| !matches!(effect, Effect::VoidTickets { .. }));
    })
}

fn unsold(booking: Option<&Booking>, input: &Input, now: Instant, policy: &Policy) -> Decision {
    altered(booking, input, now, policy, |_, effects| {
        effects.retain(|effect| !matches!(effect, Effect::Sell { .. }));
    })
}

fn same_version(
    booking: Option<&Booking>,
    input: &Input,
    now: Instant,
    policy: &Policy,
) -> Decision {
    match (booking, decide(booking, input, now, policy)) {
        (Some(booking), Decision::Advance { mut next, effects }) => {
            next.version = booking.version;
            Decision::Advance { next, effects }
        }
        (_, Decision::Sleep { .. }) => Decision::Stay(Why::NotDue),
        (_, decision) => decision,
    }
}
