//! The show as a calendar entry (RFC 5545), attached to the confirmation.

mod zone;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::clean_text;

/// The facts of a calendar entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarEntry {
    /// Stable over the life of the booking: a calendar replaces the entry it knows by this name.
    pub uid: String,
    /// Counts the changes of the booking; a calendar ignores what is older than it has.
    pub sequence: u32,
    /// When this version of the entry was made.
    pub stamp: DateTime<Utc>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// Where the show starts: the entry keeps the time on the clock at the venue.
    pub zone: Tz,
    pub summary: String,
    pub location: String,
    /// May have several lines.
    pub description: String,
    pub url: Option<String>,
    pub cancelled: bool,
}

/// The entry as a `text/calendar; method=PUBLISH; charset=utf-8` document.
///
/// Times are those on the clock at the venue, with the definition of its time zone beside them: a reader that
/// knows no zones by name still shows the right hour.
pub fn render(entry: &CalendarEntry) -> Vec<u8> {
    let status = if entry.cancelled {
        "CANCELLED"
    } else {
        "CONFIRMED"
    };
    let description: Vec<String> = entry
        .description
        .lines()
        .take(LINES_MAX)
        .map(value)
        .collect();
    let mut ics = Ics(String::with_capacity(1024));
    ics.line("BEGIN", "VCALENDAR");
    ics.line("VERSION", "2.0");
    ics.line("PRODID", "-//boxoffice//tickets//EN");
    ics.line("CALSCALE", "GREGORIAN");
    ics.line("METHOD", "PUBLISH");
    zone::write(&mut ics, entry.zone, entry.starts_at..entry.ends_at);
    ics.line("BEGIN", "VEVENT");
    ics.line("UID", &value(&entry.uid));
    ics.line("SEQUENCE", &entry.sequence.to_string());
    ics.line("DTSTAMP", &utc(entry.stamp));
    let at = |name: &str| format!("{name};TZID={}", entry.zone.name());
    ics.line(&at("DTSTART"), &zone::local(entry.zone, entry.starts_at));
    ics.line(&at("DTEND"), &zone::local(entry.zone, entry.ends_at));
    ics.line("SUMMARY", &value(&entry.summary));
    ics.line("LOCATION", &value(&entry.location));
    ics.line("DESCRIPTION", &description.join("\\n"));
    if let Some(url) = &entry.url {
        // A URI is not TEXT: no escapes, but no line breaks either.
        ics.line("URL", &clean_text::line(url, VALUE_CHARS_MAX));
    }
    ics.line("STATUS", status);
    ics.line("TRANSP", "OPAQUE");
    ics.line("END", "VEVENT");
    ics.line("END", "VCALENDAR");
    ics.0.into_bytes()
}

/// Octets per line without its line break (RFC 5545, 3.1).
const LINE_OCTETS_MAX: usize = 75;
const VALUE_CHARS_MAX: usize = 1_000;
const LINES_MAX: usize = 60;

struct Ics(String);

impl Ics {
    /// Writes one content line, folded between characters, never inside one.
    fn line(&mut self, name: &str, value: &str) {
        let mut octets = 0;
        for c in name.chars().chain([':']).chain(value.chars()) {
            if octets + c.len_utf8() > LINE_OCTETS_MAX {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(c);
            octets += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

fn value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in clean_text::line(text, VALUE_CHARS_MAX).chars() {
        if matches!(c, '\\' | ';' | ',') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> CalendarEntry {
        CalendarEntry {
            uid: "booking-K7QF-31@boxoffice".into(),
            sequence: 2,
            stamp: "2026-11-20T09:00:00Z".parse().unwrap(),
            starts_at: "2026-11-27T18:30:00Z".parse().unwrap(),
            ends_at: "2026-11-27T20:24:00Z".parse().unwrap(),
            zone: chrono_tz::Europe::Berlin,
            summary: "Сталкер, Реставрация; 4K \\ Ελλάδα – ein sehr langer Titel für das Falten"
                .into(),
            location: "Astor Lichtspiele, Hall 1".into(),
            description: "Row F, seat 12\r\nBEGIN:VALARM".into(),
            url: Some("https://tickets.example/b/K7QF-31".into()),
            cancelled: false,
        }
    }

    fn unfold(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .replace("\r\n ", "")
    }

    #[test]
    fn lines_are_folded_at_75_octets_and_unfold_to_the_value() {
        let bytes = render(&entry());
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.ends_with("END:VCALENDAR\r\n"));
        for line in text.split("\r\n") {
            assert!(
                line.len() <= LINE_OCTETS_MAX,
                "{} octets: {line}",
                line.len()
            );
            assert!(!line.contains(['\r', '\n']));
        }
        let unfolded = unfold(&bytes);
        assert!(unfolded.contains(
            "\r\nSUMMARY:Сталкер\\, Реставрация\\; 4K \\\\ Ελλάδα – ein sehr langer Titel für das Falten\r\n"
        ));
        assert!(unfolded.contains(
            "\r\nDTSTART;TZID=Europe/Berlin:20261127T193000\r\nDTEND;TZID=Europe/Berlin:20261127T212400\r\n"
        ));
        assert!(unfolded.contains("\r\nMETHOD:PUBLISH\r\n"));
        assert!(unfolded.contains("\r\nUID:booking-K7QF-31@boxoffice\r\nSEQUENCE:2\r\n"));
    }

    #[test]
    fn a_value_cannot_open_a_component_of_its_own() {
        let text = unfold(&render(&entry()));
        assert!(text.contains("DESCRIPTION:Row F\\, seat 12\\nBEGIN:VALARM\r\n"));
        assert!(!text.contains("\nBEGIN:VALARM\r\n"));
    }

    #[test]
    fn a_cancelled_show_says_so_and_the_same_entry_gives_the_same_bytes() {
        let cancelled = CalendarEntry {
            cancelled: true,
            sequence: 3,
            ..entry()
        };
        assert!(unfold(&render(&cancelled)).contains("STATUS:CANCELLED"));
        assert_eq!(render(&cancelled), render(&cancelled.clone()));
    }
}
