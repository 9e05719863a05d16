//! Venues.

use super::{
    Check, ImportError, Report, decode,
    upsert::{cell, upsert},
};
use boxoffice_contracts::{Currency, VenueId};
use chrono_tz::Tz;
use sea_orm::{ConnectionTrait, DbErr};
use serde::Deserialize;
use std::collections::HashSet;

/// A venue as `venues.json` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueEntry {
    pub slug: String,
    pub name: String,
    pub city: String,
    pub address: String,
    /// IANA name.
    pub zone: String,
    /// ISO 4217.
    pub currency: String,
    #[serde(default)]
    pub halls: Vec<HallEntry>,
}

/// A hall of a venue; its slug is unique there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HallEntry {
    pub slug: String,
    pub name: String,
    /// Which door.
    #[serde(default)]
    pub entrance: String,
    /// The seating plan, by its path from the folder.
    pub file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    venues: Vec<VenueEntry>,
}

/// Reads `venues.json`.
///
/// # Errors
/// What is wrong with it.
pub fn read_venues(file: &[u8]) -> Result<Vec<VenueEntry>, ImportError> {
    let File { venues } = decode("venues.json", file)?;
    let mut check = Check::of("venues.json");
    let mut seen = HashSet::new();
    for (index, venue) in venues.iter().enumerate() {
        let at = |field: &str| format!("/venues/{index}/{field}");
        check.slug(&venue.slug, 32, at("slug"));
        check.that(
            seen.insert(&venue.slug),
            at("slug"),
            "slug_repeated",
            &venue.slug,
        );
        check.length(&venue.name, 200, at("name"));
        check.length(&venue.city, 100, at("city"));
        check.length(&venue.address, 300, at("address"));
        check.that(
            venue.zone.parse::<Tz>().is_ok(),
            at("zone"),
            "zone_unknown",
            &venue.zone,
        );
        let currency = Currency::new(&venue.currency);
        check.that(
            currency.is_ok(),
            at("currency"),
            "currency_malformed",
            &venue.currency,
        );
        let mut halls = HashSet::new();
        for (hall_index, hall) in venue.halls.iter().enumerate() {
            let at = |field: &str| at(&format!("halls/{hall_index}/{field}"));
            check.slug(&hall.slug, 31, at("slug"));
            check.that(
                halls.insert(&hall.slug),
                at("slug"),
                "slug_repeated",
                &hall.slug,
            );
            check.length(&hall.name, 200, at("name"));
            let below = hall
                .file
                .split('/')
                .all(|part| !matches!(part, "" | "." | ".."));
            check.that(below, at("file"), "path_outside", "a path below the folder");
        }
    }
    check.finish()?;
    Ok(venues)
}

pub(super) async fn store(
    db: &impl ConnectionTrait,
    venues: &[VenueEntry],
) -> Result<Report, DbErr> {
    let mut report = Report::default();
    for venue in venues {
        let cells = [
            cell("slug", venue.slug.as_str()),
            cell("name", venue.name.as_str()),
            cell("city", venue.city.as_str()),
            cell("address", venue.address.as_str()),
            cell("zone", venue.zone.as_str()),
            cell("currency", venue.currency.as_str()),
        ];
        let id = VenueId::from_slug(&venue.slug);
        report.count(upsert(db, "venues", id.0, &cells).await?);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_place() {
        let file = br#"{"venues": [
            {"slug": "a", "name": "A", "city": "B", "address": "C", "zone": "Europe/Atlantis", "currency": "eur",
             "halls": [{"slug": "One", "name": "1", "file": "../../etc/passwd"}]},
            {"slug": "a", "name": "", "city": "B", "address": "C", "zone": "Europe/Berlin", "currency": "EUR"}
        ]}"#;
        let Err(ImportError::Refused { problems, .. }) = read_venues(file) else {
            panic!("taken")
        };
        let told: Vec<_> = problems
            .iter()
            .map(|p| (p.pointer.as_str(), p.code))
            .collect();
        assert_eq!(
            told,
            [
                ("/venues/0/zone", "zone_unknown"),
                ("/venues/0/currency", "currency_malformed"),
                ("/venues/0/halls/0/slug", "slug_malformed"),
                ("/venues/0/halls/0/file", "path_outside"),
                ("/venues/1/slug", "slug_repeated"),
                ("/venues/1/name", "text_length"),
            ]
        );
    }

    #[test]
    fn the_demo_venues_are_good() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/venues.json");
        assert!(
            !read_venues(&std::fs::read(file).unwrap())
                .unwrap()
                .is_empty()
        );
    }
}
