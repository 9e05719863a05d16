//! A TCP proxy that breaks on demand: what a test does to a network.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinHandle,
};

/// Which of the product's links goes through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    Mysql,
    Mongodb,
    Amqp,
    Smtp,
    Gateway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything flows.
    Pass,
    /// Nothing flows and nobody is told, as when packets are dropped.
    Blackhole,
    /// Every connection is reset, and every new one.
    Cut,
}

/// One proxy in front of one server. Dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port. `target` is `host:port`.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, target.clone(), modes.clone()));
            }
        });
        Self {
            address,
            mode,
            accepting,
        }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Cut);
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, target: String, mut modes: watch::Receiver<Mode>) {
    let serve = async {
        wait_for_passage(&mut modes.clone()).await;
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        let up = copy(client_reads, server_writes, modes.clone());
        let down = copy(server_reads, client_writes, modes.clone());
        // Half-closed connections are of no use to any of these protocols.
        tokio::select! { () = up => {}, () = down => {} }
    };
    let mut cuts = modes.clone();
    tokio::select! {
        () = serve => {}
        // Dropped with unread bytes or without, the peer sees the end at once.
        _ = cuts.wait_for(|mode| *mode == Mode::Cut) => {}
    }
    // The sender is gone when the proxy is.
    let _ = modes.borrow_and_update();
}

async fn copy(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut bytes).await {
        if count == 0 {
            return;
        }
        // What was read while nothing flows is late, not lost: as TCP would send it again.
        wait_for_passage(&mut modes).await;
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn wait_for_passage(modes: &mut watch::Receiver<Mode>) {
    if modes.wait_for(|mode| *mode == Mode::Pass).await.is_err() {
        // The proxy is gone: whoever waits here is about to be dropped.
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}
