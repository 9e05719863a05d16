//! The life of a PaymentIntent: what may follow what. No clock, no IO; `now_ms` comes in through the door.
//!
//! ```text
//! requires_payment_method ──► requires_confirmation ──► requires_action ──► requires_capture ──► succeeded
//!          ▲                          │                       │                   │
//!          └───── decline ────────────┴──── 3DS failed ───────┘                   │
//!          any state before `succeeded` ──► canceled ◄── authorisation gone ──────┘
//! ```

use crate::cards::{Card, Decline};
use crate::clock::secs;
use crate::errors::ApiError;
use crate::objects::{self, EventKind, new_id};
use crate::records::{CaptureMethod, CardError, Charge, Intent, Status};

/// What a step that reached the bank led to; the intent has changed even when it was refused.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) events: Vec<EventKind>,
    pub(crate) refused: Option<ApiError>,
}

impl Step {
    fn told(event: EventKind) -> Self {
        Self {
            events: vec![event],
            refused: None,
        }
    }

    fn refused(event: EventKind, error: ApiError) -> Self {
        Self {
            events: vec![event],
            refused: Some(error),
        }
    }
}

const REASONS_TO_CANCEL: &[&str] = &[
    "abandoned",
    "duplicate",
    "fraudulent",
    "requested_by_customer",
];

impl Intent {
    /// A card to try: chosen when the intent is made or when it is confirmed.
    pub(crate) fn choose_card(&mut self, payment_method: &str) -> Result<(), ApiError> {
        Card::named(payment_method)?;
        self.payment_method = Some(payment_method.to_owned());
        if self.status == Status::RequiresPaymentMethod {
            self.status = Status::RequiresConfirmation;
        }
        Ok(())
    }

    /// Asks the bank. `action_url` is where the customer goes if the bank wants to see them.
    pub(crate) fn confirm(
        &mut self,
        payment_method: Option<&str>,
        return_url: Option<&str>,
        action_url: String,
        now_ms: i64,
    ) -> Result<Step, ApiError> {
        match self.status {
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction => {}
            Status::RequiresCapture | Status::Succeeded | Status::Canceled => {
                return Err(self.unexpected("confirm"));
            }
        }
        if let Some(payment_method) = payment_method {
            self.choose_card(payment_method)?;
        }
        let Some(payment_method) = self.payment_method.clone() else {
            return Err(ApiError::unexpected_state(
                "You cannot confirm this PaymentIntent because it's missing a payment method.",
            )
            .with_intent(objects::intent(self)));
        };
        let card = Card::named(&payment_method)?;
        self.attempts += 1;
        self.last_error = None;
        self.action_url = None;
        if let Some(return_url) = return_url {
            self.return_url = Some(return_url.to_owned());
        }
        Ok(match card {
            Card::Declines(decline) => self.decline(decline, now_ms),
            Card::AsksCustomer => {
                self.status = Status::RequiresAction;
                self.action_url = Some(action_url);
                Step::told(EventKind::RequiresAction)
            }
            Card::Good
            | Card::CaptureFails
            | Card::AmountDiffers
            | Card::RefundFails
            | Card::RefundWaits => self.authorise(card, now_ms),
        })
    }

    /// The customer answered the bank's question.
    pub(crate) fn authenticate(&mut self, passed: bool, now_ms: i64) -> Result<Step, ApiError> {
        match self.status {
            Status::RequiresAction => {}
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresCapture
            | Status::Succeeded
            | Status::Canceled => return Err(self.unexpected("authenticate")),
        }
        self.action_url = None;
        if passed {
            return Ok(self.authorise(Card::AsksCustomer, now_ms));
        }
        let mut step = self.decline(
            &Decline {
                code: "payment_intent_authentication_failure",
                decline_code: "",
                message: "The provided PaymentMethod has failed authentication.",
            },
            now_ms,
        );
        step.refused = None;
        Ok(step)
    }

    /// Takes the money, or the part of it that is asked for; the rest is released.
    pub(crate) fn capture(&mut self, amount: Option<i64>, now_ms: i64) -> Result<Step, ApiError> {
        let card = self
            .payment_method
            .as_deref()
            .map(Card::named)
            .transpose()?;
        match self.status {
            Status::RequiresCapture => {}
            // Gone for good: asking again gets the same answer, not a hint about the state.
            Status::Canceled if card == Some(Card::CaptureFails) && self.authorised > 0 => {
                return Err(authorisation_gone().with_intent(objects::intent(self)));
            }
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::Succeeded
            | Status::Canceled => return Err(self.unexpected("capture")),
        }
        let amount = amount.unwrap_or(self.amount_capturable);
        if amount > self.amount_capturable {
            return Err(ApiError::refused(
                "amount_too_large",
                format!(
                    "The amount to capture ({amount}) is greater than the capturable amount ({}).",
                    self.amount_capturable
                ),
            )
            .with_intent(objects::intent(self)));
        }
        if card == Some(Card::CaptureFails) {
            self.close("automatic", now_ms);
            let error = authorisation_gone().with_intent(objects::intent(self));
            return Ok(Step::refused(EventKind::Canceled, error));
        }
        self.take(amount);
        Ok(Step::told(EventKind::Succeeded))
    }

    pub(crate) fn cancel(&mut self, reason: Option<&str>, now_ms: i64) -> Result<Step, ApiError> {
        if let Some(reason) = reason
            && !REASONS_TO_CANCEL.contains(&reason)
        {
            return Err(ApiError::invalid(
                "cancellation_reason",
                "parameter_invalid_empty",
                format!(
                    "Invalid cancellation_reason: must be one of {}",
                    REASONS_TO_CANCEL.join(", ")
                ),
            ));
        }
        match self.status {
            Status::Succeeded | Status::Canceled => return Err(self.unexpected("cancel")),
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::RequiresCapture => {}
        }
        self.close(reason.unwrap_or_default(), now_ms);
        Ok(Step::told(EventKind::Canceled))
    }

    fn authorise(&mut self, card: Card, now_ms: i64) -> Step {
        let amount = card.authorises(self.amount);
        self.charged(amount, true, now_ms);
        self.authorised += amount;
        self.amount_capturable = amount;
        self.status = Status::RequiresCapture;
        match self.capture_method {
            CaptureMethod::Manual => Step::told(EventKind::AmountCapturableUpdated),
            CaptureMethod::Automatic => {
                self.take(amount);
                Step::told(EventKind::Succeeded)
            }
        }
    }

    fn decline(&mut self, decline: &Decline, now_ms: i64) -> Step {
        self.charged(self.amount, false, now_ms);
        self.status = Status::RequiresPaymentMethod;
        self.payment_method = None;
        let decline_code = Some(decline.decline_code).filter(|code| !code.is_empty());
        self.last_error = Some(CardError {
            code: decline.code.to_owned(),
            decline_code: decline_code.map(str::to_owned),
            message: decline.message.to_owned(),
        });
        let error = ApiError::declined(decline.code, decline_code, decline.message)
            .with_intent(objects::intent(self));
        Step::refused(EventKind::PaymentFailed, error)
    }

    fn charged(&mut self, amount: i64, paid: bool, now_ms: i64) {
        self.charge = Some(Charge {
            id: new_id("ch"),
            payment_method: self.payment_method.clone().unwrap_or_default(),
            amount,
            created: secs(now_ms),
            paid,
        });
    }

    fn take(&mut self, amount: i64) {
        self.status = Status::Succeeded;
        self.amount_received = amount;
        self.amount_capturable = 0;
        self.captures += 1;
    }

    fn close(&mut self, reason: &str, now_ms: i64) {
        self.status = Status::Canceled;
        self.amount_capturable = 0;
        self.action_url = None;
        self.canceled_at = Some(secs(now_ms));
        self.cancellation_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    }

    fn unexpected(&self, what: &str) -> ApiError {
        ApiError::unexpected_state(format!(
            "You cannot {what} this PaymentIntent because it has a status of {}.",
            self.status.as_str()
        ))
        .with_intent(objects::intent(self))
    }
}

fn authorisation_gone() -> ApiError {
    ApiError::refused(
        "charge_expired_for_capture",
        "The charge cannot be captured because its authorization has expired.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn confirmed(card: &str) -> (Intent, Step) {
        let mut intent = Intent::new(2500, "EUR", CaptureMethod::Manual, NOW);
        let step = intent
            .confirm(Some(card), None, "http://page".into(), NOW)
            .unwrap();
        (intent, step)
    }

    #[test]
    fn a_good_card_is_authorised_then_captured_once() {
        let (mut intent, step) = confirmed("pm_card_visa");
        assert_eq!(intent.status, Status::RequiresCapture);
        assert_eq!(intent.amount_capturable, 2500);
        assert_eq!(step.events, [EventKind::AmountCapturableUpdated]);
        intent.capture(None, NOW).unwrap();
        assert_eq!(intent.status, Status::Succeeded);
        let again = intent.capture(None, NOW).unwrap_err();
        assert_eq!(again.code, Some("payment_intent_unexpected_state"));
        assert_eq!((intent.captures, intent.amount_received), (1, 2500));
        assert!(
            intent.cancel(None, NOW).is_err(),
            "money taken is refunded, not canceled"
        );
    }

    #[test]
    fn a_part_is_captured_and_too_much_is_refused() {
        let (mut intent, _) = confirmed("pm_card_visa");
        assert!(intent.capture(Some(2501), NOW).is_err());
        intent.capture(Some(1000), NOW).unwrap();
        assert_eq!(
            (intent.amount_received, intent.amount_capturable),
            (1000, 0)
        );
    }

    #[test]
    fn a_declined_card_leaves_room_for_another() {
        let (mut intent, step) = confirmed("pm_card_chargeDeclinedInsufficientFunds");
        let error = step.refused.unwrap();
        assert_eq!(error.decline_code, Some("insufficient_funds"));
        assert_eq!(
            error.payment_intent.unwrap()["status"],
            "requires_payment_method"
        );
        assert!(intent.last_error.is_some());
        assert!(
            intent.confirm(None, None, String::new(), NOW).is_err(),
            "the card is forgotten"
        );
        intent
            .confirm(Some("pm_card_visa"), None, String::new(), NOW)
            .unwrap();
        assert_eq!(intent.status, Status::RequiresCapture);
        assert!(intent.last_error.is_none());
        assert_eq!(intent.attempts, 2);
    }

    #[test]
    fn three_d_secure_goes_both_ways() {
        let (mut intent, step) = confirmed("pm_card_authenticationRequired");
        assert_eq!(step.events, [EventKind::RequiresAction]);
        assert_eq!(intent.action_url.as_deref(), Some("http://page"));
        let mut other = intent.clone();
        intent.authenticate(true, NOW).unwrap();
        assert_eq!(intent.status, Status::RequiresCapture);
        let step = other.authenticate(false, NOW).unwrap();
        assert_eq!(other.status, Status::RequiresPaymentMethod);
        assert_eq!(step.events, [EventKind::PaymentFailed]);
        assert!(other.authenticate(true, NOW).is_err());
    }

    #[test]
    fn an_authorisation_that_is_gone_is_gone_for_good() {
        let (mut intent, _) = confirmed("pm_card_captureFails");
        let step = intent.capture(None, NOW).unwrap();
        assert_eq!(
            step.refused.unwrap().code,
            Some("charge_expired_for_capture")
        );
        assert_eq!(intent.status, Status::Canceled);
        let again = intent.capture(None, NOW).unwrap_err();
        assert_eq!(again.code, Some("charge_expired_for_capture"));
        assert_eq!(intent.amount_received, 0);
    }

    #[test]
    fn canceling_releases_what_was_authorised() {
        let (mut intent, _) = confirmed("pm_card_visa");
        assert!(intent.cancel(Some("because"), NOW).is_err());
        intent.cancel(Some("requested_by_customer"), NOW).unwrap();
        assert_eq!(
            (intent.status, intent.amount_capturable),
            (Status::Canceled, 0)
        );
        assert!(intent.cancel(None, NOW).is_err());
    }

    #[test]
    fn automatic_capture_takes_the_money_at_once() {
        let mut intent = Intent::new(900, "eur", CaptureMethod::Automatic, NOW);
        let step = intent
            .confirm(Some("pm_card_visa"), None, String::new(), NOW)
            .unwrap();
        assert_eq!(step.events, [EventKind::Succeeded]);
        assert_eq!((intent.amount_received, intent.captures), (900, 1));
    }
}
