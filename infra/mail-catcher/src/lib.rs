//! A real SMTP server that delivers to nobody: it keeps every mail and shows it over HTTP.
//!
//! Its one promise: **a mail is stored before it is answered with 250**, on disk when a folder was
//! given. So what a sender believes delivered can be read here, also after a crash. On demand it
//! misbehaves ([`Fault`]) the way mail servers do.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let catcher = boxoffice_mail_catcher::spawn(Default::default()).await?;
//! // … send mails to catcher.smtp() …
//! let mails = catcher.wait_for("ada@example.org", 1, std::time::Duration::from_secs(5)).await?;
//! # Ok(()) }
//! ```

mod faults;
mod http;
mod mail;
mod pages;
mod smtp;
mod store;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use faults::{Fault, FaultKind, Faults};
pub use mail::{Attachment, Detail, Header, Summary};
pub use store::{Limits, Query, Store};

/// Where to listen and where to keep the mails. The default takes any free ports and keeps them in
/// memory, which is what a test wants.
#[derive(Debug, Clone)]
pub struct Options {
    pub smtp: SocketAddr,
    pub http: SocketAddr,
    /// A folder for one `.eml` file per mail; without it mails live as long as the process.
    pub data: Option<PathBuf>,
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            smtp: any_port,
            http: any_port,
            data: None,
            limits: Limits::default(),
        }
    }
}

/// A running mail catcher. Dropping it closes both ports and every connection.
pub struct Catcher {
    smtp: SocketAddr,
    http: SocketAddr,
    store: Arc<Store>,
    faults: Arc<Faults>,
    servers: JoinSet<std::io::Result<()>>,
}

/// Binds both ports, loads what the folder holds, and serves in the background.
pub async fn spawn(options: Options) -> anyhow::Result<Catcher> {
    let store = Arc::new(Store::open(options.data, options.limits)?);
    let faults = Arc::new(Faults::default());
    let smtp = bind("SMTP", options.smtp).await?;
    let http = bind("HTTP", options.http).await?;

    let mut catcher = Catcher {
        smtp: smtp.local_addr()?,
        http: http.local_addr()?,
        store: Arc::clone(&store),
        faults: Arc::clone(&faults),
        servers: JoinSet::new(),
    };
    catcher
        .servers
        .spawn(smtp::serve(smtp, Arc::clone(&store), Arc::clone(&faults)));
    let router = http::router(store, faults);
    catcher
        .servers
        .spawn(async move { axum::serve(http, router).await });
    Ok(catcher)
}

impl Catcher {
    pub fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    pub fn http(&self) -> SocketAddr {
        self.http
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Waits until at least `count` mails to `recipient` are stored; the newest comes first.
    pub async fn wait_for(
        &self,
        recipient: &str,
        count: usize,
        deadline: Duration,
    ) -> anyhow::Result<Vec<Summary>> {
        let query = Query {
            to: Some(recipient.to_owned()),
            ..Query::default()
        };
        let until = Instant::now() + deadline;
        loop {
            let arrival = self.store.arrival();
            let found = self.store.list(&query);
            if found.len() >= count {
                return Ok(found);
            }
            tokio::time::timeout_at(until, arrival)
                .await
                .ok()
                .with_context(|| {
                    format!(
                        "{} of {count} mails to {recipient} arrived within {deadline:?}",
                        found.len()
                    )
                })?;
        }
    }

    /// Runs until one of the servers fails, which neither does in ordinary life.
    pub async fn join(mut self) -> anyhow::Result<()> {
        match self.servers.join_next().await {
            Some(ended) => Ok(ended??),
            None => Ok(()),
        }
    }
}

async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen for {name} on {address}"))
}
