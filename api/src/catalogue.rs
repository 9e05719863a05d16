//! `/problems`: the catalogue of codes, where the `type` of every problem leads. For programs and for people.

use crate::{AppState, Problem, bookings::put, openapi, problem::type_of};
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use boxoffice_contracts::Code;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{fmt::Write, sync::LazyLock};
use url::Url;

/// Every code.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Catalogue {
    pub codes: Vec<CodeEntry>,
}

/// What a code means.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CodeEntry {
    pub code: Code,
    /// The address of this entry, which problems name.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri"))]
    pub kind: String,
    pub title: &'static str,
    /// The HTTP status of a problem with this code.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Routes that answer with it. Without one it is an outcome: it stands in a booking, with status 200.
    pub routes: Vec<String>,
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
                     color:#1d2433;background:#fff}table{border-collapse:collapse;width:100%}\
                     th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #d5dbe6}\
                     code{font:.95em ui-monospace,monospace}a{color:#0b57a4}";

/// The style stands in the page; the policy names it by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// `GET /problems`.
pub(crate) async fn list(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let codes = Code::ALL
        .iter()
        .map(|code| CodeEntry::of(*code, &state.config.public_url, openapi::routes_of(*code)))
        .collect();
    let catalogue = Catalogue { codes };
    if prefers_html(&headers) {
        html("Codes", &catalogue.table())
    } else {
        json(&catalogue)
    }
}

/// `GET /problems/{code}`.
pub(crate) async fn read(
    State(state): State<AppState>,
    code: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = code.ok().and_then(|Path(text)| Code::from_text(&text));
    let code = code.ok_or_else(|| Problem::new(Code::NotFound))?;
    let entry = CodeEntry::of(code, &state.config.public_url, openapi::routes_of(code));
    Ok(if prefers_html(&headers) {
        html(code.as_str(), &entry.page())
    } else {
        json(&entry)
    })
}

impl CodeEntry {
    pub(crate) fn of(code: Code, public_url: &Url, routes: Vec<String>) -> Self {
        Self {
            code,
            kind: type_of(public_url, code),
            title: code.title(),
            status: code.http_status(),
            retryable: code.retryable(),
            routes,
        }
    }

    const fn again(&self) -> &'static str {
        if self.retryable { "yes" } else { "no" }
    }

    fn page(&self) -> String {
        let routes = if self.routes.is_empty() {
            "<p>It is an outcome: it stands in a booking or in one of its operations, which are read with \
             status 200.</p>"
                .to_owned()
        } else {
            let items: String = self
                .routes
                .iter()
                .map(|route| format!("<li><code>{route}</code></li>"))
                .collect();
            format!("<p>Answered by:</p><ul>{items}</ul>")
        };
        format!(
            "<h1><code>{}</code></h1><p>{}</p><table><tr><th>HTTP status</th><td>{}</td></tr>\
             <tr><th>Try again</th><td>{}</td></tr></table>{routes}<p><a href=\"../problems\">All codes</a></p>",
            self.code,
            text(self.title),
            self.status,
            self.again()
        )
    }
}

impl Catalogue {
    fn table(&self) -> String {
        let mut out = "<h1>Codes</h1><p>The same code stands in problems, in outcomes and in events.</p>\
                       <table><tr><th>Code</th><th>Meaning</th><th>HTTP status</th><th>Try again</th></tr>"
            .to_owned();
        for entry in &self.codes {
            let _ = write!(
                out,
                "<tr><td><a href=\"problems/{code}\"><code>{code}</code></a></td><td>{}</td><td>{}</td>\
                 <td>{}</td></tr>",
                text(entry.title),
                entry.status,
                entry.again(),
                code = entry.code,
            );
        }
        out + "</table>"
    }
}

/// Titles are ours, and quote fields with backticks.
fn text(title: &str) -> String {
    let escaped = title.replace('&', "&amp;").replace('<', "&lt;");
    let parts = escaped.split('`').enumerate().map(|(i, part)| match i % 2 {
        1 => format!("<code>{part}</code>"),
        _ => part.to_owned(),
    });
    parts.collect()
}

fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title} - Boxoffice</title>\
         <style>{STYLE}</style></head><body>{body}</body></html>"
    );
    let mut response = page.into_response();
    put(
        &mut response,
        header::CONTENT_TYPE,
        "text/html; charset=utf-8",
    );
    put(&mut response, header::CONTENT_SECURITY_POLICY, &POLICY);
    cached(response)
}

fn json(value: &impl Serialize) -> Response {
    cached(axum::Json(value).into_response())
}

fn cached(mut response: Response) -> Response {
    put(&mut response, header::CACHE_CONTROL, "public, max-age=300");
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// Browsers ask for HTML before anything else; programs ask for JSON or for whatever there is.
fn prefers_html(headers: &HeaderMap) -> bool {
    let (mut html, mut other) = (0.0_f32, 0.0_f32);
    let lines = headers.get_all(header::ACCEPT).iter();
    let ranges = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if kind.eq_ignore_ascii_case("text/html") {
            html = html.max(weight);
        } else if ["application/json", "application/*", "*/*"].contains(&kind) {
            other = other.max(weight);
        }
    }
    html > other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};

    #[tokio::test]
    async fn the_type_of_every_problem_leads_to_a_page_for_programs_and_for_people() {
        let world = world();
        let ask = async |path: &str, accept: &str| {
            let request = Request::get(path)
                .header("accept", accept)
                .body(Body::empty());
            world.ask(request.unwrap()).await
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for code in Code::ALL {
            let kind = type_of(&world.state.config.public_url, *code);
            let path = kind.strip_prefix("http://127.0.0.1:8080").unwrap();
            let answer = ask(path, "*/*").await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.body["type"], kind.as_str());
            assert_eq!(answer.body["status"], code.http_status());
            let answer = ask(path, browser).await;
            assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
            assert_eq!(answer.headers["content-security-policy"], POLICY.as_str());
        }
        let all = ask("/problems", "application/json").await;
        assert_eq!(all.body["codes"].as_array().unwrap().len(), Code::ALL.len());
        let unknown = ask("/problems/nothing", browser).await;
        assert_eq!(unknown.code(), "not_found");
        assert_eq!(unknown.body["instance"], "/problems/nothing");
    }

    #[test]
    fn routes_and_outcomes_are_told_apart() {
        let url = Url::parse("https://tickets.example").unwrap();
        let page = |code| CodeEntry::of(code, &url, openapi::routes_of(code)).page();
        let refusal = page(Code::IdempotencyKeyMissing);
        assert!(
            refusal.contains("<code>POST /v1/bookings</code>"),
            "{refusal}"
        );
        assert!(page(Code::CardDeclined).contains("an outcome"));
    }

    #[test]
    fn titles_cannot_break_the_page() {
        assert_eq!(
            text("<b> & `errors` points"),
            "&lt;b> &amp; <code>errors</code> points"
        );
        assert!(STYLE.find('<').is_none());
    }

    #[test]
    fn weights_decide_between_people_and_programs() {
        let ask = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            prefers_html(&headers)
        };
        assert!(ask("text/html"));
        assert!(ask("text/html, */*;q=0.1"));
        for json in [
            "*/*",
            "application/json",
            "text/html;q=0.5, application/json",
            "",
            "text/html;q=x",
        ] {
            assert!(!ask(json), "{json}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
