//! Passwords and keys of one stack: random, kept as long as its data, readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Hexadecimal, so that it needs no quoting in URLs, SQL or configuration files.
const RANDOM_BYTES: usize = 16;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) mysql_root: String,
    pub(crate) mysql: String,
    pub(crate) amqp: String,
    pub(crate) erlang_cookie: String,
    pub(crate) stripe_key: String,
    pub(crate) stripe_webhook: String,
    /// Of the broker's user in the partners' vhost. Stacks of before have none in their file.
    #[serde(default)]
    pub(crate) gate: String,
}

impl Secrets {
    pub(crate) fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut secrets: Self = serde_json::from_slice(&text).with_context(|| {
                format!(
                    "{} is damaged: `cargo xtask down --purge` starts afresh",
                    path.display()
                )
            })?;
            if secrets.gate.is_empty() {
                secrets.gate = random().context("cannot read /dev/urandom")?;
                write_private(path, &serde_json::to_string_pretty(&secrets)?)?;
            }
            return Ok(secrets);
        }
        let secrets = Self::random().context("cannot read /dev/urandom")?;
        write_private(path, &serde_json::to_string_pretty(&secrets)?)?;
        Ok(secrets)
    }

    fn random() -> io::Result<Self> {
        Ok(Self {
            mysql_root: random()?,
            mysql: random()?,
            amqp: random()?,
            erlang_cookie: random()?,
            stripe_key: format!("sk_test_{}", random()?),
            stripe_webhook: format!("whsec_{}", random()?),
            gate: random()?,
        })
    }
}

fn random() -> io::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Mode 0600 from the first byte, and never half a file.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_differ_stay_and_are_private() {
        let path = std::env::temp_dir().join(format!("xtask-secrets-{}.json", std::process::id()));
        let first = Secrets::load_or_create(&path).unwrap();
        assert_ne!(first.mysql, first.amqp);
        assert_eq!(Secrets::load_or_create(&path).unwrap().amqp, first.amqp);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::remove_file(path).unwrap();
    }
}
