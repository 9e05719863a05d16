//! The lock that comes first: a booking's intent, and what is read under it.

use super::desk::Desk;
use boxoffice_contracts::{BookingId, Instant};
use boxoffice_runtime::{Cause, Failure, Tx};
use boxoffice_store::mysql::{attempts::Attempt, intents::Intent};

/// An intent under its lock, and the database's clock after it was taken.
pub(super) struct Locked {
    pub(super) intent: Intent,
    pub(super) now: Instant,
}

pub(super) fn park(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::Park(Cause::new(code, detail))
}

/// One call in flight per intent.
pub(super) fn busy() -> Failure {
    Failure::Retry(Cause::new(
        "intent_busy",
        "another call about the intent is in flight",
    ))
}

/// The attempt and its intent under lock; nothing when a later generation has taken over.
pub(super) async fn attempt_of(
    tx: &Tx,
    desk: &Desk,
    booking: BookingId,
    number: u16,
) -> Result<Option<(Locked, Attempt)>, Failure> {
    let found = desk.current(tx, booking).await?;
    let attempt = desk.attempt(booking, number).cloned();
    let (Some(locked), Some(attempt)) = (found, attempt) else {
        return Err(park(
            "attempt_missing",
            format!("no row for attempt {number}"),
        ));
    };
    Ok((attempt.generation == locked.intent.generation).then_some((locked, attempt)))
}
