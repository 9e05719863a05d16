//! The judge of histories is judged: what was is let pass, what can't have been is found.

use super::check;
use crate::history::{Asked, Event, Learned, Record};
use boxoffice_contracts::{BookingId, ShowId};
use proptest::prelude::*;
use uuid::Uuid;

/// A history in the making: each call has its own number.
#[derive(Default)]
struct Told(Vec<Record>);

fn booking(number: u128) -> BookingId {
    BookingId(Uuid::from_u128(number))
}

fn show() -> ShowId {
    ShowId(Uuid::from_u128(7))
}

impl Told {
    fn record(&mut self, call: u64, at_us: u64, event: Event) {
        let wall = "2026-11-21T12:00:00Z".parse().unwrap();
        let client = 1;
        self.0.push(Record {
            client,
            call,
            at_us,
            wall,
            event,
        });
    }

    fn call(&mut self, (from, to): (u64, u64), asked: Asked, answer: Event) -> &mut Self {
        let call = self.0.len() as u64;
        self.record(call, from, Event::Invoke { asked });
        self.record(call, to, answer);
        self
    }

    fn submit(&mut self, at: (u64, u64), number: u128, seats: &[&str]) -> &mut Self {
        let accepted = Event::Ok {
            learned: Learned::Accepted,
        };
        self.submit_to(at, number, seats, accepted)
    }

    fn submit_to(
        &mut self,
        at: (u64, u64),
        number: u128,
        seats: &[&str],
        answer: Event,
    ) -> &mut Self {
        let seats = seats.iter().map(|seat| (*seat).to_owned()).collect();
        let asked = Asked::Submit {
            booking: booking(number),
            show: show(),
            seats,
        };
        self.call(at, asked, answer)
    }

    fn look(&mut self, at: (u64, u64), number: u128, status: &str) -> &mut Self {
        self.call(
            at,
            Asked::Look {
                booking: booking(number),
            },
            saw(status, None, None),
        )
    }

    /// A look whose answer was told again.
    fn old_look(&mut self, at: (u64, u64), number: u128, status: &str, age: u64) -> &mut Self {
        let booking = booking(number);
        let learned = Learned::Booking {
            status: status.to_owned(),
            code: None,
            seats: None,
            age_secs: age,
        };
        self.call(at, Asked::Look { booking }, Event::Ok { learned })
    }

    fn cancel(&mut self, at: (u64, u64), number: u128) -> &mut Self {
        let asked = Asked::Cancel {
            booking: booking(number),
            seats: None,
        };
        self.call(
            at,
            asked,
            Event::Ok {
                learned: Learned::Accepted,
            },
        )
    }

    fn map(&mut self, at: (u64, u64), taken: &[&str]) -> &mut Self {
        let taken = taken.iter().map(|seat| (*seat).to_owned()).collect();
        let learned = Learned::SeatMap { taken };
        self.call(at, Asked::SeatMap { show: show() }, Event::Ok { learned })
    }

    #[track_caller]
    fn is_possible(&self) {
        let (_, wrong) = check(&self.0);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[track_caller]
    fn is_impossible(&self, why: &str) {
        let (_, wrong) = check(&self.0);
        assert!(
            wrong.iter().any(|found| found.text.contains(why)),
            "{why}: {wrong:#?}"
        );
    }
}

fn saw(status: &str, code: Option<&str>, seats: Option<&[&str]>) -> Event {
    let learned = Learned::Booking {
        status: status.to_owned(),
        code: code.map(str::to_owned),
        seats: seats.map(|seats| seats.iter().map(|seat| (*seat).to_owned()).collect()),
        age_secs: 0,
    };
    Event::Ok { learned }
}

#[test]
fn two_owners_at_one_time_are_impossible() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"]).submit((0, 1), 2, &["A-1"]);
    told.look((10, 11), 1, "confirmed")
        .look((30, 31), 1, "confirmed");
    told.look((15, 16), 2, "confirmed")
        .look((40, 41), 2, "confirmed");
    told.is_impossible("A-1");
}

#[test]
fn a_seat_that_was_sold_is_not_sold_again_before_it_is_given_back() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"])
        .look((10, 11), 1, "completed");
    told.submit((20, 21), 2, &["A-1"]).look((30, 31), 2, "held");
    told.is_impossible("is completed");
    // Given back in between, or asked for it without an answer: then it may have been free.
    let asked = Asked::Cancel {
        booking: booking(1),
        seats: None,
    };
    let lost = Event::Unknown {
        why: "reset".to_owned(),
    };
    told.call((12, 13), asked.clone(), lost);
    told.is_possible();
    let mut refused = Told::default();
    refused
        .submit((0, 1), 1, &["A-1"])
        .look((10, 11), 1, "completed");
    refused.call(
        (12, 13),
        asked,
        Event::Fail {
            code: "503".to_owned(),
        },
    );
    refused
        .submit((20, 21), 2, &["A-1"])
        .look((30, 31), 2, "held");
    refused.is_impossible("is completed");
}

#[test]
fn a_look_within_the_time_of_another_owner_is_impossible() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"])
        .look((10, 11), 1, "held")
        .look((50, 51), 1, "authorizing");
    told.submit((5, 6), 2, &["A-1"]).look((20, 30), 2, "held");
    told.is_impossible("in a look from 20 to 30");
    // A look that overlaps the edge may have been before or after.
    let mut edge = Told::default();
    edge.submit((0, 1), 1, &["A-1"])
        .look((10, 11), 1, "held")
        .look((50, 51), 1, "authorizing");
    edge.submit((5, 6), 2, &["A-1"]).look((45, 60), 2, "held");
    edge.is_possible();
}

#[test]
fn an_answer_that_says_how_old_it_is_may_tell_what_was() {
    let second = 1_000_000;
    let told_again = |age: u64| {
        let mut told = Told::default();
        told.submit((0, 1), 1, &["A-1"]).look((10, 11), 1, "held");
        told.submit((5, 6), 2, &["A-1"])
            .look((2 * second, 2 * second + 1), 2, "completed");
        told.old_look((4 * second, 4 * second + 1), 1, "held", age);
        told
    };
    told_again(3).is_possible();
    told_again(0).is_impossible("A-1");
    // The other had it for longer than that.
    told_again(1).is_impossible("A-1");
    told_again(6).is_impossible("6 s old");
}

#[test]
fn owners_that_follow_each_other_are_possible() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"])
        .look((10, 11), 1, "held")
        .look((20, 21), 1, "expired");
    told.submit((15, 16), 2, &["A-1"])
        .look((22, 23), 2, "held")
        .look((24, 25), 2, "completed");
    told.cancel((30, 31), 2).look((32, 33), 2, "refunded");
    told.submit((34, 35), 3, &["A-1"])
        .look((36, 37), 3, "completed");
    // Late money brings the first back only while nobody has the seat.
    told.is_possible();
    told.look((40, 41), 1, "confirmed")
        .look((50, 51), 1, "completed");
    told.is_impossible("A-1");
}

#[test]
fn late_money_brings_back_what_expired_and_nothing_else() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"])
        .look((10, 11), 1, "held")
        .look((20, 21), 1, "expired");
    told.look((30, 31), 1, "completed");
    told.is_possible();
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"])
        .look((20, 21), 1, "cancelled")
        .look((30, 31), 1, "completed");
    told.is_impossible("was cancelled and is completed again");
}

#[test]
fn what_was_read_must_have_been() {
    let mut told = Told::default();
    told.map((0, 5), &["A-1"]);
    told.is_impossible("shown as taken");
    // A submit without an answer may have taken it.
    let lost = Event::Unknown {
        why: "deadline".to_owned(),
    };
    told.submit_to((1, 2), 1, &["A-1"], lost);
    told.is_possible();
    let mut told = Told::default();
    let down = Event::Fail {
        code: "503".to_owned(),
    };
    told.submit_to((1, 2), 1, &["A-1"], down)
        .map((3, 4), &["A-1"]);
    told.is_impossible("shown as taken");
    let mut told = Told::default();
    told.look((0, 1), 9, "completed");
    told.is_impossible("nobody asked for it");
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"]);
    let asked = Asked::Look {
        booking: booking(1),
    };
    told.call((2, 3), asked, saw("held", None, Some(&["A-2"])));
    told.is_impossible("did not ask for");
}

#[test]
fn who_is_refused_was_refused_for_somebody() {
    let refusal = || saw("rejected", Some("seats_unavailable"), None);
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1", "A-2"]);
    told.call(
        (2, 3),
        Asked::Look {
            booking: booking(1),
        },
        refusal(),
    );
    told.is_impossible("was refused");
    // One of the seats is enough.
    told.submit((1, 2), 2, &["A-2"]);
    told.is_possible();
}

#[test]
fn some_seats_of_a_booking_may_be_given_back() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1", "A-2"])
        .look((10, 11), 1, "completed");
    let asked = Asked::Cancel {
        booking: booking(1),
        seats: Some(vec!["A-2".to_owned()]),
    };
    told.call(
        (12, 13),
        asked,
        Event::Ok {
            learned: Learned::Accepted,
        },
    );
    told.call(
        (14, 15),
        Asked::Look {
            booking: booking(1),
        },
        saw("completed", None, Some(&["A-1"])),
    );
    told.submit((16, 17), 2, &["A-2"])
        .look((18, 19), 2, "completed");
    told.is_possible();
    told.submit((20, 21), 3, &["A-1"]).look((22, 23), 3, "held");
    told.is_impossible("A-1");
}

#[test]
fn a_record_is_one_line_and_reads_back() {
    let mut told = Told::default();
    told.submit((0, 1), 1, &["A-1"]).map((2, 3), &["A-1"]);
    told.call(
        (4, 5),
        Asked::Look {
            booking: booking(1),
        },
        saw("held", None, None),
    );
    for record in &told.0 {
        let line = serde_json::to_string(record).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), *record);
    }
}

/// What a booking does with its seat, and how long it lasts.
#[derive(Debug, Clone)]
struct Life {
    before: u64,
    held: u64,
    sold: Option<u64>,
    answers: bool,
    blur: u64,
}

fn life() -> impl Strategy<Value = Life> {
    (
        1..20_u64,
        1..40_u64,
        proptest::option::of(1..40_u64),
        any::<bool>(),
        0..15_u64,
    )
        .prop_map(|(before, held, sold, answers, blur)| Life {
            before,
            held,
            sold,
            answers,
            blur,
        })
}

proptest! {
    /// A register that is really owned by one at a time never looks otherwise, however the looks are blurred.
    #[test]
    fn what_really_was_is_possible(lives in proptest::collection::vec(life(), 1..30)) {
        let mut told = Told::default();
        let mut now = 100;
        for (number, life) in (1..).zip(&lives) {
            now += life.before;
            let blurred = |at: u64| (at.saturating_sub(life.blur), at + life.blur);
            let answer = if life.answers {
                Event::Ok { learned: Learned::Accepted }
            } else {
                Event::Unknown { why: "lost".to_owned() }
            };
            told.submit_to((now - life.before, now), number, &["A-1"], answer);
            told.look(blurred(now + 1), number, "held");
            now += life.held;
            told.look(blurred(now), number, "held");
            match life.sold {
                None => drop(told.look(blurred(now + 1), number, "expired")),
                Some(sold) => {
                    told.look(blurred(now + 1), number, "completed");
                    now += sold;
                    told.look(blurred(now), number, "completed");
                    told.map(blurred(now), &["A-1"]);
                    told.cancel((now, now + 1), number);
                    told.look(blurred(now + 2), number, "refunded");
                    now += 2;
                }
            }
            now += 1;
        }
        let (_, wrong) = check(&told.0);
        prop_assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Somebody who holds the seat in the midst of another's time is found wherever that is.
    #[test]
    fn an_intruder_is_found(from in 12..80_u64, lasts in 0..10_u64) {
        let mut told = Told::default();
        told.submit((0, 1), 1, &["A-1"]).look((10, 11), 1, "held").look((100, 101), 1, "completed");
        told.submit((0, 1), 2, &["A-1"]).look((from, from + lasts), 2, "held");
        let (_, wrong) = check(&told.0);
        prop_assert!(!wrong.is_empty());
    }
}
