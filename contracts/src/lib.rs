//! What the parts of Boxoffice say to each other, as data.
//!
//! Ids, money, messages, the envelope, the error codes and the broker's topology. Code, JSON Schemas,
//! documentation and broker declarations all derive from here.
//!
//! Absent on purpose: IO, a clock, randomness. Everything here can be computed twice and is equal.

pub mod code;
pub mod envelope;
pub mod id;
pub mod mend;
pub mod message;
pub mod metric;
pub mod money;
pub mod partner;
pub mod planted;
pub mod principal;
pub mod request;
pub mod rules;
pub mod topology;
pub mod trace;

pub use code::Code;
pub use envelope::Envelope;
pub use id::{
    BookingId, FilmId, HallId, MessageId, OperationId, RefundId, SeatId, ShowId, TicketId, VenueId,
};
pub use message::{Kind, Message};
pub use money::{Currency, Money};
pub use principal::{Owner, Role};

/// An instant in UTC with microseconds: what `DATETIME(6)` keeps.
pub type Instant = chrono::DateTime<chrono::Utc>;
