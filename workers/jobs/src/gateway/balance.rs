//! The gateway's own books, for the checks: Stripe's balance transactions since a moment, summed by payment.
//!
//! Only money that moved is listed there. Amounts are those of the charge and of the refund, not of the transaction:
//! that one is in the currency of the account.

use super::{
    GatewayConfig, GatewayError, GatewayKind, metadata,
    stripe_http::{Form, Http},
    stripe_view::{Page, object},
};
use boxoffice_invariants::{GatewayBooks, GatewayLedger, Judged};
use boxoffice_runtime::clock;
use chrono::TimeDelta;
use hyper::Method;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Reads the books of Stripe, or of something of its shape.
#[derive(Debug)]
pub struct StripeBooks {
    http: Http,
    /// So far back, in days.
    days: u32,
}

/// Pages of a hundred that are read at most: a million movements.
const PAGES_MAX: usize = 10_000;

#[derive(Deserialize)]
struct Transaction {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    source: Option<Source>,
}

/// A charge or a refund, expanded. Payouts and fees have other sources.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Object {
        payment_intent: Option<String>,
        #[serde(default)]
        amount: i64,
        amount_captured: Option<i64>,
        #[serde(default)]
        currency: String,
        #[serde(default)]
        metadata: HashMap<String, String>,
    },
    Other(serde::de::IgnoredAny),
}

impl StripeBooks {
    /// None when the gateway keeps no books.
    ///
    /// # Errors
    /// When a value of the configuration can't be used.
    pub fn of(config: &GatewayConfig, days: u32) -> Result<Option<Self>, String> {
        match config.kind {
            GatewayKind::Instant => Ok(None),
            GatewayKind::Stripe => {
                let http = Http::new(config)?;
                Ok(Some(Self { http, days }))
            }
        }
    }

    async fn page(
        &self,
        since: i64,
        after: Option<&str>,
    ) -> Result<Page<Transaction>, GatewayError> {
        let mut query = format!("limit=100&created%5Bgte%5D={since}&expand%5B%5D=data.source");
        if let Some(after) = after {
            query.push_str("&starting_after=");
            query.push_str(after);
        }
        let form = Form {
            path: "/balance_transactions".to_owned(),
            query: Some(query),
            body: None,
        };
        let (status, body) = self.http.send(Method::GET, None, form).await?;
        object(status, &body)
    }
}

#[async_trait::async_trait]
impl GatewayBooks for StripeBooks {
    async fn ledger(&self) -> Result<GatewayLedger, String> {
        let since = clock::now() - TimeDelta::days(i64::from(self.days));
        let mut sums = Sums::default();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .page(since.timestamp(), after.as_deref())
                .await
                .map_err(|error| error.to_string())?;
            after = page.data.last().map(|last| last.id.clone());
            page.data.into_iter().for_each(|moved| sums.add(moved));
            if !page.has_more || after.is_none() {
                return Ok(GatewayLedger {
                    intents: sums.ours(),
                    since: Some(since),
                    lists_open: false,
                    webhooks_undelivered: None,
                });
            }
        }
        Err(format!(
            "more than {PAGES_MAX} pages of movements; look at fewer days"
        ))
    }
}

#[derive(Debug, Default)]
struct Sums(BTreeMap<String, Judged>);

impl Sums {
    /// Without those of other programs on the same account.
    fn ours(self) -> Vec<Judged> {
        let all = self.0.into_values();
        all.filter(|judged| judged.metadata.contains_key(metadata::BOOKING_ID))
            .collect()
    }

    fn add(&mut self, moved: Transaction) {
        let Some(Source::Object {
            payment_intent: Some(id),
            amount,
            amount_captured,
            currency,
            metadata,
        }) = moved.source
        else {
            return;
        };
        let judged = self.0.entry(id.clone()).or_insert_with(|| Judged {
            id,
            metadata: BTreeMap::new(),
            status: String::new(),
            currency: currency.to_ascii_lowercase(),
            captured: 0,
            refunded: 0,
            captures: 0,
        });
        // A refund that was made by hand names no booking, but its payment does.
        judged.metadata.extend(metadata);
        match moved.kind.as_str() {
            "charge" | "payment" => {
                judged.captured += amount_captured.unwrap_or(amount);
                judged.captures += 1;
            }
            "refund" | "payment_refund" => judged.refunded += amount,
            "refund_failure" | "payment_failure_refund" => judged.refunded -= amount,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn movements_are_summed_by_payment_and_others_are_left_out() {
        let of = |kind: &str, source: serde_json::Value| {
            let row = json!({"id": "txn_1", "type": kind, "amount": 1, "source": source});
            serde_json::from_value::<Transaction>(row).unwrap()
        };
        let ours = |amount: i64| {
            json!({"id": "re_1", "payment_intent": "pi_1", "amount": amount, "currency": "eur",
                   "metadata": {"booking_id": "b"}})
        };
        let mut charge = ours(2_500);
        charge["amount_captured"] = json!(2_000);
        let mut foreign = ours(9);
        foreign["payment_intent"] = json!("pi_of_others");
        foreign["metadata"] = json!({});
        let mut by_hand = ours(100);
        by_hand["metadata"] = json!({});
        let mut sums = Sums::default();
        for moved in [
            of("charge", charge),
            of("refund", ours(700)),
            of("refund", by_hand),
            of("refund", ours(500)),
            of("refund_failure", ours(500)),
            of("charge", foreign),
            of("payout", json!("po_1")),
            of("stripe_fee", json!(null)),
        ] {
            sums.add(moved);
        }
        let judged = sums.ours();
        assert_eq!(judged.len(), 1);
        assert_eq!((judged[0].captured, judged[0].captures), (2_000, 1));
        assert_eq!(judged[0].refunded, 800);
    }
}
