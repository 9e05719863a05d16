//! The one place that reads the wall clock.
//!
//! For what no transaction decides: the instant on an envelope that a door of the house sends, ages in
//! metrics. What is due, late or over is decided by the database's clock, see [`crate::Tx::now`].

use boxoffice_contracts::{Instant, planted};

/// Now, in UTC, cut to the microseconds that the wire and `DATETIME(6)` keep.
#[must_use]
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that everything else is pointed to"
    )]
    let now = chrono::Utc::now() + planted::skew();
    chrono::DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}
