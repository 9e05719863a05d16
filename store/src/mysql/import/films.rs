//! Films and other performances.

use super::{
    Change, ENTRIES_MAX, Report, slug,
    upsert::{cell, json_list, upsert},
};
use crate::reading::{Node, Problems};
use boxoffice_contracts::FilmId;
use sea_orm::{ConnectionTrait, DbErr};
use std::collections::HashSet;

/// A film as files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilmEntry {
    slug: String,
    title: String,
    year: i16,
    /// 0 when it isn't known: such a film is listed and can't be shown.
    runtime_min: i16,
    certificate: String,
    genres: Vec<String>,
    languages: Vec<String>,
    cast: Vec<String>,
    synopsis: String,
}

const SLUG_LEN_MAX: usize = 64;
const SYNOPSIS_BYTES_MAX: usize = 10_000;
const KNOWN: &[&str] = &[
    "slug",
    "title",
    // `film`, `play` or `concert`; told apart by nobody yet.
    "kind",
    "year",
    "runtime_min",
    "certificate",
    "genres",
    "languages",
    "cast",
    "synopsis",
];

/// Reads `{"films": […]}`, or the list alone.
pub(super) fn read(root: &Node<'_>, problems: &mut Problems) -> Vec<FilmEntry> {
    let mut seen = HashSet::new();
    let entries: Vec<Node<'_>> = if root.is_list() {
        root.elements().take(ENTRIES_MAX).collect()
    } else {
        root.pass_over_except(&["films"], problems);
        root.list("films", ENTRIES_MAX, problems).collect()
    };
    entries
        .iter()
        .filter_map(|node| film(node, &mut seen, problems))
        .collect()
}

fn film(node: &Node<'_>, seen: &mut HashSet<String>, problems: &mut Problems) -> Option<FilmEntry> {
    node.pass_over_except(KNOWN, problems);
    let title = node.text("title", 300, problems);
    let year = node.whole("year", 1..=9_999, problems);
    let slug = if node.has("slug") {
        slug::read(node, SLUG_LEN_MAX, seen, problems)
    } else {
        made_slug(node, title.as_deref(), year, seen, problems)
    };
    let minutes = node.optional_whole("runtime_min", 1..=1_000, problems);
    let certificate = node.optional_text("certificate", 16, problems);
    let (genres, languages, cast) = (
        node.texts("genres", 100, 100, problems),
        node.texts("languages", 100, 35, problems),
        node.texts("cast", 1_000, 200, problems),
    );
    let synopsis = node.prose("synopsis", SYNOPSIS_BYTES_MAX, problems);
    Some(FilmEntry {
        slug: slug?,
        title: title?,
        year: i16::try_from(year?).ok()?,
        runtime_min: minutes.map_or(Some(0), |minutes| i16::try_from(minutes).ok())?,
        certificate: certificate.unwrap_or_default(),
        genres,
        languages,
        cast,
        synopsis,
    })
}

/// Title and year tell most films apart. Where they don't, the file must.
fn made_slug(
    node: &Node<'_>,
    title: Option<&str>,
    year: Option<i64>,
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) -> Option<String> {
    let made = slug::of_title(title?, &year?.to_string(), SLUG_LEN_MAX);
    let Some(slug) = made else {
        problems.add(
            &node.at("slug"),
            "slug_missing",
            "no slug follows from the title",
        );
        return None;
    };
    slug::is_new(&slug, node, seen, problems).then_some(slug)
}

pub(super) async fn store(db: &impl ConnectionTrait, films: &[FilmEntry]) -> Result<Report, DbErr> {
    let mut report = Report::default();
    for film in films {
        let change = store_one(db, film).await?;
        report.count(change);
    }
    Ok(report)
}

async fn store_one(db: &impl ConnectionTrait, film: &FilmEntry) -> Result<Change, DbErr> {
    let cells = [
        cell("slug", film.slug.as_str()),
        cell("title", film.title.as_str()),
        cell("year", film.year),
        cell("runtime_min", film.runtime_min),
        cell("certificate", film.certificate.as_str()),
        json_list("genres", &film.genres),
        json_list("languages", &film.languages),
        json_list("people", &film.cast),
        cell("synopsis", film.synopsis.as_str()),
    ];
    upsert(db, "films", FilmId::from_slug(&film.slug).0, &cells).await
}

#[cfg(test)]
mod tests {
    use super::super::{Import, ImportError};

    fn told(file: &str) -> Vec<(String, &'static str)> {
        let Err(ImportError::Refused(refusals)) = Import::films("films.json", file.as_bytes())
        else {
            panic!("taken: {file}")
        };
        let problems = refusals.into_iter().flat_map(|refusal| refusal.problems);
        problems.map(|p| (p.pointer, p.code)).collect()
    }

    #[test]
    fn the_demo_films_are_good() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/films.json");
        let import = Import::films("films.json", &std::fs::read(file).unwrap()).unwrap();
        assert!(!import.films.is_empty());
        assert!(import.films.iter().all(|film| film.runtime_min > 0));
        assert_eq!(import.passed_over, []);
    }

    #[test]
    fn a_list_of_titles_is_enough_and_the_rest_is_told() {
        let file = r#"[{"title": "Tár", "year": 2022, "cast": ["Nina Hoss"], "genres": [], "poster": "x"}]"#;
        let import = Import::films("f", file.as_bytes()).unwrap();
        let film = &import.films[0];
        assert_eq!((film.slug.as_str(), film.runtime_min), ("tar-2022", 0));
        assert_eq!(film.cast, ["Nina Hoss"]);
        assert_eq!(import.passed_over[0].pointer, "/0/poster");
    }

    #[test]
    fn a_refusal_names_each_place() {
        let odd = r#"{"films": [
            {"title": "Later", "year": "2024"}, {"title": "Later", "year": 2024.5},
            {"title": "Later", "year": 0}, {"title": "Later", "year": 20240},
            {"title": "", "year": 2024}, {"year": 2024}, 7,
            {"title": "Same", "year": 2024}, {"title": "Same!", "year": 2024}, {"title": "東京", "year": 1953},
            {"title": "A\u001bB", "year": 2024, "genres": ["x", 1], "runtime_min": 1001, "slug": "A B"}
        ]}"#;
        let at = |pointer: &str, code| (pointer.to_owned(), code);
        assert_eq!(
            told(odd),
            [
                at("/films/0/year", "field_mistyped"),
                at("/films/1/year", "field_mistyped"),
                at("/films/2/year", "number_out_of_range"),
                at("/films/3/year", "number_out_of_range"),
                at("/films/4/title", "text_empty"),
                at("/films/5/title", "field_missing"),
                at("/films/6", "field_mistyped"),
                at("/films/8/slug", "slug_repeated"),
                at("/films/9/slug", "slug_missing"),
                at("/films/10/title", "text_malformed"),
                at("/films/10/slug", "slug_malformed"),
                at("/films/10/runtime_min", "number_out_of_range"),
                at("/films/10/genres/1", "field_mistyped"),
            ]
        );
        assert_eq!(told("[{"), [at("/0", "truncated")]);
        assert_eq!(told("{}"), [at("/films", "field_missing")]);
    }
}
