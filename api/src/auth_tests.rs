use super::*;
use crate::{
    testing::wall_clock,
    token::{Grant, KeyPair, TokenIssuer, generate},
};
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
    World {
        pair,
        config,
        verifier,
        token,
    }
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
    let none =
        B64.encode(json!({"alg": "none", "typ": TOKEN_TYPE, "kid": world.pair.kid}).to_string());
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
    assert_eq!(
        world.refused(&foreign.issue(&grant, wall_clock()).unwrap()),
        "key"
    );
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
    // The right one is believed already.
    world.verifier.verify(&world.token).unwrap();
    let bytes = world.token.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        // The last character of a part has bits that mean nothing; the library refuses those too.
        if let Ok(text) = String::from_utf8(changed) {
            assert!(world.verifier.verify(&text).is_err(), "bit {bit}");
        }
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
    assert!(
        world
            .verifier
            .verify(&world.signed(|_, claims| claims["exp"] = json!(now - 3)))
            .is_ok()
    );
}

#[test]
fn a_token_that_was_believed_is_believed_until_its_time_is_over() {
    let world = world();
    let hash: TokenHash = Sha256::digest(&world.token).into();
    let ends = world.claims()["exp"].as_u64().unwrap();
    assert_eq!(world.verifier.believed(&hash, 0), None);
    let principal = world.verifier.verify(&world.token).unwrap();
    let believed = |now| world.verifier.believed(&hash, now);
    assert_eq!(believed(ends + LEEWAY_SECS), Some(principal.clone()));
    assert_eq!(believed(ends + LEEWAY_SECS + 1), None);
    assert_eq!(world.verifier.verify(&world.token), Ok(principal));
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
