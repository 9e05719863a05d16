//! The definition of a time zone (VTIMEZONE, RFC 5545 3.6.5), as far as one event needs it.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz};
use std::ops::Range;

use super::Ics;

/// The clock at the venue: `20261127T193000`.
pub(super) fn local(zone: Tz, at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&zone);
    local.format(LOCAL).to_string()
}

const LOCAL: &str = "%Y%m%dT%H%M%S";

/// Every change of the clock from more than a year before the event to after its end: whatever rule a country
/// has or changes, these are the hours that it decreed.
pub(super) fn write(ics: &mut Ics, zone: Tz, event: Range<DateTime<Utc>>) {
    let begin = event.start - TimeDelta::days(DAYS_BEFORE);
    ics.line("BEGIN", "VTIMEZONE");
    ics.line("TZID", zone.name());
    // What held before the first change; one that begins long ago covers zones that never change.
    observance(ics, zone, begin, begin);
    let mut day = begin;
    while day < event.end + TimeDelta::days(DAYS_AFTER) {
        let next = day + TimeDelta::days(1);
        if clock(zone, day) != clock(zone, next) {
            let change = change_between(zone, day, next);
            observance(ics, zone, change, change - TimeDelta::seconds(1));
        }
        day = next;
    }
    ics.line("END", "VTIMEZONE");
}

const DAYS_BEFORE: i64 = 400;
const DAYS_AFTER: i64 = 2;

/// The first second of the new time, of two instants between which it changes once.
fn change_between(zone: Tz, mut old: DateTime<Utc>, mut new: DateTime<Utc>) -> DateTime<Utc> {
    let before = clock(zone, old);
    while (new - old).num_seconds() > 1 {
        let middle = old + TimeDelta::seconds((new - old).num_seconds() / 2);
        if clock(zone, middle) == before {
            old = middle;
        } else {
            new = middle;
        }
    }
    new
}

/// What a clock shows, without the hour: the offset in seconds, the name, and whether it is summer time.
fn clock(zone: Tz, at: DateTime<Utc>) -> (i32, Option<String>, bool) {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc());
    let summer = !offset.dst_offset().is_zero();
    (
        offset.fix().local_minus_utc(),
        offset.abbreviation().map(str::to_owned),
        summer,
    )
}

/// From the instant `at` on; `before` is an instant of the time that it ends.
fn observance(ics: &mut Ics, zone: Tz, at: DateTime<Utc>, before: DateTime<Utc>) {
    let (to, name, summer) = clock(zone, at);
    let (from, ..) = clock(zone, before);
    let kind = if summer { "DAYLIGHT" } else { "STANDARD" };
    // As the clock showed it that is about to change.
    let onset = at.naive_utc() + TimeDelta::seconds(i64::from(from));
    ics.line("BEGIN", kind);
    ics.line("DTSTART", &onset.format(LOCAL).to_string());
    ics.line("TZOFFSETFROM", &offset_text(from));
    ics.line("TZOFFSETTO", &offset_text(to));
    if let Some(name) = name.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())) {
        ics.line("TZNAME", &name);
    }
    ics.line("END", kind);
}

/// `+0100`, `-033000`.
fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
    match rest {
        0 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone_of(zone: Tz, start: &str) -> String {
        let start: DateTime<Utc> = start.parse().unwrap();
        let mut ics = Ics(String::new());
        write(&mut ics, zone, start..start + TimeDelta::hours(2));
        ics.0.replace("\r\n", "\n")
    }

    #[test]
    fn the_changes_of_berlin_are_those_of_the_law() {
        let text = zone_of(chrono_tz::Europe::Berlin, "2026-11-27T18:30:00Z");
        assert!(text.starts_with("BEGIN:VTIMEZONE\nTZID:Europe/Berlin\n"));
        for change in [
            "BEGIN:DAYLIGHT\nDTSTART:20260329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nTZNAME:CEST\nEND:DAYLIGHT\n",
            "BEGIN:STANDARD\nDTSTART:20261025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nTZNAME:CET\nEND:STANDARD\n",
        ] {
            assert!(text.contains(change), "{change} in {text}");
        }
        assert!(text.ends_with("END:VTIMEZONE\n"));
    }

    #[test]
    fn a_change_during_the_show_is_told() {
        let text = zone_of(chrono_tz::Europe::Berlin, "2026-10-24T23:30:00Z");
        assert!(text.contains("DTSTART:20261025T030000\n"), "{text}");
    }

    #[test]
    fn a_zone_that_never_changes_has_one_observance() {
        let text = zone_of(chrono_tz::Asia::Kolkata, "2026-11-27T18:30:00Z");
        assert_eq!(text.matches("BEGIN:STANDARD").count(), 1, "{text}");
        assert!(!text.contains("DAYLIGHT"));
        assert!(text.contains("TZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nTZNAME:IST\n"));
        // It has no abbreviation of letters: the offset is its name.
        assert!(
            zone_of(chrono_tz::America::Sao_Paulo, "2026-11-27T18:30:00Z")
                .contains("TZOFFSETTO:-0300")
        );
    }

    #[test]
    fn half_hours_and_the_southern_summer_are_right() {
        let text = zone_of(chrono_tz::Australia::Lord_Howe, "2026-11-27T18:30:00Z");
        assert!(
            text.contains("TZOFFSETFROM:+1030\nTZOFFSETTO:+1100\n"),
            "{text}"
        );
        assert_eq!(offset_text(-12_345), "-032545");
    }
}
