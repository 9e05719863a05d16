//! Issues bearer tokens: `boxoffice token` until accounts exist, and the tests.

use crate::config::{Secret, TokenConfig};
use boxoffice_contracts::{Instant, Role, VenueId, principal::TENANT_HOUSE};
use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey,
        spki::der::pem::LineEnding,
    },
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// `typ` of an access token (RFC 9068): a token of another kind is never taken for one.
pub const TOKEN_TYPE: &str = "at+jwt";

/// Longest life that a token is given.
pub const TTL_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub tenant: String,
    pub role: Role,
    /// The venue that the role is limited to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<VenueId>,
    pub jti: String,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// Who gets a token, and for what.
#[derive(Clone, Debug)]
pub struct Grant {
    pub subject: String,
    /// `house`, or the partner's id.
    pub tenant: String,
    pub role: Role,
    pub venue: Option<VenueId>,
    pub ttl: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("not an Ed25519 private key (PEM, PKCS #8)")]
    PrivateKey,
    #[error("not an Ed25519 public key (PEM, SPKI)")]
    PublicKey,
    #[error("{0}")]
    Grant(&'static str),
    #[error("the token can't be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// A new pair of keys, as PEM.
#[derive(Debug)]
pub struct KeyPair {
    pub private_pem: Secret,
    pub public_pem: String,
    /// What tokens name the key by.
    pub kid: String,
}

/// Signs tokens with one key.
pub struct TokenIssuer {
    key: EncodingKey,
    kid: String,
    issuer: String,
    audience: String,
}

/// Makes a key pair.
///
/// # Errors
/// When it can't be encoded.
pub fn generate() -> Result<KeyPair, TokenError> {
    let key = SigningKey::from_bytes(&rand::random());
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(drop_private)?;
    let public = key.verifying_key();
    Ok(KeyPair {
        private_pem: Secret::new(private.as_str()),
        public_pem: public
            .to_public_key_pem(LineEnding::LF)
            .map_err(drop_public)?,
        kid: fingerprint(&public),
    })
}

/// What tokens name a public key by: the beginning of its SHA-256.
///
/// # Errors
/// When the text is no public key.
pub fn kid_of(public_pem: &str) -> Result<String, TokenError> {
    VerifyingKey::from_public_key_pem(public_pem)
        .map(|key| fingerprint(&key))
        .map_err(drop_public)
}

impl TokenIssuer {
    /// # Errors
    /// When the text is no private key.
    pub fn new(private_pem: &Secret, config: &TokenConfig) -> Result<Self, TokenError> {
        let pem = private_pem.expose();
        let key = SigningKey::from_pkcs8_pem(pem).map_err(drop_private)?;
        Ok(Self {
            kid: fingerprint(&key.verifying_key()),
            key: EncodingKey::from_ed_pem(pem.as_bytes())?,
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
        })
    }

    /// # Errors
    /// When the grant makes no sense or signing fails.
    pub fn issue(&self, grant: &Grant, now: Instant) -> Result<String, TokenError> {
        check(grant)?;
        let now = now.timestamp();
        let ttl = i64::try_from(grant.ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: grant.subject.clone(),
            tenant: grant.tenant.clone(),
            role: grant.role,
            venue: grant.venue,
            jti: uuid::Uuid::new_v4().to_string(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(ttl),
        };
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}

fn check(grant: &Grant) -> Result<(), TokenError> {
    if grant.ttl.is_zero() || grant.ttl > TTL_MAX {
        return Err(TokenError::Grant("a token lives from 1 second to 30 days"));
    }
    principal_makes_sense(&grant.subject, &grant.tenant, grant.role, grant.venue)
        .map_err(TokenError::Grant)
}

/// The rules that hold for whoever a token names, checked when it is issued and when it comes back.
pub(crate) fn principal_makes_sense(
    subject: &str,
    tenant: &str,
    role: Role,
    venue: Option<VenueId>,
) -> Result<(), &'static str> {
    let visible = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if subject.is_empty() || subject.len() > 64 || !visible(subject) {
        return Err("a subject has 1 to 64 visible ASCII characters");
    }
    let partner_id = (3..=32).contains(&tenant.len())
        && tenant
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match role {
        Role::Partner if tenant == TENANT_HOUSE || !partner_id => {
            Err("a partner's tenant is its id: 3 to 32 of a-z, 0-9 and '-'")
        }
        Role::Manager if venue.is_none() => Err("a manager is the manager of a venue"),
        Role::Customer
        | Role::Cashier
        | Role::Manager
        | Role::Support
        | Role::Viewer
        | Role::Operator
        | Role::Admin
            if tenant != TENANT_HOUSE =>
        {
            Err("only partners have a tenant of their own")
        }
        Role::Customer
        | Role::Cashier
        | Role::Manager
        | Role::Support
        | Role::Viewer
        | Role::Operator
        | Role::Partner
        | Role::Admin => Ok(()),
    }
}

fn fingerprint(key: &VerifyingKey) -> String {
    hex::encode(&Sha256::digest(key.as_bytes())[..8])
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "for map_err; the error may quote the key"
)]
fn drop_private<E>(_error: E) -> TokenError {
    TokenError::PrivateKey
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "for map_err; the error says no more"
)]
fn drop_public<E>(_error: E) -> TokenError {
    TokenError::PublicKey
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_fits_itself_and_grants_without_sense_are_refused() {
        let pair = generate().unwrap();
        assert_eq!(kid_of(&pair.public_pem).unwrap(), pair.kid);
        assert!(!format!("{pair:?}").contains("PRIVATE"));
        assert!(TokenIssuer::new(&pair.private_pem, &TokenConfig::default()).is_ok());
        let ok = |tenant, role, venue| principal_makes_sense("ada", tenant, role, venue).is_ok();
        assert!(ok("house", Role::Customer, None));
        assert!(!ok("acme", Role::Customer, None));
        assert!(ok("acme", Role::Partner, None));
        assert!(!ok("house", Role::Partner, None));
        assert!(!ok("house", Role::Manager, None));
        assert!(ok(
            "house",
            Role::Manager,
            Some(VenueId::from_slug("astor"))
        ));
        assert!(principal_makes_sense("a b", "house", Role::Admin, None).is_err());
    }
}
