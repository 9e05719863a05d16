//! The payment gateway of a world: the sandbox in this process, its faults and its ledger.

use boxoffice_contracts::BookingId;
use boxoffice_stripe_sandbox::{Config, Sandbox, serve};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::{net::TcpListener, sync::Mutex};

pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";
pub const SECRET_KEY: &str = "sk_test_boxoffice";

/// How long the slow cards' refunds stay pending.
const REFUND_SETTLE: Duration = Duration::from_millis(800);

pub struct Gateway {
    sandbox: Sandbox,
    http: Client,
    /// The list of faults is replaced as a whole.
    faults: Mutex<()>,
}

/// What the judge knows of one intent.
#[derive(Debug, Clone, Deserialize)]
pub struct Judged {
    pub id: String,
    pub metadata: BTreeMap<String, String>,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub captured: i64,
    /// Succeeded, or still may.
    pub refunded: i64,
    pub captures: u32,
    pub attempts: u32,
    pub refunds: Vec<Value>,
}

impl Gateway {
    /// `key_ttl`: how long idempotency keys are remembered.
    pub async fn start(webhook_url: String, key_ttl: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let config = Config {
            secret_key: SECRET_KEY.to_owned(),
            webhook_urls: vec![webhook_url],
            webhook_secret: WEBHOOK_SECRET.to_owned(),
            refund_settle: REFUND_SETTLE,
            key_ttl,
            ..Config::default()
        };
        let sandbox = serve(config, listener).await.unwrap();
        Self {
            sandbox,
            http: Client::new(),
            faults: Mutex::default(),
        }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.sandbox
            .base_url()
            .trim_start_matches("http://")
            .to_owned()
    }

    /// Adds a fault: the JSON of the sandbox's README.
    pub async fn fault(&self, fault: Value) {
        let _list = self.faults.lock().await;
        let mut faults: Vec<Value> =
            serde_json::from_value(self.ask(Method::GET, "/sandbox/faults", None).await).unwrap();
        faults.push(fault);
        self.ask(Method::PUT, "/sandbox/faults", Some(json!(faults)))
            .await;
    }

    /// A fault that concerns one booking.
    pub async fn fault_for(&self, booking: BookingId, mut fault: Value) {
        fault["match"] = json!({"metadata": {"booking_id": booking.to_string()}});
        self.fault(fault).await;
    }

    /// Takes a fault with `times` back; returns how often it struck.
    pub async fn lift(&self, fault: &Value) -> u64 {
        let _list = self.faults.lock().await;
        let mut faults: Vec<Value> =
            serde_json::from_value(self.ask(Method::GET, "/sandbox/faults", None).await).unwrap();
        let same = |other: &Value| {
            ["op", "kind", "ms", "n"]
                .iter()
                .all(|name| other.get(name) == fault.get(name))
        };
        let Some(index) = faults.iter().position(same) else {
            return 0;
        };
        let left = faults.remove(index);
        self.ask(Method::PUT, "/sandbox/faults", Some(json!(faults)))
            .await;
        let times = |fault: &Value| fault["times"].as_u64().unwrap_or_default();
        times(fault).saturating_sub(times(&left))
    }

    pub async fn heal(&self) {
        let _list = self.faults.lock().await;
        self.ask(Method::PUT, "/sandbox/faults", Some(json!([])))
            .await;
    }

    /// Everything that was ever asked for.
    pub async fn ledger(&self) -> Vec<Judged> {
        let ledger = self.ask(Method::GET, "/sandbox/ledger", None).await;
        serde_json::from_value(ledger["intents"].clone()).unwrap()
    }

    /// The intents of one booking, oldest first.
    pub async fn of(&self, booking: BookingId) -> Vec<Judged> {
        let mine = |judged: &Judged| judged.booking() == Some(booking);
        self.ledger().await.into_iter().filter(mine).collect()
    }

    /// The only intent of a booking.
    pub async fn intent(&self, booking: BookingId) -> Judged {
        let mut found = self.of(booking).await;
        assert_eq!(found.len(), 1, "intents of {booking}: {found:?}");
        found.remove(0)
    }

    /// Events that no receiver has taken yet.
    pub async fn undelivered(&self) -> u64 {
        let summary = self.ask(Method::GET, "/sandbox/ledger/summary", None).await;
        summary["events_undelivered"].as_u64().unwrap()
    }

    /// The customer passes 3-D Secure, or fails.
    pub async fn authenticate(&self, intent: &str, passes: bool) {
        let answer = if passes { "complete" } else { "fail" };
        self.ask(
            Method::POST,
            &format!("/sandbox/3ds/{intent}/{answer}"),
            None,
        )
        .await;
    }

    /// Somebody refunds in the dashboard.
    pub async fn refund_by_hand(&self, intent: &str, minor: i64) {
        let url = format!(
            "{}/sandbox/intents/{intent}/refund",
            self.sandbox.base_url()
        );
        let request = self.http.post(url).body(format!("amount={minor}"));
        let answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .send()
            .await
            .unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.sandbox.base_url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(
            status.is_success(),
            "{path} of the sandbox answered {status}: {text}"
        );
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

impl Judged {
    #[must_use]
    pub fn booking(&self) -> Option<BookingId> {
        self.metadata.get("booking_id")?.parse().ok()
    }
}
