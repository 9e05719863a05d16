//! Giving money back: at most once per refund id, found again by its metadata when an answer was lost.

use super::{Endings, Learned, Payments, Plan, keys, without_effect};
use crate::gateway::{GatewayError, NewRefund, RefundStatus, RefundView};
use boxoffice_runtime::{Cause, Failure, pool};
use boxoffice_store::mysql::{calls::CallOutcome, intents, refunds, refunds::Refund};

impl Payments {
    pub(super) async fn pay_back(
        &self,
        plan: &Plan,
        refund: &Refund,
        endings: &mut Endings,
    ) -> Result<Learned, Failure> {
        let Some(intent) = &plan.intent.gateway_id else {
            return Ok(Learned::Nothing);
        };
        let seen = |view| Learned::Refund {
            id: refund.id,
            view,
        };
        if let Some(id) = &refund.gateway_id {
            return match self.gateway.retrieve_refund(id).await {
                Ok(view) => Ok(seen(view)),
                Err(error) => Err(self.unanswered(error).await),
            };
        }
        let key = keys::refund(refund.id, refund.r#try);
        if !plan.keys.may_send(&key) {
            return match self.find_refund(intent, refund).await? {
                Some(view) => Ok(seen(view)),
                None => Err(self.begin_another_refund(plan, refund).await?),
            };
        }
        let new = NewRefund {
            booking: refund.booking,
            refund: refund.id,
            intent: intent.clone(),
            minor: refund.amount.minor,
        };
        let (outcome, word) = match self.gateway.refund(&key, &new).await {
            Ok(view) => {
                endings.push((key, CallOutcome::Answered));
                return Ok(seen(view));
            }
            Err(GatewayError::Refused { code, .. }) => (CallOutcome::Refused, code),
            Err(GatewayError::Declined { error, .. }) => (CallOutcome::Refused, error.code),
            Err(error @ GatewayError::ServerError { .. }) => {
                (CallOutcome::ServerError, error.to_string())
            }
            Err(error @ (GatewayError::NoAnswer(_) | GatewayError::InUse)) => {
                (CallOutcome::NoAnswer, error.to_string())
            }
            Err(error) => return Err(without_effect(error)),
        };
        endings.push((key.clone(), outcome));
        if let Some(view) = self.find_refund(intent, refund).await? {
            return Ok(seen(view));
        }
        match outcome {
            CallOutcome::Refused => Ok(Learned::RefundRefused {
                id: refund.id,
                word,
            }),
            CallOutcome::ServerError if plan.keys.has_failed(&key) => {
                Err(self.begin_another_refund(plan, refund).await?)
            }
            _ => Err(Failure::Retry(Cause::new("gateway_no_answer", word))),
        }
    }

    pub(super) async fn look_at_refunds(&self, plan: &Plan) -> Result<Learned, Failure> {
        let Some(intent) = &plan.intent.gateway_id else {
            return Ok(Learned::Nothing);
        };
        match self.gateway.list_refunds(intent).await {
            Ok(views) => Ok(Learned::Refunds(views)),
            Err(error) => Err(self.unanswered(error).await),
        }
    }

    async fn find_refund(
        &self,
        intent: &str,
        refund: &Refund,
    ) -> Result<Option<RefundView>, Failure> {
        match self.gateway.list_refunds(intent).await {
            Ok(views) => {
                let views = views
                    .into_iter()
                    .filter(|view| view.refund == Some(refund.id));
                Ok(of_this_try(views.collect(), refund.r#try))
            }
            Err(error) => Err(self.unanswered(error).await),
        }
    }

    /// Raises the try of a refund that the gateway doesn't know, unless somebody did.
    async fn begin_another_refund(&self, plan: &Plan, refund: &Refund) -> Result<Failure, Failure> {
        let tx = pool::begin(&self.db).await?;
        intents::lock(&tx, plan.intent.booking, plan.intent.generation).await?;
        let all = refunds::of_booking(&tx, refund.booking).await?;
        if all.iter().any(|row| row == refund) {
            let next = Refund {
                r#try: refund.r#try + 1,
                ..refund.clone()
            };
            refunds::save(&tx, &next, plan.now).await?;
            tx.commit().await?;
        }
        let text = "the refund had no effect; another key follows";
        Ok(Failure::Retry(Cause::new("gateway_without_effect", text)))
    }
}

/// Which of the gateway's refunds under one of our ids belongs to this try. Each earlier try has failed there.
fn of_this_try(mut views: Vec<RefundView>, r#try: u16) -> Option<RefundView> {
    let standing = views
        .iter()
        .position(|view| view.status != RefundStatus::Failed);
    match standing {
        Some(at) => Some(views.swap_remove(at)),
        None if views.len() >= usize::from(r#try) => views.pop(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_refund_is_of_its_own_try_and_not_of_the_next() {
        let view = |id: &str, status| RefundView {
            id: id.to_owned(),
            status,
            minor: 500,
            failure: None,
            refund: None,
        };
        let failed = || view("re_1", RefundStatus::Failed);
        assert_eq!(of_this_try(vec![], 1), None);
        assert_eq!(of_this_try(vec![failed()], 1), Some(failed()));
        assert_eq!(of_this_try(vec![failed()], 2), None);
        let second = view("re_2", RefundStatus::Pending);
        assert_eq!(of_this_try(vec![failed(), second.clone()], 2), Some(second));
    }
}
