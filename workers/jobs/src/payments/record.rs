//! Writing down what was learned, and telling the saga. Under the intent's lock again.

use super::{
    Door, Finding, Learned, Order,
    desk::Desk,
    lock::Locked,
    standing::{self, Reply, Standing, Step},
    tell::{send, tell, tell_refund},
};
use crate::gateway::{RefundStatus, RefundView};
use boxoffice_contracts::{
    BookingId, Code, Instant, Money, RefundId,
    message::{event::Part, payment},
    planted::{self, Bug},
};
use boxoffice_runtime::{Cause, Failure, Job, Tx};
use boxoffice_store::mysql::{
    attempts::{Attempt, AttemptState},
    intents::{Intent, IntentState},
    ledger::{Account, Posting},
    refunds::{self, Refund, RefundState},
};

pub(super) async fn record(
    tx: &mut Tx,
    desk: &mut Desk,
    job: &Job<Order>,
    found: Finding,
) -> Result<(), Failure> {
    let Some(Locked { mut intent, now }) = desk
        .of_generation(tx, found.booking, found.generation)
        .await?
    else {
        return Err(Failure::Park(Cause::new(
            "intent_missing",
            "it was there before the call",
        )));
    };
    let (sends, called) = (tx.sends(), !found.endings.is_empty());
    desk.conclude(found.endings);
    desk.looked(found.looks);
    // A lease that ran out may be another's by now.
    if intent.lease.is_some_and(|lease| lease.holder == job.id()) {
        intent.lease = None;
    }
    let mut at = At { tx, desk, job, now };
    match found.learned {
        Learned::Nothing => {}
        Learned::Standing {
            attempt,
            standing,
            door,
        } => {
            at.standing(&mut intent, attempt, standing, door).await?;
        }
        Learned::CaptureRefused => at.capture_refused(&mut intent).await?,
        Learned::Refund { id, view } => {
            if let Some(refund) = at.refund(found.booking, id).await? {
                at.refund_seen(&intent, refund, &view, true).await?;
            }
        }
        Learned::RefundRefused { id, word } => {
            if let Some(mut refund) = at.refund(found.booking, id).await? {
                if matches!(refund.state, RefundState::Requested | RefundState::Pending) {
                    refund.state = RefundState::Failed;
                    refund.code = Some(short(&word));
                    refunds::save(at.tx.db(), &refund, now).await?;
                }
                tell_refund(at.tx, job, &refund, now)?;
            }
        }
        Learned::Refunds(views) => at.refunds_seen(&mut intent, &views).await?,
    }
    desk.put_intent(intent);
    // An answer makes the saga tell of the call; without one nobody else does.
    if called && tx.sends() == sends {
        crate::timeline::touch(tx, job, found.booking, Part::Call, now)?;
    }
    Ok(())
}

/// One message being recorded.
struct At<'a> {
    tx: &'a mut Tx,
    desk: &'a mut Desk,
    job: &'a Job<Order>,
    now: Instant,
}

impl At<'_> {
    async fn standing(
        &mut self,
        intent: &mut Intent,
        number: Option<u16>,
        standing: Standing,
        door: Door,
    ) -> Result<(), Failure> {
        let attempt = match number {
            Some(number) => self.desk.attempt(intent.booking, number),
            None => self.desk.last_attempt(intent.booking),
        };
        let attempt = attempt.cloned();
        let state = attempt
            .as_ref()
            .map_or(AttemptState::Voided, |attempt| attempt.state);
        let reply = match standing::step(intent.state, state, &standing) {
            Step::Nothing => None,
            Step::Repeat => attempt.as_ref().and_then(standing::recorded),
            Step::Advance => match attempt {
                Some(attempt) => self.advance(attempt, standing, door),
                None => None,
            },
            Step::Captured => self.captured(intent, &standing)?,
            Step::Voided => {
                intent.state = IntentState::Closed;
                let (booking, generation) = (intent.booking, intent.generation);
                self.desk.void_unfinished(booking, generation);
                Some(Reply::Voided(generation))
            }
        };
        match reply {
            Some(reply) => tell(self.tx, self.job, intent.booking, reply, self.now),
            None => Ok(()),
        }
    }

    fn advance(&mut self, mut attempt: Attempt, standing: Standing, door: Door) -> Option<Reply> {
        let number = attempt.number;
        (attempt.client_secret, attempt.action_url) = (None, None);
        let reply = match standing {
            Standing::Authorized(money) => {
                attempt.state = AttemptState::Authorized;
                attempt.authorized = Some(money);
                Reply::Authorized(number, money)
            }
            Standing::ActionRequired => {
                attempt.state = AttemptState::ActionRequired;
                (attempt.client_secret, attempt.action_url) = (door.client_secret, door.action_url);
                Reply::ActionRequired(number)
            }
            Standing::Declined(word) => {
                attempt.state = AttemptState::Declined;
                attempt.code = Some(short(&word));
                Reply::Declined(number, Code::CardDeclined)
            }
            Standing::Unknown | Standing::Untouched => {
                attempt.state = AttemptState::Unknown;
                Reply::Unknown(number)
            }
            Standing::Captured(_) | Standing::Voided => return None,
        };
        self.desk.put_attempt(attempt);
        Some(reply)
    }

    /// Books what was taken, once.
    fn captured(
        &mut self,
        intent: &mut Intent,
        standing: &Standing,
    ) -> Result<Option<Reply>, Failure> {
        let Standing::Captured(taken) = standing else {
            return Ok(None);
        };
        if intent.state != IntentState::Captured {
            if taken.currency != intent.amount.currency {
                let text = format!("{taken} taken of {}", intent.amount);
                return Err(Failure::Park(Cause::new("amount_mismatch", text)));
            }
            intent.state = IntentState::Captured;
            intent.captured_minor = taken.minor;
            let (booking, generation) = (intent.booking, intent.generation);
            let key = format!("bk:{booking}:captured:{generation}");
            self.desk.post(Posting {
                operation_key: key,
                booking,
                into: Account::Gateway,
                out_of: Account::Sales,
                amount: *taken,
            });
        }
        Ok(standing::recorded_end(intent))
    }

    async fn capture_refused(&mut self, intent: &mut Intent) -> Result<(), Failure> {
        if intent.state == IntentState::Open {
            intent.state = IntentState::CaptureFailed;
        }
        // What is closing by now is told by its void.
        let reply = match intent.state {
            IntentState::Closing => None,
            _ => standing::recorded_end(intent),
        };
        match reply {
            Some(reply) => tell(self.tx, self.job, intent.booking, reply, self.now),
            None => Ok(()),
        }
    }

    async fn refund(&self, booking: BookingId, id: RefundId) -> Result<Option<Refund>, Failure> {
        let all = refunds::of_booking(self.tx.db(), booking).await?;
        Ok(all.into_iter().find(|refund| refund.id == id))
    }

    /// One refund of ours as the gateway shows it. `ordered`: a command waits for an answer.
    async fn refund_seen(
        &mut self,
        intent: &Intent,
        mut refund: Refund,
        view: &RefundView,
        ordered: bool,
    ) -> Result<(), Failure> {
        let before = (refund.state, refund.gateway_id.clone());
        refund.gateway_id = Some(view.id.clone());
        refund.state = match view.status {
            RefundStatus::Succeeded => RefundState::Succeeded,
            RefundStatus::Pending if planted::is(Bug::RefundEarly) => RefundState::Succeeded,
            RefundStatus::Failed => RefundState::Failed,
            // What came to an end doesn't wait again.
            RefundStatus::Pending if refund.state == RefundState::Requested => RefundState::Pending,
            RefundStatus::Pending => refund.state,
        };
        if refund.state == RefundState::Failed {
            refund.code = Some(short(view.failure.as_deref().unwrap_or("unknown")));
        }
        if before != (refund.state, refund.gateway_id.clone()) {
            refunds::save(self.tx.db(), &refund, self.now).await?;
            self.book_refund(intent, &refund, before.0);
        }
        if ordered || before.0 != refund.state {
            tell_refund(self.tx, self.job, &refund, self.now)?;
        }
        Ok(())
    }

    /// A refund that failed after it had succeeded comes back.
    fn book_refund(&mut self, intent: &Intent, refund: &Refund, before: RefundState) {
        let key = super::keys::refund(refund.id, refund.r#try);
        let (operation_key, into, out_of) = match (before, refund.state) {
            (RefundState::Succeeded, RefundState::Failed) => (
                format!("{key}:returned"),
                Account::Gateway,
                Account::Refunds,
            ),
            (before, RefundState::Succeeded) if before != RefundState::Succeeded => {
                (key, Account::Refunds, Account::Gateway)
            }
            _ => return,
        };
        self.desk.post(Posting {
            operation_key,
            booking: intent.booking,
            into,
            out_of,
            amount: refund.amount,
        });
    }

    /// All refunds of the payment: ours are brought up to date, others are reported.
    async fn refunds_seen(
        &mut self,
        intent: &mut Intent,
        views: &[RefundView],
    ) -> Result<(), Failure> {
        let ours = refunds::of_booking(self.tx.db(), intent.booking).await?;
        let mut outside = Money::new(0, intent.amount.currency);
        for view in views {
            if let Some(refund) = ours.iter().find(|refund| view.refund == Some(refund.id)) {
                self.refund_seen(intent, refund.clone(), view, false)
                    .await?;
            } else if view.status != RefundStatus::Failed {
                self.desk.post(Posting {
                    operation_key: format!("outside:{}", view.id),
                    booking: intent.booking,
                    into: Account::RefundsOutside,
                    out_of: Account::Gateway,
                    amount: Money::new(view.minor, intent.amount.currency),
                });
                outside.minor += view.minor;
            }
        }
        if outside.minor > intent.refunded_outside_minor {
            intent.refunded_outside_minor = outside.minor;
            let message = payment::RefundedOutside {
                booking_id: intent.booking,
                amount: outside,
            };
            send(self.tx, self.job, intent.booking, None, &message, self.now)?;
        }
        Ok(())
    }
}

/// As much of a gateway's word as the column holds.
fn short(word: &str) -> String {
    word.chars().take(64).collect()
}
