//! The start of a show as it stands on the clock at the venue.

use chrono::{DateTime, Datelike, Offset, TimeZone, Utc};
use chrono_tz::{OffsetName, Tz};

use crate::Language;

/// `Friday, 27 November 2026` or `Freitag, 27. November 2026`.
pub fn local_date(at: DateTime<Utc>, zone: Tz, language: Language) -> String {
    let local = at.with_timezone(&zone);
    let weekday = local.weekday().num_days_from_monday() as usize;
    let month = local.month0() as usize;
    let (day, year) = (local.day(), local.year());
    match language {
        Language::En => format!(
            "{}, {day} {} {year}",
            WEEKDAYS_EN[weekday], MONTHS_EN[month]
        ),
        Language::De => format!(
            "{}, {day}. {} {year}",
            WEEKDAYS_DE[weekday], MONTHS_DE[month]
        ),
    }
}

/// `19:30 CET (UTC+01:00)` or `19:30 Uhr CET (UTC+01:00)`.
///
/// The offset is always there: in the night the clocks go back, 02:30 happens twice.
pub fn local_time(at: DateTime<Utc>, zone: Tz, language: Language) -> String {
    format!("{} {}", clock(at, zone, language), zone_text(at, zone))
}

/// Date and time in one line, for mails and lists.
pub fn local_start(at: DateTime<Utc>, zone: Tz, language: Language) -> String {
    format!(
        "{}, {}",
        local_date(at, zone, language),
        local_time(at, zone, language)
    )
}

/// `19:30` or `19:30 Uhr`.
pub fn clock(at: DateTime<Utc>, zone: Tz, language: Language) -> String {
    let local = at.with_timezone(&zone);
    match language {
        Language::En => local.format("%H:%M").to_string(),
        Language::De => local.format("%H:%M Uhr").to_string(),
    }
}

/// `CET (UTC+01:00)`; only the offset where the zone has no abbreviation of letters.
pub fn zone_text(at: DateTime<Utc>, zone: Tz) -> String {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc());
    let seconds = offset.fix().local_minus_utc();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    let utc = format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    match offset.abbreviation() {
        Some(name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            format!("{name} ({utc})")
        }
        _ => utc,
    }
}

const WEEKDAYS_EN: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const WEEKDAYS_DE: [&str; 7] = [
    "Montag",
    "Dienstag",
    "Mittwoch",
    "Donnerstag",
    "Freitag",
    "Samstag",
    "Sonntag",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTHS_DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn start(at: &str, zone: Tz, language: Language) -> String {
        local_start(at.parse().unwrap(), zone, language)
    }

    #[test]
    fn the_hour_that_happens_twice_is_told_apart() {
        let berlin = chrono_tz::Europe::Berlin;
        let first = start("2026-10-25T00:30:00Z", berlin, Language::En);
        let second = start("2026-10-25T01:30:00Z", berlin, Language::En);
        assert_eq!(first, "Sunday, 25 October 2026, 02:30 CEST (UTC+02:00)");
        assert_eq!(second, "Sunday, 25 October 2026, 02:30 CET (UTC+01:00)");
    }

    #[test]
    fn the_local_date_may_be_another_day() {
        assert_eq!(
            start(
                "2026-12-31T23:30:00Z",
                chrono_tz::Europe::Berlin,
                Language::De
            ),
            "Freitag, 1. Januar 2027, 00:30 Uhr CET (UTC+01:00)"
        );
        assert_eq!(
            start(
                "2026-03-29T01:00:00Z",
                chrono_tz::Europe::Berlin,
                Language::De
            ),
            "Sonntag, 29. März 2026, 03:00 Uhr CEST (UTC+02:00)"
        );
    }

    #[test]
    fn zones_without_letters_and_half_hours_show_their_offset() {
        let at = "2026-11-27T18:30:00Z";
        assert!(
            start(at, chrono_tz::America::Sao_Paulo, Language::En).ends_with("15:30 UTC-03:00")
        );
        assert!(
            start(at, chrono_tz::Asia::Kolkata, Language::En).ends_with("00:00 IST (UTC+05:30)")
        );
        assert!(start(at, Tz::UTC, Language::En).ends_with("18:30 UTC (UTC+00:00)"));
    }
}
