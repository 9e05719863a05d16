//! Lists: newest first, page by page. A page costs what it shows, not what came before it.

use serde_json::Value;

use crate::errors::ApiError;
use crate::events::Event;
use crate::form::Form;
use crate::ledger::Ledger;
use crate::objects;
use crate::operations::{find_intent, shown};

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
