//! Parts of a URL: ids in the path, options in the query.

use crate::Problem;
use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use boxoffice_contracts::{BookingId, Code};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use std::str::FromStr;

/// An id of the path. One that is none names nothing: 404.
pub(crate) struct Id<T>(pub T);

impl<T, S> FromRequestParts<S> for Id<T>
where
    T: FromStr + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(Code::NotFound);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_rejection| missing())?;
        text.parse().map(Self).map_err(|_error| missing())
    }
}

/// Options of the query. An unknown or malformed one is refused.
pub(crate) struct Options<T>(pub T);

impl<T, S> FromRequestParts<S> for Options<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(options) =
            Query::<T>::from_request_parts(parts, state)
                .await
                .map_err(|_rejection| {
                    Problem::because(
                        Code::ValidationFailed,
                        "A parameter of the query is unknown or malformed.",
                    )
                })?;
        Ok(Self(options))
    }
}

/// The address of a booking: its id, and the proof that the link carried.
pub(crate) struct BookingLink {
    pub id: BookingId,
    pub proof: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkOptions {
    #[serde(default, deserialize_with = "proof_text")]
    proof: Option<String>,
}

/// Longest proof; ours have some sixty characters.
pub(crate) const PROOF_LEN_MAX: usize = 200;

/// A proof by its form. It is repeated in links and headers, so nothing else may stand in it.
pub(crate) fn proof_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    let tame = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if (1..=PROOF_LEN_MAX).contains(&text.len()) && text.bytes().all(tame) {
        Ok(Some(text))
    } else {
        Err(D::Error::custom("not a proof of ours"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for BookingLink {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Id(id) = Id::from_request_parts(parts, state).await?;
        let Options(LinkOptions { proof }) = Options::from_request_parts(parts, state).await?;
        Ok(Self { id, proof })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::world;
    use serde_json::json;

    #[tokio::test]
    async fn what_no_header_can_repeat_is_no_proof() {
        let world = world();
        let id = uuid::Uuid::nil();
        let long = "x".repeat(201);
        for proof in ["", "a%0D%0Ab", "%C3%A9", "a%20b", long.as_str()] {
            let path = format!("/v1/bookings/{id}/payment?proof={proof}");
            let answer = world.post(&path, "k", &json!({})).await;
            assert_eq!(answer.code(), "validation_failed", "{proof:?}");
        }
        assert!(world.intake.sent.lock().unwrap().is_empty());
    }
}
