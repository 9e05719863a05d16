//! The test cards: what each `pm_card_…` does when money is asked of it.

use crate::errors::ApiError;

/// How the bank behind a test card behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    Good,
    Declines(&'static Decline),
    /// Asks for 3-D Secure on every confirm.
    AsksCustomer,
    /// Authorises, and has forgotten it when the money is captured.
    CaptureFails,
    /// Authorises another amount than the one asked for.
    AmountDiffers,
    /// A refund stays pending for a while, then fails.
    RefundFails,
    /// A refund stays pending for a while, then succeeds.
    RefundWaits,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decline {
    pub(crate) code: &'static str,
    pub(crate) decline_code: &'static str,
    pub(crate) message: &'static str,
}

const GENERIC: Decline = Decline {
    code: "card_declined",
    decline_code: "generic_decline",
    message: "Your card was declined.",
};
const NO_FUNDS: Decline = Decline {
    code: "card_declined",
    decline_code: "insufficient_funds",
    message: "Your card has insufficient funds.",
};
const EXPIRED: Decline = Decline {
    code: "expired_card",
    decline_code: "expired_card",
    message: "Your card has expired.",
};
const WRONG_CVC: Decline = Decline {
    code: "incorrect_cvc",
    decline_code: "incorrect_cvc",
    message: "Your card's security code is incorrect.",
};
const FRAUD: Decline = Decline {
    code: "card_declined",
    decline_code: "fraudulent",
    message: "Your card was declined.",
};
const PROCESSING: Decline = Decline {
    code: "processing_error",
    decline_code: "processing_error",
    message: "An error occurred while processing your card. Try again in a little bit.",
};

/// Every payment method the sandbox knows; Stripe's names where Stripe has one.
pub(crate) const CARDS: &[(&str, Card)] = &[
    ("pm_card_visa", Card::Good),
    ("pm_card_mastercard", Card::Good),
    ("pm_card_chargeDeclined", Card::Declines(&GENERIC)),
    ("pm_card_visa_chargeDeclined", Card::Declines(&GENERIC)),
    (
        "pm_card_chargeDeclinedInsufficientFunds",
        Card::Declines(&NO_FUNDS),
    ),
    (
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        Card::Declines(&NO_FUNDS),
    ),
    (
        "pm_card_chargeDeclinedExpiredCard",
        Card::Declines(&EXPIRED),
    ),
    (
        "pm_card_chargeDeclinedIncorrectCvc",
        Card::Declines(&WRONG_CVC),
    ),
    ("pm_card_chargeDeclinedFraudulent", Card::Declines(&FRAUD)),
    (
        "pm_card_chargeDeclinedProcessingError",
        Card::Declines(&PROCESSING),
    ),
    ("pm_card_authenticationRequired", Card::AsksCustomer),
    ("pm_card_threeDSecure2Required", Card::AsksCustomer),
    ("pm_card_captureFails", Card::CaptureFails),
    ("pm_card_amountDiffers", Card::AmountDiffers),
    ("pm_card_refundFail", Card::RefundFails),
    ("pm_card_pendingRefund", Card::RefundWaits),
];

/// What the bank of [`Card::AmountDiffers`] holds back.
const AMOUNT_GAP: i64 = 100;

impl Card {
    pub(crate) fn named(payment_method: &str) -> Result<Self, ApiError> {
        CARDS
            .iter()
            .find(|(name, _)| *name == payment_method)
            .map(|(_, card)| *card)
            .ok_or_else(|| {
                ApiError::no_such("PaymentMethod", payment_method, Some("payment_method"))
            })
    }

    /// The amount the bank authorises when asked for `amount`: another one for one card, and never nothing.
    pub(crate) fn authorises(self, amount: i64) -> i64 {
        match self {
            Self::AmountDiffers if amount > AMOUNT_GAP => amount - AMOUNT_GAP,
            Self::AmountDiffers => amount + AMOUNT_GAP,
            Self::Good
            | Self::Declines(_)
            | Self::AsksCustomer
            | Self::CaptureFails
            | Self::RefundFails
            | Self::RefundWaits => amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_an_unknown_one_is_refused() {
        let mut names: Vec<_> = CARDS.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), CARDS.len());
        let error = Card::named("pm_card_nobody").unwrap_err();
        assert_eq!(error.code, Some("resource_missing"));
    }

    #[test]
    fn only_one_card_changes_the_amount() {
        assert_eq!(Card::Good.authorises(2500), 2500);
        assert_eq!(Card::AmountDiffers.authorises(2500), 2400);
        assert_eq!(Card::AmountDiffers.authorises(100), 200);
    }
}
