//! All settings in one struct, from defaults, a file and the environment; validated once, passed explicitly.

use crate::{keys, logging::LogSettings, otlp::TraceSettings};
use anyhow::{Context as _, Result, bail};
use boxoffice_api::{
    IntakeConfig,
    config::{ApiConfig, Secret},
};
use boxoffice_jobs::{
    alerts::{AlertsConfig, Recipients, Signer},
    gateway::GatewayConfig,
    invariants::InvariantsPolicy,
    mail::{MailConfig, SmtpConfig, SmtpTls, TicketLinks},
    partners::Door,
    payments::PaymentsPolicy,
    queue_watch::WatchConfig,
    retention::RetentionPolicy,
    tickets::TicketsConfig,
};
use boxoffice_runtime::config::{BrokerConfig, DatabaseConfig};
use boxoffice_saga::Policy;
use boxoffice_store::document_link::DocumentLinks;
use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// The defaults, which are also the manual: every key with its meaning and unit.
const DEFAULTS: &str = include_str!("defaults.toml");

/// Lists are separated by commas in the environment.
const LISTS: [&str; 6] = [
    "alerts.mail_to",
    "amqp.retry_delays_ms",
    "api.trusted_proxies",
    "api.token.public_keys",
    "api.webhook.secrets",
    "tickets.retired_keys",
];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) mysql: DatabaseConfig,
    pub(crate) amqp: BrokerConfig,
    pub(crate) partners: PartnerSettings,
    pub(crate) mongodb: MongoSettings,
    pub(crate) gateway: GatewayConfig,
    pub(crate) payments: PaymentsPolicy,
    pub(crate) smtp: SmtpSettings,
    pub(crate) alerts: AlertSettings,
    pub(crate) tickets: TicketSettings,
    pub(crate) saga: Policy,
    pub(crate) intake: IntakeConfig,
    pub(crate) retention: RetentionPolicy,
    pub(crate) invariants: InvariantsPolicy,
    pub(crate) api: ApiConfig,
    pub(crate) keys: KeySettings,
    pub(crate) log: LogSettings,
    pub(crate) trace: TraceSettings,
}

/// The partners' door; closed while the addresses are empty.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartnerSettings {
    pub(crate) amqp_url: String,
    pub(crate) management_url: String,
    pub(crate) check_secs: u32,
    pub(crate) backlog_max: u32,
    pub(crate) queues_max: u32,
}

impl PartnerSettings {
    /// The vhost that partners share; `None` while that door is closed.
    ///
    /// # Errors
    /// Which setting is wrong.
    pub(crate) fn door(&self) -> Result<Option<Door>> {
        let door = Door::new(&self.management_url, &self.amqp_url).map_err(anyhow::Error::msg)?;
        Ok(door.map(|door| Door {
            queues_max: self.queues_max as usize,
            ..door
        }))
    }

    pub(crate) fn check_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.check_secs.max(1)))
    }

    /// How to reach the partners' vhost, with the other settings of the house's own.
    pub(crate) fn broker(&self, house: &BrokerConfig) -> Option<BrokerConfig> {
        (!self.amqp_url.is_empty()).then(|| BrokerConfig {
            url: self.amqp_url.clone(),
            vhost: None,
            ..house.clone()
        })
    }
}

impl std::fmt::Debug for PartnerSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartnerSettings(..)")
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MongoSettings {
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) initiate_replica_set: bool,
}

impl std::fmt::Debug for MongoSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MongoSettings")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketSettings {
    pub(crate) seed: Secret,
    pub(crate) key_id: u8,
    pub(crate) retired_keys: Vec<String>,
    pub(crate) tax_basis_points: u32,
    pub(crate) terms: String,
    pub(crate) admission_before_mins: u32,
    pub(crate) admission_after_mins: u32,
}

impl TicketSettings {
    pub(crate) fn config(&self) -> TicketsConfig {
        TicketsConfig {
            terms: self.terms.clone(),
            admission_before_mins: self.admission_before_mins,
            admission_after_mins: self.admission_after_mins,
            tax_basis_points: self.tax_basis_points,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmtpSettings {
    pub(crate) url: Secret,
    pub(crate) timeout_ms: u64,
    pub(crate) mails_per_sec: u32,
    pub(crate) from: String,
    pub(crate) message_id_domain: String,
}

impl SmtpSettings {
    /// # Errors
    /// When the URL isn't `smtp://`, `smtps://` or `smtp+plain://` with a host.
    pub(crate) fn mail_config(&self, api: &ApiConfig) -> Result<MailConfig> {
        let url = Url::parse(self.url.expose()).context("smtp.url")?;
        let (tls, port) = match url.scheme() {
            "smtp" => (SmtpTls::StartTls, 587),
            "smtps" => (SmtpTls::Implicit, 465),
            "smtp+plain" => (SmtpTls::None, 25),
            _ => bail!("smtp.url: begins with smtp:// (STARTTLS), smtps:// or smtp+plain://"),
        };
        let host = url.host_str().context("smtp.url: no host in it")?;
        let mut smtp = SmtpConfig::new(host, url.port().unwrap_or(port), tls);
        smtp.timeout = Duration::from_millis(self.timeout_ms);
        smtp.gap = match self.mails_per_sec {
            0 => Duration::ZERO,
            mails => Duration::from_secs(1) / mails,
        };
        if !url.username().is_empty() {
            smtp.login = Some((
                url.username().to_owned(),
                url.password().unwrap_or_default().to_owned(),
            ));
        }
        let secret = api.status_link_secret.expose();
        Ok(MailConfig {
            smtp,
            from: self.from.clone(),
            message_id_domain: self.message_id_domain.clone(),
            links_base_url: api.public_url.to_string(),
            ticket_links: (!secret.is_empty()).then(|| TicketLinks {
                links: DocumentLinks::new(secret),
                ttl: Duration::from_secs(api.document_link_ttl_secs.into()),
            }),
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertSettings {
    pub(crate) mail_to: Vec<String>,
    pub(crate) webhook_url: String,
    pub(crate) webhook_secret: Secret,
}

impl AlertSettings {
    pub(crate) fn recipients(&self) -> Recipients {
        Recipients {
            mail_to: self.mail_to.clone(),
            webhook_url: (!self.webhook_url.is_empty()).then(|| self.webhook_url.clone()),
        }
    }

    /// Alerts leave by the same server as mails to customers.
    ///
    /// # Errors
    /// When the secret has another form.
    pub(crate) fn config(&self, mail: &MailConfig) -> Result<AlertsConfig> {
        let secret = self.webhook_secret.expose();
        let signer = (!secret.is_empty()).then(|| Signer::new(secret));
        Ok(AlertsConfig {
            smtp: mail.smtp.clone(),
            from: mail.from.clone(),
            message_id_domain: mail.message_id_domain.clone(),
            signer: signer.transpose().map_err(anyhow::Error::msg)?,
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySettings {
    /// Folder with the files of `boxoffice keys`; empty for none.
    pub(crate) folder: PathBuf,
}

impl KeySettings {
    pub(crate) fn folder(&self) -> Option<&PathBuf> {
        Some(&self.folder).filter(|folder| !folder.as_os_str().is_empty())
    }
}

impl Settings {
    /// # Errors
    /// A line that names the setting: unknown, of the wrong type, or missing.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let config = layers(file)?;
        let mut settings: Self = config.try_deserialize().context("configuration")?;
        settings.amqp.validate().map_err(anyhow::Error::msg)?;
        settings.intake.validate().map_err(anyhow::Error::msg)?;
        settings.retention.validate().map_err(anyhow::Error::msg)?;
        settings.invariants.validate().map_err(anyhow::Error::msg)?;
        settings.fill_from_keys()?;
        Ok(settings)
    }

    /// Where the broker tells of its queues.
    pub(crate) fn watch(&self) -> WatchConfig {
        WatchConfig {
            exporters: self.amqp.exporters(),
            vhost: self.amqp.vhost_name(),
        }
    }

    fn fill_from_keys(&mut self) -> Result<()> {
        let folder = self.keys.folder().cloned();
        if self.api.token.public_keys.is_empty()
            && let Some(key) = keys::read(folder.as_ref(), keys::TOKEN_PUBLIC)?
        {
            self.api.token.public_keys.push(key.expose().to_owned());
        }
        if self.api.status_link_secret.expose().is_empty()
            && let Some(secret) = keys::read(folder.as_ref(), keys::STATUS_LINK)?
        {
            self.api.status_link_secret = secret;
        }
        if self.tickets.seed.expose().is_empty()
            && let Some(seed) = keys::read(folder.as_ref(), keys::TICKET_SEED)?
        {
            self.tickets.seed = seed;
        }
        Ok(())
    }
}

fn layers(file: Option<&Path>) -> Result<Config> {
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        if !path.exists() {
            bail!("configuration: {} does not exist", path.display());
        }
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let mut environment = Environment::with_prefix("BOXOFFICE")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",");
    for list in LISTS {
        environment = environment.with_list_parse_key(list);
    }
    builder
        .add_source(environment)
        .build()
        .context("configuration")
}

/// One setting as an operator sees it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) origin: String,
}

/// Every effective setting with where it came from; secrets are redacted.
///
/// # Errors
/// When a source can't be read.
pub(crate) fn effective(file: Option<&Path>) -> Result<Vec<Line>> {
    let all = layers(file)?.cache;
    let mut lines = Vec::new();
    flatten(String::new(), &all, &mut lines);
    lines.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(lines)
}

fn flatten(key: String, value: &config::Value, lines: &mut Vec<Line>) {
    if let config::ValueKind::Table(table) = &value.kind {
        for (name, inner) in table {
            let path = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}.{name}")
            };
            flatten(path, inner, lines);
        }
        return;
    }
    let text = match &value.kind {
        config::ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        _ => value.to_string(),
    };
    let origin = match value.origin() {
        Some(origin) => origin.to_owned(),
        None => "default".to_owned(),
    };
    lines.push(Line {
        value: shown(&key, &text),
        key,
        origin,
    });
}

/// A value without its secret part.
fn shown(key: &str, value: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let secret = [
        "secret",
        "secrets",
        "password",
        "authorization",
        "seed",
        "_key",
    ]
    .iter()
    .any(|word| last.ends_with(word));
    if secret {
        return if value.is_empty() || value == "[]" {
            String::new()
        } else {
            "***".to_owned()
        };
    }
    if value.contains("://") {
        boxoffice_runtime::config::redacted(value)
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_nothing_in_them_is_unknown() {
        let settings = Settings::load(None).unwrap();
        assert_eq!(
            settings.saga,
            Policy::default(),
            "the manual and the code agree"
        );
        assert!(
            settings.api.status_link_secret.expose().is_empty(),
            "no default secret"
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        let path = std::env::temp_dir().join(format!("boxoffice-{}.toml", uuid::Uuid::new_v4()));
        std::fs::write(&path, "[mysql]\nconections_max = 3\n").unwrap();
        let error = format!("{:#}", Settings::load(Some(&path)).unwrap_err());
        assert!(error.contains("conections_max"), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("gateway.secret_key", "sk_live_1"), "***");
        assert_eq!(shown("mysql.url", "mysql://u:p@h/d"), "mysql://u:***@h/d");
        assert_eq!(shown("api.status_link_secret", "x"), "***");
        assert_eq!(shown("trace.otlp_authorization", "Bearer x"), "***");
        assert_eq!(shown("tickets.key_id", "3"), "3");
        assert_eq!(shown("saga.attempts_max", "3"), "3");
    }
}
