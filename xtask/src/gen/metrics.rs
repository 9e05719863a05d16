//! `docs/metrics.md`.

use super::{GENERATED, alerts};
use anyhow::Result;
use boxoffice_contracts::metric::METRICS;
use std::fmt::Write as _;

pub(super) fn page() -> Result<String> {
    let mut out = format!(
        "# Metrics\n\n{GENERATED}\nSource: `contracts/src/metric.rs`. Every process serves them at `/metrics` of its \
         internal port.\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n"
    );
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.unit,
            labels.join(", "),
            metric.doc
        )?;
    }
    writeln!(
        out,
        "\nThe alerts (`infra/docker/prometheus/alerts.yaml`) also read `{}` and `{}` from RabbitMQ's exporter, path\n\
         `/metrics/detailed?vhost=boxoffice&family=queue_coarse_metrics&family=queue_consumer_count`.\n\n## Alerts\n\n\
         | alert | runbook | when |\n|---|---|---|",
        alerts::BROKER_MESSAGES,
        alerts::BROKER_CONSUMERS
    )?;
    for alert in alerts::all() {
        let anchor = alert.name.to_lowercase();
        writeln!(
            out,
            "| {name} | [what to do](OPERATIONS.md#{anchor}) | `{expr}` |",
            name = alert.name,
            expr = alert.expr
        )?;
    }
    Ok(out)
}
