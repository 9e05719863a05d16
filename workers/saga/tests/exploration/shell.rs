//! The shell in memory: decide, then carry out state and effects in one step, as one transaction does.

use crate::world::{Claim, Decide, Envelope, Msg, Op, POLICY, Scenario, World, operation_number};
use boxoffice_saga::{Booking, Decision, Effect, Input, Outcome};
use std::rc::Rc;

/// What became of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handled {
    Settled,
    /// Stays in the queue.
    Deferred,
}

pub(crate) fn handle(
    world: &mut World,
    scenario: &Scenario,
    decide: Decide<'_>,
    index: usize,
    input: &Input,
) -> Handled {
    let before = world.sides[index].booking.clone();
    match decide(before.as_deref(), input, world.now, &POLICY) {
        Decision::Advance { mut next, effects }
        | Decision::Reject {
            mut next, effects, ..
        } => {
            // Where documents are no part of the scenario, each is there as soon as it is ordered.
            if !scenario.documents {
                next.rendered_revision = next.ticket_revision;
            }
            let version = before.as_ref().map_or(0, |b| b.version);
            if next.version != version + 1 {
                world.broke("every decision raises the version by one");
            }
            for effect in &effects {
                carry_out(world, scenario, index, &next, effect);
            }
            world.sides[index].booking = Some(Rc::new(*next));
            Handled::Settled
        }
        Decision::RejectUnborn { operation, .. } => {
            settle(world, index, operation_number(operation), Op::Refused);
            Handled::Settled
        }
        Decision::Stay(_) => Handled::Settled,
        Decision::Defer(_) => Handled::Deferred,
        Decision::Refuse(_) => {
            world.broke("nothing that keeps the contract is parked");
            Handled::Settled
        }
    }
}

fn carry_out(
    world: &mut World,
    scenario: &Scenario,
    index: usize,
    next: &Booking,
    effect: &Effect,
) {
    let wants = scenario.wants[index];
    let seat = |no: u16| wants[usize::from(no) - 1];
    let generation = next.payment.generation;
    match effect {
        Effect::Claim { epoch } => {
            for no in next.live_positions() {
                if world.seats[seat(no)].is_some() {
                    world.broke("at most one live claim per seat");
                }
                world.seats[seat(no)] = Some(Claim {
                    booking: index,
                    epoch: *epoch,
                    sold: false,
                });
            }
        }
        Effect::Sell { epoch } => {
            // Positions that a waiting cancellation frees in the same step are still claimed here.
            for claim in world.seats.iter_mut().flatten() {
                if claim.booking == index && claim.epoch == *epoch {
                    claim.sold = true;
                }
            }
        }
        Effect::Free { positions } => {
            for no in positions {
                match world.seats[seat(*no)] {
                    Some(claim) if claim.booking == index => world.seats[seat(*no)] = None,
                    Some(_) | None => world.broke("only what is claimed is freed"),
                }
            }
        }
        Effect::Authorize {
            attempt,
            generation,
            method: _,
        } => world.send(
            index,
            Msg::DoAuthorize {
                attempt: *attempt,
                generation: *generation,
                amount: next.total_minor(),
            },
        ),
        Effect::Reconcile { attempt } => world.send(
            index,
            Msg::DoReconcile {
                attempt: *attempt,
                generation,
            },
        ),
        Effect::Capture { amount_minor } => world.send(
            index,
            Msg::DoCapture {
                generation,
                amount: *amount_minor,
            },
        ),
        Effect::CloseIntent => world.send(index, Msg::DoVoid { generation }),
        Effect::Refund {
            refund,
            amount_minor,
            ..
        } => world.send(
            index,
            Msg::DoRefund {
                refund: *refund,
                amount: *amount_minor,
            },
        ),
        Effect::IssueTickets { .. } => {
            for no in next.live_positions() {
                world.sides[index].tickets |= 1 << no;
            }
        }
        Effect::VoidTickets { positions } => {
            for no in positions {
                world.sides[index].tickets &= !(1 << no);
            }
        }
        Effect::Render { revision } if scenario.documents => world.send(
            index,
            Msg::DoRender {
                revision: *revision,
            },
        ),
        Effect::Render { .. } => {}
        Effect::Settle { operation, outcome } => {
            let outcome = match outcome {
                Outcome::Done => Op::Done,
                Outcome::Pending => Op::Pending,
                Outcome::Refused(_) => Op::Refused,
            };
            settle(world, index, operation_number(*operation), outcome);
        }
        Effect::Mail { .. } | Effect::Announce(_) => {}
    }
}

fn settle(world: &mut World, index: usize, number: usize, outcome: Op) {
    let op = &mut world.sides[index].operations[number];
    let known = *op;
    *op = outcome;
    match (known, outcome) {
        (Op::Open, _) | (Op::Pending, Op::Done | Op::Refused) => {}
        (Op::Pending, Op::Open | Op::Pending) | (Op::Done | Op::Refused, _) => {
            world.broke("an operation has one outcome");
        }
    }
}

/// Takes a message out of the queue, or leaves it there as handled.
pub(crate) fn take(world: &mut World, place: usize, crashed: bool) -> Envelope {
    let mut envelope = world.queue.remove(place);
    if crashed {
        envelope.handled = true;
        if let Err(place) = world.queue.binary_search(&envelope) {
            world.queue.insert(place, envelope);
        }
        envelope.handled = false;
    }
    envelope
}
