//! What partners and we say to each other over AMQP: `CloudEvents` in structured mode, in the vhost `partners`.
//!
//! Partner and sender are proved by the broker (exchange and `user-id`), never by the body.

pub mod broker;
pub mod event;
pub mod reply;

use std::{fmt, str::FromStr};

/// Name of a partner: also its tenant, and part of the names of its exchanges and queues.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PartnerId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a partner's id has 3 to 32 lower-case letters, digits and hyphens, and is not `house`")]
pub struct PartnerIdError;

impl PartnerId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PartnerId {
    type Err = PartnerIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shaped = (3..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if shaped && text != crate::principal::TENANT_HOUSE {
            Ok(Self(text.to_owned()))
        } else {
            Err(PartnerIdError)
        }
    }
}

impl fmt::Display for PartnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_be_part_of_every_name() {
        for good in ["acme", "a-1", "0x0", &"x".repeat(32)] {
            assert_eq!(good.parse::<PartnerId>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ab",
            "Acme",
            "a.b",
            "a_b",
            "-ab",
            "ab-",
            "house",
            "a*b",
            "é-e",
            &"x".repeat(33),
        ] {
            assert!(bad.parse::<PartnerId>().is_err(), "{bad:?}");
        }
    }
}
