//! Lines of new submits. A show always stands in the same one, so that its submits keep their order, and ten thousand for
//! one show stand before those for a quarter of the others and before nobody else's.
//!
//! The first line is also everybody's who names no show: what an earlier version sent, what is sent again.

use super::{Binding, Exchange, Queue, RESERVATIONS_SUBMIT};
use crate::{
    ShowId,
    message::{Message, booking::Submit},
};

/// Routing key of each line. Never fewer, and another number only while no submits wait: shows change their lines.
const KEYS: [&str; 4] = [
    Submit::KIND.as_str(),
    "booking.submit.v1.1",
    "booking.submit.v1.2",
    "booking.submit.v1.3",
];

pub const RESERVATIONS_SUBMIT_1: Queue = line("reservations.submit.1", &[to(1)]);
pub const RESERVATIONS_SUBMIT_2: Queue = line("reservations.submit.2", &[to(2)]);
pub const RESERVATIONS_SUBMIT_3: Queue = line("reservations.submit.3", &[to(3)]);

/// Every line.
pub const SUBMITS: [Queue; KEYS.len()] = [
    RESERVATIONS_SUBMIT,
    RESERVATIONS_SUBMIT_1,
    RESERVATIONS_SUBMIT_2,
    RESERVATIONS_SUBMIT_3,
];

const fn to(line: usize) -> Binding {
    Binding {
        exchange: Exchange::Intake,
        pattern: KEYS[line],
    }
}

const fn line(name: &'static str, bindings: &'static [Binding]) -> Queue {
    Queue {
        name,
        bindings,
        line_of: Some(RESERVATIONS_SUBMIT.name),
        doc: "A further line of `reservations.submit`, for other shows.",
        ..RESERVATIONS_SUBMIT
    }
}

/// Routing keys of all lines.
#[must_use]
pub const fn keys() -> &'static [&'static str] {
    &KEYS
}

/// The line that new submits for a show stand in.
#[must_use]
pub fn of(show: ShowId) -> &'static Queue {
    const LINES: &[Queue] = &SUBMITS;
    &LINES[number(show)]
}

pub(crate) fn key_of(submit: &Submit) -> &'static str {
    KEYS[number(submit.show_id)]
}

fn number(show: ShowId) -> usize {
    // The last bits of an id of any version are as good as dice.
    (show.0.as_u128() % KEYS.len() as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{QUEUES, queues_of};

    #[test]
    fn each_key_leads_to_its_line_and_each_line_is_in_the_table() {
        for (key, line) in KEYS.iter().zip(&SUBMITS) {
            let found: Vec<_> = queues_of(Exchange::Intake, key).collect();
            assert_eq!(found.len(), 1, "{key}");
            assert_eq!(found[0].name, line.name);
        }
        let declared = QUEUES.iter().filter(|queue| queue.line_of.is_some());
        assert_eq!(declared.count() + 1, SUBMITS.len());
    }

    #[test]
    fn shows_are_spread_evenly_and_stay_where_they_are() {
        let mut shows = [0; KEYS.len()];
        for n in 0..4_000 {
            let show = ShowId::from_slug(&format!("show-{n}"));
            assert_eq!(of(show).name, of(show).name);
            shows[number(show)] += 1;
        }
        assert!(
            shows.iter().all(|shows| (900..1_100).contains(shows)),
            "{shows:?}"
        );
    }
}
