//! Logs: one line per event, dotted fields; JSON where machines read them.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogSettings {
    pub(crate) format: Format,
    pub(crate) filter: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Text,
    Json,
}

/// Libraries that log what they work on, whatever the operator asks for: names of customers in templates,
/// bodies of messages.
const NEVER: &str = "handlebars=off,lapin::returned_messages=off";

/// Starts logging to standard error.
///
/// # Errors
/// When the filter can't be read.
pub(crate) fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{},{NEVER}", settings.filter))
        .map_err(|error| anyhow::anyhow!("log.filter: {error}; try `info` or `boxoffice=debug`"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would report a line that can't be written by a line on the same full disk, and panic then.
        .log_internal_errors(false)
        .with_target(true);
    let started = match settings.format {
        Format::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))
}
