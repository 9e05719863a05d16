//! Venues.

use super::{
    Report, slug,
    upsert::{cell, upsert},
};
use crate::reading::{Node, Problems};
use boxoffice_contracts::{Currency, VenueId};
use chrono_tz::Tz;
use sea_orm::{ConnectionTrait, DbErr};
use std::collections::HashSet;

/// A venue as `venues.json` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueEntry {
    pub slug: String,
    pub name: String,
    pub city: String,
    pub address: String,
    /// IANA name.
    pub zone: String,
    /// ISO 4217.
    pub currency: String,
    pub halls: Vec<HallEntry>,
}

/// A hall of a venue; its slug is unique there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HallEntry {
    pub slug: String,
    pub name: String,
    /// Which door; may be empty.
    pub entrance: String,
    /// The seating plan, by its path from the folder.
    pub file: String,
}

/// Venues of a file, and halls of a venue.
const PLACES_MAX: usize = 10_000;
const KNOWN: &[&str] = &[
    "slug", "name", "city", "address", "zone", "currency", "halls",
];
const KNOWN_OF_HALL: &[&str] = &["slug", "name", "entrance", "file"];

/// Reads `{"venues": […]}`.
pub(super) fn read(root: &Node<'_>, problems: &mut Problems) -> Vec<VenueEntry> {
    root.pass_over_except(&["venues"], problems);
    let mut seen = HashSet::new();
    root.list("venues", PLACES_MAX, problems)
        .filter_map(|node| venue(&node, &mut seen, problems))
        .collect()
}

fn venue(
    node: &Node<'_>,
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) -> Option<VenueEntry> {
    node.pass_over_except(KNOWN, problems);
    let slug = slug::read(node, 32, seen, problems);
    let name = node.text("name", 200, problems);
    let city = node.text("city", 100, problems);
    let address = node.text("address", 300, problems);
    let zone = node.text("zone", 64, problems);
    if let Some(zone) = &zone {
        let known = zone.parse::<Tz>().is_ok();
        problems.demand(known, &node.at("zone"), "zone_unknown", format!("{zone:?}"));
    }
    let currency = node.text("currency", 32, problems);
    if let Some(currency) = &currency {
        let known = Currency::new(currency).is_ok();
        let detail = format!("{currency:?}");
        problems.demand(known, &node.at("currency"), "currency_malformed", detail);
    }
    let mut halls_seen = HashSet::new();
    let halls = node
        .optional_list("halls", PLACES_MAX, problems)
        .filter_map(|node| hall(&node, &mut halls_seen, problems))
        .collect();
    Some(VenueEntry {
        slug: slug?,
        name: name?,
        city: city?,
        address: address?,
        zone: zone?,
        currency: currency?,
        halls,
    })
}

fn hall(node: &Node<'_>, seen: &mut HashSet<String>, problems: &mut Problems) -> Option<HallEntry> {
    node.pass_over_except(KNOWN_OF_HALL, problems);
    let slug = slug::read(node, 31, seen, problems);
    let name = node.text("name", 200, problems);
    let entrance = node.optional_text("entrance", 100, problems);
    let file = node.text("file", 300, problems);
    if let Some(file) = &file {
        let below = file
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\\'));
        let detail = format!("{file:?} is no path below the folder");
        problems.demand(below, &node.at("file"), "path_outside", detail);
    }
    Some(HallEntry {
        slug: slug?,
        name: name?,
        entrance: entrance.unwrap_or_default(),
        file: file?,
    })
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
    use super::super::{Import, ImportError};

    #[test]
    fn a_refusal_names_each_place() {
        let venues = br#"{"venues": [
            {"slug": "a", "name": "A", "city": "B", "address": "C", "zone": "Europe/Atlantis", "currency": "eur",
             "halls": [{"slug": "One", "name": "1", "file": "../../etc/passwd"}]},
            {"slug": "a", "name": "", "city": "B", "address": "C", "zone": "Europe/Berlin", "currency": "EUR"}
        ]}"#;
        let files = |name: &str| match name {
            "venues.json" => Ok(venues.to_vec()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let Err(ImportError::Refused(refusals)) = Import::folder(files) else {
            panic!("taken")
        };
        let told: Vec<_> = refusals[0]
            .problems
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
                ("/venues/1/name", "text_empty"),
            ]
        );
        // The other files are judged all the same.
        let files: Vec<_> = refusals
            .iter()
            .map(|r| (r.file.as_str(), r.problems[0].code))
            .collect();
        assert_eq!(
            files[1..],
            [("films.json", "unreadable"), ("shows.json", "unreadable")]
        );
    }

    #[test]
    fn the_demo_folder_is_good() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../demo"));
        let import = Import::folder(|file| std::fs::read(folder.join(file))).unwrap();
        assert_eq!(import.halls.len(), 4);
        assert_eq!(import.passed_over, []);
    }
}
