//! Films and other performances.

use super::{
    Check, ImportError, Report, decode,
    upsert::{cell, json_list, upsert},
};
use boxoffice_contracts::FilmId;
use sea_orm::{ConnectionTrait, DbErr};
use serde::Deserialize;
use std::collections::HashSet;

/// A film as `films.json` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilmEntry {
    slug: String,
    title: String,
    /// `film` or `play`; told apart by nobody yet.
    #[serde(default, rename = "kind")]
    _kind: Option<String>,
    year: i16,
    runtime_min: i16,
    certificate: String,
    genres: Vec<String>,
    languages: Vec<String>,
    synopsis: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    films: Vec<FilmEntry>,
}

pub(super) fn read(file: &[u8]) -> Result<Vec<FilmEntry>, ImportError> {
    let File { films } = decode("films.json", file)?;
    let mut check = Check::of("films.json");
    let mut seen = HashSet::new();
    for (index, film) in films.iter().enumerate() {
        let at = |field: &str| format!("/films/{index}/{field}");
        check.slug(&film.slug, 64, at("slug"));
        check.that(
            seen.insert(&film.slug),
            at("slug"),
            "slug_repeated",
            &film.slug,
        );
        check.length(&film.title, 300, at("title"));
        check.length(&film.certificate, 16, at("certificate"));
        let minutes = (1..=1_000).contains(&film.runtime_min);
        check.that(
            minutes,
            at("runtime_min"),
            "number_out_of_range",
            "1 to 1000 minutes",
        );
        let synopsis = film.synopsis.len() <= 10_000;
        check.that(
            synopsis,
            at("synopsis"),
            "text_length",
            "at most 10000 bytes",
        );
    }
    check.finish()?;
    Ok(films)
}

pub(super) async fn store(db: &impl ConnectionTrait, films: &[FilmEntry]) -> Result<Report, DbErr> {
    let mut report = Report::default();
    for film in films {
        let cells = [
            cell("slug", film.slug.as_str()),
            cell("title", film.title.as_str()),
            cell("year", film.year),
            cell("runtime_min", film.runtime_min),
            cell("certificate", film.certificate.as_str()),
            json_list("genres", &film.genres),
            json_list("languages", &film.languages),
            cell("synopsis", film.synopsis.as_str()),
        ];
        let id = FilmId::from_slug(&film.slug);
        report.count(upsert(db, "films", id.0, &cells).await?);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_films_are_good() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/films.json");
        assert!(!read(&std::fs::read(file).unwrap()).unwrap().is_empty());
    }
}
