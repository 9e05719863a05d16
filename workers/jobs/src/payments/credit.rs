//! Paying by a partner's credit: the same orders and the same answers as by card, and nobody outside to ask.
//!
//! Everything is done in the transaction that takes the order. The attempt, the intent or the refund says whether
//! it was done; the credit is changed in the same commit, by a statement that compares before it sets.

use super::{
    Order,
    desk::Desk,
    intend::refund_due,
    keys,
    lock::{Locked, attempt_of, park},
    standing::{self, Reply},
    tell::{tell, tell_refund},
};
use boxoffice_contracts::{BookingId, Code, Instant, Money, message::payment, partner::PartnerId};
use boxoffice_runtime::{Failure, Job, Tx};
use boxoffice_store::mysql::{
    attempts::{Attempt, AttemptState},
    intents::{Intent, IntentState},
    ledger::{Account, Posting},
    partner_credit, refunds,
    refunds::RefundState,
};

/// Our own words in `payment_attempts.code`.
const PARTNER_NOT_ACTIVE: &str = "partner_not_active";

/// Answers an order about a booking that a partner's credit pays.
pub(super) async fn handle(tx: &mut Tx, desk: &mut Desk, job: &Job<Order>) -> Result<(), Failure> {
    match &job.message {
        Order::Authorize(order) => authorize(tx, desk, job, order.booking_id, order.attempt).await,
        // What is on record is true; an attempt that was never made is made now.
        Order::Reconcile(order) => authorize(tx, desk, job, order.booking_id, order.attempt).await,
        Order::Capture(order) => capture(tx, desk, job, order).await,
        Order::Void(order) => void(tx, desk, job, order).await,
        Order::Refund(order) => give_back(tx, desk, job, order).await,
        Order::Webhook(_) => Err(park(
            "intent_of_other_booking",
            "the gateway speaks of a booking that a partner's credit pays",
        )),
    }
}

async fn authorize(
    tx: &mut Tx,
    desk: &mut Desk,
    job: &Job<Order>,
    booking: BookingId,
    number: u16,
) -> Result<(), Failure> {
    let Some((Locked { intent, now }, attempt)) = attempt_of(tx, desk, booking, number).await?
    else {
        return Ok(());
    };
    let reply = match intent.state {
        // Its void answers.
        IntentState::Closing => None,
        IntentState::Closed | IntentState::Captured | IntentState::CaptureFailed => {
            standing::recorded_end(&intent)
        }
        IntentState::Open => match recorded(&attempt) {
            Some(reply) => Some(reply),
            None => recorded(&reserve(tx, desk, &intent, attempt, now).await?),
        },
    };
    match reply {
        Some(reply) => tell(tx, job, booking, reply, now),
        None => Ok(()),
    }
}

/// Makes the attempt. An intent is reserved once, whichever of its attempts did it.
async fn reserve(
    tx: &Tx,
    desk: &mut Desk,
    intent: &Intent,
    mut attempt: Attempt,
    now: Instant,
) -> Result<Attempt, Failure> {
    let refusal = match desk.seller(intent.booking) {
        _ if desk.is_authorized(intent) => None,
        Some(seller) if seller.is_active => {
            let fits =
                partner_credit::reserve(tx.db(), &seller.partner, intent.amount, now).await?;
            (!fits).then_some(Code::PartnerCreditExhausted.as_str())
        }
        Some(_) | None => Some(PARTNER_NOT_ACTIVE),
    };
    match refusal {
        None => {
            attempt.state = AttemptState::Authorized;
            attempt.authorized = Some(intent.amount);
        }
        Some(word) => {
            attempt.state = AttemptState::Declined;
            attempt.code = Some(word.to_owned());
        }
    }
    desk.put_attempt(attempt.clone());
    Ok(attempt)
}

async fn capture(
    tx: &mut Tx,
    desk: &mut Desk,
    job: &Job<Order>,
    order: &payment::Capture,
) -> Result<(), Failure> {
    let (booking, generation) = (order.booking_id, order.generation);
    let found = desk.of_generation(tx, booking, generation).await?;
    let Some(Locked { mut intent, now }) = found else {
        return Err(park("intent_missing", "a capture without an intent"));
    };
    match intent.state {
        // Nothing captures what is to be closed.
        IntentState::Closing | IntentState::Closed => return Ok(()),
        IntentState::Captured | IntentState::CaptureFailed => {}
        IntentState::Open => {
            if !desk.is_authorized(&intent) {
                return Err(park("intent_missing", "a capture before any authorisation"));
            }
            let taken = order.amount;
            let possible = taken.currency == intent.amount.currency
                && (1..=intent.amount.minor).contains(&taken.minor);
            if !possible {
                let text = format!("{taken} is ordered of {}", intent.amount);
                return Err(park("amount_mismatch", text));
            }
            let partner = partner_of(desk, booking)?;
            let done =
                partner_credit::capture(tx.db(), partner, intent.amount, taken.minor, now).await?;
            in_step(done, "a capture", intent.amount)?;
            intent.state = IntentState::Captured;
            intent.captured_minor = taken.minor;
            desk.post(Posting {
                operation_key: format!("bk:{booking}:captured:{generation}"),
                booking,
                into: Account::PartnerCredit,
                out_of: Account::Sales,
                amount: taken,
            });
            desk.put_intent(intent.clone());
        }
    }
    match standing::recorded_end(&intent) {
        Some(reply) => tell(tx, job, booking, reply, now),
        None => Ok(()),
    }
}

async fn void(
    tx: &mut Tx,
    desk: &mut Desk,
    job: &Job<Order>,
    order: &payment::Void,
) -> Result<(), Failure> {
    let (booking, generation) = (order.booking_id, order.generation);
    let found = desk.of_generation(tx, booking, generation).await?;
    let Some(Locked { mut intent, now }) = found else {
        return Err(park("intent_missing", "a void without an intent"));
    };
    match intent.state {
        IntentState::Open => return Err(park("void_of_open_intent", "it was not marked")),
        IntentState::Captured | IntentState::Closed | IntentState::CaptureFailed => {}
        IntentState::Closing => {
            if desk.is_authorized(&intent) {
                let partner = partner_of(desk, booking)?;
                let done = partner_credit::release(tx.db(), partner, intent.amount, now).await?;
                in_step(done, "a void", intent.amount)?;
            }
            intent.state = IntentState::Closed;
            desk.put_intent(intent.clone());
            desk.void_unfinished(booking, generation);
        }
    }
    match standing::recorded_end(&intent) {
        Some(reply) => tell(tx, job, booking, reply, now),
        None => Ok(()),
    }
}

async fn give_back(
    tx: &mut Tx,
    desk: &mut Desk,
    job: &Job<Order>,
    order: &payment::Refund,
) -> Result<(), Failure> {
    let Some((Locked { intent, now }, mut refund)) = refund_due(tx, desk, job, order).await? else {
        return Ok(());
    };
    let partner = partner_of(desk, intent.booking)?;
    let done = partner_credit::give_back(tx.db(), partner, refund.amount, now).await?;
    in_step(done, "a refund", refund.amount)?;
    refund.state = RefundState::Succeeded;
    refund.code = None;
    refunds::save(tx.db(), &refund, now).await?;
    desk.post(Posting {
        operation_key: keys::refund(refund.id, refund.r#try),
        booking: intent.booking,
        into: Account::Refunds,
        out_of: Account::PartnerCredit,
        amount: refund.amount,
    });
    tell_refund(tx, job, &refund, now)
}

/// The answer that is on record for an attempt.
fn recorded(attempt: &Attempt) -> Option<Reply> {
    match standing::recorded(attempt)? {
        Reply::Declined(number, _) => Some(Reply::Declined(number, Code::PartnerCreditExhausted)),
        reply => Some(reply),
    }
}

fn partner_of(desk: &Desk, booking: BookingId) -> Result<&PartnerId, Failure> {
    let seller = desk.seller(booking);
    seller
        .map(|seller| &seller.partner)
        .ok_or_else(|| park("partner_missing", "no partner sold the booking"))
}

/// What is on record for a booking is part of its partner's sums; if not, a person must look before anything moves.
fn in_step(done: bool, what: &str, amount: Money) -> Result<(), Failure> {
    if done {
        return Ok(());
    }
    let text = format!("{what} of {amount} finds less in the partner's credit");
    Err(park("credit_out_of_step", text))
}
