//! What the saga answers.

use crate::{Booking, Effect};
use boxoffice_contracts::{Code, OperationId};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The booking moves: state and effects are committed together, version + 1.
    Advance {
        next: Box<Booking>,
        effects: Vec<Effect>,
    },
    /// A business "no" to a command on a booking that stands: committed as that command's outcome, version + 1.
    Reject {
        next: Box<Booking>,
        code: Code,
        effects: Vec<Effect>,
    },
    /// A business "no" to a command on a booking that never came to be: only the outcome is committed.
    RejectUnborn { operation: OperationId, code: Code },
    /// Already done or overtaken. Counted, never an error.
    Stay(Why),
    /// Too early: retried until the command's deadline.
    Defer(Why),
    /// Impossible by the contract: parked for a person.
    Refuse(Why),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Why {
    /// A repetition of what was done.
    AlreadyDone,
    /// About an older attempt, epoch or revision.
    Stale,
    /// Another step came first and settled it.
    Overtaken,
    /// The booking isn't there yet.
    NotThereYet,
    /// The row is not due.
    NotDue,
    /// The same key with another request.
    OtherRequest,
    /// No producer that keeps the contract sends this now.
    Impossible,
}

impl Why {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyDone => "already_done",
            Self::Stale => "stale",
            Self::Overtaken => "overtaken",
            Self::NotThereYet => "not_there_yet",
            Self::NotDue => "not_due",
            Self::OtherRequest => "other_request",
            Self::Impossible => "impossible",
        }
    }
}
