//! What became of each booking, as its client saw it.

use super::{Impossible, Seat, Stretch};
use crate::{
    books::{holds_seats, is_ticketed},
    history::{Asked, Event, Learned, Record},
};
use boxoffice_contracts::{BookingId, ShowId};
use std::collections::BTreeMap;

/// As old as a status may be that is told (`docs/adr/0014`).
const AGE_SECS_MAX: u64 = 5;

/// A booking in the eyes of whoever asked for it. Times are microseconds.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) show: ShowId,
    pub(super) seats: Vec<String>,
    asked_at: u64,
    /// False while every submit certainly had no effect.
    may_exist: bool,
    looks: Vec<Look>,
    /// When a cancellation was asked for, and of which seats.
    cancels: Vec<(u64, Option<Vec<String>>)>,
    /// Between when it was refused because seats were taken.
    pub(super) refused: Option<(u64, u64)>,
}

#[derive(Debug, Clone)]
struct Look {
    /// When it was asked for, or when it was read if it is older.
    from: u64,
    to: u64,
    status: String,
    seats: Option<Vec<String>>,
}

/// A seat map that was read.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) show: ShowId,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) taken: Vec<String>,
}

type Stories = BTreeMap<BookingId, Story>;

/// Pairs the records of each call, and puts the calls about one booking together.
pub(super) fn stories(records: &[Record]) -> (Stories, Vec<Map>, Vec<Impossible>) {
    let mut answers = BTreeMap::new();
    let mut asked = Vec::new();
    for record in records {
        match &record.event {
            Event::Invoke { asked: what } => asked.push((record, what)),
            answer => drop(answers.insert((record.client, record.call), (record.at_us, answer))),
        }
    }
    // In the order of time, so that the first submit of a booking tells of its birth.
    asked.sort_by_key(|(record, _)| record.at_us);
    let (mut stories, mut maps, mut wrong) = (Stories::new(), Vec::new(), Vec::new());
    for (record, what) in &asked {
        if let Asked::Submit {
            booking,
            show,
            seats,
        } = what
        {
            let story = stories.entry(*booking).or_insert_with(|| Story {
                show: *show,
                seats: seats.clone(),
                asked_at: record.at_us,
                may_exist: false,
                looks: Vec::new(),
                cancels: Vec::new(),
                refused: None,
            });
            let answer = answers.get(&(record.client, record.call));
            story.may_exist |= !matches!(answer, Some((_, Event::Fail { .. })));
        }
    }
    for (record, what) in &asked {
        let (from, answer) = (record.at_us, answers.get(&(record.client, record.call)));
        let booking = match what {
            Asked::SeatMap { show } => {
                if let Some((
                    to,
                    Event::Ok {
                        learned: Learned::SeatMap { taken },
                    },
                )) = answer
                {
                    let (show, to, taken) = (*show, *to, taken.clone());
                    maps.push(Map {
                        show,
                        from,
                        to,
                        taken,
                    });
                }
                continue;
            }
            Asked::Submit { booking, .. } | Asked::Pay { booking } | Asked::Look { booking } => {
                booking
            }
            Asked::Cancel { booking, seats } => {
                let failed = matches!(answer, Some((_, Event::Fail { .. })));
                if let Some(story) = stories.get_mut(booking).filter(|_| !failed) {
                    story.cancels.push((from, seats.clone()));
                }
                booking
            }
        };
        let Some((
            to,
            Event::Ok {
                learned:
                    Learned::Booking {
                        status,
                        code,
                        seats,
                        age_secs,
                    },
            },
        )) = answer
        else {
            continue;
        };
        let Some(story) = stories.get_mut(booking) else {
            if holds_seats(status) {
                let text = format!("{booking} is {status}, and nobody asked for it");
                wrong.push(Impossible {
                    key: booking.to_string(),
                    text,
                });
            }
            continue;
        };
        story.may_exist = true;
        if *age_secs > AGE_SECS_MAX {
            wrong.push(Impossible {
                key: booking.to_string(),
                text: format!("{booking} was shown as {status}, {age_secs} s old"),
            });
        }
        story.learn(
            Look {
                from: from.saturating_sub(age_secs * 1_000_000),
                to: *to,
                status: status.clone(),
                seats: seats.clone(),
            },
            code.as_deref(),
        );
    }
    (stories, maps, wrong)
}

impl Story {
    fn learn(&mut self, look: Look, code: Option<&str>) {
        if look.status == "rejected" && code == Some("seats_unavailable") {
            let to = self.refused.map_or(look.to, |(_, to)| to.min(look.to));
            self.refused = Some((self.asked_at, to));
        }
        self.looks.push(look);
        self.looks.sort_by_key(|look| look.from);
    }

    /// Whether the look shows the booking as owner of the seat; none when it doesn't say.
    fn owns(look: &Look, seat: &str) -> Option<bool> {
        let has = |seats: &Vec<String>| seats.iter().any(|own| own == seat);
        match (look.status.as_str(), &look.seats) {
            ("queued" | "waiting", _) => None,
            // Some of its seats are its own.
            ("refunding", None) => None,
            (status, seats) if holds_seats(status) => Some(seats.as_ref().is_none_or(has)),
            _ => Some(false),
        }
    }

    /// What the looks say that no order of events explains.
    pub(super) fn impossible(&self, id: BookingId) -> Vec<Impossible> {
        let mut wrong = Vec::new();
        let mut say = |text| {
            wrong.push(Impossible {
                key: id.to_string(),
                text,
            })
        };
        for look in &self.looks {
            let stranger = |seat: &&String| !self.seats.contains(seat);
            if let Some(seat) = look.seats.iter().flatten().find(stranger) {
                say(format!("{id} has {seat}, which it did not ask for"));
            }
        }
        // Late money brings back what has expired, and nothing else.
        for end in self.looks.iter().filter(|look| is_over(&look.status)) {
            let back = |look: &&Look| look.from >= end.to && holds_seats(&look.status);
            if let Some(back) = self.looks.iter().find(back) {
                say(format!(
                    "{id} was {} and is {} again",
                    end.status, back.status
                ));
                break;
            }
        }
        wrong
    }

    /// Its ownership of each seat, stretch by stretch: an expired booking may be brought back by late money.
    pub(super) fn add_to<'a>(
        &'a self,
        id: BookingId,
        seats: &mut BTreeMap<(ShowId, &'a str), Seat>,
    ) {
        for seat in &self.seats {
            let register = seats.entry((self.show, seat)).or_default();
            if self.may_exist {
                register.owners.extend(self.stretches(id, seat));
            }
        }
    }

    fn stretches(&self, id: BookingId, seat: &str) -> Vec<Stretch> {
        let of = |owns: bool| {
            let looks = self.looks.iter();
            looks.filter(move |look| Self::owns(look, seat) == Some(owns))
        };
        let ends: Vec<(u64, u64)> = of(false).map(|look| (look.from, look.to)).collect();
        let mut stretches: Vec<Stretch> = Vec::new();
        for look in of(true) {
            let window = (look.from, look.to);
            let between = |last: &Stretch| {
                let after = last
                    .looks
                    .iter()
                    .map(|(_, to)| *to)
                    .min()
                    .unwrap_or_default();
                ends.iter()
                    .any(|(from, to)| after <= *from && *to <= look.from)
            };
            match stretches.last_mut().filter(|last| !between(last)) {
                Some(last) => {
                    last.looks.push(window);
                    last.sure.0 = last.sure.0.min(look.to);
                    last.sure.1 = last.sure.1.max(look.from);
                    last.status.clone_from(&look.status);
                }
                None => stretches.push(Stretch {
                    booking: id,
                    may: (self.asked_at, u64::MAX),
                    sure: (look.to, look.from),
                    looks: vec![window],
                    status: look.status.clone(),
                }),
            }
        }
        let over = self.looks.iter().filter(|look| is_over(&look.status));
        let over = over.map(|look| look.to).min();
        if let Some(last) = stretches.last_mut() {
            let asked_back = self.cancels.iter().filter(|(_, seats)| {
                seats
                    .as_ref()
                    .is_none_or(|seats| seats.iter().any(|own| own == seat))
            });
            let asked_back = asked_back.map(|(at, _)| *at).min();
            let seen_free = ends.iter().any(|(from, _)| *from >= last.sure.1);
            // A valid ticket stays valid until somebody gives it back.
            if is_ticketed(&last.status) && !seen_free {
                last.sure.1 = last.sure.1.max(asked_back.unwrap_or(u64::MAX));
            }
            last.may.1 = over.unwrap_or(u64::MAX);
        } else if self.looks.iter().all(|look| look.status != "rejected") {
            // Nobody saw it own the seat, and it may have.
            stretches.push(Stretch {
                booking: id,
                may: (self.asked_at, over.unwrap_or(u64::MAX)),
                sure: (u64::MAX, 0),
                looks: Vec::new(),
                status: "unknown".to_owned(),
            });
        }
        stretches
    }
}

/// Ends that late money does not undo.
fn is_over(status: &str) -> bool {
    matches!(
        status,
        "rejected" | "payment_failed" | "cancelled" | "refunded"
    )
}
