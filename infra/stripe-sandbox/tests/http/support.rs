//! A sandbox of one's own, a client that speaks Stripe's forms, and a receiver of webhooks.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use boxoffice_stripe_sandbox::{Config, Sandbox, serve};
use serde_json::Value;
use tokio::net::TcpListener;

pub(crate) const SECRET_KEY: &str = "sk_test_of_the_test";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_the_test";

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
}

#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            sandbox: serve(config, listener).await.unwrap(),
            http: reqwest::Client::new(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Got {
        self.try_post(path, form, None).await.unwrap()
    }

    pub(crate) async fn post_with_key(&self, path: &str, form: &[(&str, &str)], key: &str) -> Got {
        self.try_post(path, form, Some(key)).await.unwrap()
    }

    pub(crate) async fn try_post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> reqwest::Result<Got> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self
            .http
            .post(self.url(path))
            .bearer_auth(SECRET_KEY)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        got(request.send().await?).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.http.get(self.url(path)).bearer_auth(SECRET_KEY);
        got(request.send().await.unwrap()).await.unwrap().body
    }

    pub(crate) async fn put(&self, path: &str, json: &Value) -> Got {
        let request = self.http.put(self.url(path)).json(json);
        got(request.send().await.unwrap()).await.unwrap()
    }

    /// An intent of 25 euros, confirmed with the card.
    pub(crate) async fn confirmed(&self, card: &str) -> Got {
        let form = [
            ("amount", "2500"),
            ("currency", "eur"),
            ("capture_method", "manual"),
            ("payment_method", card),
            ("confirm", "true"),
            ("metadata[booking]", "bk_1"),
        ];
        self.post("/v1/payment_intents", &form).await
    }

    pub(crate) async fn captured(&self, card: &str) -> String {
        let id = self.confirmed(card).await.id();
        let capture = format!("/v1/payment_intents/{id}/capture");
        assert_eq!(self.post(&capture, &[]).await.body["status"], "succeeded");
        id
    }

    pub(crate) async fn row(&self, id: &str) -> Value {
        let path = format!("/sandbox/ledger?payment_intent={id}");
        self.get(&path).await["intents"][0].clone()
    }
}

impl Got {
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

pub(crate) fn config() -> Config {
    Config {
        secret_key: SECRET_KEY.to_owned(),
        webhook_secret: WEBHOOK_SECRET.to_owned(),
        refund_settle: Duration::from_millis(50),
        ..Config::default()
    }
}

async fn got(response: reqwest::Response) -> reqwest::Result<Got> {
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotent-replayed");
    let text = response.text().await?;
    Ok(Got {
        status,
        replayed,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
    })
}

/// A webhook as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) signature: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Hook {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Takes webhooks; says 500 to the first `refuse`.
pub(crate) struct Receiver {
    pub(crate) url: String,
    hooks: Arc<Mutex<Vec<Hook>>>,
}

impl Receiver {
    pub(crate) async fn start(refuse: usize) -> Self {
        let hooks = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&hooks);
        let take = move |headers: HeaderMap, body: String| async move {
            let mut seen = seen.lock().unwrap();
            seen.push(Hook {
                signature: headers["stripe-signature"].to_str().unwrap().to_owned(),
                body,
                at: Instant::now(),
            });
            if seen.len() <= refuse {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::OK
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = axum::Router::new().route("/hook", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, hooks }
    }

    /// Waits until at least `count` came in.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Hook> {
        eventually(|| async {
            let hooks = self.hooks.lock().unwrap().clone();
            (hooks.len() >= count).then_some(hooks)
        })
        .await
    }

    pub(crate) fn count(&self) -> usize {
        self.hooks.lock().unwrap().len()
    }
}

/// Asks again until there is an answer; twenty seconds are for ever.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited too long");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
