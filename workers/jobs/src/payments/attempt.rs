//! Bringing an attempt to an answer: create, confirm, or find out what became of them.

use super::{
    Door, Endings, Learned, Payments, Plan, keys, standing, standing::Standing, without_effect,
};
use crate::gateway::{GatewayError, IntentView, NewPayment};
use boxoffice_runtime::Failure;
use boxoffice_store::mysql::{attempts::Attempt, calls::CallOutcome};

/// The gateway's payment of an intent.
pub(super) enum Obtained {
    View(Box<IntentView>),
    /// There is none and there will be none; the gateway's word for why.
    Nothing(String),
    /// Whether there is one is open.
    Unknown,
}

/// Our own words in `payment_attempts.code`, where the gateway has none.
const NEVER_CREATED: &str = "never_created";
const NEVER_CONFIRMED: &str = "never_confirmed";
const GATEWAY_FAILED: &str = "gateway_failed";

impl Payments {
    pub(super) async fn bring_to_answer(
        &self,
        plan: &Plan,
        attempt: &Attempt,
        endings: &mut Endings,
    ) -> Result<Learned, Failure> {
        let mut seen = None;
        let id = match &plan.intent.gateway_id {
            Some(id) => id.clone(),
            None => match self.obtain(plan, endings).await? {
                Obtained::View(view) => seen.insert(*view).id.clone(),
                Obtained::Nothing(word) => return Ok(learned(attempt, Standing::Declined(word))),
                Obtained::Unknown => return Ok(learned(attempt, Standing::Unknown)),
            },
        };
        let Some(method) = &attempt.method else {
            return self.offer_to_browser(attempt, &id, seen).await;
        };

        let key = keys::confirm(plan.intent.booking, attempt.number);
        let used = plan.keys.was_used(&key);
        if used {
            // It may have taken effect: look before it is sent again.
            let Some(view) = self.see(&id).await? else {
                return Ok(learned(attempt, Standing::Unknown));
            };
            match standing::of_view(&view) {
                // The error may be the former attempt's: only this attempt's own answer tells.
                Standing::Declined(_) | Standing::Untouched if plan.keys.was_answered(&key) => {
                    let word = view
                        .last_error
                        .as_ref()
                        .map_or(NEVER_CONFIRMED, |e| e.word());
                    return Ok(learned(attempt, Standing::Declined(word.to_owned())));
                }
                Standing::Declined(_) | Standing::Untouched if !plan.keys.may_send(&key) => {
                    let word = NEVER_CONFIRMED.to_owned();
                    return Ok(learned(attempt, Standing::Declined(word)));
                }
                Standing::Declined(_) | Standing::Untouched => {}
                known => return Ok(learned_of(attempt, known, &view)),
            }
        }
        match self.gateway.confirm(&key, &id, method).await {
            Ok(view) => {
                endings.push((key, CallOutcome::Answered));
                // A replay shows what was true when the key was first answered.
                let view = if used {
                    self.see(&id).await?.unwrap_or(view)
                } else {
                    view
                };
                Ok(learned_of(
                    attempt,
                    touched(standing::of_view(&view)),
                    &view,
                ))
            }
            Err(error) => {
                self.not_confirmed(plan, attempt, (&key, &id), error, endings)
                    .await
            }
        }
    }

    async fn not_confirmed(
        &self,
        plan: &Plan,
        attempt: &Attempt,
        (key, id): (&str, &str),
        error: GatewayError,
        endings: &mut Endings,
    ) -> Result<Learned, Failure> {
        match error {
            GatewayError::Declined { error } => {
                endings.push((key.to_owned(), CallOutcome::Answered));
                Ok(learned(
                    attempt,
                    Standing::Declined(error.word().to_owned()),
                ))
            }
            GatewayError::Refused { code, .. } => {
                endings.push((key.to_owned(), CallOutcome::Refused));
                // Refused because of where it stands, or because the method is no method.
                let view = self.see(id).await?;
                let stands = view.as_ref().map_or(Standing::Untouched, standing::of_view);
                match (stands, view) {
                    (Standing::Declined(_) | Standing::Untouched, _) | (_, None) => {
                        Ok(learned(attempt, Standing::Declined(code)))
                    }
                    (stands, Some(view)) => Ok(learned_of(attempt, stands, &view)),
                }
            }
            GatewayError::ServerError { .. } => {
                endings.push((key.to_owned(), CallOutcome::ServerError));
                let again = plan.keys.has_failed(key);
                // A failure that is kept under the key never becomes an answer: what is seen decides.
                let seen = if again { self.see(id).await? } else { None };
                let Some(view) = seen else {
                    return Ok(learned(attempt, Standing::Unknown));
                };
                Ok(match standing::of_view(&view) {
                    Standing::Declined(_) | Standing::Untouched => {
                        learned(attempt, Standing::Declined(GATEWAY_FAILED.to_owned()))
                    }
                    known => learned_of(attempt, known, &view),
                })
            }
            GatewayError::NoAnswer(_) | GatewayError::InUse => {
                endings.push((key.to_owned(), CallOutcome::NoAnswer));
                Ok(learned(attempt, Standing::Unknown))
            }
            error => Err(without_effect(error)),
        }
    }

    /// The customer confirms in the browser: all we do is to show the door.
    async fn offer_to_browser(
        &self,
        attempt: &Attempt,
        id: &str,
        seen: Option<IntentView>,
    ) -> Result<Learned, Failure> {
        let view = match seen {
            Some(view) => Some(view),
            None => self.see(id).await?,
        };
        Ok(match view {
            Some(view) => {
                let stands = standing::of_browser_attempt(standing::of_view(&view));
                learned_of(attempt, stands, &view)
            }
            None => learned(attempt, Standing::Unknown),
        })
    }

    /// The payment of an intent whose id is not known: created, created before, or found by its metadata.
    pub(super) async fn obtain(
        &self,
        plan: &Plan,
        endings: &mut Endings,
    ) -> Result<Obtained, Failure> {
        let intent = &plan.intent;
        let key = keys::create(intent.booking, intent.generation);
        if !plan.keys.may_send(&key) {
            return self.find_created(plan, &key).await;
        }
        let new = NewPayment {
            booking: intent.booking,
            generation: intent.generation,
            amount: intent.amount,
        };
        match self.gateway.create(&key, &new).await {
            Ok(view) => {
                endings.push((key, CallOutcome::Answered));
                self.keep_id(intent, &view.id).await?;
                Ok(Obtained::View(Box::new(view)))
            }
            Err(GatewayError::Declined { error }) => {
                endings.push((key, CallOutcome::Refused));
                Ok(Obtained::Nothing(error.word().to_owned()))
            }
            Err(GatewayError::Refused { code, .. }) => {
                endings.push((key, CallOutcome::Refused));
                tracing::error!(booking.id = %intent.booking, gateway.code = %code, "the gateway refuses to create a payment");
                Ok(Obtained::Nothing(code))
            }
            Err(GatewayError::ServerError { .. }) => {
                let again = plan.keys.has_failed(&key);
                endings.push((key.clone(), CallOutcome::ServerError));
                if again {
                    self.find_created(plan, &key).await
                } else {
                    Ok(Obtained::Unknown)
                }
            }
            Err(GatewayError::NoAnswer(_) | GatewayError::InUse) => {
                endings.push((key, CallOutcome::NoAnswer));
                Ok(Obtained::Unknown)
            }
            Err(error) => Err(without_effect(error)),
        }
    }

    async fn find_created(&self, plan: &Plan, key: &str) -> Result<Obtained, Failure> {
        let (booking, generation) = (plan.intent.booking, plan.intent.generation);
        let since = plan.keys.first_called(key);
        match self.gateway.find(booking, generation, since).await {
            Ok(Some(view)) => {
                self.keep_id(&plan.intent, &view.id).await?;
                Ok(Obtained::View(Box::new(view)))
            }
            Ok(None) => Ok(Obtained::Nothing(NEVER_CREATED.to_owned())),
            Err(GatewayError::Refused { code, .. }) => Err(Failure::Park(
                boxoffice_runtime::Cause::new("key_too_old", code),
            )),
            Err(error) => Err(self.unanswered(error).await),
        }
    }

    /// Looks at a payment. `None`: no answer, which is an answer to an attempt.
    pub(super) async fn see(&self, id: &str) -> Result<Option<IntentView>, Failure> {
        match self.gateway.retrieve(id).await {
            Ok(view) => Ok(Some(view)),
            Err(
                GatewayError::NoAnswer(_) | GatewayError::ServerError { .. } | GatewayError::InUse,
            ) => Ok(None),
            Err(error) => Err(without_effect(error)),
        }
    }
}

/// After a confirm nothing is untouched: the gateway hasn't shown it yet.
fn touched(stands: Standing) -> Standing {
    if stands == Standing::Untouched {
        Standing::Unknown
    } else {
        stands
    }
}

fn learned(attempt: &Attempt, standing: Standing) -> Learned {
    Learned::Standing {
        attempt: Some(attempt.number),
        standing,
        door: Door::default(),
    }
}

fn learned_of(attempt: &Attempt, standing: Standing, view: &IntentView) -> Learned {
    let door = Door {
        client_secret: view.client_secret.clone(),
        action_url: view.action_url.clone(),
    };
    Learned::Standing {
        attempt: Some(attempt.number),
        standing,
        door,
    }
}
