//! Capturing and voiding: both are driven until the gateway shows the intent at its end.
//!
//! The same key is sent again as long as the outcome is open. Another try begins only after a look has proved
//! that the former had no effect, and that it will have none: it failed twice, or its key is too old.

use super::{
    Door, Endings, Learned, Payments, Plan, attempt::Obtained, keys, lock::busy, standing,
    standing::Standing, without_effect,
};
use crate::gateway::GatewayError;
use boxoffice_runtime::{Cause, Failure, pool};
use boxoffice_store::mysql::{
    calls::{self, Announced, CallOutcome},
    intents,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Capture { minor: i64 },
    Cancel,
}

/// Codes of a capture that will never succeed.
const AUTHORISATION_GONE: &[&str] = &[
    "charge_expired_for_capture",
    "capture_charge_authorization_expired",
    "card_declined",
];

impl Payments {
    pub(super) async fn capture(
        &self,
        plan: &Plan,
        minor: i64,
        endings: &mut Endings,
    ) -> Result<Learned, Failure> {
        let Some(id) = &plan.intent.gateway_id else {
            return Ok(Learned::Nothing);
        };
        let end = match self
            .drive(plan, Act::Capture { minor }, id, endings)
            .await?
        {
            Driven::End(end) => end,
            // The gateway may still show the intent: it is closed, so that nothing revives it.
            Driven::Gone => {
                let key = Act::Cancel.key(plan);
                self.announce(plan, &key).await?;
                match self.drive(plan, Act::Cancel, id, endings).await? {
                    Driven::End(end) => end,
                    Driven::Gone => Standing::Voided,
                }
            }
        };
        Ok(match end {
            Standing::Voided => Learned::CaptureRefused,
            end => Learned::Standing {
                attempt: None,
                standing: end,
                door: Door::default(),
            },
        })
    }

    pub(super) async fn void(
        &self,
        plan: &Plan,
        endings: &mut Endings,
    ) -> Result<Learned, Failure> {
        let ended = |standing| Learned::Standing {
            attempt: None,
            standing,
            door: Door::default(),
        };
        let id = match &plan.intent.gateway_id {
            Some(id) => id.clone(),
            None => match self.obtain(plan, endings).await? {
                Obtained::View(view) => view.id,
                Obtained::Nothing(_) => return Ok(ended(Standing::Voided)),
                Obtained::Unknown => {
                    let text = "whether the payment was created is open";
                    return Err(Failure::Retry(Cause::new("create_unanswered", text)));
                }
            },
        };
        match self.drive(plan, Act::Cancel, &id, endings).await? {
            Driven::End(end) => Ok(ended(end)),
            Driven::Gone => Err(Failure::Park(Cause::new("cancel_refused", "declined"))),
        }
    }

    async fn drive(
        &self,
        plan: &Plan,
        act: Act,
        id: &str,
        endings: &mut Endings,
    ) -> Result<Driven, Failure> {
        let key = act.key(plan);
        if !plan.keys.may_send(&key) {
            return match self.look(id).await? {
                end if end.is_final() => Ok(Driven::End(end)),
                _ => Err(self.begin_another_try(plan, act).await?),
            };
        }
        let called = match act {
            Act::Capture { minor } => self.gateway.capture(&key, id, minor).await,
            Act::Cancel => self.gateway.cancel(&key, id).await,
        };
        let outcome = match called {
            Ok(view) => {
                let stands = standing::of_view(&view);
                if stands.is_final() {
                    endings.push((key, CallOutcome::Answered));
                    return Ok(Driven::End(stands));
                }
                CallOutcome::Answered
            }
            Err(GatewayError::Refused { code, .. }) => {
                return self.refused(act, id, (key, code), endings).await;
            }
            Err(GatewayError::Declined { error, .. }) => {
                return self.refused(act, id, (key, error.code), endings).await;
            }
            Err(GatewayError::ServerError { .. }) => CallOutcome::ServerError,
            Err(GatewayError::NoAnswer(_) | GatewayError::InUse) => CallOutcome::NoAnswer,
            Err(error) => return Err(without_effect(error)),
        };
        endings.push((key.clone(), outcome));
        let stands = self.look(id).await?;
        if stands.is_final() {
            return Ok(Driven::End(stands));
        }
        if outcome == CallOutcome::ServerError && plan.keys.has_failed(&key) {
            return Err(self.begin_another_try(plan, act).await?);
        }
        let text = format!("{} brought no answer", act.name());
        Err(Failure::Retry(Cause::new("gateway_no_answer", text)))
    }

    /// Refused because of where it stands, or for good.
    async fn refused(
        &self,
        act: Act,
        id: &str,
        (key, code): (String, String),
        endings: &mut Endings,
    ) -> Result<Driven, Failure> {
        endings.push((key, CallOutcome::Refused));
        match self.look(id).await? {
            end if end.is_final() => Ok(Driven::End(end)),
            _ if act != Act::Cancel && AUTHORISATION_GONE.contains(&code.as_str()) => {
                Ok(Driven::Gone)
            }
            _ => {
                let text = format!("{} was refused: {code}", act.name());
                Err(Failure::Park(Cause::new("gateway_refused", text)))
            }
        }
    }

    async fn look(&self, id: &str) -> Result<Standing, Failure> {
        match self.gateway.retrieve(id).await {
            Ok(view) => Ok(standing::of_view(&view)),
            Err(error) => Err(self.unanswered(error).await),
        }
    }

    /// Raises the try, unless somebody did; the message comes again and sends the new key.
    async fn begin_another_try(&self, plan: &Plan, act: Act) -> Result<Failure, Failure> {
        let tx = pool::begin(&self.db).await?;
        let (booking, generation) = (plan.intent.booking, plan.intent.generation);
        let Some(mut intent) = intents::lock(&tx, booking, generation).await? else {
            return Ok(busy());
        };
        let (before, now) = match act {
            Act::Capture { .. } => (plan.intent.capture_try, &mut intent.capture_try),
            Act::Cancel => (plan.intent.cancel_try, &mut intent.cancel_try),
        };
        if *now == before {
            *now += 1;
            intents::save(&tx, &[intent], plan.now).await?;
            tx.commit().await?;
        }
        let text = format!("{} had no effect; another key follows", act.name());
        Ok(Failure::Retry(Cause::new("gateway_without_effect", text)))
    }

    /// Commits a key that was not foreseen.
    async fn announce(&self, plan: &Plan, key: &str) -> Result<(), Failure> {
        let tx = pool::begin(&self.db).await?;
        let call = Announced {
            booking: plan.intent.booking,
            key: key.to_owned(),
            operation: "cancel",
        };
        calls::announce(&tx, &[call], plan.now).await?;
        tx.commit().await?;
        Ok(())
    }
}

enum Driven {
    /// The intent is captured or canceled.
    End(Standing),
    /// The capture will never succeed, and the intent isn't at its end.
    Gone,
}

impl Act {
    fn key(self, plan: &Plan) -> String {
        let intent = &plan.intent;
        match self {
            Self::Capture { .. } => {
                keys::capture(intent.booking, intent.generation, intent.capture_try)
            }
            Self::Cancel => keys::cancel(intent.booking, intent.generation, intent.cancel_try),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Capture { .. } => "capture",
            Self::Cancel => "cancel",
        }
    }
}
