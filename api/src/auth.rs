//! Who asks: EdDSA bearer tokens, nothing else.

use crate::{
    Problem,
    config::{ConfigError, TokenConfig},
    token::{Claims, TOKEN_TYPE, kid_of, principal_makes_sense},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use boxoffice_contracts::{Code, Instant, Owner, Role, VenueId, metric};
use boxoffice_store::mysql::status::Reach;
use chrono::DateTime;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, get_current_timestamp};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, time::Duration};

/// Who a believed token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub owner: Owner,
    pub role: Role,
    pub venue: Option<VenueId>,
    /// Nothing is served on this token after that, open streams included.
    pub expires_at: Instant,
}

/// A principal that a route lets in, and whose bookings it reaches there. Only the door makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    pub reach: Reach,
}

/// Believes tokens that one of the known keys signed.
pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    /// Who was named by tokens that came before, by their hashes: a client sends the same one with every request, and
    /// its signature costs more than the rest of a short answer.
    believed: Cache<TokenHash, Principal>,
}

type TokenHash = [u8; 32];

/// Clocks of two machines differ; the library would allow a minute.
const LEEWAY_SECS: u64 = 5;
/// Ours have about 500 bytes.
const TOKEN_BYTES_MAX: usize = 4096;
/// Clients whose tokens are remembered: 5 MB.
const BELIEVED_MAX: u64 = 10_000;
const BELIEVED_FOR: Duration = Duration::from_secs(300);

impl Verifier {
    /// # Errors
    /// When a public key is none.
    pub fn new(config: &TokenConfig) -> Result<Self, ConfigError> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[&config.audience]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECS;

        let broken = |error: String| ConfigError::Setting("api.token.public_keys", error);
        let mut keys = HashMap::new();
        for pem in &config.public_keys {
            let kid = kid_of(pem).map_err(|e| broken(e.to_string()))?;
            let key =
                DecodingKey::from_ed_pem(pem.as_bytes()).map_err(|e| broken(e.to_string()))?;
            keys.insert(kid, key);
        }
        let believed = Cache::builder()
            .max_capacity(BELIEVED_MAX)
            .time_to_live(BELIEVED_FOR)
            .build();
        Ok(Self {
            keys,
            validation,
            believed,
        })
    }

    /// # Errors
    /// 401, without a hint why: the log knows.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Problem> {
        let refuse = |why: &'static str| {
            metrics::counter!(metric::AUTH_REFUSED_TOTAL, "reason" => why).increment(1);
            tracing::debug!(reason = why, "not authenticated");
            Problem::new(Code::Unauthenticated)
        };
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(refuse("no_credential"));
        };
        let (scheme, token) = line
            .to_str()
            .ok()
            .and_then(|line| line.split_once(' '))
            .ok_or_else(|| refuse("not_bearer"))?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refuse("not_bearer"));
        }
        self.verify(token.trim()).map_err(refuse)
    }

    /// # Errors
    /// A word for metrics.
    pub fn verify(&self, token: &str) -> Result<Principal, &'static str> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("too_long");
        }
        let hash: TokenHash = Sha256::digest(token).into();
        if let Some(principal) = self.believed(&hash, get_current_timestamp()) {
            return Ok(principal);
        }
        let principal = self.verify_anew(token)?;
        self.believed.insert(hash, principal.clone());
        Ok(principal)
    }

    /// Who the token was found to name, unless its time is over; at seconds since 1970.
    fn believed(&self, hash: &TokenHash, now: u64) -> Option<Principal> {
        let principal = self.believed.get(hash)?;
        let ends = u64::try_from(principal.expires_at.timestamp()).ok()?;
        (now <= ends + LEEWAY_SECS).then_some(principal)
    }

    fn verify_anew(&self, token: &str) -> Result<Principal, &'static str> {
        let header = jsonwebtoken::decode_header(token).map_err(|_e| "garbled")?;
        if header.alg != Algorithm::EdDSA {
            return Err("algorithm");
        }
        if !header
            .typ
            .is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE))
        {
            return Err("type");
        }
        // Keys come from the configuration; whatever key the token itself offers is not looked at.
        let kid = header.kid.ok_or("key")?;
        let key = self.keys.get(&kid).ok_or("key")?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|error| reason(error.kind()))?
            .claims;
        principal_makes_sense(&claims.sub, &claims.tenant, claims.role, claims.venue)
            .map_err(|_why| "principal")?;
        Ok(Principal {
            owner: Owner {
                tenant: claims.tenant,
                subject: claims.sub,
            },
            role: claims.role,
            venue: claims.venue,
            expires_at: DateTime::from_timestamp(claims.exp, 0).ok_or("claims")?,
        })
    }
}

fn reason(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => "signature",
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not_yet_valid",
        ErrorKind::InvalidAudience => "audience",
        ErrorKind::InvalidIssuer => "issuer",
        ErrorKind::MissingRequiredClaim(_) => "claim_missing",
        _ => "claims",
    }
}

/// Deny by default: a handler that asks for a caller on a route without roles never runs.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(Code::Unauthenticated))
    }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
