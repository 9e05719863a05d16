//! The recorder behind `/metrics`: help texts and buckets of the table of metrics.

use anyhow::{Context as _, Result};
use boxoffice_contracts::metric::{BATCH_MESSAGES, MESSAGE_WAIT_SECONDS, METRICS, Type};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// The same for waits in queues, which may last as long as an outage.
const WAITS: &[f64] = &[
    0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0,
];
/// The same for messages of a batch.
const MESSAGES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

/// Makes this process count. Once per process.
///
/// # Errors
/// When somebody else counts already.
pub(crate) fn install() -> Result<PrometheusHandle> {
    let full = |name: &str| Matcher::Full(name.to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(full(MESSAGE_WAIT_SECONDS), WAITS)?
        .set_buckets_for_metric(full(BATCH_MESSAGES), MESSAGES)?
        .install_recorder()
        .context("metrics")?;
    for metric in METRICS {
        match metric.kind {
            Type::Counter => metrics::describe_counter!(metric.name, metric.doc),
            Type::Gauge => metrics::describe_gauge!(metric.name, metric.doc),
            Type::Histogram => metrics::describe_histogram!(metric.name, metric.doc),
        }
    }
    Ok(handle)
}
