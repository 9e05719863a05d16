//! The show of a booking as a calendar entry: the same one in the mail and under `tickets.ics`.

use boxoffice_contracts::Instant;
use boxoffice_documents::ics;
use boxoffice_store::mysql::show_facts::BookingFacts;
use chrono::TimeDelta;

/// How entries are named and where they point to. Neither may change while bookings live: calendars know an
/// entry by its name.
#[derive(Debug, Clone)]
pub struct CalendarNames {
    /// Right of the `@` in the name of an entry.
    pub domain: String,
    /// Where customers look at their bookings; no slash at the end.
    pub links_base_url: String,
}

/// The entry of these tickets. A later revision of them replaces it.
pub(crate) fn entry(
    facts: &BookingFacts,
    revision: u16,
    stamp: Instant,
    names: &CalendarNames,
) -> ics::CalendarEntry {
    let BookingFacts {
        booking,
        show,
        reference,
        positions,
        ..
    } = facts;
    let seats = positions.iter().filter(|place| place.live).map(|place| {
        place.seat.as_ref().map_or_else(
            || place.category.clone(),
            |seat| format!("{} {} {}", seat.zone, seat.row, seat.number),
        )
    });
    let mut lines = vec![reference.clone()];
    lines.extend(seats);
    ics::CalendarEntry {
        uid: format!("{}@{}", booking.id, names.domain),
        sequence: u32::from(revision),
        stamp,
        starts_at: show.starts_at,
        ends_at: show.starts_at + TimeDelta::minutes(i64::from(show.runtime_min)),
        summary: show.film.clone(),
        location: format!("{}, {}, {}", show.venue, show.hall, show.address),
        description: lines.join("\n"),
        url: Some(format!("{}/bookings/{}", names.links_base_url, booking.id)),
        cancelled: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::tests::facts;

    #[test]
    fn an_entry_keeps_its_name_and_counts_its_revisions() {
        let names = CalendarNames {
            domain: "house.example".to_owned(),
            links_base_url: "https://house.example".to_owned(),
        };
        let mut facts = facts();
        let stamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let first = entry(&facts, 1, stamp, &names);
        facts.positions[0].live = false;
        let second = entry(&facts, 2, stamp, &names);
        assert_eq!(first.uid, format!("{}@house.example", facts.booking.id));
        assert_eq!(first.uid, second.uid);
        assert!(second.sequence > first.sequence);
        assert!(second.description.lines().count() < first.description.lines().count());
    }
}
