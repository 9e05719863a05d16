//! Which pages of other origins may call this service from a browser. None, unless the settings name them.
//!
//! Tokens travel in a header that a page must set itself, so no origin is allowed to send credentials.

use crate::{
    config::ConfigError,
    layers::REQUEST_ID,
    prefer::{PREFER, PREFERENCE_APPLIED},
};
use axum::http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

/// How long a browser may remember what is allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// What a page may send.
const REQUEST_HEADERS: [HeaderName; 8] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    PREFER,
    REQUEST_ID,
];

/// What a page may read beyond what browsers always show.
const ANSWER_HEADERS: [HeaderName; 9] = [
    header::CONTENT_DISPOSITION,
    header::CONTENT_LOCATION,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    PREFERENCE_APPLIED,
    REQUEST_ID,
];

/// The layer; none when no origin is named.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(ANSWER_HEADERS)
        .max_age(MAX_AGE);
    Some(layer)
}

/// An origin is scheme, host and port, as a browser writes it.
///
/// # Errors
/// When a text is something else.
pub(crate) fn check(origins: &[String]) -> Result<(), ConfigError> {
    let is_origin = |text: &str| {
        Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
        })
    };
    match origins.iter().find(|text| !is_origin(text)) {
        Some(text) => Err(ConfigError::Setting(
            "api.cors_origins",
            format!("{text:?} is no origin such as https://tickets.example"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, world, world_with};
    use axum::{body::Body, http::Request};

    const SHOP: &str = "https://tickets.example";

    async fn preflight(world: &World, origin: &str) -> crate::testing::Answer {
        let request = Request::options("/v1/bookings")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,idempotency-key",
            )
            .body(Body::empty());
        world.ask(request.unwrap()).await
    }

    #[tokio::test]
    async fn nobody_is_allowed_unless_named() {
        let answer = preflight(&world(), SHOP).await;
        assert_eq!(answer.status, 405);
        assert!(!answer.headers.contains_key("access-control-allow-origin"));

        let world = world_with(|config| config.cors_origins = vec![SHOP.to_owned()]);
        let answer = preflight(&world, SHOP).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        let allowed = answer.headers["access-control-allow-headers"]
            .to_str()
            .unwrap();
        assert!(allowed.contains("idempotency-key"), "{allowed}");

        let answer = preflight(&world, "https://evil.example").await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }

    #[tokio::test]
    async fn a_refusal_can_be_read_by_the_page_too() {
        let world = world_with(|config| config.cors_origins = vec![SHOP.to_owned()]);
        let request = Request::get("/nothing")
            .header("origin", SHOP)
            .body(Body::empty());
        let answer = world.ask(request.unwrap()).await;
        assert_eq!(answer.code(), "not_found");
        assert_eq!(answer.headers["access-control-allow-origin"], SHOP);
        let exposed = answer.headers["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains("retry-after"), "{exposed}");
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        assert!(check(&[SHOP.to_owned(), "http://localhost:5173".to_owned()]).is_ok());
        for bad in [
            "*",
            "tickets.example",
            "https://tickets.example/",
            "https://T.example",
            "null",
        ] {
            assert!(check(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
