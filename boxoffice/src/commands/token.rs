use super::say;
use crate::{keys, settings::Settings};
use anyhow::{Context as _, Result, bail};
use boxoffice_api::{
    config::Secret,
    token::{Grant, TokenIssuer},
};
use boxoffice_contracts::{Role, VenueId, principal::TENANT_HOUSE};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Issue a bearer token, until there are accounts.
///
/// `boxoffice token --subject ada --role customer --ttl 1h`
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Who the token is for.
    #[arg(long)]
    subject: String,
    /// customer, cashier, manager, support, viewer, operator, partner or admin.
    #[arg(long)]
    role: Role,
    /// The partner's id; only partners have one of their own.
    #[arg(long, default_value = TENANT_HOUSE)]
    tenant: String,
    /// Slug of the venue that a manager manages.
    #[arg(long)]
    venue: Option<String>,
    /// Such as 15m, 1h or 7d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Duration,
    /// So many tokens, one per line, for subjects SUBJECT-1, SUBJECT-2 …
    #[arg(long)]
    count: Option<u32>,
    /// The private key; else token-private.pem of keys.folder.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments, settings: &Settings) -> Result<ExitCode> {
    let key = match &arguments.key {
        Some(path) => {
            Secret::new(std::fs::read_to_string(path).with_context(|| path.display().to_string())?)
        }
        None => match keys::read(settings.keys.folder(), keys::TOKEN_PRIVATE)? {
            Some(key) => key,
            None => bail!(
                "no private key: name one with --key, or make one with `boxoffice keys DIR` and set keys.folder"
            ),
        },
    };
    let issuer = TokenIssuer::new(&key, &settings.api.token)?;
    let now = boxoffice_runtime::clock::now();
    let grant = |subject: String| Grant {
        subject,
        tenant: arguments.tenant.clone(),
        role: arguments.role,
        venue: arguments.venue.as_deref().map(VenueId::from_slug),
        ttl: arguments.ttl,
    };
    match arguments.count {
        None => say(&issuer.issue(&grant(arguments.subject.clone()), now)?),
        Some(count) => {
            for number in 1..=count {
                say(&issuer.issue(&grant(format!("{}-{number}", arguments.subject)), now)?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A number with the unit s, m, h or d.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_secs = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let secs = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_secs));
    match secs {
        Some(secs) if secs > 0 => Ok(Duration::from_secs(secs)),
        Some(_) | None => Err("a number with a unit, such as 15m, 1h or 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        for bad in ["", "5", "h", "0h", "1w", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
