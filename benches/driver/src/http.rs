//! A client that keeps its connections and costs little: the load shares the machine with what it measures.

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    body::{Bytes, Incoming},
    header,
    http::request,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;
use tokio::time::timeout;

/// Whoever hears nothing for so long has found an error of the house or of the bench.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Bytes,
}

impl Http {
    /// At most so many connections wait for their next request.
    pub(crate) fn new(connections: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(connections)
            .build(connector);
        Self(client)
    }

    /// A command; the key makes it one command however often it is sent.
    pub(crate) async fn post(
        &self,
        url: &str,
        token: Option<&str>,
        key: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        self.send(Method::POST, url, token, Some(key), body).await
    }

    /// A call of somebody else's API, with a form.
    pub(crate) async fn post_form(
        &self,
        url: &str,
        secret: &str,
        key: &str,
        form: Bytes,
    ) -> anyhow::Result<Answer> {
        let request = request(Method::POST, url, Some(secret))
            .header("idempotency-key", key)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.exchange(url, request.body(Full::new(form))?).await
    }

    pub(crate) async fn get(&self, url: &str, token: Option<&str>) -> anyhow::Result<Answer> {
        self.send(Method::GET, url, token, None, Bytes::new()).await
    }

    /// A stream of events: the body as it comes, for as long as it does.
    pub(crate) async fn follow(&self, url: &str, token: Option<&str>) -> anyhow::Result<Incoming> {
        let request = request(Method::GET, url, token)
            .header(header::ACCEPT, "text/event-stream")
            .body(Full::default())?;
        let answer = timeout(ANSWER_MAX, self.0.request(request))
            .await
            .with_context(|| format!("{url} did not answer"))?
            .with_context(|| url.to_owned())?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
        Ok(answer.into_body())
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        key: Option<&str>,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request = request(method, url, token);
        if let Some(key) = key {
            request = request
                .header("idempotency-key", key)
                .header(header::CONTENT_TYPE, "application/json");
        }
        self.exchange(url, request.body(Full::new(body))?).await
    }

    async fn exchange(&self, url: &str, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let exchange = async {
            let answer = self.0.request(request).await?;
            let (parts, body) = answer.into_parts();
            let after = parts.headers.get(header::RETRY_AFTER);
            let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
            anyhow::Ok(Answer {
                status: parts.status,
                retry_after_s: after,
                body: body.collect().await?.to_bytes(),
            })
        };
        timeout(ANSWER_MAX, exchange)
            .await
            .with_context(|| format!("{url} did not answer"))?
            .with_context(|| url.to_owned())
    }
}

fn request(method: Method, url: &str, token: Option<&str>) -> request::Builder {
    let request = Request::builder().method(method).uri(url);
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}

impl Answer {
    /// # Errors
    /// Another status, with what was said about it.
    pub(crate) fn require(self, status: StatusCode) -> anyhow::Result<Self> {
        anyhow::ensure!(
            self.status == status,
            "{}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(self)
    }
}
