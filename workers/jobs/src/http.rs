//! A small client for what has no client of its own: the broker's exporter, receivers of webhooks.

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{fmt, time::Duration};

const AGENT: &str = concat!("boxoffice/", env!("CARGO_PKG_VERSION"));
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Pooled connections with one deadline for each request.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    answer_bytes_max: usize,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http(..)")
    }
}

impl Http {
    /// # Errors
    /// When TLS can't be set up.
    pub(crate) fn new(timeout: Duration, answer_bytes_max: usize) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout / 2));
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
            timeout,
            answer_bytes_max,
        })
    }

    /// # Errors
    /// A line that says why there is no answer.
    pub(crate) async fn get(&self, url: &str) -> Result<(StatusCode, Bytes), String> {
        self.send(Request::get(url), Bytes::new()).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// A line that says why there is no answer.
    pub(crate) async fn post(
        &self,
        url: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<StatusCode, String> {
        let mut request = Request::post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (status, _) = self.send(request, Bytes::from(body)).await?;
        Ok(status)
    }

    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), String> {
        let request = request
            .header(USER_AGENT, AGENT)
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| {
                let what = if error.is_connect() {
                    "unreachable"
                } else {
                    "no answer"
                };
                what.to_owned()
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), self.answer_bytes_max);
            match body.collect().await {
                Ok(body) => Ok((status, body.to_bytes())),
                Err(_cut) => Err("the answer broke off, or is too long".to_owned()),
            }
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err("no answer in time".to_owned()),
        }
    }
}
