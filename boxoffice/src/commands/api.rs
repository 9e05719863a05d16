use super::process::Services;
use crate::settings::Settings;
use anyhow::Result;
use std::process::ExitCode;

/// Serve HTTP to clients, and health and metrics on the internal port.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) async fn run(_: Arguments, settings: Settings) -> Result<ExitCode> {
    let services = Services::connect(settings, "boxoffice api").await?;
    services.serve_api().await?;
    services.stop.cancelled().await;
    services.end().await;
    Ok(ExitCode::SUCCESS)
}
