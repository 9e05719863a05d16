//! One batch: load, decide in memory in the order of arrival, write.

use super::{
    Accepted,
    apply::{self, Step},
    audit,
    facts::{self, Layouts},
    tables::{Mysql, Tables},
    world::World,
    writes::Writes,
};
use boxoffice_contracts::{
    BookingId, Envelope, Instant, Message as _, MessageId,
    message::{
        booking::CancelReason,
        event::{Part, Recorded},
    },
    metric,
    topology::Exchange,
};
use boxoffice_runtime::{Cause, Failure, Outbox, Tx, Verdict};
use boxoffice_saga::{Attention, Booking, Decision, Input, Policy, decide};
use boxoffice_store::mysql::operations::Operation;

/// Something that happened to a booking.
#[derive(Debug)]
pub struct Happening<'a> {
    pub booking: BookingId,
    /// What caused it; a due row has an envelope of its own making.
    pub cause: Envelope,
    pub what: What<'a>,
}

#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    Message(&'a Accepted),
    /// The row is due.
    Tick,
}

impl<'a> What<'a> {
    /// What a person gave as the reason of their command.
    fn reason(self) -> Option<&'a CancelReason> {
        match self {
            Self::Message(Accepted::Cancel(cancel)) => cancel.reason.as_ref(),
            Self::Message(Accepted::Mend(mend)) => Some(&mend.reason),
            Self::Message(_) | Self::Tick => None,
        }
    }
}

/// Takes bookings one step per happening, in one transaction. One verdict per happening.
///
/// Lock order, everywhere: bookings, shows of partners (shared), admission counters, claims, each by key. The clock
/// is the database's, read after the locks are taken.
///
/// # Errors
/// What stops the whole batch: the database, or a write that found other rows than were loaded.
pub async fn advance(
    tx: &mut Tx,
    policy: &Policy,
    layouts: &Layouts,
    happenings: &[Happening<'_>],
) -> Result<Vec<Verdict>, Failure> {
    advance_over(&mut Mysql { tx, layouts }, policy, happenings).await
}

/// The same over tables of any kind.
///
/// # Errors
/// As [`advance`].
pub async fn advance_over<T: Tables>(
    tables: &mut T,
    policy: &Policy,
    happenings: &[Happening<'_>],
) -> Result<Vec<Verdict>, Failure> {
    let mut world = World::load(tables, happenings).await?;
    let now = tables.now().await?;
    let mut writes = Writes::default();
    let mut verdicts = Vec::with_capacity(happenings.len());
    for happening in happenings {
        let outbox = tables.outbox();
        verdicts.push(one(
            outbox,
            policy,
            &mut world,
            &mut writes,
            happening,
            now,
        )?);
    }
    writes.flush(tables, policy, &world, now).await?;
    Ok(verdicts)
}

fn one(
    outbox: &mut Outbox,
    policy: &Policy,
    world: &mut World,
    writes: &mut Writes,
    happening: &Happening<'_>,
    now: Instant,
) -> Result<Verdict, Failure> {
    let before = world.bookings.get(&happening.booking).cloned();
    let (input, birth) = facts::input(world, happening, now);
    let decision = decide(before.as_ref(), &input, now, policy);
    count(before.as_ref(), &input, &decision);
    if let What::Message(Accepted::Mend(order)) = happening.what {
        writes
            .mended
            .extend(audit::entry(order, &happening.cause, &decision));
    }
    let step = Step {
        cause: &happening.cause,
        input: &input,
        before: before.as_ref(),
        reason: happening.what.reason(),
        now,
    };
    match decision {
        Decision::Advance { next, effects } => {
            if let Some(birth) = birth.filter(|_| before.is_none()) {
                world.born(happening.booking, birth);
            }
            let known = before.as_ref().and_then(|booking| booking.code);
            let code = next
                .code
                .filter(|code| next.status.is_terminal() || known != Some(*code));
            apply::advance(outbox, world, writes, &step, *next, &effects, code)?;
            Ok(Verdict::Done)
        }
        Decision::Reject {
            next,
            code,
            effects,
        } => {
            apply::advance(outbox, world, writes, &step, *next, &effects, Some(code))?;
            Ok(Verdict::Done)
        }
        Decision::RejectUnborn { operation, code } => {
            writes.operations.push(Operation {
                id: operation,
                booking: happening.booking,
                kind: apply::operation_kind(&input),
                outcome: "refused",
                code: Some(code),
                version: 0,
                at: now,
            });
            Ok(Verdict::Done)
        }
        Decision::Stay(_) => {
            // A due row that nothing came of must not be due again at once.
            if matches!(input, Input::Tick) {
                writes.touched.insert(happening.booking);
            }
            // What the answer tells of is on record, and no decision speaks of it.
            if let Some(part) = part_of(&input) {
                let cause = &happening.cause;
                let id = MessageId::of_answer(cause.message_id, Recorded::KIND.as_str());
                let recorded = Recorded {
                    booking_id: happening.booking,
                    part,
                    version: 0,
                    at: now,
                };
                let events = Exchange::Events;
                outbox.send(events, cause, id, happening.booking, &recorded, now)?;
            }
            Ok(Verdict::Done)
        }
        Decision::Defer(why) => Ok(Verdict::Defer(Cause::new("too_early", why.as_str()))),
        Decision::Refuse(why) => {
            let status = before.as_ref().map_or("none", |b| b.status.as_str());
            let detail = format!(
                "{} cannot happen to a booking that is {status} ({})",
                apply::label(&input),
                why.as_str()
            );
            Ok(Verdict::Park(Cause::new("saga_refused", detail)))
        }
    }
}

/// What a worker wrote down before it sent this answer.
const fn part_of(input: &Input) -> Option<Part> {
    match input {
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
        | Input::Disputed => Some(Part::Call),
        Input::Rendered { .. } => Some(Part::Document),
        Input::Submit(_)
        | Input::Pay { .. }
        | Input::Cancel { .. }
        | Input::Mend(_)
        | Input::Tick => None,
    }
}

/// So that the first booking that needs a person is a rise from zero, which an alert can see.
pub fn attention_from_zero() {
    for reason in Attention::ALL {
        metrics::counter!(metric::ATTENTION_TOTAL, "reason" => reason.as_str()).increment(0);
    }
}

fn count(before: Option<&Booking>, input: &Input, decision: &Decision) {
    if let Decision::Advance { next, .. } = decision
        && let Some(reason) = next.attention
        && before.and_then(|booking| booking.attention) != Some(reason)
    {
        metrics::counter!(metric::ATTENTION_TOTAL, "reason" => reason.as_str()).increment(1);
    }
    let outcome = match decision {
        Decision::Advance { .. } => "advance",
        Decision::Reject { .. } | Decision::RejectUnborn { .. } => "reject",
        Decision::Stay(_) => "stay",
        Decision::Defer(_) => "defer",
        Decision::Refuse(_) => "refuse",
    };
    metrics::counter!(metric::DECISIONS_TOTAL, "input" => apply::label(input), "decision" => outcome)
        .increment(1);
}
