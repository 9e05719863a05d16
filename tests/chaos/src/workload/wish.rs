//! What a visitor wants and does, drawn from the dice of the run.

use boxoffice_integration::{
    Show,
    fixture::{self, Hall, WIDE_ROWS, WIDE_SEATS_PER_ROW},
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

/// Positions of one booking at most, as everybody wishes.
const POSITIONS_MAX: u32 = 6;

/// What somebody does with a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Pays with a good card; in the submit, or when the seats are held.
    Pays {
        at_once: bool,
    },
    /// Walks away before paying.
    Abandons,
    CancelsBeforePaying,
    CancelsAfterPaying,
    /// The first card is declined; the second is good, if there is one.
    IsDeclined {
        pays_again: bool,
    },
    /// 3-D Secure.
    Authenticates(Secure),
    /// The authorisation is gone when it is captured.
    CaptureFails,
    /// Not a booking at all.
    Malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secure {
    Passes,
    Fails,
    WalksAway,
}

/// How the same submit comes more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Never,
    /// Twice in one moment.
    AtOnce,
    /// Once more when it was taken long ago.
    Later,
}

/// How somebody follows a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    LongPoll,
    Stream,
    Get,
}

#[derive(Debug, Clone)]
pub struct Wish {
    pub show: Show,
    /// As a submit names them.
    pub positions: Vec<Value>,
    /// The numbered ones.
    pub seats: Vec<String>,
    pub course: Course,
    pub again: Again,
    pub follow: Follow,
}

impl Course {
    /// A name for tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pays { at_once: true } => "pays",
            Self::Pays { at_once: false } => "pays later",
            Self::Abandons => "abandons",
            Self::CancelsBeforePaying => "cancels before paying",
            Self::CancelsAfterPaying => "cancels after paying",
            Self::IsDeclined { .. } => "is declined",
            Self::Authenticates(Secure::Passes) => "3-D Secure, passes",
            Self::Authenticates(Secure::Fails) => "3-D Secure, fails",
            Self::Authenticates(Secure::WalksAway) => "3-D Secure, walks away",
            Self::CaptureFails => "capture fails",
            Self::Malformed => "malformed",
        }
    }

    /// The card of the submit, if one is in it.
    #[must_use]
    pub const fn first_card(self) -> Option<&'static str> {
        match self {
            Self::Pays { at_once: true } | Self::CancelsAfterPaying => Some("pm_card_visa"),
            Self::IsDeclined { .. } => Some("pm_card_chargeDeclined"),
            Self::Authenticates(_) => Some("pm_card_authenticationRequired"),
            Self::CaptureFails => Some("pm_card_captureFails"),
            Self::Pays { at_once: false }
            | Self::Abandons
            | Self::CancelsBeforePaying
            | Self::Malformed => None,
        }
    }

    fn draw(dice: &mut StdRng) -> Self {
        // Of a thousand.
        match dice.random_range(0..1_000) {
            0..50 => Self::Abandons,
            50..100 => Self::CancelsBeforePaying,
            100..150 => Self::CancelsAfterPaying,
            150..165 => Self::IsDeclined { pays_again: true },
            165..180 => Self::IsDeclined { pays_again: false },
            180..210 => Self::Authenticates(Secure::Passes),
            210..220 => Self::Authenticates(Secure::Fails),
            220..230 => Self::Authenticates(Secure::WalksAway),
            230..233 => Self::CaptureFails,
            233..243 => Self::Malformed,
            243..443 => Self::Pays { at_once: false },
            _ => Self::Pays { at_once: true },
        }
    }
}

impl Wish {
    #[must_use]
    pub fn draw(show: &Show, dice: &mut StdRng) -> Self {
        let (positions, seats) = places(show.hall, dice);
        Self {
            show: show.clone(),
            positions,
            seats,
            course: Course::draw(dice),
            again: match dice.random_range(0..1_000) {
                0..25 => Again::AtOnce,
                25..50 => Again::Later,
                _ => Again::Never,
            },
            follow: match dice.random_range(0..100) {
                0..15 => Follow::Stream,
                15..30 => Follow::Get,
                _ => Follow::LongPoll,
            },
        }
    }

    /// What asks whether the house works: one place, paid at once.
    #[must_use]
    pub fn probe(show: &Show) -> Self {
        Self {
            show: show.clone(),
            positions: vec![json!({"category": "Standing", "count": 1})],
            seats: Vec::new(),
            course: Course::Pays { at_once: true },
            again: Again::Never,
            follow: Follow::LongPoll,
        }
    }
}

/// Places beside each other, in either order: whoever locks them as they are named would deadlock.
fn places(hall: Hall, dice: &mut StdRng) -> (Vec<Value>, Vec<String>) {
    let count = dice
        .random_range(1..=POSITIONS_MAX)
        .min(dice.random_range(1..=POSITIONS_MAX));
    let mut seats = match hall {
        Hall::Club | Hall::Field => {
            let places = json!({"category": "Standing", "count": count});
            return (vec![places], Vec::new());
        }
        Hall::Cinema => {
            let all = fixture::seats();
            let first = dice.random_range(0..all.len());
            let last = (first + count as usize).min(all.len());
            all[first..last].to_vec()
        }
        Hall::Wide => {
            let row = dice.random_range(1..=WIDE_ROWS);
            let first = dice.random_range(1..=WIDE_SEATS_PER_ROW);
            let last = (first + count - 1).min(WIDE_SEATS_PER_ROW);
            (first..=last)
                .map(|number| format!("R{row}-{number}"))
                .collect()
        }
    };
    if dice.random_bool(0.5) {
        seats.reverse();
    }
    let positions = seats
        .iter()
        .map(|seat| json!({ "seat_id": seat }))
        .collect();
    (positions, seats)
}
