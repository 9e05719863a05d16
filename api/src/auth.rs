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
use boxoffice_contracts::{Code, Instant, Owner, Role, VenueId};
use boxoffice_store::mysql::status::Reach;
use chrono::DateTime;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use std::collections::HashMap;

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
}

/// Clocks of two machines differ; the library would allow a minute.
const LEEWAY_SECS: u64 = 5;
/// Ours have about 500 bytes.
const TOKEN_BYTES_MAX: usize = 4096;

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
            let key = DecodingKey::from_ed_pem(pem.as_bytes()).map_err(|e| broken(e.to_string()))?;
            keys.insert(kid, key);
        }
        Ok(Self { keys, validation })
    }

    /// # Errors
    /// 401, without a hint why: the log knows.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Problem> {
        let refuse = |why: &'static str| {
            metrics::counter!("auth_refused_total", "reason" => why).increment(1);
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
        let header = jsonwebtoken::decode_header(token).map_err(|_e| "garbled")?;
        if header.alg != Algorithm::EdDSA {
            return Err("algorithm");
        }
        if !header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE)) {
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
mod tests {
    use super::*;
    use crate::{testing::wall_clock, token::{Grant, KeyPair, TokenIssuer, generate}};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};
    use std::time::Duration;

    struct World {
        pair: KeyPair,
        config: TokenConfig,
        verifier: Verifier,
        token: String,
    }

    fn world() -> World {
        let pair = generate().unwrap();
        let config = TokenConfig {
            public_keys: vec![pair.public_pem.clone()],
            ..TokenConfig::default()
        };
        let issuer = TokenIssuer::new(&pair.private_pem, &config).unwrap();
        let grant = Grant {
            subject: "ada".to_owned(),
            tenant: "house".to_owned(),
            role: Role::Customer,
            venue: None,
            ttl: Duration::from_secs(600),
        };
        let token = issuer.issue(&grant, wall_clock()).unwrap();
        let verifier = Verifier::new(&config).unwrap();
        World { pair, config, verifier, token }
    }

    impl World {
        fn claims(&self) -> Value {
            let middle = self.token.split('.').nth(1).unwrap();
            serde_json::from_slice(&B64.decode(middle).unwrap()).unwrap()
        }

        /// A token signed with our key but with other claims or another header.
        fn signed(&self, change: impl FnOnce(&mut Header, &mut Value)) -> String {
            let mut header = jsonwebtoken::decode_header(&self.token).unwrap();
            let mut claims = self.claims();
            change(&mut header, &mut claims);
            let key = EncodingKey::from_ed_pem(self.pair.private_pem.expose().as_bytes()).unwrap();
            jsonwebtoken::encode(&header, &claims, &key).unwrap()
        }

        fn refused(&self, token: &str) -> &'static str {
            self.verifier.verify(token).unwrap_err()
        }
    }

    #[test]
    fn a_token_of_ours_names_its_principal() {
        let world = world();
        let principal = world.verifier.verify(&world.token).unwrap();
        assert_eq!(principal.owner.subject, "ada");
        assert_eq!(principal.owner.tenant, "house");
        assert_eq!(principal.role, Role::Customer);
    }

    #[test]
    fn tokens_without_our_signature_are_refused() {
        let world = world();
        let mut parts: Vec<&str> = world.token.split('.').collect();
        let none = B64.encode(json!({"alg": "none", "typ": TOKEN_TYPE, "kid": world.pair.kid}).to_string());
        parts[0] = &none;
        assert_eq!(world.refused(&parts.join(".")), "garbled");
        parts[2] = "";
        assert_eq!(world.refused(&parts.join(".")), "garbled");

        // The public key is no secret: it must not verify as one.
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(world.pair.kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let secret = EncodingKey::from_secret(world.pair.public_pem.as_bytes());
        let forged = jsonwebtoken::encode(&header, &world.claims(), &secret).unwrap();
        assert_eq!(world.refused(&forged), "algorithm");

        let foreign = TokenIssuer::new(&generate().unwrap().private_pem, &world.config).unwrap();
        let grant = Grant {
            subject: "ada".to_owned(),
            tenant: "house".to_owned(),
            role: Role::Admin,
            venue: None,
            ttl: Duration::from_secs(60),
        };
        assert_eq!(world.refused(&foreign.issue(&grant, wall_clock()).unwrap()), "key");
    }

    #[test]
    fn a_foreign_key_under_our_name_or_inside_the_header_is_refused() {
        let world = world();
        let foreign = generate().unwrap();
        let key = EncodingKey::from_ed_pem(foreign.private_pem.expose().as_bytes()).unwrap();
        let mut header = jsonwebtoken::decode_header(&world.token).unwrap();
        let swapped = jsonwebtoken::encode(&header, &world.claims(), &key).unwrap();
        assert_eq!(world.refused(&swapped), "signature");
        header.jku = Some("https://evil.example/keys".to_owned());
        let lured = jsonwebtoken::encode(&header, &world.claims(), &key).unwrap();
        assert_eq!(world.refused(&lured), "signature");
        let no_kid = world.signed(|header, _| header.kid = None);
        assert_eq!(world.refused(&no_kid), "key");
    }

    #[test]
    fn every_flipped_bit_of_a_token_is_noticed() {
        let world = world();
        let bytes = world.token.as_bytes();
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            let Ok(text) = String::from_utf8(changed) else { continue };
            // The last character of a part has bits that mean nothing; the library refuses those too.
            assert!(world.verifier.verify(&text).is_err(), "at {at}");
        }
    }

    #[test]
    fn tokens_for_another_time_place_or_use_are_refused() {
        let world = world();
        let now = wall_clock().timestamp();
        let with = |name: &'static str, value: Value| {
            world.refused(&world.signed(|_, claims| claims[name] = value))
        };
        assert_eq!(with("exp", json!(now - 6)), "expired");
        assert_eq!(with("nbf", json!(now + 60)), "not_yet_valid");
        assert_eq!(with("aud", json!("another")), "audience");
        assert_eq!(with("iss", json!("another")), "issuer");
        assert_eq!(with("role", json!("root")), "claims");
        assert_eq!(with("tenant", json!("acme")), "principal");
        for claim in ["exp", "nbf", "aud", "iss", "sub"] {
            let without = world.signed(|_, claims| {
                claims.as_object_mut().unwrap().remove(claim);
            });
            assert!(world.verifier.verify(&without).is_err(), "{claim}");
        }
        let refresh = world.signed(|header, _| header.typ = Some("rt+jwt".to_owned()));
        assert_eq!(world.refused(&refresh), "type");
        assert!(world.verifier.verify(&world.signed(|_, claims| claims["exp"] = json!(now - 3))).is_ok());
    }

    #[test]
    fn one_bearer_line_and_no_other_scheme() {
        let world = world();
        let ask = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::AUTHORIZATION, line.parse().unwrap());
            }
            world.verifier.authenticate(&headers).is_ok()
        };
        let good = format!("Bearer {}", world.token);
        assert!(ask(&[&good]));
        assert!(ask(&[&good.replace("Bearer", "bearer")]));
        assert!(!ask(&[]));
        assert!(!ask(&[&good, &good]));
        assert!(!ask(&[&world.token]));
        assert!(!ask(&[&good.replace("Bearer", "Basic")]));
    }
}
