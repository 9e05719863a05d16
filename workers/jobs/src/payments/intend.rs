//! What the records say before a call: whether there is one to be made, by whom, and under which keys.

use super::{
    Order, Payments, Plan, Task,
    desk::Desk,
    keys::{self, KeyBook},
    lock::{Locked, attempt_of, busy, park},
    standing,
    tell::{tell, tell_refund},
};
use boxoffice_contracts::{
    BookingId, Instant, Money,
    message::payment,
    planted::{self, Bug},
};
use boxoffice_runtime::{Failure, Job, Tx};
use boxoffice_store::mysql::{
    attempts::Attempt,
    calls::{Announced, KeyUse},
    intents::{IntentState, Lease},
    refunds::{self, Refund, RefundState},
};

impl Payments {
    /// An attempt that is to be made. One that is on record is answered from there, but nothing is said to be
    /// authorised that is going to be closed.
    pub(super) async fn intend_attempt(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        booking: BookingId,
        number: u16,
    ) -> Result<Option<Plan>, Failure> {
        let Some((locked, attempt)) = attempt_of(tx, desk, booking, number).await? else {
            return Ok(None);
        };
        let reply = match locked.intent.state {
            IntentState::Closing => None,
            IntentState::Closed => standing::recorded_end(&locked.intent),
            IntentState::Open | IntentState::Captured | IntentState::CaptureFailed => {
                standing::recorded(&attempt)
            }
        };
        if let Some(reply) = reply {
            tell(tx, job, booking, reply, locked.now)?;
            return Ok(None);
        }
        self.plan_attempt(tx, desk, job, locked, attempt).await
    }

    /// The gateway is asked whatever is on record, unless the intent came to its end.
    pub(super) async fn intend_reconcile(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        booking: BookingId,
        number: u16,
    ) -> Result<Option<Plan>, Failure> {
        let Some((locked, attempt)) = attempt_of(tx, desk, booking, number).await? else {
            return Ok(None);
        };
        if let Some(reply) = standing::recorded_end(&locked.intent) {
            tell(tx, job, booking, reply, locked.now)?;
            return Ok(None);
        }
        if planted::is(Bug::NoAsk) {
            return Ok(None);
        }
        self.plan_attempt(tx, desk, job, locked, attempt).await
    }

    async fn plan_attempt(
        &self,
        tx: &Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        locked: Locked,
        attempt: Attempt,
    ) -> Result<Option<Plan>, Failure> {
        if locked.intent.state != IntentState::Open {
            return Ok(None);
        }
        let (booking, generation) = (locked.intent.booking, locked.intent.generation);
        let mut calls = Vec::with_capacity(2);
        if locked.intent.gateway_id.is_none() {
            calls.push((keys::create(booking, generation), "create"));
        }
        if attempt.method.is_some() {
            calls.push((keys::confirm(booking, attempt.number), "confirm"));
        }
        self.plan(tx, desk, job, locked, &calls, Task::Attempt(attempt))
            .await
            .map(Some)
    }

    pub(super) async fn intend_capture(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        order: &payment::Capture,
    ) -> Result<Option<Plan>, Failure> {
        let Some(locked) = desk
            .of_generation(tx, order.booking_id, order.generation)
            .await?
        else {
            return Err(park("intent_missing", "a capture without an intent"));
        };
        let Locked { intent, now } = &locked;
        match intent.state {
            // Nothing captures what is to be closed.
            IntentState::Closing | IntentState::Closed => return Ok(None),
            IntentState::Captured | IntentState::CaptureFailed => {
                if let Some(reply) = standing::recorded_end(intent) {
                    tell(tx, job, order.booking_id, reply, *now)?;
                }
                return Ok(None);
            }
            IntentState::Open => {}
        }
        if intent.gateway_id.is_none() {
            return Err(park("intent_missing", "a capture before any authorisation"));
        }
        if order.amount.currency != intent.amount.currency || order.amount.minor <= 0 {
            let text = format!("{} is ordered of {}", order.amount, intent.amount);
            return Err(park("amount_mismatch", text));
        }
        let key = keys::capture(intent.booking, intent.generation, intent.capture_try);
        let task = Task::Capture {
            minor: order.amount.minor,
        };
        self.plan(tx, desk, job, locked, &[(key, "capture")], task)
            .await
            .map(Some)
    }

    pub(super) async fn intend_void(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        order: &payment::Void,
    ) -> Result<Option<Plan>, Failure> {
        let booking = order.booking_id;
        let Some(mut locked) = desk.of_generation(tx, booking, order.generation).await? else {
            return Err(park("intent_missing", "a void without an intent"));
        };
        let now = locked.now;
        let intent = &mut locked.intent;
        match intent.state {
            IntentState::Open => return Err(park("void_of_open_intent", "it was not marked")),
            IntentState::CaptureFailed => {
                tell(
                    tx,
                    job,
                    booking,
                    standing::Reply::Voided(order.generation),
                    now,
                )?;
                return Ok(None);
            }
            IntentState::Captured | IntentState::Closed => {
                if let Some(reply) = standing::recorded_end(intent) {
                    tell(tx, job, booking, reply, now)?;
                }
                return Ok(None);
            }
            IntentState::Closing => {}
        }
        let create = keys::create(booking, intent.generation);
        let mut calls = vec![];
        let unasked = planted::is(Bug::VoidUnasked) && !desk.is_authorized(intent);
        if intent.gateway_id.is_none() || unasked {
            let used = desk.uses(tx, booking).await?;
            if !used.iter().any(|used| used.key == create) || unasked {
                // Never created, and what is closing is created by nobody.
                intent.state = IntentState::Closed;
                desk.put_intent(intent.clone());
                desk.void_unfinished(booking, intent.generation);
                tell(
                    tx,
                    job,
                    booking,
                    standing::Reply::Voided(order.generation),
                    now,
                )?;
                return Ok(None);
            }
            calls.push((create, "create"));
        }
        calls.push((
            keys::cancel(booking, intent.generation, intent.cancel_try),
            "cancel",
        ));
        self.plan(tx, desk, job, locked, &calls, Task::Void)
            .await
            .map(Some)
    }

    pub(super) async fn intend_refund(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        order: &payment::Refund,
    ) -> Result<Option<Plan>, Failure> {
        let Some((locked, mut refund)) = refund_due(tx, desk, job, order).await? else {
            return Ok(None);
        };
        if refund.state == RefundState::Failed {
            let key = keys::refund(refund.id, refund.r#try);
            let uses = desk.uses(tx, order.booking_id).await?;
            if was_ordered_before(job.envelope.sent_at, &key, &uses) {
                tell_refund(tx, job, &refund, locked.now)?;
                return Ok(None);
            }
            // The gateway said that nothing went back, and the saga orders it once more: under the next key.
            refund = Refund {
                state: RefundState::Requested,
                code: None,
                r#try: refund.r#try + 1,
                gateway_id: None,
                ..refund
            };
            refunds::save(tx.db(), &refund, locked.now).await?;
        }
        let mut calls = vec![];
        if refund.gateway_id.is_none() {
            calls.push((keys::refund(refund.id, refund.r#try), "refund"));
        }
        self.plan(tx, desk, job, locked, &calls, Task::Refund(refund))
            .await
            .map(Some)
    }

    /// Takes the lease and commits the keys. Whatever may refuse has refused before.
    async fn plan(
        &self,
        tx: &Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        Locked { mut intent, now }: Locked,
        calls: &[(String, &'static str)],
        task: Task,
    ) -> Result<Plan, Failure> {
        if intent.is_busy(job.id(), now) {
            return Err(busy());
        }
        let used = desk.uses(tx, intent.booking).await?;
        let until = now + self.policy.lease(self.call_timeout);
        intent.lease = Some(Lease {
            holder: job.id(),
            until,
        });
        desk.put_intent(intent.clone());
        for (key, operation) in calls {
            let call = Announced {
                booking: intent.booking,
                key: key.clone(),
                operation,
            };
            desk.announce(call, now);
        }
        let keys = KeyBook::new(used, now, self.policy.key_age_max());
        Ok(Plan {
            intent,
            keys,
            now,
            task,
        })
    }
}

/// Whether an order is no younger than the try that failed: then the try was its own, and it only comes again. It says when
/// it was decided, by the clock that the try is dated by.
fn was_ordered_before(ordered_at: Option<Instant>, key: &str, uses: &[KeyUse]) -> bool {
    let tried_at = uses.iter().find(|used| used.key == key);
    let tried_at = tried_at.map(|used| used.first_called_at);
    ordered_at.is_some_and(|ordered_at| tried_at.is_some_and(|tried_at| ordered_at <= tried_at))
}

/// The refund that an order is about, when it is to be made: it is on record, of this amount, and covered by what was
/// captured. One that was made is told again.
pub(super) async fn refund_due(
    tx: &mut Tx,
    desk: &Desk,
    job: &Job<Order>,
    order: &payment::Refund,
) -> Result<Option<(Locked, Refund)>, Failure> {
    let Some(locked) = desk.current(tx, order.booking_id).await? else {
        return Err(park("intent_missing", "a refund without an intent"));
    };
    let all = refunds::of_booking(tx.db(), order.booking_id).await?;
    let Some(refund) = all.iter().find(|refund| refund.id == order.refund_id) else {
        return Err(park("refund_missing", "no row for the refund"));
    };
    if refund.amount != order.amount {
        let text = format!(
            "{} is ordered, {} is on record",
            order.amount, refund.amount
        );
        return Err(park("amount_mismatch", text));
    }
    if refund.state == RefundState::Succeeded {
        tell_refund(tx, job, refund, locked.now)?;
        return Ok(None);
    }
    if locked.intent.state != IntentState::Captured {
        return Err(park("refund_without_capture", locked.intent.state.as_str()));
    }
    let ordered: i64 = all
        .iter()
        .filter(|each| each.id == refund.id || each.state != RefundState::Failed)
        .map(|refund| refund.amount.minor)
        .sum();
    if ordered > locked.intent.captured_minor {
        let currency = locked.intent.amount.currency;
        let captured = Money::new(locked.intent.captured_minor, currency);
        let text = format!("{} of {captured}", Money::new(ordered, currency));
        return Err(park("refunds_exceed_capture", text));
    }
    Ok(Some((locked, refund.clone())))
}
