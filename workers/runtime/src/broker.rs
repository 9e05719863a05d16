//! Two supervised connections to the broker: one to publish, one to consume.
//!
//! Two, because a memory or disk alarm blocks a publishing connection as a whole: acks sent on it would
//! wait too, and the queues could not drain. Crash-only: lapin's own recovery hangs after some broker
//! restarts, so whatever goes wrong ends the connection, and it is built again from nothing with everything
//! on it.

use crate::{
    backoff::Backoff,
    config::{BrokerConfig, redacted},
    link::Link,
};
use boxoffice_contracts::planted::{self, Bug};
use futures::StreamExt;
use lapin::{Connection, ConnectionProperties, Event, uri::AMQPUri};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Whether the broker can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerState {
    /// Not connected; being connected again.
    Down,
    Up,
    /// Connected, but the broker takes no messages: an alarm for memory or disk.
    Blocked,
}

impl BrokerState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Blocked => "blocked",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("the broker URL can't be read: {0}")]
    Url(String),
    /// The URL is shown without its password.
    #[error("no connection to {url}: {cause}")]
    Connect { url: String, cause: String },
    #[error("not connected to the broker")]
    Down,
    #[error("the broker takes no messages: memory or disk alarm")]
    Blocked,
    #[error("the broker did not answer in time: {0}")]
    TimedOut(&'static str),
    #[error("broker: {0}")]
    Amqp(#[from] lapin::Error),
}

/// The supervised connections. Cheap to clone; [`Broker::close`] ends them.
#[derive(Clone, Debug)]
pub struct Broker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: BrokerConfig,
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Broker {
    /// Connects, or says why it can't. From then on the connections are kept up until [`Broker::close`].
    ///
    /// # Errors
    /// When the first attempt fails: a wrong host, password or virtual host is told at once.
    pub async fn connect_first(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let uri = uri(config)?;
        let publishing = connect(config, &uri, Link::PUBLISH).await?;
        let consuming = connect(config, &uri, Link::CONSUME).await?;
        let broker = Self::supervised(config, Some((publishing, consuming)), HOUSE)?;
        broker.0.publishing.up().await;
        broker.0.consuming.up().await;
        Ok(broker)
    }

    /// Starts without waiting for the broker; [`Broker::state`] tells when it is there.
    ///
    /// # Errors
    /// When the URL is malformed.
    pub fn start(config: &BrokerConfig) -> Result<Self, BrokerError> {
        Self::supervised(config, None, HOUSE)
    }

    /// The same for another virtual host than the house's own, under names of its own in logs and metrics: the
    /// link that publishes, then the one that consumes.
    ///
    /// # Errors
    /// When the URL is malformed.
    pub fn start_beside(
        config: &BrokerConfig,
        links: [&'static str; 2],
    ) -> Result<Self, BrokerError> {
        Self::supervised(config, None, links)
    }

    fn supervised(
        config: &BrokerConfig,
        first: Option<(Connection, Connection)>,
        links: [&'static str; 2],
    ) -> Result<Self, BrokerError> {
        let uri = uri(config)?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let publishing = Link::new(links[0]);
        let consuming = if planted::is(Bug::SharedConnection) {
            Arc::clone(&publishing)
        } else {
            Link::new(links[1])
        };
        let (first_publishing, first_consuming) = first.unzip();
        let both = [
            (&publishing, first_publishing),
            (&consuming, first_consuming),
        ];
        let links = if planted::is(Bug::SharedConnection) {
            1
        } else {
            2
        };
        for (link, first) in both.into_iter().take(links) {
            let supervisor = Supervisor {
                config: config.clone(),
                uri: uri.clone(),
                link: Arc::clone(link),
                tasks: tasks.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(supervisor.run(first));
        }
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            publishing,
            consuming,
            tasks,
            stop,
        })))
    }

    #[must_use]
    pub fn config(&self) -> &BrokerConfig {
        &self.0.config
    }

    /// State of the connection that publishes: what readiness and the intake go by.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<BrokerState> {
        self.0.publishing.watch()
    }

    /// State of the connection that consumes.
    #[must_use]
    pub fn consuming(&self) -> watch::Receiver<BrokerState> {
        self.0.consuming.watch()
    }

    pub(crate) fn publishing_link(&self) -> &Arc<Link> {
        &self.0.publishing
    }

    pub(crate) fn consuming_link(&self) -> &Arc<Link> {
        &self.0.consuming
    }

    /// Ends both connections. Close them last: what is unacknowledged goes back to its queue.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        if timeout(CLOSE_TIMEOUT * 2, self.0.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("broker connections did not close in time");
        }
    }
}

/// Links of the house's own broker.
const HOUSE: [&str; 2] = [Link::PUBLISH, Link::CONSUME];

const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Belt and braces beside lapin's events: how often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A connection that held this long was a good one: the backoff starts from the beginning again.
const GOOD_AFTER: Duration = Duration::from_secs(5);

struct Supervisor {
    config: BrokerConfig,
    uri: AMQPUri,
    link: Arc<Link>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Supervisor {
    async fn run(self, first: Option<Connection>) {
        let mut next = first;
        let mut backoff = Backoff::connection();
        loop {
            let connection = match next.take() {
                Some(connection) => connection,
                None => match self.connect(&mut backoff).await {
                    Some(connection) => connection,
                    None => return,
                },
            };
            let since = tokio::time::Instant::now();
            let stopped = self.keep(Arc::new(connection)).await;
            if stopped {
                return;
            }
            if since.elapsed() > GOOD_AFTER {
                backoff.reset();
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Connects sooner or later; `None` when it is time to stop.
    async fn connect(&self, backoff: &mut Backoff) -> Option<Connection> {
        let mut told = String::new();
        loop {
            let attempt = tokio::select! {
                attempt = connect(&self.config, &self.uri, self.link.name) => attempt,
                () = self.stop.cancelled() => return None,
            };
            match attempt {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    let text = error.to_string();
                    // The same reason again and again is one line, not one per attempt.
                    if text != told {
                        tracing::warn!(link = self.link.name, error = %text, "broker unreachable");
                        told = text;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// Lends a connection until it breaks (`false`) or it is time to stop (`true`).
    async fn keep(&self, connection: Arc<Connection>) -> bool {
        let link = &self.link;
        let mut events = connection.events_listener();
        let generation = link.lend(&connection);
        let blocked = connection.status().blocked();
        link.set_state(if blocked {
            BrokerState::Blocked
        } else {
            BrokerState::Up
        });
        tracing::info!(link = link.name, generation, "broker connected");
        let mut look = tokio::time::interval(LOOK_EVERY);
        let stopped = loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(link = link.name, %reason, "broker blocks publishing");
                        link.set_state(BrokerState::Blocked);
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!(link = link.name, "broker takes messages again");
                        link.set_state(BrokerState::Up);
                    }
                    Some(Event::Error(error)) if !connection.status().connected() => {
                        tracing::warn!(link = link.name, %error, "broker connection lost");
                        break false;
                    }
                    Some(_) => {}
                    None => break false,
                },
                _ = look.tick() => {
                    if !connection.status().connected() {
                        tracing::warn!(link = link.name, "broker connection found dead");
                        break false;
                    }
                }
                () = link.broken() => {
                    tracing::warn!(link = link.name, "broker connection given up");
                    break false;
                }
                () = self.stop.cancelled() => break true,
            }
        };
        link.withdraw();
        let close = async move {
            // Without it a half-dead connection would keep its unacknowledged messages for two heartbeats.
            let closing = connection.close(200, "bye".into());
            if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
                tracing::debug!("broker connection closed without an answer");
            }
        };
        if stopped {
            close.await;
        } else {
            self.tasks.spawn(close);
        }
        stopped
    }
}

/// Bytes of a frame, of which lapin keeps room for 32 each way.
///
/// Said before the connection is opened, that room is memory which the system gives when it is first used. Left to what
/// the server says, lapin writes it to its end, and an idle connection keeps 8 MiB for nothing.
///
/// Headers must fit into one frame. Those that we write fit into a small one; the connection that consumes has the
/// limit of every server that is left as it comes, as others may have written what it gets, and lapin ends a connection
/// that brings a larger frame. A server with another limit wants `?frame_max=` in `amqp.url`.
fn frame_max(purpose: &str) -> u32 {
    if purpose == Link::PUBLISH {
        16 * 1024
    } else {
        128 * 1024
    }
}

async fn connect(
    config: &BrokerConfig,
    uri: &AMQPUri,
    purpose: &str,
) -> Result<Connection, BrokerError> {
    let name = format!("{} {purpose}", config.connection_name);
    // No auto-recovery: see the top of the file.
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let failed = |cause: String| BrokerError::Connect {
        url: redacted(&config.url),
        cause,
    };
    let mut uri = uri.clone();
    uri.query.frame_max = uri.query.frame_max.or(Some(frame_max(purpose)));
    let connecting = Connection::connect_uri(uri, properties);
    match timeout(config.connect_timeout(), connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!(
            "no answer in {} ms",
            config.connect_timeout_ms
        ))),
    }
}

fn uri(config: &BrokerConfig) -> Result<AMQPUri, BrokerError> {
    let mut uri: AMQPUri = config.url.parse().map_err(BrokerError::Url)?;
    if let Some(vhost) = &config.vhost {
        uri.vhost.clone_from(vhost);
    }
    uri.query.heartbeat = Some(config.heartbeat_secs);
    Ok(uri)
}
