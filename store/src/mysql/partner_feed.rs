//! Shows, prices and places that partners publish by their own ids, on the same tables as the importer's.
//!
//! Everything is looked at before anything is written: what is refused has left no trace. Lock order, after the
//! entity's own row: the show, then its counters.

pub mod entities;
pub mod places;
pub mod shows;

use boxoffice_contracts::{FilmId, ShowId, partner::PartnerId};
use uuid::Uuid;

/// The show that a partner calls so, and its slug. No importer makes a slug with a dot.
#[must_use]
pub fn show_key(partner: &PartnerId, own_id: &str) -> (ShowId, String) {
    let id = ShowId::of_partner(partner.as_str(), own_id);
    (id, slug(partner, id.0))
}

/// The film that a partner calls so, and its slug.
#[must_use]
pub fn film_key(partner: &PartnerId, own_id: &str) -> (FilmId, String) {
    let id = FilmId::of_partner(partner.as_str(), own_id);
    (id, slug(partner, id.0))
}

/// Whether a partner publishes the show of this slug: such a show may change while it is on sale.
#[must_use]
pub fn is_fed(slug: &str) -> bool {
    slug.contains('.')
}

/// Digits of the id that tell a partner's things apart; the column has 64 characters.
const SLUG_DIGITS: usize = 20;

fn slug(partner: &PartnerId, id: Uuid) -> String {
    let digits = id.simple().to_string();
    format!("{partner}.{}", &digits[digits.len() - SLUG_DIGITS..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_fits_its_column_and_is_nobody_elses() {
        let long: PartnerId = "p".repeat(32).parse().unwrap();
        let (id, slug) = show_key(&long, &"x".repeat(64));
        assert!(slug.len() <= 64 && is_fed(&slug), "{slug}");
        assert_ne!(
            show_key(&"acme".parse().unwrap(), "1"),
            show_key(&long, "1")
        );
        assert_ne!(id.0, film_key(&long, &"x".repeat(64)).0.0);
        assert!(!is_fed("low-tide-at-noon-d0-2000-2026-11-21"));
    }
}
