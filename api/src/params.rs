//! Parts of a URL: ids in the path, options in the query.

use crate::Problem;
use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use boxoffice_contracts::{BookingId, Code};
use serde::{Deserialize, de::DeserializeOwned};
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
    proof: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for BookingLink {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Id(id) = Id::from_request_parts(parts, state).await?;
        let Options(LinkOptions { proof }) = Options::from_request_parts(parts, state).await?;
        Ok(Self { id, proof })
    }
}
