//! The languages the box office writes in.

use serde::{Deserialize, Serialize};

/// A language of documents and mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    De,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::En, Language::De];

    /// The language of a tag such as `de`, `de-AT` or `DE_ch`; English for all we do not speak.
    pub fn from_tag(tag: &str) -> Language {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("de") {
            Language::De
        } else {
            Language::En
        }
    }

    /// What stands where a seat would be named, for a place without a number.
    pub fn general_admission(self) -> &'static str {
        match self {
            Language::En => "General admission",
            Language::De => "Freie Platzwahl",
        }
    }

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::De => "de",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn regions_are_ignored_and_unknown_languages_read_english() {
        for (tag, expected) in [
            ("de", Language::De),
            ("DE-at", Language::De),
            ("de_CH", Language::De),
            ("en", Language::En),
            ("den", Language::En),
            ("", Language::En),
            ("ja", Language::En),
        ] {
            assert_eq!(Language::from_tag(tag), expected, "{tag:?}");
        }
    }
}
