//! `boxoffice-mail-catcher`: see the library for what it does.

use std::net::SocketAddr;
use std::path::PathBuf;

use boxoffice_mail_catcher::{Limits, Options, spawn};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// An SMTP server that keeps every mail and shows it in the browser instead of delivering it.
///
/// Point any mailer at --smtp, open --http in a browser, or read /api/messages.
/// PUT /api/faults makes it refuse, delay or hang: {"kind": "reject_550", "times": 1}.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to accept mail.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:28025")]
    smtp: SocketAddr,
    /// Where to show it: the page at /, the API at /api/messages, /healthz.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:28083")]
    http: SocketAddr,
    /// Keep each mail as an .eml file in this folder; without it mails die with the process.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .init();

    let arguments = Arguments::parse();
    let catcher = spawn(Options {
        smtp: arguments.smtp,
        http: arguments.http,
        data: arguments.data,
        limits: Limits::default(),
    })
    .await?;
    tracing::info!(smtp = %catcher.smtp(), http = %catcher.http(), mails = catcher.store().len(), "mail catcher ready");

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = catcher.join() => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}
