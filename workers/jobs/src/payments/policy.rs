//! The section `[payments]` of the configuration.

use chrono::Duration;
use serde::Deserialize;
use std::time;

/// How long things about money may take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsPolicy {
    /// Added to the deadlines of the gateway's calls before another message may call about the same intent;
    /// in milliseconds.
    pub lease_slack_ms: u32,
    /// A key that was first sent longer ago is never sent again, in seconds. Stripe forgets them after 24 h.
    pub key_age_max_secs: u32,
}

/// The most calls that one message makes one after another: cancel refused, look, and what came before.
const CALLS_MAX: u32 = 4;

impl Default for PaymentsPolicy {
    fn default() -> Self {
        Self {
            lease_slack_ms: 10_000,
            key_age_max_secs: 20 * 3600,
        }
    }
}

impl PaymentsPolicy {
    pub(super) fn lease(&self, call_timeout: time::Duration) -> Duration {
        let calls = call_timeout.saturating_mul(CALLS_MAX);
        Duration::from_std(calls).unwrap_or(Duration::hours(1))
            + Duration::milliseconds(self.lease_slack_ms.into())
    }

    pub(super) fn key_age_max(&self) -> Duration {
        Duration::seconds(self.key_age_max_secs.into())
    }
}
