//! `boxoffice openapi`.

use super::say;
use std::process::ExitCode;

/// Print the description of the HTTP API (OpenAPI 3.1), as `GET /openapi.json` serves it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> ExitCode {
    say(boxoffice_api::openapi::TEXT.trim_end());
    ExitCode::SUCCESS
}
