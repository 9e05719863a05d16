//! The public keys of ticket codes: a gate that has them checks tickets without asking anybody.

use crate::{AppState, bookings::put};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::Serialize;

/// One key; the secret half is with the tickets worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketKey {
    /// As it stands in the codes that the key signed.
    pub kid: u8,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Whether new codes are signed with it; the codes of a retired one stay good.
    pub signs: bool,
}

/// A JWK set (RFC 7517), its keys as of RFC 8037.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeySet {
    pub keys: Vec<Jwk>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Jwk {
    pub kty: &'static str,
    pub crv: &'static str,
    #[serde(rename = "use")]
    pub used_for: &'static str,
    pub alg: &'static str,
    pub kid: String,
    pub x: String,
    /// `signing` or `retired`; ours, beside the standard's members.
    pub status: &'static str,
}

impl KeySet {
    #[must_use]
    pub fn of(keys: &[TicketKey]) -> Self {
        let jwk = |key: &TicketKey| Jwk {
            kty: "OKP",
            crv: "Ed25519",
            used_for: "sig",
            alg: "EdDSA",
            kid: key.kid.to_string(),
            x: BASE64_URL_SAFE_NO_PAD.encode(key.public_key),
            status: if key.signs { "signing" } else { "retired" },
        };
        Self {
            keys: keys.iter().map(jwk).collect(),
        }
    }
}

/// The member `x` of a key as bytes.
#[must_use]
pub fn decode(x: &str) -> Option<[u8; 32]> {
    BASE64_URL_SAFE_NO_PAD.decode(x).ok()?.try_into().ok()
}

/// How long a gate may go on without asking again. Longer than nothing, shorter than a rotation takes.
const CACHE: &str = "public, max-age=3600";

/// `GET /v1/keys`
pub(crate) async fn list(State(state): State<AppState>) -> Response {
    let mut response = Json(KeySet::of(&state.config.ticket_keys)).into_response();
    put(&mut response, header::CACHE_CONTROL, CACHE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world_with;
    use axum::{body::Body, http::Request};

    #[tokio::test]
    async fn the_keys_of_tickets_are_public_and_say_which_one_signs() {
        let key = |kid, signs| TicketKey {
            kid,
            public_key: [kid; 32],
            signs,
        };
        let world = world_with(|config| config.ticket_keys = vec![key(1, false), key(2, true)]);
        let answer = world
            .ask(Request::get("/v1/keys").body(Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.headers["cache-control"], CACHE);
        let keys = answer.body["keys"].as_array().unwrap();
        let told: Vec<_> = keys
            .iter()
            .map(|key| {
                (
                    key["kid"].as_str().unwrap(),
                    key["status"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(told, [("1", "retired"), ("2", "signing")]);
        assert_eq!(keys[1]["x"], BASE64_URL_SAFE_NO_PAD.encode([2; 32]));
        assert_eq!(keys[1]["crv"], "Ed25519");
    }
}
