//! The world that a seed draws: how many seats, who wants what, and how often something breaks.

use crate::chance::Chance;
use boxoffice_contracts::{BookingId, Instant};
use boxoffice_saga::Policy;
use chrono::DateTime;
use std::time::Duration;

/// An error that is made on purpose, in a port or around the engine. Some promise must catch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The broker is told to forget a message when it hands it out.
    AckOnDelivery,
    /// Inbox rows are there before their transaction has committed, and stay when it doesn't.
    InboxOutside,
    /// What a dead process had in hand is gone.
    NoRequeue,
    /// The outbox is published when its rows are written.
    PublishBeforeCommit,
    /// Of a batch one half is forgotten.
    HalfForgotten,
    /// A publisher takes silence for a confirm.
    SilenceConfirms,
    /// The inbox row of a message that waits for its next attempt is left.
    InboxOutlivesRetry,
    /// A commit without an answer counts as one that was done.
    CommitAssumed,
    /// Nobody looks for rows of the outbox that were never confirmed.
    NoRelay,
    /// Nobody looks for due rows.
    NoClock,
    /// Claims of others are not seen.
    ClaimsUnseen,
    /// An admission is given back twice.
    FreedTwice,
    /// A refund that is sent again has a new key.
    NewRefundKey,
    /// A state is written without looking at the version.
    LostUpdate,
}

/// What is true of one run.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bookings: Vec<Wish>,
    pub seats: usize,
    pub admissions: u32,
    /// 10 is usual; faults are so much more or less frequent.
    pub harshness: u64,
    /// When faults stop; never, for a run that looks at safety alone.
    pub calm_after: Option<Duration>,
    pub ends_after: Duration,
    pub batch_max: usize,
    pub policy: Policy,
    pub planted: Option<Planted>,
}

/// What a client wants.
#[derive(Debug, Clone)]
pub struct Wish {
    pub booking: BookingId,
    pub key: String,
    /// Numbers of seats.
    pub seats: Vec<usize>,
    pub admissions: u8,
    pub pays_at_once: bool,
    pub never_pays: bool,
    pub method: Method,
    pub pays_again: bool,
    /// Cancels so long after its submit, whatever the state.
    pub cancels_after: Option<Duration>,
    /// Cancels when the tickets are there; the first position alone, or all.
    pub returns: Option<Part>,
    pub submits: u64,
    pub begins_after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    First,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Good,
    Declined,
    /// The customer authenticates, or doesn't, or fails.
    Asks {
        passes: bool,
        answers: bool,
    },
}

impl Method {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "pm_card_visa",
            Self::Declined => "pm_card_declined",
            Self::Asks { .. } => "pm_card_asks",
        }
    }
}

impl Settings {
    /// The world of a seed: every second one is judged by what it comes to, too.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x5eed_0f5e_a750_0000);
        let seats = chance.between(2, 6) as usize;
        // Most worlds are small: what can go wrong mostly goes wrong with few.
        let many = chance.between(3, 8).min(chance.between(3, 8));
        let bookings = (0..many)
            .map(|at| Wish::draw(&mut chance, seed, at, seats))
            .collect();
        let calm = seed.is_multiple_of(2);
        Self {
            bookings,
            seats,
            admissions: chance.between(1, 4) as u32,
            harshness: [0, 5, 10, 10, 20, 40][chance.below(6) as usize],
            calm_after: calm.then(|| chance.millis(5_000, 60_000)),
            ends_after: Duration::from_secs(if calm { 3_600 } else { 90 }),
            batch_max: chance.between(1, 8) as usize,
            policy: Policy {
                attempts_max: 3,
                authorize_answer_secs: 8,
                action_secs: 20,
                resend_secs: 4,
                resend_max_secs: 60,
                pay_again_secs: 30,
                document_wait_secs: 10,
                refund_retry_secs: 30,
                mail_wait_secs: 30,
            },
            planted: None,
        }
    }

    #[must_use]
    pub fn is(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// When every run begins.
    #[must_use]
    pub fn epoch(&self) -> Instant {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
    }
}

impl Wish {
    fn draw(chance: &mut Chance, seed: u64, at: u64, seats: usize) -> Self {
        let key = format!("{seed}-{at}");
        let wanted = chance.between(0, 2) as usize;
        let first = chance.below(seats as u64) as usize;
        let seats: Vec<usize> = (0..wanted.min(seats))
            .map(|n| (first + n) % seats)
            .collect();
        let least = u64::from(seats.is_empty());
        Self {
            booking: BookingId::derive("house", "client", &key),
            key,
            admissions: chance.between(least, 2).max(least) as u8,
            seats,
            pays_at_once: chance.one_in(2),
            never_pays: chance.one_in(6),
            method: match chance.below(8) {
                0 => Method::Declined,
                1..=2 => Method::Asks {
                    passes: !chance.one_in(3),
                    answers: !chance.one_in(3),
                },
                _ => Method::Good,
            },
            pays_again: !chance.one_in(3),
            cancels_after: chance.one_in(5).then(|| chance.millis(0, 15_000)),
            returns: chance.one_in(4).then(|| {
                if chance.one_in(2) {
                    Part::First
                } else {
                    Part::All
                }
            }),
            submits: if chance.one_in(4) { 2 } else { 1 },
            begins_after: chance.millis(0, 10_000),
        }
    }
}
