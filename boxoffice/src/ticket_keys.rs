//! The keys of ticket codes: ours, and those that were ours in former seasons.

use crate::{keys, settings::TicketSettings};
use anyhow::{Context as _, Result, bail};
use boxoffice_api::ticket_keys::TicketKey;
use boxoffice_documents::{TicketKeys, TicketSigner};

/// The public halves, the signing one first. Empty when nothing is configured: such a process signs nothing.
///
/// # Errors
/// Which setting is wrong.
pub(crate) fn of(settings: &TicketSettings) -> Result<Vec<TicketKey>> {
    let mut found = Vec::new();
    if !settings.seed.expose().is_empty() {
        let seed = keys::seed(settings.seed.expose())?;
        found.push(TicketKey {
            kid: settings.key_id,
            public_key: TicketSigner::from_seed(settings.key_id, seed).public_key(),
            signs: true,
        });
    }
    for text in &settings.retired_keys {
        let key = parse(text).with_context(|| format!("tickets.retired_keys: {text:?}"))?;
        if found.iter().any(|known| known.kid == key.kid) {
            bail!(
                "tickets.retired_keys: {} is the number of two keys; codes name their key by it",
                key.kid
            );
        }
        found.push(key);
    }
    // A key that is none is found here, not at the gate.
    set(&found)?;
    Ok(found)
}

/// As the verifier takes them.
pub(crate) fn set(keys: &[TicketKey]) -> Result<TicketKeys> {
    let mut set = TicketKeys::new();
    for key in keys {
        set.insert(key.kid, key.public_key)
            .with_context(|| format!("ticket key {}", key.kid))?;
    }
    Ok(set)
}

/// `1:64 hex digits`, as [`text`] writes it.
fn parse(text: &str) -> Result<TicketKey> {
    let (kid, hex) = text
        .split_once(':')
        .context("expected ID:64 hex digits, as `boxoffice ticket keys` prints")?;
    Ok(TicketKey {
        kid: kid.trim().parse().context("an ID is from 0 to 255")?,
        public_key: keys::unhex(hex.trim()).context("expected 64 hex digits")?,
        signs: false,
    })
}

/// The key as a line of `tickets.retired_keys`.
pub(crate) fn text(key: &TicketKey) -> String {
    format!("{}:{}", key.kid, keys::hex(&key.public_key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_api::config::Secret;

    fn settings(key_id: u8, seed: u8, retired_keys: Vec<String>) -> TicketSettings {
        TicketSettings {
            seed: Secret::new(keys::hex(&[seed; 32])),
            key_id,
            retired_keys,
            tax_basis_points: 0,
            terms: String::new(),
            admission_before_mins: 1,
            admission_after_mins: 1,
        }
    }

    #[test]
    fn what_was_printed_before_a_rotation_is_a_retired_key_after_it() {
        let before = of(&settings(1, 7, Vec::new())).unwrap();
        let after = of(&settings(2, 8, vec![text(&before[0])])).unwrap();
        assert_eq!(after.len(), 2);
        assert_eq!((after[0].kid, after[0].signs), (2, true));
        assert_eq!((after[1].kid, after[1].signs), (1, false));
        assert_eq!(after[1].public_key, before[0].public_key);
    }

    #[test]
    fn a_broken_or_repeated_key_is_named() {
        let refused = |retired: &str| {
            let refused = of(&settings(1, 7, vec![retired.to_owned()])).unwrap_err();
            format!("{refused:#}")
        };
        let good = text(&of(&settings(1, 9, Vec::new())).unwrap()[0]);
        assert!(
            refused(&good).contains("two keys"),
            "the number of the signing one"
        );
        for broken in ["", "2", "2:12", "300:00", &format!("2:{}", "0".repeat(64))] {
            assert!(
                refused(broken).contains("key"),
                "{broken}: {}",
                refused(broken)
            );
        }
    }
}
