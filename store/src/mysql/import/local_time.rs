//! From the clock at the venue to UTC.

use boxoffice_contracts::Instant;
use chrono::{LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The instant at which the clock of `zone` shows `local`.
///
/// In the night the clocks go back, an hour happens twice: the first one is meant. In the night they go
/// forward, an hour is left out: what was planned in it happens as much later as the clocks jump.
#[must_use]
pub fn to_utc(local: NaiveDateTime, zone: Tz) -> Instant {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => {
            // No zone jumps twice within hours or by more than a day: the offset before still holds there.
            let before = local - TimeDelta::days(1);
            let offset = match zone.from_local_datetime(&before) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => before - at.naive_utc(),
                LocalResult::None => TimeDelta::zero(),
            };
            (local - offset).and_utc()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(local: &str, zone: Tz) -> String {
        let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M").unwrap();
        to_utc(local, zone).format("%Y-%m-%d %H:%M").to_string()
    }

    #[test]
    fn summer_and_winter_have_their_offsets() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(utc("2026-07-01 20:00", berlin), "2026-07-01 18:00");
        assert_eq!(utc("2026-12-01 20:00", berlin), "2026-12-01 19:00");
        assert_eq!(
            utc("2026-12-01 20:00", chrono_tz::Asia::Kolkata),
            "2026-12-01 14:30"
        );
    }

    #[test]
    fn the_hour_that_happens_twice_is_the_first_and_the_one_left_out_moves_on() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(utc("2026-10-25 02:30", berlin), "2026-10-25 00:30");
        // 02:30 does not exist: the clocks show 03:30.
        assert_eq!(utc("2026-03-29 02:30", berlin), "2026-03-29 01:30");
        // Midnight itself is left out.
        assert_eq!(
            utc("2026-04-24 00:30", chrono_tz::Africa::Cairo),
            "2026-04-23 22:30"
        );
        // A whole day was.
        assert_eq!(
            utc("2011-12-30 20:00", chrono_tz::Pacific::Apia),
            "2011-12-31 06:00"
        );
    }
}
