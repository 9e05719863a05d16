//! The gateway and the worker that calls it: idempotent by key, and truthful when asked.

use crate::world::{Envelope, Gate, Msg, Scenario, World};

/// Everything that a call may lead to. Each is one world; the caller removed the command already.
pub(crate) fn call(world: &World, scenario: &Scenario, envelope: &Envelope) -> Vec<World> {
    let index = envelope.booking;
    let mut worlds = Vec::with_capacity(4);
    match envelope.msg {
        Msg::DoAuthorize {
            attempt,
            generation,
            amount,
        } => authorize(
            world,
            scenario,
            index,
            attempt,
            generation,
            amount,
            &mut worlds,
        ),
        Msg::DoReconcile {
            attempt,
            generation,
        } => {
            let mut next = world.clone();
            tell_truth(&mut next, index, attempt, generation);
            or_unknown(world, &next, index, attempt, &mut worlds);
            worlds.push(next);
        }
        Msg::DoCapture { generation, amount } => {
            capture(world, index, generation, amount, &mut worlds);
        }
        Msg::DoVoid { generation } => {
            let mut next = world.clone();
            let intent = &mut next.sides[index].intents[usize::from(generation) - 1];
            if intent.state == Gate::Captured {
                let amount = intent.captured;
                next.send(index, Msg::Captured { generation, amount });
            } else {
                intent.state = Gate::Canceled;
                or_lost(&next, &mut worlds);
                next.send(index, Msg::Voided { generation });
            }
            worlds.push(next);
        }
        Msg::DoRefund { refund, amount } => {
            let done = world.sides[index]
                .refunds
                .iter()
                .any(|(id, _)| *id == refund);
            if !done && world.budget.refund > 0 {
                let mut next = world.clone();
                next.budget.refund -= 1;
                next.send(index, Msg::RefundFailed { refund });
                worlds.push(next);
            }
            let mut next = world.clone();
            if !done {
                next.sides[index].refunds.push((refund, amount));
            }
            or_lost(&next, &mut worlds);
            next.send(index, Msg::Refunded { refund, amount });
            worlds.push(next);
        }
        Msg::DoRender { revision } => {
            let mut next = world.clone();
            next.send(index, Msg::Rendered { revision });
            worlds.push(next);
        }
        Msg::Submit
        | Msg::Pay(_)
        | Msg::Cancel(..)
        | Msg::Mend(..)
        | Msg::Authorized { .. }
        | Msg::ActionRequired { .. }
        | Msg::Declined { .. }
        | Msg::Unknown { .. }
        | Msg::Captured { .. }
        | Msg::CaptureFailed { .. }
        | Msg::Voided { .. }
        | Msg::Refunded { .. }
        | Msg::RefundFailed { .. }
        | Msg::Rendered { .. } => {}
    }
    worlds
}

/// What happens at the gateway without an order of ours.
pub(crate) fn by_itself(world: &World, index: usize) -> Vec<(&'static str, World)> {
    let mut worlds = Vec::new();
    for (place, intent) in world.sides[index].intents.iter().enumerate() {
        let generation = place as u16 + 1;
        let attempt = intent.attempt;
        let mut odd = |what, state| {
            if world.budget.odd > 0 {
                let mut next = world.clone();
                next.budget.odd -= 1;
                let intent = &mut next.sides[index].intents[place];
                intent.state = state;
                if state == Gate::Captured {
                    intent.captured = intent.amount;
                }
                tell_truth(&mut next, index, attempt, generation);
                worlds.push((what, next));
            }
        };
        match intent.state {
            Gate::Action => {
                odd("gateway cancels by hand", Gate::Canceled);
                for state in [Gate::Authorized, Gate::Open] {
                    let mut next = world.clone();
                    next.sides[index].intents[place].state = state;
                    or_lost_named(&next, "customer finishes, webhook lost", &mut worlds);
                    tell_truth(&mut next, index, attempt, generation);
                    worlds.push(("customer finishes 3-D Secure", next));
                }
            }
            Gate::Open if attempt > 0 => {
                odd("customer retries at the gateway", Gate::Authorized);
                odd("gateway cancels by hand", Gate::Canceled);
            }
            Gate::Authorized => {
                odd("gateway captures by hand", Gate::Captured);
                odd("gateway cancels by hand", Gate::Canceled);
            }
            Gate::Open | Gate::Absent | Gate::Captured | Gate::Lapsed | Gate::Canceled => {}
        }
    }
    worlds
}

fn authorize(
    world: &World,
    scenario: &Scenario,
    index: usize,
    attempt: u16,
    generation: u16,
    amount: i64,
    worlds: &mut Vec<World>,
) {
    let intent = world.sides[index].intents[usize::from(generation) - 1];
    // A confirm that was done, or an intent that takes none: the object is read instead.
    let takes = matches!(intent.state, Gate::Absent | Gate::Open) && intent.attempt < attempt;
    if !takes {
        let mut next = world.clone();
        tell_truth(&mut next, index, attempt, generation);
        worlds.push(next);
        return;
    }
    let outcomes = [
        (Gate::Authorized, amount, true),
        (Gate::Authorized, amount - 1, world.budget.odd > 0),
        (Gate::Action, amount, scenario.three_ds),
        (Gate::Open, amount, world.budget.decline > 0),
    ];
    for (state, amount_there, possible) in outcomes {
        if !possible {
            continue;
        }
        let mut next = world.clone();
        if state == Gate::Open {
            next.budget.decline -= 1;
        }
        if amount_there != amount {
            next.budget.odd -= 1;
        }
        let intent = &mut next.sides[index].intents[usize::from(generation) - 1];
        intent.state = state;
        intent.attempt = attempt;
        intent.amount = amount_there;
        or_unknown(&next, &next, index, attempt, worlds);
        tell_truth(&mut next, index, attempt, generation);
        worlds.push(next);
    }
}

fn capture(world: &World, index: usize, generation: u16, amount: i64, worlds: &mut Vec<World>) {
    let mut next = world.clone();
    let sold = next
        .seats
        .iter()
        .flatten()
        .any(|c| c.booking == index && c.sold);
    let intent = &mut next.sides[index].intents[usize::from(generation) - 1];
    match intent.state {
        Gate::Authorized => {
            if world.budget.capture > 0 {
                let mut failed = world.clone();
                failed.budget.capture -= 1;
                failed.sides[index].intents[usize::from(generation) - 1].state = Gate::Lapsed;
                failed.send(index, Msg::CaptureFailed { generation });
                worlds.push(failed);
            }
            intent.state = Gate::Captured;
            intent.captured = amount.min(intent.amount);
            let amount = intent.captured;
            if !sold {
                next.broke("nothing is captured unless its seats are sold");
            }
            or_lost(&next, worlds);
            next.send(index, Msg::Captured { generation, amount });
        }
        Gate::Captured => {
            let amount = intent.captured;
            next.send(index, Msg::Captured { generation, amount });
        }
        Gate::Canceled => next.send(index, Msg::Voided { generation }),
        Gate::Absent | Gate::Open | Gate::Action | Gate::Lapsed => {
            next.send(index, Msg::CaptureFailed { generation });
        }
    }
    worlds.push(next);
}

/// GET: the object's state as the answer that the saga understands.
fn tell_truth(world: &mut World, index: usize, attempt: u16, generation: u16) {
    let intent = world.sides[index].intents[usize::from(generation) - 1];
    let msg = match intent.state {
        Gate::Absent | Gate::Open | Gate::Lapsed => Msg::Declined { attempt },
        Gate::Action => Msg::ActionRequired { attempt },
        Gate::Authorized => Msg::Authorized {
            attempt,
            amount: intent.amount,
        },
        Gate::Captured => Msg::Captured {
            generation,
            amount: intent.captured,
        },
        Gate::Canceled => Msg::Voided { generation },
    };
    world.send(index, msg);
}

fn or_lost(done: &World, worlds: &mut Vec<World>) {
    if done.budget.lost > 0 {
        let mut next = done.clone();
        next.budget.lost -= 1;
        worlds.push(next);
    }
}

fn or_lost_named(done: &World, what: &'static str, worlds: &mut Vec<(&'static str, World)>) {
    let mut lost = Vec::new();
    or_lost(done, &mut lost);
    worlds.extend(lost.into_iter().map(|world| (what, world)));
}

/// The worker notices that it heard nothing, or dies with the question.
fn or_unknown(before: &World, done: &World, index: usize, attempt: u16, worlds: &mut Vec<World>) {
    if before.budget.lost > 0 {
        or_lost(done, worlds);
        if let Some(next) = worlds.last() {
            let mut noticed = next.clone();
            noticed.send(index, Msg::Unknown { attempt });
            worlds.push(noticed);
        }
    }
}
