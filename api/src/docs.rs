//! `/docs`: the description of the API as a page. Everything that it loads is in this program.

use crate::{
    AppState, Problem,
    bookings::{none_match, put},
};
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::Code;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, sync::Arc};
use utoipa_swagger_ui::Config;

/// What the page may load: scripts and data from here, nothing from elsewhere. The viewer sets styles inline.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";

const PAGE: &str = include_str!("docs/page.html");
/// Starts the viewer, without the badge that would ask a server on the internet.
const START: &str = include_str!("docs/start.js");

/// Parts of the viewer that the page needs.
const FILES: [&str; 3] = [
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "favicon-32x32.png",
];

/// Files change with the program only, and browsers ask again by the tag.
const CACHE: &str = "public, max-age=300";

/// `GET /docs`.
pub(crate) async fn page(State(_): State<AppState>) -> Response {
    let mut response = PAGE.into_response();
    put(
        &mut response,
        header::CONTENT_TYPE,
        "text/html; charset=utf-8",
    );
    put(&mut response, header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    put(&mut response, header::CACHE_CONTROL, CACHE);
    response
}

/// `GET /docs/{file}`.
pub(crate) async fn file(
    State(_): State<AppState>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::new(Code::NotFound);
    let Path(name) = name.map_err(|_rejection| missing())?;
    let (bytes, kind) = if name == "start.js" {
        (
            Cow::Borrowed(START.as_bytes()),
            "text/javascript".to_owned(),
        )
    } else if FILES.contains(&name.as_str()) {
        let file = utoipa_swagger_ui::serve(&name, Arc::new(Config::from("openapi.json")));
        let file = file.ok().flatten().ok_or_else(missing)?;
        (file.bytes, file.content_type)
    } else {
        return Err(missing());
    };
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..8]));
    let mut response = if none_match(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = bytes.into_owned().into_response();
        put(&mut response, header::CONTENT_TYPE, &kind);
        response
    };
    put(&mut response, header::ETAG, &tag);
    put(&mut response, header::CACHE_CONTROL, CACHE);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};

    #[tokio::test]
    async fn all_that_the_page_loads_is_served_here_and_nothing_else() {
        let world = world();
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            world.ask(request).await
        };
        let page = ask("/docs").await;
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["content-security-policy"], PAGE_POLICY);

        let attributes = PAGE.split(['"']).skip(1).step_by(2);
        let loaded: Vec<&str> = attributes
            .filter(|text| text.starts_with("docs/"))
            .collect();
        assert_eq!(loaded.len(), 4, "{loaded:?}");
        for path in &loaded {
            let file = ask(&format!("/{path}")).await;
            assert_eq!(file.status, 200, "{path}");
            assert!(!file.headers["content-type"].is_empty());
        }
        for text in [PAGE, START] {
            assert!(!text.contains("//"), "loads from elsewhere: {text}");
        }
        for path in [
            "/docs/index.html",
            "/docs/..%2Fopenapi.rs",
            "/docs/%ff",
            "/docs/",
        ] {
            assert_eq!(ask(path).await.code(), "not_found", "{path}");
        }
    }
}
