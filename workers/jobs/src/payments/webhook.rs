//! Events of the gateway are wake-ups: what they say is never believed, only asked about.

use super::{
    Door, Learned, Order, Payments, Plan, Task, desk::Desk, keys::KeyBook, lock::busy, standing,
    standing::Standing, tell::tell_dispute,
};
use boxoffice_contracts::message::payment;
use boxoffice_runtime::{Cause, Failure, Job, Tx};
use boxoffice_store::mysql::{
    attempts::AttemptState,
    intents::{Intent, IntentState},
    refunds::{self, Refund, RefundState},
};
use serde_json::Value;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Authorized,
    ActionRequired,
    Declined,
    Captured,
    Canceled,
    Refunds,
    Dispute,
    /// Of no interest, or not invented yet.
    Nothing,
}

fn about(event_type: &str) -> About {
    match event_type {
        "payment_intent.amount_capturable_updated" => About::Authorized,
        "payment_intent.requires_action" => About::ActionRequired,
        "payment_intent.payment_failed" => About::Declined,
        "payment_intent.succeeded" => About::Captured,
        "payment_intent.canceled" => About::Canceled,
        "charge.refunded"
        | "charge.refund.updated"
        | "refund.created"
        | "refund.updated"
        | "refund.failed" => About::Refunds,
        "charge.dispute.created" => About::Dispute,
        _ => About::Nothing,
    }
}

/// Whether the records are at what the event tells of, or past it.
const fn is_past(about: About, intent: IntentState, attempt: AttemptState) -> bool {
    let ended = !matches!(intent, IntentState::Open | IntentState::Closing);
    match about {
        // What is closing is closed by its void, which looks by itself.
        About::Authorized => {
            !matches!(intent, IntentState::Open) || matches!(attempt, AttemptState::Authorized)
        }
        About::ActionRequired => {
            !matches!(intent, IntentState::Open)
                || !matches!(attempt, AttemptState::Ordered | AttemptState::Unknown)
        }
        // An attempt that is only ordered was not tried yet: the decline is of the one before it.
        About::Declined => {
            !matches!(intent, IntentState::Open)
                || matches!(
                    attempt,
                    AttemptState::Ordered | AttemptState::Declined | AttemptState::Authorized
                )
        }
        About::Captured => matches!(intent, IntentState::Captured),
        About::Canceled => ended,
        About::Refunds | About::Dispute => false,
        About::Nothing => true,
    }
}

/// Whether anything can follow from an event of this type.
pub(super) fn is_of_interest(event_type: &str) -> bool {
    about(event_type) != About::Nothing
}

impl Payments {
    pub(super) async fn intend_webhook(
        &self,
        tx: &mut Tx,
        desk: &Desk,
        job: &Job<Order>,
        order: &payment::Webhook,
    ) -> Result<Option<Plan>, Failure> {
        let about = about(&order.event_type);
        if about == About::Nothing {
            return Ok(None);
        }
        let Some(event) = desk.event(&order.event_id) else {
            let text = "the event is not stored yet";
            return Err(Failure::Retry(Cause::new("event_unknown", text)));
        };
        let Some(locked) = desk.current(tx, order.booking_id).await? else {
            return Err(Failure::Retry(Cause::new(
                "intent_unknown",
                "no intent of the booking",
            )));
        };
        let (intent, now) = (locked.intent, locked.now);
        if event.intent_id.is_some() && event.intent_id != intent.gateway_id {
            return match intent.gateway_id {
                // Its create was not answered yet, or the answer is not recorded yet.
                None => Err(Failure::Retry(Cause::new(
                    "intent_unknown",
                    "it has no id yet",
                ))),
                // One of an older generation, which came to its end.
                Some(_) if intent.generation > 1 => Ok(None),
                Some(_) => Err(Failure::Park(Cause::new(
                    "intent_of_other_booking",
                    "ids differ",
                ))),
            };
        }
        let attempt = desk.last_attempt(order.booking_id);
        let state = attempt.map_or(AttemptState::Voided, |attempt| attempt.state);
        if is_past(about, intent.state, state) {
            return Ok(None);
        }
        if about == About::Dispute {
            tell_dispute(tx, job, order.booking_id, now)?;
            return Ok(None);
        }
        let task = if about == About::Refunds {
            let known = refunds::of_booking(tx.db(), order.booking_id).await?;
            if is_known(&event.body, &intent, &known) {
                return Ok(None);
            }
            Task::LookAtRefunds
        } else {
            Task::Look {
                attempt: attempt.map(|attempt| attempt.number),
                untried: state == AttemptState::Ordered,
            }
        };
        if intent.is_busy(job.id(), now) {
            return Err(busy());
        }
        let keys = KeyBook::new(Vec::new(), now, self.policy.key_age_max());
        Ok(Some(Plan {
            intent,
            keys,
            now,
            task,
        }))
    }

    pub(super) async fn look_for(
        &self,
        plan: &Plan,
        attempt: Option<u16>,
        untried: bool,
    ) -> Result<Learned, Failure> {
        let Some(id) = &plan.intent.gateway_id else {
            return Ok(Learned::Nothing);
        };
        let view = match self.gateway.retrieve(id).await {
            Ok(view) => view,
            Err(error) => return Err(self.unanswered(error).await),
        };
        let door = Door {
            client_secret: view.client_secret.clone(),
            action_url: view.action_url.clone(),
        };
        Ok(match standing::of_view(&view) {
            Standing::Untouched | Standing::Unknown => Learned::Nothing,
            // The gateway keeps the last error: it is of the attempt before one that is only ordered.
            Standing::Declined(_) if untried => Learned::Nothing,
            standing => Learned::Standing {
                attempt,
                standing,
                door,
            },
        })
    }
}

/// Whether the event tells nothing new about refunds. Parsed leniently: in doubt the gateway is asked.
fn is_known(body: &[u8], intent: &Intent, refunds: &[Refund]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let object = &event["data"]["object"];
    match object["object"].as_str() {
        Some("charge") => {
            let given: i64 = refunds
                .iter()
                .filter(|r| matches!(r.state, RefundState::Pending | RefundState::Succeeded))
                .map(|refund| refund.amount.minor)
                .sum();
            object["amount_refunded"].as_i64() == Some(given + intent.refunded_outside_minor)
        }
        Some("refund") => {
            let id = object["metadata"][crate::gateway::metadata::REFUND_ID].as_str();
            let ours = refunds
                .iter()
                .find(|r| Some(r.id.to_string().as_str()) == id);
            let state = ours.map(|refund| refund.state);
            match object["status"].as_str() {
                Some("succeeded") => state == Some(RefundState::Succeeded),
                Some("failed" | "canceled") => state == Some(RefundState::Failed),
                Some("pending") => matches!(
                    state,
                    Some(RefundState::Pending | RefundState::Succeeded | RefundState::Failed)
                ),
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::{
        BookingId, Currency, Money, OperationId, RefundId, message::booking::Tender,
    };
    use serde_json::json;

    #[test]
    fn what_is_recorded_is_not_asked_again() {
        use {AttemptState as A, IntentState as I};
        assert!(is_past(About::Authorized, I::Open, A::Authorized));
        assert!(!is_past(About::Authorized, I::Open, A::Unknown));
        assert!(is_past(About::Authorized, I::Closing, A::Unknown));
        assert!(!is_past(About::Captured, I::Closing, A::Authorized));
        assert!(is_past(About::Canceled, I::Closed, A::Voided));
        assert!(!is_past(About::Canceled, I::Open, A::Authorized));
        assert!(!is_past(About::Declined, I::Open, A::ActionRequired));
        assert!(is_past(About::Declined, I::Open, A::Ordered));
    }

    #[test]
    fn made_up_events_are_no_trouble() {
        assert_eq!(about("radar.early_fraud_warning.created"), About::Nothing);
        assert_eq!(about(""), About::Nothing);
    }

    #[test]
    fn a_refund_of_ours_is_told_from_one_made_elsewhere() {
        let booking = BookingId::derive("t", "s", "k");
        let operation = OperationId::derive(booking, "t", "s", "cancel", "k");
        let refund = Refund {
            id: RefundId::derive(booking, operation),
            booking,
            amount: Money::new(500, Currency::EUR),
            state: RefundState::Succeeded,
            code: None,
            r#try: 1,
            gateway_id: Some("re_1".into()),
        };
        let intent = Intent {
            booking,
            generation: 1,
            gateway_id: Some("pi_1".into()),
            state: IntentState::Captured,
            amount: Money::new(2500, Currency::EUR),
            captured_minor: 2500,
            refunded_outside_minor: 0,
            capture_try: 1,
            cancel_try: 1,
            lease: None,
            tender: Tender::Card,
        };
        let charge = |refunded: i64| {
            let object = json!({ "object": "charge", "amount_refunded": refunded });
            json!({ "data": { "object": object } }).to_string()
        };
        let own = [refund];
        assert!(is_known(charge(500).as_bytes(), &intent, &own));
        assert!(!is_known(charge(700).as_bytes(), &intent, &own));
        assert!(!is_known(charge(500).as_bytes(), &intent, &[]));
        assert!(!is_known(b"rubbish", &intent, &own));
    }
}
