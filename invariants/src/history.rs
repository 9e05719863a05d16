//! What clients asked and what they learned, as each of them wrote it down: append-only, one JSON line per record.

use boxoffice_contracts::{BookingId, Instant, ShowId};
use serde::{Deserialize, Serialize};

/// One line of a client's history. A call is two of them: what was asked, and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub client: u32,
    /// Counts the client's calls: the two records of a call have the same number.
    pub call: u64,
    /// Microseconds of a monotonic clock that all clients share, since the run began.
    pub at_us: u64,
    /// For people who read it.
    pub wall: Instant,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Written before the request leaves.
    Invoke { asked: Asked },
    /// It was answered. A booking that was rejected is an answer, too.
    Ok { learned: Learned },
    /// It certainly had no effect: refused before it was accepted (4xx, 503).
    Fail { code: String },
    /// No answer, or one that says nothing: it may have had its effect, at any time after it was asked.
    Unknown { why: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Asked {
    /// The id is known before the answer: it is derived from the idempotency key.
    Submit {
        booking: BookingId,
        show: ShowId,
        /// Numbered seats; places without numbers are not followed.
        seats: Vec<String>,
    },
    Pay {
        booking: BookingId,
    },
    /// All positions when there are none.
    Cancel {
        booking: BookingId,
        seats: Option<Vec<String>>,
    },
    /// GET of a booking, a long-poll, a line of its event stream.
    Look {
        booking: BookingId,
    },
    SeatMap {
        show: ShowId,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "learned", rename_all = "snake_case")]
pub enum Learned {
    /// 202: nothing is decided yet.
    Accepted,
    /// Where a booking stood at some moment between asking and learning.
    Booking {
        /// `queued`, `held`, `confirmed`, `rejected` …
        status: String,
        code: Option<String>,
        /// Seats of its live positions; all that were asked for when absent.
        #[serde(default)]
        seats: Option<Vec<String>>,
        /// `Age` of the answer: it stood there at some moment of so many seconds before asking, too.
        #[serde(default, skip_serializing_if = "is_zero")]
        age_secs: u64,
    },
    /// The seats of the map that somebody had; all others were free.
    SeatMap { taken: Vec<String> },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it")]
const fn is_zero(secs: &u64) -> bool {
    *secs == 0
}
