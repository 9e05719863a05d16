//! The one place where this process reads the time.

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox plays a party outside of our system: it has a clock of its own"
)]
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Stripe writes times as whole seconds.
pub(crate) fn secs(now_ms: i64) -> i64 {
    now_ms.div_euclid(1000)
}
