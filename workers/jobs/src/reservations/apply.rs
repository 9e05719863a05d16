//! From effects to rows and messages: the one `match` between the saga's vocabulary and the outside.

use super::{told::Told, world::World, writes::Writes};
use boxoffice_contracts::{
    Code, Envelope, Instant, Kind, Message, MessageId, Money,
    message::{
        booking::{CancelReason, MendAction},
        event, mail, payment, ticket,
    },
    planted::{self, Bug},
    topology::Exchange,
};
use boxoffice_runtime::{Cause, Failure, Outbox};
use boxoffice_saga::{Booking, Effect, Fact, Input, Outcome};
use boxoffice_store::mysql::{
    attempts::NewAttempt, bookings::Event, claims::Claim, intents::NewIntent,
    mail_orders::MailOrder, operations::Operation, refunds::NewRefund, ticket_states::NewTicket,
};

/// What led to a decision.
pub(super) struct Step<'a> {
    pub(super) cause: &'a Envelope,
    pub(super) input: &'a Input,
    pub(super) before: Option<&'a Booking>,
    /// What a person gave as the reason of their command.
    pub(super) reason: Option<&'a CancelReason>,
    pub(super) now: Instant,
}

/// Takes over the next state and what should follow from it.
pub(super) fn advance(
    outbox: &mut Outbox,
    world: &mut World,
    writes: &mut Writes,
    step: &Step<'_>,
    next: Booking,
    effects: &[Effect],
    code: Option<Code>,
) -> Result<(), Failure> {
    writes.events.push(Event {
        booking: next.id,
        version: next.version,
        at: step.now,
        input: label(step.input),
        cause: step.cause.message_id,
        from_status: step.before.map_or("none", |before| before.status.as_str()),
        to_status: next.status.as_str(),
        to_phase: next.status.phase(),
        code: code.map(Code::as_str),
        effects: effects.iter().map(effect_label).collect(),
        reason: step.reason.cloned(),
    });
    let mut out = Out {
        outbox,
        step,
        next: &next,
        index: 0,
    };
    for effect in effects {
        one(&mut out, world, writes, effect, code)?;
    }
    if !effects
        .iter()
        .any(|effect| matches!(effect, Effect::Announce(_)))
    {
        out.send(
            Exchange::Events,
            &event::Recorded {
                booking_id: next.id,
                part: event::Part::Decision,
                version: next.version,
                at: step.now,
            },
        )?;
    }
    mirror_positions(world, writes, &next);
    writes.changed.insert(next.id);
    world.bookings.insert(next.id, next);
    Ok(())
}

/// Messages of one step, numbered: a repetition of the step gives each the same id.
struct Out<'a> {
    outbox: &'a mut Outbox,
    step: &'a Step<'a>,
    next: &'a Booking,
    index: u16,
}

impl Out<'_> {
    fn command<M: Message>(&mut self, message: &M) -> Result<(), Failure> {
        self.send(Exchange::Commands, message)
    }

    fn send<M: Message>(&mut self, exchange: Exchange, message: &M) -> Result<(), Failure> {
        let id = self.next_id();
        self.index += 1;
        self.outbox.send(
            exchange,
            self.step.cause,
            id,
            self.next.id,
            message,
            self.step.now,
        )
    }

    /// Of the message that is sent next.
    fn next_id(&self) -> MessageId {
        MessageId::of_effect(self.next.id, self.next.version, self.index)
    }
}

fn one(
    out: &mut Out<'_>,
    world: &mut World,
    writes: &mut Writes,
    effect: &Effect,
    code: Option<Code>,
) -> Result<(), Failure> {
    let (next, now) = (out.next, out.step.now);
    let booking_id = next.id;
    match effect {
        Effect::Claim { epoch } => claim(world, next, *epoch)?,
        Effect::Sell { epoch } => sell(world, next, *epoch),
        Effect::Free { positions } => free(world, next, positions)?,
        Effect::Authorize {
            attempt,
            generation,
            method,
        } => {
            if !step_had_generation(out.step.before, *generation) {
                writes.intents.push(NewIntent {
                    booking: booking_id,
                    generation: *generation,
                    amount: Money::new(next.total_minor(), next.currency),
                    tender: next.tender,
                });
            }
            writes.attempts.push(NewAttempt {
                booking: booking_id,
                attempt: *attempt,
                generation: *generation,
                method: method.clone(),
            });
            out.command(&payment::Authorize {
                booking_id,
                attempt: *attempt,
            })?;
        }
        Effect::Reconcile { attempt } => out.command(&payment::Reconcile {
            booking_id,
            attempt: *attempt,
        })?,
        Effect::Capture { amount_minor } => {
            let amount = Money::new(*amount_minor, next.currency);
            let generation = next.payment.generation;
            out.command(&payment::Capture {
                booking_id,
                generation,
                amount,
            })?;
        }
        Effect::CloseIntent => {
            writes.closing.push(booking_id);
            out.command(&payment::Void {
                booking_id,
                generation: next.payment.generation,
            })?;
        }
        Effect::Refund {
            refund,
            operation,
            amount_minor,
            positions,
        } => {
            let amount = Money::new(*amount_minor, next.currency);
            writes.refunds.push(NewRefund {
                id: *refund,
                booking: booking_id,
                operation: *operation,
                amount,
                positions: positions.clone(),
            });
            out.command(&payment::Refund {
                booking_id,
                refund_id: *refund,
                amount,
            })?;
        }
        Effect::IssueTickets { revision } => {
            writes
                .tickets
                .extend(next.live_positions().into_iter().map(|position| NewTicket {
                    booking: booking_id,
                    position,
                    revision: *revision,
                    show: next.show_id,
                }));
        }
        Effect::VoidTickets { positions } => writes.voided.push((booking_id, positions.clone())),
        Effect::Render { revision } => out.command(&ticket::Render {
            booking_id,
            revision: *revision,
        })?,
        Effect::Mail { template, revision } => {
            writes.mails.push(MailOrder {
                message: out.next_id(),
                booking: booking_id,
                template: *template,
                revision: *revision,
            });
            out.command(&mail::Send {
                booking_id,
                template: *template,
                revision: *revision,
            })?;
        }
        Effect::Settle { operation, outcome } => {
            let (outcome, code) = match outcome {
                Outcome::Done => ("done", None),
                Outcome::Pending => ("pending", None),
                Outcome::Refused(code) => ("refused", Some(*code)),
            };
            writes.operations.push(Operation {
                id: *operation,
                booking: booking_id,
                kind: operation_kind(out.step.input),
                outcome,
                code,
                version: next.version,
                at: now,
            });
        }
        Effect::Announce(fact) => announce(out, world, writes, *fact, code)?,
    }
    Ok(())
}

/// Whether the intent of this generation was ordered by an earlier step.
fn step_had_generation(before: Option<&Booking>, generation: u16) -> bool {
    before.is_some_and(|booking| booking.payment.generation >= generation)
}

fn claim(world: &mut World, next: &Booking, epoch: u32) -> Result<(), Failure> {
    for place in world
        .places
        .get(&next.id)
        .into_iter()
        .flatten()
        .filter(|place| place.live)
    {
        match &place.seat {
            Some(seat) => {
                let claim = Claim {
                    booking: next.id,
                    position: place.no,
                    epoch,
                    sold: false,
                };
                world.claims.insert((place.show, seat.clone()), claim);
            }
            None => {
                let key = (place.show, place.category.clone());
                let counter = world.admissions.get_mut(&key);
                counter.ok_or_else(not_counted)?.taken += 1;
            }
        }
    }
    Ok(())
}

/// A seat's claim says whose it is, a counter doesn't: what would be counted twice, or nowhere, is for a person.
fn not_counted() -> Failure {
    Failure::Park(Cause::new(
        "admission_not_counted",
        "a place is taken or given back without its counter",
    ))
}

fn sell(world: &mut World, next: &Booking, epoch: u32) {
    for claim in world
        .claims
        .values_mut()
        .filter(|claim| claim.booking == next.id && claim.epoch == epoch)
    {
        claim.sold = true;
    }
}

fn free(world: &mut World, next: &Booking, positions: &[u16]) -> Result<(), Failure> {
    for place in world.places.get(&next.id).into_iter().flatten() {
        let released = place.live && positions.contains(&place.no);
        let again = place.seat.is_none() && planted::is(Bug::DoubleRelease);
        if !released && !again {
            continue;
        }
        match &place.seat {
            Some(seat) => {
                let key = (place.show, seat.clone());
                if world
                    .claims
                    .get(&key)
                    .is_some_and(|claim| claim.booking == next.id)
                {
                    world.claims.remove(&key);
                }
            }
            None => {
                let key = (place.show, place.category.clone());
                let counter = world.admissions.get_mut(&key).ok_or_else(not_counted)?;
                counter.taken = counter.taken.checked_sub(1).ok_or_else(not_counted)?;
            }
        }
    }
    Ok(())
}

/// Keeps the rows of positions equal to the saga's view of them.
fn mirror_positions(world: &mut World, writes: &mut Writes, next: &Booking) {
    let Some(places) = world.places.get_mut(&next.id) else {
        return;
    };
    for position in &next.positions {
        for place in places.iter_mut().filter(|place| place.no == position.no) {
            if place.live != position.live || place.retained_minor != position.retained_minor {
                place.live = position.live;
                place.retained_minor = position.retained_minor;
                writes.places_changed.insert(next.id);
            }
        }
    }
}

fn announce(
    out: &mut Out<'_>,
    world: &World,
    writes: &mut Writes,
    fact: Fact,
    code: Option<Code>,
) -> Result<(), Failure> {
    let code = match (fact, out.step.input) {
        (Fact::Declined, Input::Declined { code, .. }) => Some(*code),
        _ => code,
    };
    let body = event::BookingFact {
        booking_id: out.next.id,
        show_id: out.next.show_id,
        version: out.next.version,
        status: out.next.status.as_str().to_owned(),
        at: out.step.now,
        code,
    };
    if let Some(partner) = world.partners.get(&out.next.id) {
        writes.told.push(Told {
            partner: partner.clone(),
            // Of the event itself.
            message_id: MessageId::of_effect(out.next.id, out.next.version, out.index),
            kind: announced_kind(fact),
            fact: body.clone(),
        });
    }
    let events = Exchange::Events;
    match fact {
        Fact::Held => out.send(events, &event::Held(body)),
        Fact::PaymentStarted => out.send(events, &event::PaymentStarted(body)),
        Fact::ActionRequired => out.send(events, &event::ActionRequired(body)),
        Fact::Declined => out.send(events, &event::Declined(body)),
        Fact::Confirmed => out.send(events, &event::Confirmed(body)),
        Fact::Paid => out.send(events, &event::Paid(body)),
        Fact::Completed => out.send(events, &event::Completed(body)),
        Fact::Rejected => out.send(events, &event::Rejected(body)),
        Fact::PaymentFailed => out.send(events, &event::PaymentFailed(body)),
        Fact::Expired => out.send(events, &event::Expired(body)),
        Fact::Cancelled => out.send(events, &event::Cancelled(body)),
        Fact::PositionsCancelled => out.send(events, &event::PositionsCancelled(body)),
        Fact::Refunded => out.send(events, &event::Refunded(body)),
        Fact::OperationRefused => out.send(events, &event::OperationRefused(body)),
        Fact::AttentionNeeded => out.send(events, &event::AttentionNeeded(body)),
    }
}

/// The event that tells a fact; in the log of decisions it stands for the effect.
const fn announced_kind(fact: Fact) -> Kind {
    match fact {
        Fact::Held => event::Held::KIND,
        Fact::PaymentStarted => event::PaymentStarted::KIND,
        Fact::ActionRequired => event::ActionRequired::KIND,
        Fact::Declined => event::Declined::KIND,
        Fact::Confirmed => event::Confirmed::KIND,
        Fact::Paid => event::Paid::KIND,
        Fact::Completed => event::Completed::KIND,
        Fact::Rejected => event::Rejected::KIND,
        Fact::PaymentFailed => event::PaymentFailed::KIND,
        Fact::Expired => event::Expired::KIND,
        Fact::Cancelled => event::Cancelled::KIND,
        Fact::PositionsCancelled => event::PositionsCancelled::KIND,
        Fact::Refunded => event::Refunded::KIND,
        Fact::OperationRefused => event::OperationRefused::KIND,
        Fact::AttentionNeeded => event::AttentionNeeded::KIND,
    }
}

/// Name of an input in the log of decisions and in metrics.
pub(super) const fn label(input: &Input) -> &'static str {
    match input {
        Input::Submit(_) => "submit",
        Input::Pay { .. } => "pay",
        Input::Cancel { .. } => "cancel",
        Input::Authorized { .. } => "authorized",
        Input::ActionRequired { .. } => "action_required",
        Input::Declined { .. } => "declined",
        Input::Unknown { .. } => "unknown",
        Input::Captured { .. } => "captured",
        Input::CaptureFailed { .. } => "capture_failed",
        Input::Voided { .. } => "voided",
        Input::Refunded { .. } => "refunded",
        Input::RefundFailed { .. } => "refund_failed",
        Input::RefundedOutside { .. } => "refunded_outside",
        Input::Disputed => "disputed",
        Input::Rendered { .. } => "rendered",
        Input::Mend(mend) => mend.as_str(),
        Input::Tick => "tick",
    }
}

/// Kind of the customer's command that an outcome belongs to. A pending one that is settled later by
/// money's answer was a cancellation.
pub(super) const fn operation_kind(input: &Input) -> &'static str {
    match input {
        Input::Submit(_) => "submit",
        Input::Pay { .. } => "pay",
        Input::Mend(mend) if !matches!(mend.action, MendAction::Cancel) => "mend",
        _ => "cancel",
    }
}

const fn effect_label(effect: &Effect) -> &'static str {
    match effect {
        Effect::Claim { .. } => "claim",
        Effect::Sell { .. } => "sell",
        Effect::Free { .. } => "free",
        Effect::Authorize { .. } => "authorize",
        Effect::Reconcile { .. } => "reconcile",
        Effect::Capture { .. } => "capture",
        Effect::CloseIntent => "close_intent",
        Effect::Refund { .. } => "refund",
        Effect::IssueTickets { .. } => "issue_tickets",
        Effect::VoidTickets { .. } => "void_tickets",
        Effect::Render { .. } => "render",
        Effect::Mail { .. } => "mail",
        Effect::Settle { .. } => "settle",
        Effect::Announce(fact) => announced_kind(*fact).as_str(),
    }
}
