//! An OpenTelemetry collector that keeps what it is sent: OTLP over HTTP, protobuf.

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1,
};
use prost::Message;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// A span as it arrived, with what its process does.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub role: String,
    pub span: v1::Span,
}

impl Arrived {
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        text(&self.span.attributes, name)
    }
}

pub struct Collector {
    pub endpoint: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Collector {
    pub async fn start() -> Self {
        let arrived = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&arrived));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, arrived }
    }

    /// Everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The spans of the trace in which a message about this booking was sent to the intake first.
    #[must_use]
    pub fn trace_of(&self, booking: &str) -> Vec<Arrived> {
        let all = self.all();
        let of_booking = |one: &&Arrived| {
            one.span.name.starts_with("send ")
                && one.text("messaging.message.conversation_id").as_deref() == Some(booking)
        };
        let first = all
            .iter()
            .filter(of_booking)
            .min_by_key(|one| one.span.start_time_unix_nano);
        let Some(trace) = first.map(|one| one.span.trace_id.clone()) else {
            return Vec::new();
        };
        all.into_iter()
            .filter(|one| one.span.trace_id == trace)
            .collect()
    }
}

/// What keeps spans from being one tree.
#[must_use]
pub fn flaws(spans: &[Arrived]) -> Vec<String> {
    let mut flaws = Vec::new();
    let ids: BTreeSet<_> = spans.iter().map(|one| one.span.span_id.clone()).collect();
    if ids.len() != spans.len() {
        flaws.push(format!("{} spans have {} ids", spans.len(), ids.len()));
    }
    let roots: Vec<_> = spans
        .iter()
        .filter(|one| one.span.parent_span_id.is_empty())
        .map(|one| &one.span.name)
        .collect();
    if roots.len() != 1 {
        flaws.push(format!("the roots are {roots:?}"));
    }
    for one in spans {
        let parent = &one.span.parent_span_id;
        if !parent.is_empty() && !ids.contains(parent) {
            flaws.push(format!(
                "nobody knows the parent of {} in {}",
                one.span.name, one.role
            ));
        }
    }
    flaws
}

/// How often each name occurs.
#[must_use]
pub fn names(spans: &[Arrived]) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for one in spans {
        *names.entry(one.span.name.clone()).or_default() += 1;
    }
    names
}

async fn take(State(arrived): State<Arc<Mutex<Vec<Arrived>>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut arrived = arrived.lock().unwrap();
    for resource in request.resource_spans {
        let attributes = resource
            .resource
            .map(|it| it.attributes)
            .unwrap_or_default();
        let role = text(&attributes, "boxoffice.role").unwrap_or_default();
        let spans = resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        arrived.extend(spans.map(|span| Arrived {
            role: role.clone(),
            span,
        }));
    }
    StatusCode::OK
}

fn text(
    attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue],
    name: &str,
) -> Option<String> {
    let found = attributes.iter().find(|one| one.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
