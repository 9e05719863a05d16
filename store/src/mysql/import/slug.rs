//! The short names of things: read from files, or made from titles.

use crate::reading::{Node, Problems};
use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization as _;

/// Reads a slug of at most `len_max` that no entry before has.
pub(super) fn read(
    node: &Node<'_>,
    len_max: usize,
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) -> Option<String> {
    let slug = reference(node, "slug", len_max, problems)?;
    is_new(&slug, node, seen, problems).then_some(slug)
}

/// Reads the slug of something else.
pub(super) fn reference(
    node: &Node<'_>,
    field: &str,
    len_max: usize,
    problems: &mut Problems,
) -> Option<String> {
    let slug = node.text(field, len_max, problems)?;
    if is_slug(&slug) {
        return Some(slug);
    }
    let detail = format!("{slug:?} is not of a-z, 0-9 and single hyphens between them");
    problems.add(&node.at(field), "slug_malformed", detail);
    None
}

pub(super) fn is_new(
    slug: &str,
    node: &Node<'_>,
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) -> bool {
    let is_new = seen.insert(slug.to_owned());
    let detail = format!("{slug:?} is the slug of another entry");
    problems.demand(is_new, &node.at("slug"), "slug_repeated", detail);
    is_new
}

/// Lower case letters, digits and single hyphens between them.
fn is_slug(slug: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    slug.split('-')
        .all(|part| !part.is_empty() && part.bytes().all(fits))
}

/// A slug from a title and what tells titles apart; none when the title has no letter that could be used.
pub(super) fn of_title(title: &str, suffix: &str, len_max: usize) -> Option<String> {
    let mut slug = String::new();
    // Accents fall off: "Tár" is tar.
    for c in title.nfkd() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if (c.is_whitespace()
            || c.is_ascii_punctuation() && c != '\''
            || c == '–'
            || c == '—')
            && !slug.ends_with('-')
        {
            slug.push('-');
        }
    }
    slug.truncate(len_max.saturating_sub(suffix.len() + 1));
    let slug = slug.trim_matches('-');
    (!slug.is_empty()).then(|| format!("{slug}-{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_slug() {
        let of = |title| of_title(title, "2022", 64);
        assert_eq!(of("Tár").unwrap(), "tar-2022");
        assert_eq!(of("Finding ʻOhana").unwrap(), "finding-ohana-2022");
        assert_eq!(
            of("Schindler's  List: Part 2!").unwrap(),
            "schindlers-list-part-2-2022"
        );
        assert_eq!(of("— Æ —"), None);
        assert_eq!(of("千と千尋の神隠し"), None);
        let long = of(&"a ".repeat(100)).unwrap();
        assert!(long.len() <= 64 && is_slug(&long), "{long}");
    }

    #[test]
    fn a_slug_has_small_letters_digits_and_single_hyphens() {
        for good in ["a", "a-1", "0"] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "a b", "ä", "a.b"] {
            assert!(!is_slug(bad), "{bad}");
        }
    }
}
