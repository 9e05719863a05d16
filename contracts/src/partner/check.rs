//! Whether the data of a partner's message is what its kind asks for. Everything that is wrong is told at once.
//!
//! The judge of what the published schemas say; a test holds the two together. Pointers lead into the whole
//! message, so that they begin with `/data`.

use super::{
    booking::{Cancel, PartnerTender, REFERENCE_CHARS_MAX, Submit},
    feed::{
        CAPACITY_MAX, CATEGORIES_MAX, InventoryUpsert, OWN_ID_CHARS_MAX, PRICE_MINOR_MAX,
        PartnerArea, PartnerFilm, PartnerPrice, PriceUpsert, RUNTIME_MIN_MAX, ShowUpsert,
        TITLE_CHARS_MAX,
    },
    kinds,
    snapshot::SnapshotRequest,
};
use crate::{
    BookingId, Instant,
    money::Currency,
    request::{
        fields::{FieldError, Fields, Mistakes, list, text, whole},
        submission::{Cancellation, Submission, payment},
    },
    rules::{self, Wrong},
};
use chrono::Datelike as _;
use serde_json::Value;
use std::collections::HashSet;

/// Data of the kinds that partners send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checked {
    Submit(Submit),
    Cancel(Cancel),
    Show(ShowUpsert),
    Price(PriceUpsert),
    Inventory(InventoryUpsert),
    Snapshot(SnapshotRequest),
}

/// Reads the data of a message of this kind.
///
/// # Errors
/// Everything that is wrong with it, or that no partner sends this kind.
pub fn check(kind: &str, data: &Value) -> Result<Checked, Vec<FieldError>> {
    let mut mistakes = Mistakes::default();
    let fields = Fields::of(data.clone(), "/data".to_owned(), &mut mistakes);
    let known = [
        kinds::BOOKING_SUBMIT,
        kinds::BOOKING_CANCEL,
        kinds::SHOW_UPSERT,
        kinds::PRICE_UPSERT,
        kinds::INVENTORY_UPSERT,
        kinds::SNAPSHOT_REQUEST,
    ];
    let Some(kind) = known.into_iter().find(|known| known.as_str() == kind) else {
        let wrong = FieldError::new("/type", "unknown_kind", "is not a kind that partners send");
        return Err(vec![wrong]);
    };
    let found = fields.and_then(|mut fields| {
        let m = &mut mistakes;
        let found = match kind {
            kinds::BOOKING_SUBMIT => submit(&mut fields, m).map(Checked::Submit),
            kinds::BOOKING_CANCEL => cancel(&mut fields, m).map(Checked::Cancel),
            kinds::SHOW_UPSERT => show(&mut fields, m).map(Checked::Show),
            kinds::PRICE_UPSERT => price(&mut fields, m).map(Checked::Price),
            kinds::INVENTORY_UPSERT => inventory(&mut fields, m).map(Checked::Inventory),
            _ => Some(Checked::Snapshot(snapshot(&mut fields, m))),
        };
        fields.finish(m);
        found
    });
    let wrong = mistakes.0;
    match found {
        Some(found) if wrong.is_empty() => Ok(found),
        _ => Err(wrong),
    }
}

fn submit(fields: &mut Fields, m: &mut Mistakes) -> Option<Submit> {
    let tender = fields.optional("tender", m, text(tender));
    let payment = fields.optional("payment", m, payment);
    if tender == Some(PartnerTender::PartnerCredit) && payment.is_some() {
        let wrong = ("contradicts", "the credit pays, and no method of a card");
        m.add("/data/payment", wrong);
    }
    let reference = fields.optional(
        "reference",
        m,
        text(|text| rules::short(text, REFERENCE_CHARS_MAX)),
    );
    let asked = Submission::take(fields, m)?;
    Some(Submit {
        show_id: asked.show_id,
        positions: asked.positions,
        customer: asked.customer,
        tender,
        payment,
        late_policy: asked.late_policy,
        reference,
    })
}

fn tender(text: String) -> Result<PartnerTender, Wrong> {
    match text.as_str() {
        "partner_credit" => Ok(PartnerTender::PartnerCredit),
        "card" => Ok(PartnerTender::Card),
        _ => Err(("malformed", "must be partner_credit or card")),
    }
}

fn category(text: String) -> Result<String, Wrong> {
    rules::short(text, rules::CATEGORY_CHARS_MAX)
}

fn cancel(fields: &mut Fields, m: &mut Mistakes) -> Option<Cancel> {
    let booking_id = fields.required("booking_id", m, text(rules::uuid));
    let Cancellation { positions, reason } = Cancellation::take(fields, m);
    Some(Cancel {
        booking_id: BookingId(booking_id?),
        positions,
        reason,
    })
}

fn show(fields: &mut Fields, m: &mut Mistakes) -> Option<ShowUpsert> {
    let id = fields.required("id", m, text(own_id));
    let hall = fields.required("hall", m, text(hall));
    let film = fields.required("film", m, film);
    let starts_at = fields.required("starts_at", m, text(instant));
    let sales_from = fields.optional("sales_from", m, text(instant));
    let sales_until = fields.optional("sales_until", m, text(instant));
    let cancel_until = fields.optional("cancel_until", m, text(instant));
    let currency = fields.required("currency", m, text(currency));
    if let Some(starts_at) = starts_at {
        let until = sales_until.unwrap_or(starts_at);
        if sales_from.is_some_and(|from| from >= until) {
            m.add(
                "/data/sales_from",
                ("out_of_range", "is not before the end of the sale"),
            );
        }
        if cancel_until.is_some_and(|until| until > starts_at) {
            m.add("/data/cancel_until", ("out_of_range", "is after the start"));
        }
    }
    Some(ShowUpsert {
        id: id?,
        hall: hall?,
        film: film?,
        starts_at: starts_at?,
        sales_from,
        sales_until,
        cancel_until,
        currency: currency?,
    })
}

fn film(value: Value, at: &str, m: &mut Mistakes) -> Option<PartnerFilm> {
    let mut fields = Fields::of(value, at.to_owned(), m)?;
    let id = fields.required("id", m, text(own_id));
    let title = |text| rules::short(text, TITLE_CHARS_MAX);
    let title = fields.required("title", m, text(title));
    let small = |number: u64| i16::try_from(number).ok();
    let year = fields.optional("year", m, whole(1..=9_999));
    let runtime_min = fields.required("runtime_min", m, whole(1..=RUNTIME_MIN_MAX));
    let certificate = fields.optional("certificate", m, text(|text| rules::short(text, 16)));
    fields.finish(m);
    Some(PartnerFilm {
        id: id?,
        title: title?,
        year: year.and_then(small),
        runtime_min: small(runtime_min?)?,
        certificate,
    })
}

fn price(fields: &mut Fields, m: &mut Mistakes) -> Option<PriceUpsert> {
    let show_id = fields.required("show_id", m, text(own_id));
    let one = |value, at: &str, m: &mut Mistakes| {
        let mut fields = Fields::of(value, at.to_owned(), m)?;
        let category = fields.required("category", m, text(category));
        let amount = fields.required("amount_minor", m, whole(0..=PRICE_MINOR_MAX));
        fields.finish(m);
        Some(PartnerPrice {
            category: category?,
            amount_minor: i64::try_from(amount?).ok()?,
        })
    };
    let prices = fields.required("prices", m, list(CATEGORIES_MAX, one));
    let names = prices.iter().flatten().map(|price| price.category.as_str());
    each_once("/data/prices", names, m);
    Some(PriceUpsert {
        show_id: show_id?,
        prices: prices?,
    })
}

fn inventory(fields: &mut Fields, m: &mut Mistakes) -> Option<InventoryUpsert> {
    let show_id = fields.required("show_id", m, text(own_id));
    let one = |value, at: &str, m: &mut Mistakes| {
        let mut fields = Fields::of(value, at.to_owned(), m)?;
        let category = fields.required("category", m, text(category));
        let capacity = fields.required("capacity", m, whole(0..=CAPACITY_MAX));
        fields.finish(m);
        Some(PartnerArea {
            category: category?,
            capacity: u32::try_from(capacity?).ok()?,
        })
    };
    let areas = fields.required("areas", m, list(CATEGORIES_MAX, one));
    let names = areas.iter().flatten().map(|area| area.category.as_str());
    each_once("/data/areas", names, m);
    Some(InventoryUpsert {
        show_id: show_id?,
        areas: areas?,
    })
}

/// Told only where nothing before was left out of the list, so that indices are right.
fn each_once<'a>(at: &str, names: impl Iterator<Item = &'a str>, m: &mut Mistakes) {
    let mut seen = HashSet::new();
    for (i, name) in names.enumerate() {
        if !seen.insert(name) {
            let wrong = ("repeated", "is named twice");
            m.add(format!("{at}/{i}/category"), wrong);
        }
    }
}

fn snapshot(fields: &mut Fields, m: &mut Mistakes) -> SnapshotRequest {
    let after = fields.optional("after", m, text(rules::uuid));
    SnapshotRequest {
        after: after.map(BookingId),
    }
}

fn own_id(text: String) -> Result<String, Wrong> {
    let visible = text.bytes().all(|b| b.is_ascii_graphic());
    if visible && (1..=OWN_ID_CHARS_MAX).contains(&text.len()) {
        Ok(text)
    } else {
        let detail = "has 1 to 64 visible ASCII characters without spaces";
        Err(("malformed", detail))
    }
}

fn hall(text: String) -> Result<String, Wrong> {
    let part = |part: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty() && part.bytes().all(fits)
    };
    match text.split_once('.') {
        Some((venue, hall)) if text.len() <= 64 && part(venue) && part(hall) => Ok(text),
        _ => Err(("malformed", "must be venue.hall, such as corner.one")),
    }
}

fn currency(text: String) -> Result<Currency, Wrong> {
    Currency::new(&text).map_err(|_error| ("malformed", "must be three capital letters"))
}

/// An instant that every store can keep.
fn instant(text: String) -> Result<Instant, Wrong> {
    let at = rules::instant(text)?;
    if (1970..=9000).contains(&at.year()) {
        Ok(at)
    } else {
        Err(("out_of_range", "is of the years 1970 to 9000"))
    }
}

#[cfg(test)]
mod tests;
