//! What an operator may set. Every default is the value that was tested.

use boxoffice_contracts::topology::{self, RetryTier};
use serde::Deserialize;
use std::{fmt, time::Duration};

/// The message broker.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`.
    pub url: String,
    /// Virtual host, if it isn't in the URL.
    pub vhost: Option<String>,
    /// `http://user:password@host:port`, for the pages that show queues. The runtime itself needs none.
    pub management_url: Option<String>,
    /// `http://host:15692` of the broker's exporter (plugin `rabbitmq_prometheus`), separated by commas when there
    /// are several nodes; empty: depths and consumers are not watched.
    pub prometheus_url: String,
    /// Shown by the broker beside each connection.
    pub connection_name: String,
    pub connect_timeout_ms: u64,
    /// Below 5 s there are false alarms; at the broker's own 60 s a dead peer goes unseen for two minutes.
    pub heartbeat_secs: u16,
    /// A relayed message without a confirm for this long has an unknown outcome and is sent again.
    pub confirm_timeout_ms: u64,
    /// The same for the intake, where somebody waits for the answer.
    pub intake_confirm_timeout_ms: u64,
    /// Channels of the intake; each has one portion of commands in flight.
    pub intake_channels: u16,
    /// New submits that may wait; beyond that clients are told 503. Clients wait as long as the queue is drained: 200,000
    /// are five minutes at 650 a second.
    pub submits_max: u32,
    /// Waits of the retry tiers, shortest first. Only tests set others than the product's.
    pub retry_delays_ms: [u64; 4],
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            url: "amqp://guest:guest@127.0.0.1:5672/boxoffice".to_owned(),
            vhost: None,
            management_url: None,
            prometheus_url: String::new(),
            connection_name: "boxoffice".to_owned(),
            connect_timeout_ms: 5_000,
            heartbeat_secs: 10,
            confirm_timeout_ms: 10_000,
            intake_confirm_timeout_ms: 2_000,
            intake_channels: 4,
            submits_max: topology::RESERVATIONS_SUBMIT.length_max.unwrap_or(u32::MAX),
            retry_delays_ms: RetryTier::ALL.map(|tier| millis(tier.delay())),
        }
    }
}

impl BrokerConfig {
    /// # Errors
    /// Which value can't be.
    pub fn validate(&self) -> Result<(), String> {
        if self.submits_max == 0 {
            return Err("amqp.submits_max: at least 1; nobody could book".to_owned());
        }
        Ok(())
    }

    /// The exporter of each node.
    #[must_use]
    pub fn exporters(&self) -> Vec<String> {
        let urls = self.prometheus_url.split(',').map(str::trim);
        urls.filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Name of the virtual host that the URL or the setting names.
    #[must_use]
    pub fn vhost_name(&self) -> String {
        match (&self.vhost, self.url.parse::<lapin::uri::AMQPUri>()) {
            (Some(vhost), _) => vhost.clone(),
            (None, Ok(uri)) => uri.vhost,
            (None, Err(_)) => "/".to_owned(),
        }
    }

    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    #[must_use]
    pub fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.confirm_timeout_ms)
    }

    #[must_use]
    pub fn intake_confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.intake_confirm_timeout_ms)
    }

    /// How long a message waits in a tier.
    #[must_use]
    pub fn retry_delay(&self, tier: RetryTier) -> Duration {
        let at = RetryTier::ALL.iter().position(|t| *t == tier).unwrap_or(0);
        Duration::from_millis(self.retry_delays_ms[at])
    }
}

/// The password stays out of logs.
impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig")
            .field("url", &redacted(&self.url))
            .field("vhost", &self.vhost)
            .finish_non_exhaustive()
    }
}

/// The SQL database.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `mysql://user:password@host:port/database`.
    pub url: String,
    /// Few: eight do all that 64 do, with a sixth of the latency at the 99th percentile.
    pub connections_max: u32,
    /// How long a statement waits for a free connection before the database counts as down.
    pub acquire_timeout_ms: u64,
    /// A connection is replaced at this age, so that a failover is noticed by all of them.
    pub lifetime_secs: u64,
    /// How long a statement waits for a row lock; the server's own 50 s would outlast every deadline.
    pub lock_wait_secs: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: "mysql://boxoffice:boxoffice@127.0.0.1:3306/boxoffice".to_owned(),
            connections_max: 8,
            acquire_timeout_ms: 3_000,
            lifetime_secs: 600,
            lock_wait_secs: 5,
        }
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("url", &redacted(&self.url))
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

/// A URL without its password.
#[must_use]
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "(not a URL)".to_owned();
    };
    match rest.rsplit_once('@') {
        None => url.to_owned(),
        Some((userinfo, place)) => {
            let user = userinfo.split_once(':').map_or(userinfo, |(user, _)| user);
            format!("{scheme}://{user}:***@{place}")
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_house_that_nobody_can_book_is_refused() {
        let mut config = BrokerConfig::default();
        assert_eq!(config.validate(), Ok(()));
        config.submits_max = 0;
        let refused = config.validate().unwrap_err();
        assert!(refused.starts_with("amqp.submits_max"), "{refused}");
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = BrokerConfig {
            url: "amqp://me:s3cr@t@h:1/v".to_owned(),
            ..BrokerConfig::default()
        };
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("s3cr") && shown.contains("me:***@h:1/v"),
            "{shown}"
        );
        assert_eq!(redacted("mysql://h/db"), "mysql://h/db");
    }
}
