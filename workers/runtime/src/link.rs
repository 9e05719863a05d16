//! A supervised connection as its users see it: they open channels on it and say when it is broken.

use crate::{BrokerError, BrokerState, telemetry};
use lapin::{Channel, Connection};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

const CHANNEL_TIMEOUT: Duration = Duration::from_secs(5);

/// One supervised connection as its users see it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: &'static str,
    state: watch::Sender<BrokerState>,
    live: watch::Sender<Live>,
    broken: Notify,
}

/// The connection of the moment. The generation tells an old channel from a new one.
#[derive(Clone, Debug, Default)]
struct Live {
    connection: Option<Arc<Connection>>,
    generation: u64,
}

/// A channel and the generation of its connection.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) channel: Channel,
    pub(crate) generation: u64,
    since: Instant,
}

/// A channel that was refused is given up only after so long: a queue that is full indeed costs no more channels.
const REFUSED_KEPT: Duration = Duration::from_secs(1);

impl Opened {
    /// Whether a channel on which a message was refused is to be replaced by a new one.
    ///
    /// RabbitMQ remembers per channel that a quorum queue is full, and forgets it only when the queue has shrunk below
    /// its limit. When the limit is lifted while the queue is over it, nobody tells the channel: it would refuse for
    /// ever (seen with 3.10; `rabbit_fifo` tells nothing when its length is no longer bounded).
    pub(crate) fn outlived_refusal(&self) -> bool {
        self.since.elapsed() >= REFUSED_KEPT
    }
}

impl Link {
    pub(crate) const PUBLISH: &'static str = "publish";
    pub(crate) const CONSUME: &'static str = "consume";

    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            state: watch::Sender::new(BrokerState::Down),
            live: watch::Sender::new(Live::default()),
            broken: Notify::new(),
        })
    }

    pub(crate) fn set_state(&self, state: BrokerState) {
        let changed = self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
        if changed {
            telemetry::broker_state(self.name, state);
        }
    }

    /// Hands a connection out to everybody who waits; returns its generation.
    pub(crate) fn lend(&self, connection: &Arc<Connection>) -> u64 {
        self.live.send_modify(|live| {
            live.connection = Some(Arc::clone(connection));
            live.generation += 1;
        });
        self.generation()
    }

    pub(crate) fn withdraw(&self) {
        self.live.send_modify(|live| live.connection = None);
        self.set_state(BrokerState::Down);
    }

    /// Ends when somebody has given the connection up.
    pub(crate) async fn broken(&self) {
        self.broken.notified().await;
    }

    pub(crate) fn watch(&self) -> watch::Receiver<BrokerState> {
        self.state.subscribe()
    }

    pub(crate) fn state(&self) -> BrokerState {
        *self.state.borrow()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.live.borrow().generation
    }

    /// Ends when the connection of this generation has been given up.
    pub(crate) async fn gone(&self, generation: u64) {
        let mut live = self.live.subscribe();
        // An error means that the link itself is gone.
        let _ = live
            .wait_for(|live| live.generation != generation || live.connection.is_none())
            .await;
    }

    /// Waits until there is a connection.
    pub(crate) async fn up(&self) {
        let mut live = self.live.subscribe();
        let _ = live.wait_for(|live| live.connection.is_some()).await;
    }

    /// Opens a channel on the connection of the moment, or fails at once if there is none.
    pub(crate) async fn channel(&self) -> Result<Opened, BrokerError> {
        let live = self.live.borrow().clone();
        let connection = live.connection.ok_or(BrokerError::Down)?;
        let opened = timeout(CHANNEL_TIMEOUT, connection.create_channel()).await;
        match opened {
            Ok(Ok(channel)) => Ok(Opened {
                channel,
                generation: live.generation,
                since: Instant::now(),
            }),
            Ok(Err(error)) => {
                if !connection.status().connected() {
                    self.mark_broken(live.generation);
                }
                Err(error.into())
            }
            Err(_) => {
                // A blocked connection writes nothing, so nothing is answered; it isn't broken.
                if self.state() == BrokerState::Blocked {
                    return Err(BrokerError::Blocked);
                }
                self.mark_broken(live.generation);
                Err(BrokerError::TimedOut("channel.open"))
            }
        }
    }

    /// Gives the connection up, if it still is the one of that generation.
    pub(crate) fn mark_broken(&self, generation: u64) {
        if self.generation() == generation {
            self.broken.notify_one();
        }
    }
}
