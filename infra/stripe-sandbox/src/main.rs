//! The sandbox as a process of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use boxoffice_stripe_sandbox::{Config, serve};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A Stripe-shaped server: no bank, no money, and everything that can go wrong.
///
/// Point a Stripe client at the printed address. Cards, faults and the ledger are explained in
/// infra/stripe-sandbox/README.md.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:12111")]
    listen: SocketAddr,

    /// The secret key that clients must send.
    #[arg(
        long,
        env = "SANDBOX_SECRET_KEY",
        default_value = "sk_test_boxoffice",
        hide_env_values = true
    )]
    secret_key: String,

    /// Who is told of events; repeat it, or separate with commas in the environment.
    #[arg(
        long = "webhook-url",
        env = "SANDBOX_WEBHOOK_URLS",
        value_delimiter = ','
    )]
    webhook_urls: Vec<String>,

    /// Signs webhooks: Stripe-Signature: t=…,v1=HMAC-SHA256(secret, "t.body").
    #[arg(
        long,
        env = "SANDBOX_WEBHOOK_SECRET",
        default_value = "whsec_boxoffice",
        hide_env_values = true
    )]
    webhook_secret: String,

    /// Folder of the ledger, which then survives restarts and crashes; in memory without it.
    #[arg(long, env = "SANDBOX_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// How long every request takes at least, in milliseconds.
    #[arg(
        long,
        env = "SANDBOX_LATENCY_MS",
        default_value_t = 0,
        value_name = "MS"
    )]
    latency_ms: u64,

    /// How long refunds of pm_card_refundFail and pm_card_pendingRefund stay pending.
    #[arg(
        long,
        env = "SANDBOX_REFUND_SETTLE_MS",
        default_value_t = 1500,
        value_name = "MS"
    )]
    refund_settle_ms: u64,

    /// How long an idempotency key replays its first answer; Stripe keeps them for a day.
    #[arg(
        long,
        env = "SANDBOX_KEY_TTL_SECS",
        default_value_t = 86_400,
        value_name = "SECS"
    )]
    key_ttl_secs: u64,

    /// How browsers reach the 3-D Secure page, if not by the listening address.
    #[arg(long, env = "SANDBOX_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let args = Args::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!(
            "cannot listen on {}: is another sandbox running?",
            args.listen
        )
    })?;
    let sandbox = serve(args.into(), listener).await?;
    // Whoever started this waits for the line.
    writeln!(
        std::io::stdout(),
        "stripe sandbox listening on {}",
        sandbox.base_url()
    )?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    tracing::info!("stopping");
    sandbox.stop().await
}

impl From<Args> for Config {
    fn from(args: Args) -> Self {
        Self {
            secret_key: args.secret_key,
            webhook_urls: args.webhook_urls,
            webhook_secret: args.webhook_secret,
            data: args.data,
            latency: Duration::from_millis(args.latency_ms),
            refund_settle: Duration::from_millis(args.refund_settle_ms),
            key_ttl: Duration::from_secs(args.key_ttl_secs),
            public_url: args.public_url,
        }
    }
}
