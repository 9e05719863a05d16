//! The internal port: is it alive, is it ready, what does it count. No tokens; never routed from outside.

use crate::AppState;
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use boxoffice_runtime::BrokerState;
use boxoffice_store::mysql::status;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    checks: Checks,
}

#[derive(Debug, Serialize)]
struct Checks {
    broker: Check,
    database: Check,
    process: Check,
}

#[derive(Debug, Serialize)]
struct Check {
    ok: bool,
    reason: &'static str,
}

/// A probe that takes longer is as good as none.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// `/livez`, `/readyz`, `/metrics`.
pub fn router(state: AppState, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || render(&metrics)))
        .with_state(state)
}

/// Ready when a command would be accepted.
async fn ready(State(state): State<AppState>) -> Response {
    let broker = state.intake.broker();
    let database = match tokio::time::timeout(PING_TIMEOUT, status::ping(&state.db)).await {
        Ok(Ok(())) => Check {
            ok: true,
            reason: "reachable",
        },
        Ok(Err(_)) => Check {
            ok: false,
            reason: "unreachable",
        },
        Err(_elapsed) => Check {
            ok: false,
            reason: "too slow",
        },
    };
    let draining = state.draining.is_cancelled();
    let checks = Checks {
        broker: Check {
            ok: broker == BrokerState::Up,
            reason: broker.as_str(),
        },
        database,
        process: Check {
            ok: !draining,
            reason: if draining { "stopping" } else { "running" },
        },
    };
    let ready = checks.broker.ok && checks.database.ok && checks.process.ok;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, checks })).into_response()
}

fn render(metrics: &PrometheusHandle) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world;
    use axum::{body::Body, http::Request};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_process_without_its_services_is_alive_but_not_ready() {
        let world = world();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let router = router(world.state.clone(), metrics.clone());
            let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
            let body = axum::body::to_bytes(body, 4096).await.unwrap();
            (
                parts.status,
                serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default(),
            )
        };
        assert_eq!(ask("/livez").await.0, 200);
        assert_eq!(ask("/metrics").await.0, 200);
        let (status, body) = ask("/readyz").await;
        assert_eq!(status, 503);
        assert_eq!(body["checks"]["broker"]["ok"], true);
        assert_eq!(body["checks"]["database"]["ok"], false);
        *world.intake.broker.lock().unwrap() = BrokerState::Blocked;
        world.state.draining.cancel();
        let (_, body) = ask("/readyz").await;
        assert_eq!(body["checks"]["broker"]["reason"], "blocked");
        assert_eq!(body["checks"]["process"]["reason"], "stopping");
    }
}
