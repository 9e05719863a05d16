//! A MongoDB of one run's own: a replica set of one, which may be killed, stopped and asked to step down.
//!
//! `BOXOFFICE_TEST_MONGOD` names the program; `cargo xtask` tells where it has put it.

use crate::{
    private_server::{Server, clear, folder, program},
    process::free_port,
};
use mongodb::{
    Client,
    bson::{Document, doc},
};
use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};
use tokio::time::timeout;

const READY_MAX: Duration = Duration::from_secs(60);
/// One question of the harness.
const ANSWER_MAX: Duration = Duration::from_secs(5);

pub struct PrivateMongodb {
    program: String,
    folder: PathBuf,
    port: u16,
    server: Server,
}

impl PrivateMongodb {
    /// Starts it and makes it the primary of its set.
    ///
    /// # Panics
    /// There is no such server, or it doesn't start.
    pub async fn start() -> Self {
        let program = program(
            "BOXOFFICE_TEST_MONGOD",
            &["/usr/bin/mongod", "/usr/local/bin/mongod"],
        );
        let folder = folder("mongodb");
        fs::create_dir_all(folder.join("data")).unwrap();
        let mut mongodb = Self {
            program,
            port: free_port(),
            server: Server::new("the private MongoDB", folder.join("mongod.log")),
            folder,
        };
        mongodb.spawn().unwrap();
        let url = mongodb.url();
        let member = doc! { "_id": 0, "host": mongodb.address() };
        let set = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
        mongodb
            .server
            .ready(READY_MAX, || async {
                let answer = command(&url, set.clone()).await;
                match answer {
                    Err(error) if !error.contains("already initialized") => Err(error),
                    _ => Ok(()),
                }
            })
            .await
            .unwrap();
        mongodb.serves().await.unwrap();
        mongodb
    }

    /// Direct, so that it also works while the set has no primary.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address())
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.server.is_started()
    }

    /// kill -9.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        self.server.kill()
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn terminate(&mut self) -> Result<ExitStatus, String> {
        self.server.terminate().await
    }

    /// `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        self.server.signal(name);
    }

    /// Starts it on the data that is there, and waits until it is primary.
    ///
    /// # Errors
    /// It runs already, ended by itself or doesn't serve in time.
    pub async fn start_again(&mut self) -> Result<(), String> {
        self.spawn()?;
        self.serves().await
    }

    /// Waits until it is primary.
    ///
    /// # Errors
    /// It ended by itself, or isn't in time.
    pub async fn serves(&mut self) -> Result<(), String> {
        let url = self.url();
        self.server
            .ready(READY_MAX, || async {
                let answer = command(&url, doc! { "hello": 1 }).await?;
                match answer.get_bool("isWritablePrimary") {
                    Ok(true) => Ok(()),
                    _ => Err(format!("not the primary: {answer}")),
                }
            })
            .await
    }

    /// A command to the database `admin`.
    ///
    /// # Errors
    /// What the server or the driver says.
    pub async fn command(&self, asked: Document) -> Result<Document, String> {
        command(&self.url(), asked).await
    }

    fn spawn(&mut self) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command
            .arg("--dbpath")
            .arg(self.folder.join("data"))
            .args(["--replSet", "rs0", "--bind_ip", "127.0.0.1"])
            .args(["--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"])
            .args(["--port", &self.port.to_string()]);
        self.server.spawn(&mut command)
    }
}

impl Drop for PrivateMongodb {
    fn drop(&mut self) {
        self.server.kill();
        clear("private MongoDB", &self.folder);
    }
}

async fn command(url: &str, asked: Document) -> Result<Document, String> {
    let ask = async {
        let client = Client::with_uri_str(url)
            .await
            .map_err(|error| error.to_string())?;
        let answer = client.database("admin").run_command(asked).await;
        answer.map_err(|error| error.to_string())
    };
    timeout(ANSWER_MAX, ask)
        .await
        .unwrap_or_else(|_| Err("no answer".to_owned()))
}
