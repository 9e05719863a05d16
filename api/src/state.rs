//! What every handler may reach.

use crate::{
    ApiConfig, Documents, Intake,
    auth::Verifier,
    config::ConfigError,
    idempotency::{RecentKeys, StoredKeys},
    kept::KeptStatuses,
    limits::Limits,
    proof::Proofs,
    seats::SeatMaps,
    waiters::Waiters,
    watch::Watch,
};
use boxoffice_contracts::Instant;
use boxoffice_saga::Policy;
use boxoffice_store::document_link::DocumentLinks;
use sea_orm::DatabaseConnection;
use std::{ops::Deref, sync::Arc};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Tells the time. The runtime's clock in the product, a standing one in tests.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What the program hands to the API.
pub struct Parts {
    pub config: ApiConfig,
    pub db: DatabaseConnection,
    pub intake: Arc<dyn Intake>,
    pub documents: Arc<dyn Documents>,
    /// The workers' own: what staff are offered is judged by it.
    pub saga: Policy,
    pub clock: Clock,
    /// Cancelled when the process begins to stop: readiness says so, streams and waits end.
    pub draining: CancellationToken,
}

/// Shared by all requests; cloning is cheap.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

pub struct Inner {
    pub config: ApiConfig,
    pub db: DatabaseConnection,
    pub intake: Arc<dyn Intake>,
    pub documents: Arc<dyn Documents>,
    pub(crate) saga: Policy,
    pub draining: CancellationToken,
    /// Feed it with [`Watch::run`], once per process.
    pub watch: Watch,
    pub(crate) kept: KeptStatuses,
    clock: Clock,
    pub(crate) verifier: Verifier,
    pub(crate) proofs: Proofs,
    pub(crate) recent: RecentKeys,
    pub(crate) stored: StoredKeys,
    pub(crate) seat_maps: SeatMaps,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) waiters: Waiters,
    pub(crate) limits: Limits,
    pub(crate) links: DocumentLinks,
}

impl AppState {
    /// # Errors
    /// When the configuration can't be used.
    pub fn new(parts: Parts) -> Result<Self, ConfigError> {
        let Parts {
            config,
            db,
            intake,
            documents,
            saga,
            clock,
            draining,
        } = parts;
        config.validate()?;
        let kept = KeptStatuses::new();
        Ok(Self(Arc::new(Inner {
            verifier: Verifier::new(&config.token)?,
            proofs: Proofs::new(config.status_link_secret.expose()),
            recent: RecentKeys::new(),
            stored: StoredKeys::new(db.clone()),
            seat_maps: SeatMaps::new(),
            slots: Arc::new(Semaphore::new(config.concurrency_max)),
            waiters: Waiters::new(config.waiters_max, &config.rate),
            limits: Limits::new(&config.rate),
            links: DocumentLinks::new(config.status_link_secret.expose()),
            watch: Watch::new(config.waiters_max, kept.clone()),
            kept,
            config,
            db,
            intake,
            documents,
            saga,
            clock,
            draining,
        })))
    }

    #[must_use]
    pub fn now(&self) -> Instant {
        (self.clock)()
    }
}

impl Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
