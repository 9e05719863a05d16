//! Traces: spans of this process to an OpenTelemetry collector. Off unless an endpoint is set.
//!
//! The runtime tells which steps there were; here they become OTLP over HTTP, a batch at a time. A collector that
//! is slow or away costs spans, which are counted, and never holds up a message.

use anyhow::{Context as _, Result};
use boxoffice_api::config::Secret;
use boxoffice_runtime::spans::{self, Span, Value};
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TraceSettings {
    pub(crate) otlp_endpoint: String,
    pub(crate) otlp_authorization: Secret,
    pub(crate) sample_ratio: f64,
    pub(crate) timeout_ms: u64,
}

/// Spans that wait to be sent.
const WAITING_MAX: usize = 8_192;
/// Spans of one request to the collector.
const BATCH_MAX: usize = 512;
/// How long a span waits for company.
const BATCH_WAIT: Duration = Duration::from_millis(500);
/// What is left when the process ends has so long to leave.
const FAREWELL: Duration = Duration::from_secs(3);

/// The task that sends spans.
pub(crate) struct Exporting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Begins to export, if an endpoint is set. `role` names what this process does.
///
/// # Errors
/// When the endpoint or the authorization can't be used.
pub(crate) fn start(settings: &TraceSettings, role: &str) -> Result<Option<Exporting>> {
    if settings.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = exporter(settings, role).context("trace.otlp_endpoint")?;
    anyhow::ensure!(
        (0.0..=1.0).contains(&settings.sample_ratio),
        "trace.sample_ratio: between 0 and 1"
    );
    let Some(waiting) = spans::subscribe(WAITING_MAX, settings.sample_ratio) else {
        return Ok(None);
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(export(exporter, waiting, stop.clone()));
    Ok(Some(Exporting { stop, task }))
}

impl Exporting {
    /// Sends what is left, if the collector takes it in time.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        if timeout(FAREWELL, self.task).await.is_err() {
            tracing::warn!("the last spans did not reach the collector");
        }
    }
}

fn exporter(settings: &TraceSettings, role: &str) -> Result<SpanExporter> {
    let endpoint = url::Url::parse(&settings.otlp_endpoint)?;
    anyhow::ensure!(
        matches!(endpoint.scheme(), "http" | "https"),
        "begins with http:// or https://; a collector listens on port 4318"
    );
    let endpoint = match endpoint.path() {
        "" | "/" => endpoint.join("v1/traces")?,
        _ => endpoint,
    };
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    let authorization = settings.otlp_authorization.expose();
    let authorization = (!authorization.is_empty())
        .then(|| authorization.parse())
        .transpose()
        .map_err(|_value| {
            anyhow::anyhow!("trace.otlp_authorization has characters that no header has")
        })?;
    let patience = Duration::from_millis(settings.timeout_ms);
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(HyperClient::new(connector, patience, authorization))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint.as_str())
        .with_timeout(patience)
        .build()?;
    let attributes = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
        KeyValue::new("boxoffice.role", role.to_owned()),
    ];
    exporter.set_resource(
        &Resource::builder()
            .with_service_name("boxoffice")
            .with_attributes(attributes)
            .build(),
    );
    Ok(exporter)
}

async fn export(
    exporter: SpanExporter,
    mut waiting: mpsc::Receiver<Span>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        tokio::select! {
            received = waiting.recv_many(&mut batch, BATCH_MAX) => if received == 0 { return },
            () = stop.cancelled() => {}
        }
        let gather = async {
            while batch.len() < BATCH_MAX && waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {}
        };
        tokio::select! {
            _ = timeout(BATCH_WAIT, gather) => {}
            () = stop.cancelled() => {}
        }
        while let Ok(span) = waiting.try_recv() {
            batch.push(span);
        }
        let sent = exporter.export(batch.into_iter().map(data).collect()).await;
        // Said when it begins and when it ends, not with every batch.
        match (&sent, failing) {
            (Err(error), false) => tracing::warn!(%error, "spans don't reach the collector"),
            (Ok(()), true) => tracing::info!("spans reach the collector again"),
            _ => {}
        }
        failing = sent.is_err();
        if stop.is_cancelled() {
            return;
        }
    }
}

fn data(span: Span) -> SpanData {
    let id = |id: u64| SpanId::from_bytes(id.to_be_bytes());
    let trace = TraceId::from_bytes(span.at.trace_id.to_be_bytes());
    let sampled = TraceFlags::SAMPLED;
    SpanData {
        span_context: SpanContext::new(
            trace,
            id(span.at.span_id),
            sampled,
            false,
            TraceState::NONE,
        ),
        parent_span_id: span.parent.map_or(SpanId::INVALID, id),
        parent_span_is_remote: matches!(
            span.kind,
            spans::SpanKind::Consumer | spans::SpanKind::Server
        ),
        span_kind: match span.kind {
            spans::SpanKind::Server => SpanKind::Server,
            spans::SpanKind::Client => SpanKind::Client,
            spans::SpanKind::Producer => SpanKind::Producer,
            spans::SpanKind::Consumer => SpanKind::Consumer,
        },
        name: span.name,
        start_time: SystemTime::from(span.began),
        end_time: SystemTime::from(span.ended),
        attributes: attributes(span.attributes, span.error.as_deref()),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("boxoffice").build(),
    }
}

fn attributes(given: Vec<(&'static str, Value)>, error: Option<&str>) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = given
        .into_iter()
        .map(|(name, value)| match value {
            Value::Text(text) => KeyValue::new(name, text),
            Value::Number(number) => KeyValue::new(name, number),
        })
        .collect();
    if let Some(error) = error {
        attributes.push(KeyValue::new("error.type", error.to_owned()));
    }
    attributes
}
