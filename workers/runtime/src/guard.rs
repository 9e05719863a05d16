//! The boundary around a handler: whatever it does, the engine goes on.

use crate::{Cause, Failure};
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};

/// A batch that takes longer is given up; its transaction is rolled back.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Waits for a task with a handler in it: a panic is a failure of the message, and so is standing still.
pub(crate) async fn guarded<T>(mut task: JoinHandle<Result<T, Failure>>) -> Result<T, Failure> {
    match timeout(WATCHDOG, &mut task).await {
        Ok(Ok(result)) => result,
        Ok(Err(stopped)) if stopped.is_panic() => {
            let detail = panic_text(stopped.into_panic().as_ref());
            Err(Failure::Retry(Cause::new("panic", detail)))
        }
        Ok(Err(_)) => Err(Failure::Retry(Cause::new(
            "cancelled",
            "the task was ended",
        ))),
        Err(_) => {
            task.abort();
            let detail = format!("no end after {} s", WATCHDOG.as_secs());
            Err(Failure::Retry(Cause::new("watchdog", detail)))
        }
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
