//! Money going back: never more than came in, and not done before it says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cards::Card;
use crate::clock::secs;
use crate::errors::ApiError;
use crate::objects::{self, new_id};
use crate::records::{Intent, Status};
use crate::table::Row;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) payment_intent: String,
    pub(crate) charge: Option<String>,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) created: i64,
    pub(crate) status: RefundStatus,
    /// When a pending refund is decided, and how.
    pub(crate) settles_at_ms: Option<i64>,
    pub(crate) will_fail: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
}

/// What the caller wants back, and under which name.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Nothing given: all that is left.
    pub(crate) amount: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer"];

impl Refund {
    /// Gives money back; `settle_ms` is how long the slow cards stay pending.
    pub(crate) fn new(
        intent: &mut Intent,
        wanted: Wanted,
        settle_ms: i64,
        now_ms: i64,
    ) -> Result<Self, ApiError> {
        if let Some(reason) = wanted.reason.as_deref()
            && !REASONS.contains(&reason)
        {
            return Err(ApiError::invalid(
                "reason",
                "parameter_invalid_empty",
                format!("Invalid reason: must be one of {}", REASONS.join(", ")),
            ));
        }
        if intent.status != Status::Succeeded {
            return Err(ApiError::unexpected_state(format!(
                "This PaymentIntent ({}) does not have a successful charge to refund.",
                intent.id
            ))
            .with_intent(objects::intent(intent)));
        }
        let left = intent.amount_received - intent.refunded;
        if left == 0 {
            return Err(ApiError::refused(
                "charge_already_refunded",
                "Charge has already been refunded.",
            )
            .with_intent(objects::intent(intent)));
        }
        let amount = wanted.amount.unwrap_or(left);
        if amount > left {
            return Err(ApiError::refused(
                "amount_too_large",
                format!(
                    "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
                ),
            )
            .with_intent(objects::intent(intent)));
        }
        let card = intent
            .payment_method
            .as_deref()
            .map(Card::named)
            .transpose()?;
        let slow = matches!(card, Some(Card::RefundFails | Card::RefundWaits));
        let refund = Self {
            id: new_id("re"),
            payment_intent: intent.id.clone(),
            charge: intent.charge.as_ref().map(|charge| charge.id.clone()),
            amount,
            currency: intent.currency.clone(),
            reason: wanted.reason,
            metadata: wanted.metadata,
            created: secs(now_ms),
            status: if slow {
                RefundStatus::Pending
            } else {
                RefundStatus::Succeeded
            },
            settles_at_ms: slow.then_some(now_ms + settle_ms),
            will_fail: card == Some(Card::RefundFails),
        };
        intent.refunded += amount;
        intent.refunds.push(refund.id.clone());
        Ok(refund)
    }

    /// Decides a pending refund. A failed one gives its amount free again.
    pub(crate) fn settle(&mut self, intent: &mut Intent) -> bool {
        if self.status != RefundStatus::Pending {
            return false;
        }
        self.settles_at_ms = None;
        if self.will_fail {
            self.status = RefundStatus::Failed;
            intent.refunded -= self.amount;
        } else {
            self.status = RefundStatus::Succeeded;
        }
        true
    }
}

impl RefundStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl Row for Refund {
    fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::CaptureMethod;

    const NOW: i64 = 1_800_000_000_000;

    fn paid(card: &str) -> Intent {
        let mut intent = Intent::new(2500, "eur", CaptureMethod::Automatic, NOW);
        intent
            .confirm(Some(card), None, String::new(), NOW)
            .unwrap();
        intent
    }

    fn some(amount: i64) -> Wanted {
        Wanted {
            amount: Some(amount),
            ..Wanted::default()
        }
    }

    #[test]
    fn never_more_than_was_taken() {
        let mut intent = paid("pm_card_visa");
        Refund::new(&mut intent, some(2000), 0, NOW).unwrap();
        let error = Refund::new(&mut intent, some(501), 0, NOW).unwrap_err();
        assert_eq!(error.code, Some("amount_too_large"));
        let rest = Refund::new(&mut intent, Wanted::default(), 0, NOW).unwrap();
        assert_eq!(rest.amount, 500);
        let error = Refund::new(&mut intent, Wanted::default(), 0, NOW).unwrap_err();
        assert_eq!(error.code, Some("charge_already_refunded"));
        assert_eq!((intent.refunded, intent.refunds.len()), (2500, 2));
    }

    #[test]
    fn nothing_taken_nothing_back() {
        let mut intent = Intent::new(2500, "eur", CaptureMethod::Manual, NOW);
        assert!(Refund::new(&mut intent, Wanted::default(), 0, NOW).is_err());
    }

    #[test]
    fn a_refund_that_fails_frees_its_amount_and_settles_once() {
        let mut intent = paid("pm_card_refundFail");
        let mut refund = Refund::new(&mut intent, Wanted::default(), 100, NOW).unwrap();
        assert_eq!(refund.status, RefundStatus::Pending);
        assert_eq!(intent.refunded, 2500, "pending money is spoken for");
        assert!(refund.settle(&mut intent));
        assert_eq!((refund.status, intent.refunded), (RefundStatus::Failed, 0));
        assert!(!refund.settle(&mut intent));
    }

    #[test]
    fn a_slow_refund_succeeds_in_the_end() {
        let mut intent = paid("pm_card_pendingRefund");
        let mut refund = Refund::new(&mut intent, some(700), 100, NOW).unwrap();
        assert!(refund.settle(&mut intent));
        assert_eq!(
            (refund.status, intent.refunded),
            (RefundStatus::Succeeded, 700)
        );
    }
}
