//! The reservation saga: what to do next, never how.
//!
//! Pure: no IO, no clock, no randomness, no `async`. Time comes in through the door, the next wake-up goes
//! out by [`Booking::wake_at`]. The saga cannot fail; it can only refuse.
//!
//! Read [`decide()`] first: one row per state, one file per row, one exhaustive `match` per file.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod booking;
pub mod decide;
pub mod decision;
pub mod diagram;
pub mod effect;
pub mod input;
pub mod mend;
pub mod policy;
pub mod samples;
pub mod stuck;
mod totals;
pub mod wake;

pub use booking::{Attention, Booking, Capture, IntentState, Phase, Position, Status};
pub use decide::decide;
pub use decision::{Decision, Why};
pub use effect::{Effect, Fact, Outcome};
pub use input::Input;
pub use mend::actions;
pub use policy::Policy;
