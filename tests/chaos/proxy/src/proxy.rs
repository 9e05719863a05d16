//! The listener of one link.

use crate::{
    connection,
    mode::Mode,
    rules::{Rule, RuleId, Rules},
    seen::{Counters, Seen},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;

/// One proxy in front of one server. Dropping it resets everything.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect.
    pub address: SocketAddr,
    link: Arc<Link>,
    _accepting: AbortOnDropHandle<()>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
pub(crate) struct Link {
    /// `host:port`, resolved at each connection.
    pub(crate) target: String,
    pub(crate) mode: watch::Sender<Mode>,
    /// How often [`Mode::Reset`] was set: however short it was, no connection outlives it.
    pub(crate) resets: watch::Sender<u64>,
    pub(crate) rules: Rules,
    pub(crate) counters: Counters,
}

impl Proxy {
    /// Listens on a free port of the loopback. `target` is `host:port`; it need not be there yet.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let link = Arc::new(Link {
            target,
            mode: watch::Sender::new(Mode::Pass),
            resets: watch::Sender::new(0),
            rules: Rules::default(),
            counters: Counters::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&link)));
        Self {
            address,
            link,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// From now on, for all connections.
    pub fn set(&self, mode: Mode) {
        self.link.mode.send_replace(mode);
        if mode == Mode::Reset {
            self.link.resets.send_modify(|count| *count += 1);
        }
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        *self.link.mode.borrow()
    }

    pub fn arm(&self, rule: Rule) -> RuleId {
        self.link.rules.arm(rule)
    }

    /// Takes a rule away; returns how often it was hit. A message that it holds stays held.
    pub fn disarm(&self, id: RuleId) -> u32 {
        self.link.rules.disarm(id)
    }

    pub fn disarm_all(&self) {
        self.link.rules.clear();
    }

    /// How often an armed rule was hit.
    #[must_use]
    pub fn hits(&self, id: RuleId) -> u32 {
        self.link.rules.hits(id)
    }

    #[must_use]
    pub fn seen(&self) -> Seen {
        self.link.counters.read()
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors, say: the next may work.
                let Ok((client, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                link.counters.connections.fetch_add(1, Relaxed);
                connections.spawn(connection::serve(client, Arc::clone(&link)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
