//! What the gateway's answer means, and what becomes of our rows because of it. Pure.

use crate::gateway::{IntentStatus, IntentView};
use boxoffice_contracts::{Code, Money};
use boxoffice_store::mysql::{
    attempts::{Attempt, AttemptState},
    intents::{Intent, IntentState},
};

/// Where a payment stands at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Funds are reserved.
    Authorized(Money),
    /// The customer must act.
    ActionRequired,
    /// The last confirm failed; the gateway's word for it.
    Declined(String),
    Captured(Money),
    /// Canceled; nothing was taken.
    Voided,
    /// Nothing was confirmed.
    Untouched,
    /// The gateway still works on it, or didn't say.
    Unknown,
}

impl Standing {
    /// Nothing can follow but refunds.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Captured(_) | Self::Voided)
    }
}

pub(super) fn of_view(view: &IntentView) -> Standing {
    let Some(currency) = view.currency else {
        return Standing::Unknown;
    };
    match view.status {
        IntentStatus::RequiresCapture => {
            Standing::Authorized(Money::new(view.amount_capturable, currency))
        }
        IntentStatus::RequiresAction => Standing::ActionRequired,
        IntentStatus::Succeeded => Standing::Captured(Money::new(view.amount_received, currency)),
        IntentStatus::Canceled => Standing::Voided,
        IntentStatus::RequiresPaymentMethod | IntentStatus::RequiresConfirmation => {
            match &view.last_error {
                Some(error) => Standing::Declined(error.word().to_owned()),
                None => Standing::Untouched,
            }
        }
        IntentStatus::Processing | IntentStatus::Other => Standing::Unknown,
    }
}

/// Where an attempt without a method stands: as long as nothing else came of it, it waits for the customer,
/// who may try one card after another in the browser.
pub(super) fn of_browser_attempt(standing: Standing) -> Standing {
    match standing {
        Standing::Untouched | Standing::Declined(_) => Standing::ActionRequired,
        Standing::Authorized(_)
        | Standing::ActionRequired
        | Standing::Captured(_)
        | Standing::Voided
        | Standing::Unknown => standing,
    }
}

/// What is written down because of a standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Overtaken: nothing is written and nobody is told.
    Nothing,
    /// Nothing is written; what is recorded of the attempt is told.
    Repeat,
    /// The attempt gets the standing, and it is told.
    Advance,
    /// The intent is captured, whatever was ordered: money that moved is a fact.
    Captured,
    /// The intent is closed.
    Voided,
}

pub(super) const fn step(intent: IntentState, attempt: AttemptState, standing: &Standing) -> Step {
    match (intent, standing) {
        (_, Standing::Captured(_)) => Step::Captured,
        (IntentState::Open | IntentState::Closing | IntentState::Closed, Standing::Voided) => {
            Step::Voided
        }
        // Nothing authorises or revives what is to be closed, or came to its end.
        (
            IntentState::Closing
            | IntentState::Closed
            | IntentState::Captured
            | IntentState::CaptureFailed,
            _,
        ) => Step::Nothing,
        (IntentState::Open, _) => advance(attempt, standing),
    }
}

/// An attempt only moves on: an answer that was under way for long says nothing new.
const fn advance(attempt: AttemptState, standing: &Standing) -> Step {
    match (attempt, standing) {
        (_, Standing::Captured(_) | Standing::Voided) => Step::Nothing,
        (AttemptState::Ordered | AttemptState::Unknown, _) => Step::Advance,
        (AttemptState::ActionRequired, Standing::Unknown | Standing::Untouched) => Step::Repeat,
        (AttemptState::ActionRequired, _) => Step::Advance,
        // A customer may try again in the browser after a decline.
        (AttemptState::Declined, Standing::Authorized(_)) => Step::Advance,
        (AttemptState::Declined | AttemptState::Authorized, _) => Step::Repeat,
        (AttemptState::Voided, _) => Step::Nothing,
    }
}

/// What the saga is told of an attempt or an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Authorized(u16, Money),
    ActionRequired(u16),
    Declined(u16, Code),
    Unknown(u16),
    /// Of the intent of this generation, here and below.
    Captured(u16, Money),
    Voided(u16),
    CaptureFailed(u16),
}

/// The answer that is on record for an attempt.
pub(super) fn recorded(attempt: &Attempt) -> Option<Reply> {
    match attempt.state {
        AttemptState::Authorized => attempt
            .authorized
            .map(|money| Reply::Authorized(attempt.number, money)),
        AttemptState::ActionRequired => Some(Reply::ActionRequired(attempt.number)),
        AttemptState::Declined => Some(Reply::Declined(attempt.number, Code::CardDeclined)),
        AttemptState::Voided => Some(Reply::Voided(attempt.generation)),
        AttemptState::Ordered | AttemptState::Unknown => None,
    }
}

/// The answer that is on record for an intent at its end.
pub(super) fn recorded_end(intent: &Intent) -> Option<Reply> {
    match intent.state {
        IntentState::Captured => {
            let taken = Money::new(intent.captured_minor, intent.amount.currency);
            Some(Reply::Captured(intent.generation, taken))
        }
        IntentState::Closed => Some(Reply::Voided(intent.generation)),
        IntentState::CaptureFailed => Some(Reply::CaptureFailed(intent.generation)),
        IntentState::Open | IntentState::Closing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::CardError;
    use boxoffice_contracts::Currency;

    fn view(status: IntentStatus) -> IntentView {
        IntentView {
            id: "pi_1".into(),
            status,
            amount: 2500,
            amount_capturable: 2400,
            amount_received: 2300,
            currency: Some(Currency::EUR),
            client_secret: None,
            action_url: None,
            last_error: None,
            booking: None,
            generation: None,
        }
    }

    const EUR: fn(i64) -> Money = |minor| Money::new(minor, Currency::EUR);

    #[test]
    fn every_status_has_its_meaning() {
        let of = |status| of_view(&view(status));
        assert_eq!(
            of(IntentStatus::RequiresCapture),
            Standing::Authorized(EUR(2400))
        );
        assert_eq!(of(IntentStatus::Succeeded), Standing::Captured(EUR(2300)));
        assert_eq!(of(IntentStatus::RequiresAction), Standing::ActionRequired);
        assert_eq!(of(IntentStatus::Canceled), Standing::Voided);
        assert_eq!(of(IntentStatus::RequiresConfirmation), Standing::Untouched);
        assert_eq!(of(IntentStatus::Processing), Standing::Unknown);
        assert_eq!(of(IntentStatus::Other), Standing::Unknown);
        let mut declined = view(IntentStatus::RequiresPaymentMethod);
        declined.last_error = Some(CardError {
            code: "card_declined".into(),
            decline_code: Some("insufficient_funds".into()),
        });
        assert_eq!(
            of_view(&declined),
            Standing::Declined("insufficient_funds".into())
        );
    }

    #[test]
    fn without_a_method_the_customer_is_waited_for() {
        let wait = of_browser_attempt;
        assert_eq!(wait(Standing::Untouched), Standing::ActionRequired);
        assert_eq!(
            wait(Standing::Declined("x".into())),
            Standing::ActionRequired
        );
        assert_eq!(
            wait(Standing::Authorized(EUR(1))),
            Standing::Authorized(EUR(1))
        );
    }

    #[test]
    fn nothing_authorises_what_is_to_be_closed() {
        let authorized = Standing::Authorized(EUR(1));
        for attempt in AttemptState::ALL {
            for intent in IntentState::ALL
                .into_iter()
                .filter(|s| *s != IntentState::Open)
            {
                assert_eq!(
                    step(intent, attempt, &authorized),
                    Step::Nothing,
                    "{intent:?}"
                );
            }
        }
        assert_eq!(
            step(IntentState::Open, AttemptState::Ordered, &authorized),
            Step::Advance
        );
    }

    #[test]
    fn money_that_moved_is_a_fact() {
        for intent in IntentState::ALL {
            for attempt in AttemptState::ALL {
                let taken = Standing::Captured(EUR(1));
                assert_eq!(step(intent, attempt, &taken), Step::Captured);
            }
        }
        let closed = step(
            IntentState::Captured,
            AttemptState::Authorized,
            &Standing::Voided,
        );
        assert_eq!(closed, Step::Nothing, "captured money is not forgotten");
    }

    #[test]
    fn an_attempt_only_moves_on() {
        let of = |attempt, standing: Standing| step(IntentState::Open, attempt, &standing);
        let declined = || Standing::Declined("x".into());
        assert_eq!(of(AttemptState::Authorized, declined()), Step::Repeat);
        assert_eq!(
            of(AttemptState::Authorized, Standing::Unknown),
            Step::Repeat
        );
        assert_eq!(
            of(AttemptState::Declined, Standing::ActionRequired),
            Step::Repeat
        );
        assert_eq!(
            of(AttemptState::Declined, Standing::Authorized(EUR(1))),
            Step::Advance
        );
        assert_eq!(of(AttemptState::ActionRequired, declined()), Step::Advance);
        assert_eq!(of(AttemptState::Unknown, Standing::Unknown), Step::Advance);
    }
}
