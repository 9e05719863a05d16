//! Helpers of this crate's tests: an API without services.

use crate::{
    ApiConfig, AppState, Documents, Intake, Parts,
    config::Secret,
    documents::DocumentsDown,
    token::{Grant, TokenIssuer, generate},
};
use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use boxoffice_contracts::{BookingId, Envelope, Instant, Role, VenueId};
use boxoffice_runtime::{BrokerState, DatabaseConfig, IntakeError, pool};
use boxoffice_store::{
    mongo::{
        documents::{StoredCalendar, StoredPdf},
        timelines::Cursor,
    },
    timeline::Line,
};
use chrono::DateTime;
use futures::FutureExt;
use sea_orm::DatabaseConnection;
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Where the tests' clock stands.
pub(crate) const EPOCH_SECS: i64 = 1_795_000_000;

pub(crate) fn clock_at(secs: i64) -> Instant {
    DateTime::from_timestamp(EPOCH_SECS + secs, 0).unwrap()
}

/// Tokens are checked against the machine's clock, by the library.
#[allow(
    clippy::disallowed_methods,
    reason = "the library that checks tokens reads it too"
)]
pub(crate) fn wall_clock() -> Instant {
    chrono::Utc::now()
}

/// Remembers what was published, or refuses.
pub(crate) struct FakeIntake {
    pub sent: Mutex<Vec<(Envelope, Value)>>,
    pub answer: Mutex<Result<(), IntakeError>>,
    pub broker: Mutex<BrokerState>,
}

#[async_trait]
impl Intake for FakeIntake {
    async fn publish(
        &self,
        _routing_key: &str,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<(), IntakeError> {
        (*self.answer.lock().unwrap())?;
        let body = serde_json::from_slice(body).unwrap();
        self.sent.lock().unwrap().push((envelope.clone(), body));
        Ok(())
    }

    fn broker(&self) -> BrokerState {
        *self.broker.lock().unwrap()
    }
}

struct NoDocuments;

#[async_trait]
impl Documents for NoDocuments {
    async fn ticket_pdf(&self, _booking: BookingId) -> Result<Option<StoredPdf>, DocumentsDown> {
        Ok(None)
    }

    async fn calendar(&self, _booking: BookingId) -> Result<Option<StoredCalendar>, DocumentsDown> {
        Ok(None)
    }

    async fn timeline(
        &self,
        _booking: BookingId,
        _after: Option<Cursor>,
        _limit: u16,
    ) -> Result<Vec<Line>, DocumentsDown> {
        Ok(Vec::new())
    }

    async fn stored(&self, _booking: BookingId) -> Result<Vec<Line>, DocumentsDown> {
        Ok(Vec::new())
    }

    async fn keep(&self, _lines: &[Line]) -> Result<(), DocumentsDown> {
        Ok(())
    }
}

/// Nobody listens there.
fn no_database() -> DatabaseConnection {
    let nowhere = DatabaseConfig {
        url: "mysql://nobody@127.0.0.1:1/nothing".to_owned(),
        acquire_timeout_ms: 50,
        ..DatabaseConfig::default()
    };
    // It connects when it is first asked, so there is nothing to wait for.
    pool::connect_lazy(&nowhere)
        .now_or_never()
        .unwrap()
        .unwrap()
}

pub(crate) struct World {
    pub state: AppState,
    pub intake: Arc<FakeIntake>,
    issuer: TokenIssuer,
    pub(crate) router: Router,
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub(crate) fn world() -> World {
    world_with(|_config| {})
}

pub(crate) fn world_with(change: impl FnOnce(&mut ApiConfig)) -> World {
    let pair = generate().unwrap();
    let mut config = ApiConfig {
        status_link_secret: Secret::new("link".repeat(8)),
        ..ApiConfig::default()
    };
    config.token.public_keys = vec![pair.public_pem];
    config.webhook.secrets = vec![Secret::new("whsec_1234567890abcdef")];
    change(&mut config);
    let issuer = TokenIssuer::new(&pair.private_pem, &config.token).unwrap();
    let intake = Arc::new(FakeIntake {
        sent: Mutex::default(),
        answer: Mutex::new(Ok(())),
        broker: Mutex::new(BrokerState::Up),
    });
    let state = AppState::new(Parts {
        config,
        db: no_database(),
        intake: intake.clone(),
        documents: Arc::new(NoDocuments),
        saga: boxoffice_saga::Policy::default(),
        clock: Arc::new(|| clock_at(0)),
        draining: CancellationToken::new(),
    })
    .unwrap();
    World {
        router: crate::router(state.clone()),
        state,
        intake,
        issuer,
    }
}

impl World {
    pub(crate) fn token(&self, role: Role) -> String {
        let partner = role == Role::Partner;
        let grant = Grant {
            subject: "ada".to_owned(),
            tenant: if partner { "acme" } else { "house" }.to_owned(),
            role,
            venue: (role == Role::Manager).then(|| VenueId::from_slug("astor")),
            ttl: Duration::from_secs(600),
        };
        self.issuer.issue(&grant, wall_clock()).unwrap()
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 2 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// A POST of a customer with a key.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = Request::post(path)
            .header(
                "authorization",
                format!("Bearer {}", self.token(Role::Customer)),
            )
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.ask(request.unwrap()).await
    }
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}
