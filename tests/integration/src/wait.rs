//! Waiting for conditions. Nothing here sleeps without one.

use std::{fmt::Debug, future::Future, time::Duration};
use tokio::time::Instant;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[must_use]
pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Waits until the condition holds; fails the test with `what` when it doesn't in time.
pub async fn wait_until<F, T>(what: &str, within: Duration, mut condition: F)
where
    F: FnMut() -> T,
    T: Future<Output = bool>,
{
    eventually(what, within, || {
        let holds = condition();
        async move { if holds.await { Ok(()) } else { Err("not yet") } }
    })
    .await;
}

/// Waits until `look` finds what it looks for; fails the test with what it said last.
pub async fn eventually<F, T, R, E>(what: &str, within: Duration, mut look: F) -> R
where
    F: FnMut() -> T,
    T: Future<Output = Result<R, E>>,
    E: Debug,
{
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(why) if Instant::now() >= deadline => {
                panic!("{what}: not within {within:?}: {why:?}")
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
