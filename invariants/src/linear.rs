//! C23: per seat, what the clients saw is a register that one booking owns at a time.
//!
//! A call takes effect at one moment between its two records; an unknown outcome may take effect at any later time,
//! or never. From what a client saw of its booking follow stretches in which it must have owned the seat: from the
//! end of the first look that showed it as owner to the beginning of the last. Ownership is exclusive, and nothing
//! else is asked of a booking's stretch, so the history is linearizable exactly when no two of them overlap and no
//! look shows an owner whose whole look lies within the stretch of another.

mod story;
#[cfg(test)]
mod tests;

use crate::history::Record;
use boxoffice_contracts::{BookingId, ShowId};
use std::collections::BTreeMap;
use story::stories;

/// What can't have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Impossible {
    pub(crate) key: String,
    pub(crate) text: String,
}

/// How many seats were followed, and what can't have been.
pub(crate) fn check(records: &[Record]) -> (u64, Vec<Impossible>) {
    let (stories, maps, mut wrong) = stories(records);
    let mut seats: BTreeMap<(ShowId, &str), Seat> = BTreeMap::new();
    for (id, story) in &stories {
        story.add_to(*id, &mut seats);
        wrong.extend(story.impossible(*id));
    }
    for ((show, seat), register) in &mut seats {
        register.check(*show, seat, &mut wrong);
    }
    for (id, story) in &stories {
        if let Some((from, to)) = story.refused {
            let somebody = |seat: &String| {
                let register = seats.get(&(story.show, seat.as_str()));
                register.is_some_and(|register| register.may_be_owned(Some(*id), from, to))
            };
            if !story.seats.is_empty() && !story.seats.iter().any(somebody) {
                wrong.push(Impossible {
                    key: id.to_string(),
                    text: format!(
                        "{id} was refused {:?} of {}, which nobody can have had",
                        story.seats, story.show
                    ),
                });
            }
        }
    }
    for map in maps {
        for seat in &map.taken {
            let register = seats.get(&(map.show, seat.as_str()));
            if !register.is_some_and(|register| register.may_be_owned(None, map.from, map.to)) {
                wrong.push(Impossible {
                    key: format!("{} {seat}", map.show),
                    text: format!(
                        "{seat} of {} was shown as taken between {} and {} µs, and nobody can have had it",
                        map.show, map.from, map.to
                    ),
                });
            }
        }
    }
    (seats.len() as u64, wrong)
}

/// All that is known of the owners of one seat.
#[derive(Debug, Default)]
struct Seat {
    owners: Vec<Stretch>,
}

/// A booking's ownership of one seat, as far as it is known; microseconds.
#[derive(Debug, Clone)]
struct Stretch {
    booking: BookingId,
    /// Not before, and not after.
    may: (u64, u64),
    /// Certainly in between, if the first is less than the second.
    sure: (u64, u64),
    /// Each look that showed it as owner: there was a moment in it.
    looks: Vec<(u64, u64)>,
    /// What the last look said.
    status: String,
}

impl Stretch {
    const fn is_sure(&self) -> bool {
        self.sure.0 < self.sure.1
    }
}

impl Seat {
    fn may_be_owned(&self, except: Option<BookingId>, from: u64, to: u64) -> bool {
        let others = self.owners.iter().filter(|s| Some(s.booking) != except);
        others.into_iter().any(|s| s.may.0 <= to && from <= s.may.1)
    }

    fn check(&mut self, show: ShowId, seat: &str, wrong: &mut Vec<Impossible>) {
        self.owners.sort_by_key(|stretch| stretch.sure.0);
        let mut said = |a: &Stretch, b: &Stretch, why: &str| {
            wrong.push(Impossible {
                key: format!("{show} {seat} {} {}", a.booking, b.booking),
                text: format!(
                    "{seat} of {show}: {} is {} from {} to {} µs, and {} is {} {why}",
                    a.booking, a.status, a.sure.0, a.sure.1, b.booking, b.status
                ),
            });
        };
        // The one that lasts longest of all that began before.
        let mut longest: Option<&Stretch> = None;
        for stretch in self.owners.iter().filter(|stretch| stretch.is_sure()) {
            if let Some(before) = longest
                && stretch.sure.0 < before.sure.1
                && stretch.booking != before.booking
            {
                let why = format!("from {} to {} µs", stretch.sure.0, stretch.sure.1);
                said(before, stretch, &why);
            }
            if longest.is_none_or(|before| before.sure.1 < stretch.sure.1) {
                longest = Some(stretch);
            }
        }
        for stretch in &self.owners {
            for (from, to) in &stretch.looks {
                let within = |other: &&Stretch| {
                    other.booking != stretch.booking
                        && other.is_sure()
                        && other.sure.0 <= *from
                        && *to <= other.sure.1
                };
                if let Some(other) = self.owners.iter().find(within) {
                    said(other, stretch, &format!("in a look from {from} to {to} µs"));
                }
            }
        }
    }
}
