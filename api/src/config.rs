//! The API's settings. The program's defaults file explains each; secrets have no default.

use crate::{
    cors,
    layers::WAIT_SECS_MAX,
    serve::{ConnectionConfig, HEAD_BYTES_MIN},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer};
use std::{fmt, net::SocketAddr, time::Duration};
use url::Url;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Where customers and staff come in.
    pub listen: SocketAddr,
    /// Liveness, readiness and metrics; never routed from outside.
    pub internal_listen: SocketAddr,
    /// What clients call this service by; begins the `type` of problems.
    pub public_url: Url,
    /// Origins whose pages may call this service from a browser, such as `https://tickets.example`.
    pub cors_origins: Vec<String>,
    /// Largest body of a request.
    pub body_bytes_max: usize,
    /// How long a request may take, its waiting apart.
    pub request_timeout_ms: u64,
    /// Requests in work at once; one more is answered 503 at once.
    pub concurrency_max: usize,
    /// Requests that only wait (SSE, long-poll, `Prefer: wait`) at once.
    pub waiters_max: usize,
    /// Longest that a long poll waits; no more than 30.
    pub poll_secs_max: u64,
    /// A comment on event streams that long, so that nobody on the way hangs up.
    pub heartbeat_secs: u32,
    /// How long a link to a document opens it without a token.
    pub document_link_ttl_secs: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    pub connections: ConnectionConfig,
    pub rate: RateConfig,
    /// Deadline of a command whose sender named none.
    pub submit_deadline_secs: u32,
    /// Furthest deadline that a sender may name.
    pub submit_deadline_secs_max: u32,
    pub token: TokenConfig,
    pub webhook: WebhookConfig,
    /// Signs status links; at least 32 characters, the same in every process.
    pub status_link_secret: Secret,
}

/// How much one client may ask of one process. A quota of 0 sets no limit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// An empty bucket is full again after so long.
    pub window_secs: u32,
    /// Units of a customer.
    pub quota_customer: u32,
    /// Units of one member of staff, or of one partner.
    pub quota_business: u32,
    /// Units of an address that shows no token; whole offices share one.
    pub quota_address: u32,
    pub price_read: u32,
    pub price_document: u32,
    pub price_command: u32,
    /// Buckets that are remembered.
    pub clients_max: u64,
    /// Requests of one customer that wait for news at once.
    pub waiters_customer_max: usize,
    /// The same of one member of staff, or of one partner.
    pub waiters_business_max: usize,
}

/// Which bearer tokens are believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfig {
    pub issuer: String,
    pub audience: String,
    /// Ed25519 public keys (PEM, SPKI); two during rotation. A token names its key by the fingerprint.
    pub public_keys: Vec<String>,
}

/// The gateway's calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// Endpoint secrets; two during rotation.
    pub secrets: Vec<Secret>,
    /// Furthest that the signature's time may be from ours.
    pub tolerance_secs: u32,
    /// When set, events of the other mode are refused.
    pub livemode: Option<bool>,
}

/// A text that is never printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}: set a secret of at least {SECRET_LEN_MIN} characters")]
    Secret(&'static str),
    #[error("{0}: {1}")]
    Setting(&'static str, String),
}

/// Shorter ones can be guessed.
const SECRET_LEN_MIN: usize = 32;
/// Stripe's own are `whsec_` and 32 characters; ours in the sandbox may be shorter.
const WEBHOOK_SECRET_LEN_MIN: usize = 16;

impl ApiConfig {
    /// # Errors
    /// When a secret is missing or short, or a limit is zero.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.status_link_secret.0.len() < SECRET_LEN_MIN {
            return Err(ConfigError::Secret("api.status_link_secret"));
        }
        let secrets = &self.webhook.secrets;
        if secrets
            .iter()
            .any(|secret| secret.0.len() < WEBHOOK_SECRET_LEN_MIN)
        {
            return Err(ConfigError::Setting(
                "api.webhook.secrets",
                format!("at least {WEBHOOK_SECRET_LEN_MIN} characters each"),
            ));
        }
        if self.token.public_keys.is_empty() {
            return Err(ConfigError::Setting(
                "api.token.public_keys",
                "name at least one; `boxoffice token --new-key` makes a pair".to_owned(),
            ));
        }
        cors::check(&self.cors_origins)?;
        if self.poll_secs_max > WAIT_SECS_MAX {
            return Err(ConfigError::Setting(
                "api.poll_secs_max",
                format!("at most {WAIT_SECS_MAX}: proxies give up on what is silent for longer"),
            ));
        }
        let limits = [
            ("api.body_bytes_max", self.body_bytes_max),
            ("api.concurrency_max", self.concurrency_max),
            ("api.waiters_max", self.waiters_max),
            ("api.heartbeat_secs", self.heartbeat_secs as usize),
            (
                "api.document_link_ttl_secs",
                self.document_link_ttl_secs as usize,
            ),
            ("api.connections.open_max", self.connections.open_max),
            ("api.connections.headers_max", self.connections.headers_max),
            (
                "api.submit_deadline_secs",
                self.submit_deadline_secs as usize,
            ),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Setting(name, "must not be zero".to_owned()));
        }
        if self.connections.head_bytes_max < HEAD_BYTES_MIN {
            return Err(ConfigError::Setting(
                "api.connections.head_bytes_max",
                format!("at least {HEAD_BYTES_MIN}"),
            ));
        }
        self.rate.validate()
    }

    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            internal_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: local_url(),
            cors_origins: Vec::new(),
            body_bytes_max: 64 * 1024,
            request_timeout_ms: 5_000,
            concurrency_max: 256,
            waiters_max: 10_000,
            poll_secs_max: WAIT_SECS_MAX,
            heartbeat_secs: 15,
            document_link_ttl_secs: 7 * 24 * 3_600,
            trusted_proxies: Vec::new(),
            connections: ConnectionConfig::default(),
            rate: RateConfig::default(),
            submit_deadline_secs: 600,
            submit_deadline_secs_max: 3_600,
            token: TokenConfig::default(),
            webhook: WebhookConfig::default(),
            status_link_secret: Secret::default(),
        }
    }
}

impl RateConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |name, why: String| Err(ConfigError::Setting(name, why));
        if self.window_secs == 0 {
            return wrong("api.rate.window_secs", "must not be zero".to_owned());
        }
        let dearest = self
            .price_read
            .max(self.price_document)
            .max(self.price_command);
        let quotas = [
            ("api.rate.quota_customer", self.quota_customer),
            ("api.rate.quota_business", self.quota_business),
            ("api.rate.quota_address", self.quota_address),
        ];
        for (name, quota) in quotas {
            if quota > 0 && quota < dearest {
                return wrong(name, format!("0, or at least the highest price, {dearest}"));
            }
        }
        Ok(())
    }
}

impl Default for RateConfig {
    fn default() -> Self {
        Self {
            window_secs: 60,
            quota_customer: 600,
            quota_business: 6_000,
            quota_address: 3_000,
            price_read: 1,
            price_document: 5,
            price_command: 10,
            clients_max: 50_000,
            waiters_customer_max: 20,
            waiters_business_max: 1_000,
        }
    }
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            issuer: "boxoffice".to_owned(),
            audience: "boxoffice-api".to_owned(),
            public_keys: Vec::new(),
        }
    }
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            secrets: Vec::new(),
            tolerance_secs: 300,
            livemode: None,
        }
    }
}

#[allow(clippy::expect_used, reason = "a constant that a test parses")]
fn local_url() -> Url {
    Url::parse("http://127.0.0.1:8080").expect("a constant URL")
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_without_secrets_is_refused_and_secrets_are_never_printed() {
        let mut config = ApiConfig::default();
        assert_eq!(
            config.validate(),
            Err(ConfigError::Secret("api.status_link_secret"))
        );
        config.status_link_secret = Secret::new("s".repeat(32));
        assert!(config.validate().is_err(), "no key");
        config.token.public_keys.push("…".to_owned());
        config.validate().unwrap();
        assert!(!format!("{config:?}").contains("sss"));
        assert!(!serde_json::to_string(&config).unwrap().contains("sss"));
        config.rate.quota_customer = 9;
        assert!(config.validate().is_err(), "no command would ever pass");
        config.rate.quota_customer = 0;
        config.validate().unwrap();
        config.concurrency_max = 0;
        assert!(config.validate().is_err());
    }
}
