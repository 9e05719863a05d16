//! A show as a partner publishes it.

use super::{Applied, refuse};
use boxoffice_contracts::{
    Code, Instant,
    partner::{PartnerId, feed::ShowUpsert},
};
use boxoffice_runtime::Failure;
use boxoffice_store::mysql::partner_feed::{
    film_key, show_key,
    shows::{self, Hall, NewShow, Stored},
};
use chrono::{Datelike as _, TimeDelta};
use sea_orm::ConnectionTrait;

/// Customers may cancel until so long before the start, unless the partner says otherwise.
const CANCEL_CUTOFF: TimeDelta = TimeDelta::minutes(120);

/// Makes the show what the message says. Hall, start and film stay from the first booking on.
pub(super) async fn apply(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    data: &ShowUpsert,
    now: Instant,
) -> Result<Applied, Failure> {
    let Some(hall) = shows::find_hall(db, partner, &data.hall).await? else {
        return Ok(refuse(Code::HallUnknown, "/data/hall", "no venue has it"));
    };
    if !hall.is_assigned {
        let detail = "the venue is not assigned to you";
        return Ok(refuse(Code::Forbidden, "/data/hall", detail));
    }
    if data.currency.as_str() != hall.currency {
        let detail = format!("the venue's is {}", hall.currency);
        return Ok(refuse(Code::CurrencyMismatch, "/data/currency", detail));
    }
    let (id, _) = show_key(partner, &data.id);
    let stored = shows::lock(db, partner, id).await?;
    if let Some(stored) = &stored {
        // It leaves its former venue too.
        if !stored.is_assigned {
            let detail = "the show's venue is not assigned to you any more";
            return Ok(refuse(Code::Forbidden, "/data/id", detail));
        }
        let moved = moved(partner, data, &hall, stored);
        if !moved.is_empty() && shows::is_in_use(db, id).await? {
            let errors = moved.into_iter().map(|(pointer, what)| {
                let code = Code::ShowInUse.as_str();
                boxoffice_contracts::request::fields::FieldError::new(pointer, code, what)
            });
            return Ok(Err((Code::ShowInUse, errors.collect())));
        }
    }
    let same_hall = stored.as_ref().filter(|stored| stored.hall == hall.id);
    let layout = same_hall.map_or(hall.layout, |stored| stored.layout);
    let moved = stored
        .as_ref()
        .is_some_and(|stored| stored.layout != layout);
    let show = NewShow {
        partner,
        own_id: &data.id,
        film: &data.film,
        year: i16::try_from(data.starts_at.year()).unwrap_or(i16::MAX),
        hall: &hall,
        layout,
        starts_at: data.starts_at,
        sales_from: sales_from(data, stored.as_ref(), now),
        sales_until: data.sales_until.unwrap_or(data.starts_at),
        cancel_until: data.cancel_until.unwrap_or(data.starts_at - CANCEL_CUTOFF),
    };
    Ok(Ok(shows::write(db, &show, moved).await?))
}

/// "At once" was when it was first said.
fn sales_from(data: &ShowUpsert, stored: Option<&Stored>, now: Instant) -> Instant {
    let since = stored.map(|stored| stored.sales_from);
    data.sales_from
        .or(since.filter(|since| *since <= now))
        .unwrap_or(now)
}

/// What somebody who has a ticket relies on, and would be changed.
fn moved(
    partner: &PartnerId,
    data: &ShowUpsert,
    hall: &Hall,
    stored: &Stored,
) -> Vec<(&'static str, &'static str)> {
    let (film, _) = film_key(partner, &data.film.id);
    let parts = [
        (
            stored.hall != hall.id,
            "/data/hall",
            "seats of another hall are booked",
        ),
        (
            stored.film != film,
            "/data/film/id",
            "another film is booked",
        ),
        (
            stored.starts_at != data.starts_at,
            "/data/starts_at",
            "another start is booked",
        ),
    ];
    let changed = parts.into_iter().filter(|(changed, ..)| *changed);
    changed.map(|(_, pointer, what)| (pointer, what)).collect()
}
