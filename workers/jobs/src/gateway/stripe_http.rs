//! Sending Stripe's requests: pooled connections, one deadline, and errors that tell whether anything left.
//!
//! async-stripe builds the requests; its own client is not used. That one opens a connection per call, forgets
//! the status of an answer that it can't parse, and its parser takes more than 2 MiB of stack for a declined
//! card in a debug build. What is read here is what is needed, and nothing unknown is an error.

use super::{GatewayConfig, GatewayError};
use boxoffice_runtime::spans::{Asking, Value};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{fmt, time::Duration};

/// A connection to one gateway. Cheap to clone, and printed without its key.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    version: HeaderValue,
    timeout: Duration,
}

/// One request: Stripe takes forms and queries.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) body: Option<String>,
}

const STRIPE: &str = "https://api.stripe.com";
const AGENT: &str = concat!("boxoffice/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded";
/// Shorter than what servers grant, so that a request rarely meets a connection that is being closed.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// Longest answer that is read; a page of a hundred payments has a tenth of it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

impl Http {
    /// # Errors
    /// When the key can't be sent; the text holds no secret.
    pub(super) fn new(config: &GatewayConfig) -> Result<Self, String> {
        let base = config
            .url
            .as_deref()
            .unwrap_or(STRIPE)
            .trim_end_matches('/')
            .to_owned();
        if !(base.starts_with("https://") || base.starts_with("http://")) {
            return Err("gateway.url begins with https:// or http://".to_owned());
        }
        if config.secret_key.is_empty() {
            return Err("gateway.secret_key is missing".to_owned());
        }
        let Ok(mut authorization) = HeaderValue::try_from(format!("Bearer {}", config.secret_key))
        else {
            return Err("gateway.secret_key has characters that no key has".to_owned());
        };
        authorization.set_sensitive(true);
        let version = HeaderValue::from_str(stripe_shared::version::VERSION.as_str())
            .map_err(|error| format!("async-stripe's version: {error}"))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(config.timeout() / 2));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| format!("TLS: {error}"))?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Ok(Self {
            client,
            base,
            authorization,
            version,
            timeout: config.timeout(),
        })
    }

    /// Sends once, within the deadline. The status comes with the body whatever it is.
    pub(super) async fn send(
        &self,
        method: Method,
        key: Option<&str>,
        form: Form,
    ) -> Result<(StatusCode, Bytes), GatewayError> {
        let query = form
            .query
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let target = template(&form.path);
        let asking = Asking::begin(format!("{method} {target}"), || {
            let text = |text: &str| Value::Text(text.to_owned().into());
            vec![
                ("http.request.method", text(method.as_str())),
                ("url.template", text(&target)),
                ("server.address", text(&self.base)),
            ]
        });
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1{}{query}", self.base, form.path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, AGENT)
            .header("stripe-version", self.version.clone());
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if form.body.is_some() {
            request = request.header(CONTENT_TYPE, FORM);
        }
        let body = Full::new(Bytes::from(form.body.unwrap_or_default()));
        let request = request.body(body).map_err(|error| unsendable(&error))?;
        let answer = match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(GatewayError::NoAnswer("deadline".to_owned())),
        };
        if let Some(mut asking) = asking {
            let error = match &answer {
                Ok((status, _)) => {
                    let status = status.as_u16();
                    asking.set("http.response.status_code", Value::Number(status.into()));
                    (status >= 400).then(|| status.to_string().into())
                }
                Err(GatewayError::Unreachable(_)) => Some("unreachable".into()),
                Err(_) => Some("no_answer".into()),
            };
            asking.ended(error);
        }
        answer
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), GatewayError> {
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                GatewayError::Unreachable(error.to_string())
            } else {
                GatewayError::NoAnswer(error.to_string())
            }
        })?;
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        match body.collect().await {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) => Err(GatewayError::NoAnswer(error.to_string())),
        }
    }
}

/// A path without the ids in it: they would make a name of each payment.
fn template(path: &str) -> String {
    let is_id = |part: &str| part.starts_with("pi_") || part.starts_with("re_");
    let parts = path
        .split('/')
        .map(|part| if is_id(part) { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// A request that can't be built has no effect, now or later.
fn unsendable(error: &hyper::http::Error) -> GatewayError {
    GatewayError::Refused {
        code: format!("unsendable: {error}"),
        status: 0,
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::GatewayKind;
    use std::net::TcpListener;

    fn http(url: String) -> Http {
        let config = GatewayConfig {
            kind: GatewayKind::Stripe,
            url: Some(url),
            secret_key: "sk_test_1".into(),
            timeout_ms: 200,
            return_url: None,
        };
        Http::new(&config).unwrap()
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable_and_silence_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let silent = http(url.clone())
            .send(Method::GET, None, Form::default())
            .await;
        assert!(
            matches!(silent, Err(GatewayError::NoAnswer(_))),
            "{silent:?}"
        );
        drop(listener);
        let closed = http(url).send(Method::GET, None, Form::default()).await;
        assert!(
            matches!(closed, Err(GatewayError::Unreachable(_))),
            "{closed:?}"
        );
    }

    #[test]
    fn the_name_of_a_request_has_no_ids() {
        assert_eq!(
            template("/payment_intents/pi_3Abc/capture"),
            "/payment_intents/{id}/capture"
        );
        assert_eq!(template("/refunds"), "/refunds");
    }

    #[test]
    fn the_key_is_not_printed() {
        let http = http("http://localhost".into());
        assert!(!format!("{http:?}{:?}", http.authorization).contains("sk_test_1"));
    }
}
