//! Lists: newest first, page by page. A page costs what it shows, not what came before it.

use serde_json::{Value, json};

use crate::errors::ApiError;
use crate::events::Event;
use crate::form::Form;
use crate::ledger::Ledger;
use crate::objects;
use crate::operations::{find_intent, shown};
use crate::records::Intent;
use crate::refunds::{Refund, RefundStatus};

pub(crate) fn intents(form: &Form, ledger: &Ledger) -> Result<Value, ApiError> {
    let rows = ledger.intents.newest_first(form.text("starting_after"));
    page(form, "/v1/payment_intents", rows, |intent| {
        Some(shown(intent, form))
    })
}

/// All refunds, or those of one payment.
pub(crate) fn refunds(form: &Form, ledger: &Ledger) -> Result<Value, ApiError> {
    let after = form.text("starting_after");
    let url = "/v1/refunds";
    let Some(id) = form.text("payment_intent") else {
        return page(form, url, ledger.refunds.newest_first(after), |refund| {
            Some(objects::refund(refund))
        });
    };
    let intent = find_intent(ledger, id, Some("payment_intent"))?;
    let rows = intent
        .refunds
        .iter()
        .rev()
        .skip_while(|id| after.is_some_and(|after| after != id.as_str()))
        .skip(usize::from(after.is_some()))
        .filter_map(|id| ledger.refunds.get(id));
    page(form, url, rows, |refund| Some(objects::refund(refund)))
}

/// Every movement of money: `created[gte]` and `expand[]=data.source` as Stripe has them. What a movement was is not
/// kept, so all are made anew for each page.
pub(crate) fn balance_transactions(form: &Form, ledger: &Ledger) -> Result<Value, ApiError> {
    let since = form.integer("created[gte]")?.unwrap_or(i64::MIN);
    let expanded = form.list("expand").contains(&"data.source");
    let mut rows: Vec<Movement> = movements(ledger)
        .filter(|row| row.created >= since)
        .collect();
    rows.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let after = form.text("starting_after");
    let start = after.map_or(0, |after| {
        let place = rows.iter().position(|row| row.id == after);
        place.map_or(rows.len(), |place| place + 1)
    });
    page(
        form,
        "/v1/balance_transactions",
        rows[start..].iter(),
        |row| Some(row.shown(expanded)),
    )
}

/// Money that went one way or the other.
struct Movement<'a> {
    id: String,
    kind: &'static str,
    amount: i64,
    created: i64,
    currency: &'a str,
    source: Source<'a>,
}

enum Source<'a> {
    Charge(&'a Intent),
    Refund(&'a Refund),
}

fn movements(ledger: &Ledger) -> impl Iterator<Item = Movement<'_>> {
    let taken = |intent: &&Intent| intent.captures > 0;
    let charges = ledger.intents.oldest_first().filter(taken);
    let charges = charges.filter_map(|intent| {
        let charge = intent.charge.as_ref()?;
        Some(Movement {
            id: format!("txn_{}", charge.id),
            kind: "charge",
            amount: intent.amount_received,
            created: charge.created,
            currency: &intent.currency,
            source: Source::Charge(intent),
        })
    });
    let refunds = ledger.refunds.oldest_first().flat_map(|refund| {
        let gone = Movement {
            id: format!("txn_{}", refund.id),
            kind: "refund",
            amount: -refund.amount,
            created: refund.created,
            currency: &refund.currency,
            source: Source::Refund(refund),
        };
        let came_back = (refund.status == RefundStatus::Failed).then(|| Movement {
            id: format!("txn_{}_failed", refund.id),
            kind: "refund_failure",
            amount: refund.amount,
            created: refund.created,
            currency: &refund.currency,
            source: Source::Refund(refund),
        });
        [Some(gone), came_back].into_iter().flatten()
    });
    charges.chain(refunds)
}

impl Movement<'_> {
    fn shown(&self, expanded: bool) -> Value {
        let mut source = match self.source {
            Source::Charge(intent) => objects::charge(intent),
            Source::Refund(refund) => objects::refund(refund),
        };
        if !expanded {
            source = source["id"].take();
        }
        json!({
            "id": self.id,
            "object": "balance_transaction",
            "amount": self.amount,
            "available_on": self.created,
            "created": self.created,
            "currency": self.currency,
            "fee": 0,
            "fee_details": [],
            "net": self.amount,
            "reporting_category": self.kind,
            "source": source,
            "status": "available",
            "type": self.kind,
        })
    }
}

/// `type`, `types[]`, `created[gte]`, `delivery_success=false`, and ours: `payment_intent`.
pub(crate) fn events(form: &Form, ledger: &Ledger) -> Result<Value, ApiError> {
    let after = form.text("starting_after");
    let mut kinds = form.list("types");
    kinds.extend(form.text("type"));
    let since = form.integer("created[gte]")?.unwrap_or(i64::MIN);
    let about = form.text("payment_intent");
    let fits = |event: &Event| {
        (kinds.is_empty() || kinds.contains(&event.kind.as_str()))
            && about.is_none_or(|id| event.payment_intent() == Some(id))
    };
    let shown = |event: &Event| fits(event).then(|| event.body());
    let url = "/v1/events";
    if form.text("delivery_success") == Some("false") {
        let end = after.map_or(usize::MAX, |id| ledger.events.place(id).unwrap_or(0));
        let rows = ledger
            .undelivered
            .range(..end)
            .rev()
            .filter_map(|&place| ledger.events.at(place));
        return page(form, url, rows.take_while(|e| e.created >= since), shown);
    }
    let rows = ledger.events.newest_first(after);
    page(form, url, rows.take_while(|e| e.created >= since), shown)
}

const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: i64 = 100;

fn page<'a, T: 'a>(
    form: &Form,
    url: &str,
    rows: impl Iterator<Item = &'a T>,
    shown: impl Fn(&T) -> Option<Value>,
) -> Result<Value, ApiError> {
    let limit = match form.amount("limit")? {
        None => PAGE_DEFAULT,
        Some(limit) => usize::try_from(limit.min(PAGE_MAX)).unwrap_or(PAGE_DEFAULT),
    };
    let mut data: Vec<Value> = rows.filter_map(shown).take(limit + 1).collect();
    let has_more = data.len() > limit;
    data.truncate(limit);
    Ok(objects::list(url, data, has_more))
}
