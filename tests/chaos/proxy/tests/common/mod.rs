//! A client and a server with a proxy between them.

#![allow(dead_code, reason = "each test file uses its part")]

use boxoffice_fault_proxy::Proxy;
use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

/// For everything that happens at once unless something is broken.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// Long enough on a loopback to say that nothing comes.
const NEVER: Duration = Duration::from_millis(100);

pub(crate) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) struct Pair {
    pub(crate) proxy: Proxy,
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
    pub(crate) listener: TcpListener,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().to_string()).await;
        let client = TcpStream::connect(proxy.address).await.unwrap();
        let (server, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        Self {
            proxy,
            client,
            server,
            listener,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address).await.unwrap()
    }

    pub(crate) async fn another(&self) -> (TcpStream, TcpStream) {
        let client = self.connect().await;
        let (server, _) = timeout(SOON, self.listener.accept())
            .await
            .unwrap()
            .unwrap();
        (client, server)
    }
}

pub(crate) async fn read(from: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(SOON, from.read_exact(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    bytes
}

pub(crate) async fn nothing_comes(from: &mut TcpStream) {
    let came = timeout(NEVER, from.read(&mut [0])).await;
    assert!(came.is_err(), "{came:?}");
}

/// The connection ends hard, with nothing before it.
pub(crate) async fn got_reset(from: &mut TcpStream) {
    let came = timeout(SOON, from.read(&mut [0])).await.unwrap();
    assert_eq!(
        came.as_ref().map_err(std::io::Error::kind),
        Err(ErrorKind::ConnectionReset),
        "{came:?}"
    );
}

pub(crate) async fn wait(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(millis(5)).await;
    }
}
