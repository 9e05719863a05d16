//! The section `[gateway]` of the configuration.

use serde::Deserialize;
use std::{fmt, time::Duration};

/// Which gateway, and how it is reached. Printed without its secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    pub kind: GatewayKind,
    /// Base address; Stripe's own when absent.
    pub url: Option<String>,
    /// Stripe's secret key.
    pub secret_key: String,
    /// Deadline of one call, in milliseconds, from connecting to the last byte.
    pub timeout_ms: u64,
    /// Where a customer comes back to after 3-D Secure; `{booking}` stands for the booking's id.
    /// Without it the gateway's script in the browser does it all.
    pub return_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayKind {
    /// Stripe, or something of its shape such as our sandbox.
    Stripe,
    /// Says yes at once, in this process; for measuring. Takes no money and remembers nothing.
    Instant,
}

/// Longer than Stripe's slowest answers, short enough for a customer who waits.
const TIMEOUT_MS: u64 = 20_000;

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            kind: GatewayKind::Stripe,
            url: None,
            secret_key: String::new(),
            timeout_ms: TIMEOUT_MS,
            return_url: None,
        }
    }
}

impl GatewayConfig {
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("kind", &self.kind)
            .field("url", &self.url)
            .field("secret_key", &"(redacted)")
            .field("timeout_ms", &self.timeout_ms)
            .field("return_url", &self.return_url)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_not_printed() {
        let config = GatewayConfig {
            secret_key: "sk_live_1".into(),
            ..GatewayConfig::default()
        };
        assert!(!format!("{config:?}").contains("sk_live_1"));
    }
}
