//! The lock that comes first: a booking's intent, and what is read under it.

use boxoffice_contracts::{BookingId, Instant};
use boxoffice_runtime::{Cause, Failure, Tx};
use boxoffice_store::mysql::{
    attempts::{self, Attempt},
    intents::{self, Intent},
};

/// An intent under its lock, and the database's clock after it was taken.
pub(super) struct Locked {
    pub(super) intent: Intent,
    pub(super) now: Instant,
}

pub(super) async fn locked(tx: &Tx, booking: BookingId) -> Result<Option<Locked>, Failure> {
    let Some(intent) = intents::lock_current(tx.db(), booking).await? else {
        return Ok(None);
    };
    let now = tx.now().await?;
    Ok(Some(Locked { intent, now }))
}

pub(super) async fn locked_generation(
    tx: &Tx,
    booking: BookingId,
    generation: u16,
) -> Result<Option<Locked>, Failure> {
    let Some(intent) = intents::lock(tx.db(), booking, generation).await? else {
        return Ok(None);
    };
    let now = tx.now().await?;
    Ok(Some(Locked { intent, now }))
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
    booking: BookingId,
    number: u16,
) -> Result<Option<(Locked, Attempt)>, Failure> {
    let found = locked(tx, booking).await?;
    let attempt = attempts::find(tx.db(), booking, number).await?;
    let (Some(locked), Some(attempt)) = (found, attempt) else {
        return Err(park(
            "attempt_missing",
            format!("no row for attempt {number}"),
        ));
    };
    Ok((attempt.generation == locked.intent.generation).then_some((locked, attempt)))
}
