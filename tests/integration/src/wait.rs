//! Waiting for conditions. Nothing here sleeps without one.

use std::{fmt::Debug, time::Duration};
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[must_use]
pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Waits until the condition holds; fails the test with `what` when it doesn't in time.
pub async fn wait_until(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> bool) {
    eventually(what, within, async || {
        if condition().await {
            Ok(())
        } else {
            Err("not yet")
        }
    })
    .await;
}

/// Waits until `look` finds what it looks for; fails the test with what it said last.
pub async fn eventually<R, E: Debug>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<R, E>,
) -> R {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(why) if Instant::now() >= deadline => {
                panic!("{what}: not within {within:?}: {why:?}")
            }
            Err(_) => sleep(LOOK_EVERY).await,
        }
    }
}
