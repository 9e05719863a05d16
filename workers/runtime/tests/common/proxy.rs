//! A link to the database that can fail in the ways that matter.

#![allow(dead_code, reason = "each test file uses its part")]

use crate::common::World;
use boxoffice_runtime::DatabaseConfig;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

pub(crate) struct Proxy {
    /// How to reach the database through it.
    pub(crate) config: DatabaseConfig,
    /// While set, the answer to `BEGIN` comes late.
    pub(crate) hold_begin: Arc<AtomicBool>,
    /// While set, a connection ends as soon as a `COMMIT` has been handed to the server: its outcome is
    /// unknown to the client.
    pub(crate) lose_commit: Arc<AtomicBool>,
    cut: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn to_database(world: &World) -> Self {
        let url = &world.database_config.url;
        let place = url
            .split('@')
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self {
            config: DatabaseConfig {
                // Unencrypted, or the proxy could not read along; MySQL's server would offer TLS.
                url: url.replace(&place, &format!("127.0.0.1:{port}")) + "?ssl-mode=disabled",
                ..world.database_config.clone()
            },
            hold_begin: Arc::default(),
            lose_commit: Arc::default(),
            cut: watch::Sender::new(false),
        };
        let (hold, lose) = (
            Arc::clone(&proxy.hold_begin),
            Arc::clone(&proxy.lose_commit),
        );
        let cut = proxy.cut.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *cut.borrow() {
                    continue;
                }
                let server = TcpStream::connect(&place).await.unwrap();
                let link = Link {
                    hold: Arc::clone(&hold),
                    lose: Arc::clone(&lose),
                    late: AtomicBool::new(false),
                    losing: AtomicBool::new(false),
                };
                let (mut cut, (client_in, client_out), (server_in, server_out)) =
                    (cut.clone(), client.into_split(), server.into_split());
                tokio::spawn(async move {
                    tokio::select! {
                        () = link.upstream(client_in, server_out) => {}
                        () = link.downstream(server_in, client_out) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        proxy
    }

    /// Ends every connection and refuses new ones, or accepts them again.
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

struct Link {
    hold: Arc<AtomicBool>,
    lose: Arc<AtomicBool>,
    late: AtomicBool,
    losing: AtomicBool,
}

impl Link {
    async fn upstream(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            let says = |word: &[u8]| buffer[..n].windows(word.len()).any(|window| window == word);
            self.late
                .store(says(b"BEGIN") && self.hold.load(SeqCst), SeqCst);
            let lose = says(b"COMMIT") && self.lose.swap(false, SeqCst);
            self.losing.store(lose, SeqCst);
            if to.write_all(&buffer[..n]).await.is_err() {
                return;
            }
            if lose {
                sleep(Duration::from_millis(30)).await;
                return;
            }
        }
    }

    async fn downstream(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if self.late.swap(false, SeqCst) {
                sleep(Duration::from_millis(600)).await;
            }
            // The answer to a lost COMMIT is not passed on; upstream ends the link.
            if self.losing.load(SeqCst) {
                sleep(Duration::from_secs(1)).await;
                return;
            }
            if to.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    }
}
