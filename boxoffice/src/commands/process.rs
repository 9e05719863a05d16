//! What every long-running process does: connect, serve, wait for a signal, end.

use crate::{keys, measures, schema, settings::Settings, ticket_keys};
use anyhow::{Context as _, Result};
use axum::{Json, Router, http::StatusCode, response::IntoResponse as _, routing::get};
use boxoffice_api::{
    AppState, BrokerIntake, Intake, Journal, MongoDocuments, Parts, hints, internal_router, router,
};
use boxoffice_documents::TicketSigner;
use boxoffice_invariants::GatewayBooks;
use boxoffice_jobs::{
    gateway::{self, balance::StripeBooks},
    partner_gate::GateConfig,
    registry,
};
use boxoffice_runtime::{Broker, EventStream, Health, Workers, clock, pool};
use boxoffice_store::mongo;
use metrics_exporter_prometheus::PrometheusHandle;
use mongodb::Database;
use sea_orm::DatabaseConnection;
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, signal::unix::SignalKind};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The services that every role needs, connected; a wrong address or credential is named here.
pub(crate) struct Services {
    pub(crate) settings: Settings,
    pub(crate) db: DatabaseConnection,
    pub(crate) broker: Broker,
    pub(crate) documents: Database,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) stop: CancellationToken,
    tasks: TaskTracker,
}

impl Services {
    /// # Errors
    /// A line that names the service and what is wrong.
    pub(crate) async fn connect(settings: Settings, name: &str) -> Result<Self> {
        let stop = on_signal();
        tokio::select! {
            connected = Self::open(settings, name, stop.clone()) => connected,
            // Whoever is asked to end while a service doesn't answer has nothing in hand.
            () = stop.cancelled() => {
                tracing::info!("stopped before it had begun");
                std::process::exit(0)
            }
        }
    }

    async fn open(settings: Settings, name: &str, stop: CancellationToken) -> Result<Self> {
        let metrics = measures::install()?;
        let db = pool::connect(&settings.mysql).await.with_context(|| {
            format!(
                "mysql ({})",
                boxoffice_runtime::config::redacted(&settings.mysql.url)
            )
        })?;
        schema::require(&db).await?;
        let mut amqp = settings.amqp.clone();
        amqp.connection_name = name.to_owned();
        let broker = Broker::connect_first(&amqp).await.context("amqp")?;
        let documents = mongo::connect(&settings.mongodb.url, &settings.mongodb.database, name)
            .await
            .context("mongodb.url")?;
        // Bookings go on without their documents, so this is no reason not to start; but it has a name.
        if !mongo::is_up(&documents).await {
            let url = boxoffice_runtime::config::redacted(&settings.mongodb.url);
            tracing::warn!(
                mongodb.url = url,
                "mongodb has no primary: documents wait for it"
            );
        }
        Ok(Self {
            settings,
            db,
            broker,
            documents,
            metrics,
            stop,
            tasks: TaskTracker::new(),
        })
    }

    /// The workers, not running yet.
    pub(crate) fn workers(&self) -> Result<Workers> {
        let settings = &self.settings;
        let gateway = gateway::build(&settings.gateway)
            .map_err(|error| anyhow::anyhow!("gateway: {error}"))?;
        let books = StripeBooks::of(&settings.gateway, settings.invariants.gateway_days)
            .map_err(|error| anyhow::anyhow!("gateway: {error}"))?;
        let seed = keys::seed(settings.tickets.seed.expose())?;
        let mail = settings.smtp.mail_config(&settings.api)?;
        let context = registry::Context {
            db: self.db.clone(),
            documents: self.documents.clone(),
            gateway,
            gateway_timeout: settings.gateway.timeout(),
            saga: settings.saga.clone(),
            payments: settings.payments.clone(),
            retention: settings.retention.clone(),
            invariants: settings.invariants.clone(),
            gateway_books: books.map(|books| Arc::new(books) as Arc<dyn GatewayBooks>),
            ticket_keys: ticket_keys::set(&ticket_keys::of(&settings.tickets)?)?,
            signer: TicketSigner::from_seed(settings.tickets.key_id, seed),
            tickets: settings.tickets.config(),
            partners: settings.partners.door()?,
            partners_look_every: settings.partners.check_every(),
            watch: settings.watch(),
            alerts: settings.alerts.config(&mail)?,
            recipients: settings.alerts.recipients(),
            mail,
            gate: GateConfig {
                broker: settings.partners.broker(self.broker.config()),
                public_url: settings.api.public_url.to_string(),
                status_link_secret: settings.api.status_link_secret.expose().to_owned(),
                deadline_secs: settings.api.submit_deadline_secs,
                deadline_secs_max: settings.api.submit_deadline_secs_max,
                backlog_max: settings.partners.backlog_max,
            },
        };
        Ok(registry::workers(&self.broker, context)?)
    }

    /// Serves the public and the internal port until the process stops.
    pub(crate) async fn serve_api(&self) -> Result<()> {
        let mut config = self.settings.api.clone();
        config.ticket_keys = ticket_keys::of(&self.settings.tickets)?;
        let (listen, internal) = (config.listen, config.internal_listen);
        let state = AppState::new(Parts {
            config,
            db: self.db.clone(),
            intake: self.intake(),
            documents: Arc::new(MongoDocuments(self.documents.clone())),
            saga: self.settings.saga.clone(),
            clock: Arc::new(clock::now),
            draining: self.stop.clone(),
        })
        .context("configuration")?;
        let events = EventStream::start(&self.broker);
        let (watch, hints) = (state.watch.clone(), hints(&events));
        let (db, stop) = (self.db.clone(), self.stop.clone());
        self.tasks
            .spawn(async move { watch.run(db, hints, stop).await });
        self.serve(
            internal,
            internal_router(state.clone(), self.metrics.clone()),
            "api.internal_listen",
        )
        .await?;
        let listener = bind(listen, "api.listen").await?;
        let (connections, stop) = (state.config.connections.clone(), self.stop.clone());
        let public_url = state.config.public_url.clone();
        self.tasks.spawn(boxoffice_api::serve(
            listener,
            router(state),
            connections,
            public_url,
            stop,
        ));
        Ok(())
    }

    /// The way in, with the journal beside it if it is on.
    fn intake(&self) -> Arc<dyn Intake> {
        let broker = Arc::new(BrokerIntake::new(&self.broker));
        let settings = &self.settings.intake;
        if !settings.journal {
            return broker;
        }
        let journal = Arc::new(Journal::new(broker, self.db.clone(), settings));
        let (running, stop) = (Arc::clone(&journal), self.stop.clone());
        self.tasks.spawn(async move { running.run(stop).await });
        journal
    }

    /// Health and metrics of a process that has only workers.
    pub(crate) async fn serve_health(&self, health: Health) -> Result<()> {
        let metrics = self.metrics.clone();
        let routes = Router::new()
            .route("/livez", get(async || "alive\n"))
            .route("/readyz", get(async move || ready(&health)))
            .route("/metrics", get(async move || metrics.render()));
        self.serve(
            self.settings.api.internal_listen,
            routes,
            "api.internal_listen",
        )
        .await
    }

    async fn serve(&self, address: SocketAddr, routes: Router, setting: &str) -> Result<()> {
        let listener = bind(address, setting).await?;
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let served = axum::serve(listener, routes)
                .with_graceful_shutdown(stop.cancelled_owned())
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the server ended");
            }
        });
        Ok(())
    }

    /// Ends what was spawned and closes the connections.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(END_MAX, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("requests left behind at the end");
        }
        self.broker.close().await;
    }
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("{setting}: {address} can't be listened on"))?;
    tracing::info!(address = %listener.local_addr()?, setting, "listening");
    Ok(listener)
}

/// How long open requests may take at the end.
const END_MAX: std::time::Duration = std::time::Duration::from_secs(2);

fn ready(health: &Health) -> axum::response::Response {
    let roles: Vec<serde_json::Value> = health
        .roles()
        .iter()
        .map(|role| {
            serde_json::json!({
                "role": role.role,
                "state": role.state.as_str(),
                "for_secs": role.state_for.as_secs(),
                "last_progress_secs": role.last_progress.map(|ago| ago.as_secs()),
            })
        })
        .collect();
    let ready = health.ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(serde_json::json!({ "ready": ready, "roles": roles })),
    )
        .into_response()
}

/// Cancelled by SIGTERM or Ctrl-C.
fn on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let mut terminate = match tokio::signal::unix::signal(SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(error) => return tracing::error!(%error, "SIGTERM can't be heard"),
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("asked to stop");
        token.cancel();
    });
    stop
}
