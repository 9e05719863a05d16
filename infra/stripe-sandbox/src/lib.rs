//! A Stripe-shaped server for demo, tests and load: PaymentIntents, refunds, idempotency keys, test cards,
//! 3-D Secure, signed webhooks, faults on order, and a ledger that is the judge of fault tests.
//!
//! Follow a request through the files: `server` reads it, `calls` decides whether it may run and how it fails,
//! `operations` says what should change, `ledger` writes that down, `webhooks` tells it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod app;
mod calls;
mod cards;
mod clock;
mod control;
mod errors;
mod events;
mod faults;
mod form;
mod idempotency;
mod intents;
mod ledger;
mod lists;
mod objects;
mod operations;
mod pages;
mod records;
mod refunds;
mod server;
mod table;
mod webhooks;

pub use faults::{Fault, Kind as FaultKind, Match as FaultMatch, Op as FaultOp};
pub use webhooks::signature as webhook_signature;

#[derive(Debug, Clone)]
pub struct Config {
    /// The only key that opens `/v1`.
    pub secret_key: String,
    pub webhook_urls: Vec<String>,
    /// Signs webhooks.
    pub webhook_secret: String,
    /// Folder of the ledger; without one, everything is forgotten at the end.
    pub data: Option<PathBuf>,
    /// How long every request takes at least.
    pub latency: Duration,
    /// How long the slow cards' refunds stay pending.
    pub refund_settle: Duration,
    /// How long a key replays its first answer.
    pub key_ttl: Duration,
    /// How browsers reach the 3-D Secure page, if not by the listening address.
    pub public_url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            secret_key: "sk_test_boxoffice".to_owned(),
            webhook_urls: Vec::new(),
            webhook_secret: "whsec_boxoffice".to_owned(),
            data: None,
            latency: Duration::ZERO,
            refund_settle: Duration::from_millis(1500),
            key_ttl: Duration::from_secs(24 * 3600),
            public_url: None,
        }
    }
}

/// A running sandbox. Dropping it is like killing it: nothing is waited for.
#[derive(Debug)]
pub struct Sandbox {
    base_url: String,
    shutdown: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

/// How long tasks may take to notice that the sandbox stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Starts a sandbox on the listener; it is ready when this returns.
pub async fn serve(config: Config, listener: TcpListener) -> anyhow::Result<Sandbox> {
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    let base_url = format!("http://{address}");
    let key_ttl_ms = i64::try_from(config.key_ttl.as_millis()).unwrap_or(i64::MAX / 2);
    let ledger = match &config.data {
        Some(dir) => ledger::Ledger::open(dir, key_ttl_ms, clock::now_ms())?,
        None => ledger::Ledger::in_memory(key_ttl_ms),
    };
    let http = reqwest::Client::builder()
        .timeout(webhooks::RECEIVER_TIMEOUT)
        .build()
        .context("cannot make an HTTP client")?;
    let public_url = config
        .public_url
        .clone()
        .unwrap_or_else(|| base_url.clone());
    let app = Arc::new(app::App::new(
        config,
        public_url.trim_end_matches('/').to_owned(),
        ledger,
        http,
    ));
    app.resume();
    let shutdown = app.shutdown.clone();
    let tasks = app.tasks.clone();
    let stopping = shutdown.clone().cancelled_owned();
    let service = axum::serve(listener, server::router(app)).with_graceful_shutdown(stopping);
    let server = tokio::spawn(async move {
        let served = service.await;
        tasks.close();
        if tokio::time::timeout(STOP_WITHIN, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some tasks did not stop in time");
        }
        served
    });
    Ok(Sandbox {
        base_url,
        shutdown,
        server,
    })
}

impl Sandbox {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Stops and waits for requests under way.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        (&mut self.server).await.context("the server broke")??;
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.server.abort();
    }
}
