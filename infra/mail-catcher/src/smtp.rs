//! The SMTP side. `mailin` owns the conversation's grammar; this file owns the connection, the
//! limits, the faults, and the answer after DATA, because that one may only be said once the mail
//! is stored.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailin::{Action, Handler, Response, Session, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::faults::{Faults, Hindrance, Refusal};
use crate::mail::Envelope;
use crate::store::Store;

const HOST_NAME: &str = "mail-catcher.localhost";
/// RFC 5321 allows 1,000; generous for those who do not count.
const LINE_BYTES_MAX: u64 = 64 << 10;
const RECIPIENTS_MAX: usize = 100;
const CONNECTIONS_MAX: usize = 256;
/// RFC 5321 4.5.3.2.7: five minutes between commands.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// Accepts connections until it is dropped, which also drops them.
pub(crate) async fn serve(
    listener: TcpListener,
    store: Arc<Store>,
    faults: Arc<Faults>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, or the client has gone: neither ends the server.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (store, faults) = (Arc::clone(&store), Arc::clone(&faults));
        connections.spawn(async move {
            if let Err(error) = converse(stream, store, faults).await {
                tracing::debug!(%error, "a connection broke off");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, store: Arc<Store>, faults: Arc<Faults>) -> io::Result<()> {
    let peer = stream.peer_addr()?.ip();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);

    let letter = Arc::new(Mutex::new(Letter::default()));
    let scribe = Scribe {
        letter: Arc::clone(&letter),
        faults: Arc::clone(&faults),
        bytes_max: store.limits().mail_bytes_max,
    };
    let mut session: Session<Scribe> = SessionBuilder::new(HOST_NAME).build(peer, scribe);
    reply(&mut write, &session.greeting()).await?;

    let mut line = Vec::new();
    loop {
        line.clear();
        let Ok(length) = timeout(
            IDLE_MAX,
            (&mut read)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line),
        )
        .await
        else {
            return reply(&mut write, &response::NO_SERVICE).await;
        };
        if length? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            return reply(&mut write, &custom(500, "5.5.2 line too long")).await;
        }
        let mut answer = session.process(&line);
        let finished = lock(&letter).finished.take();
        if let Some(finished) = finished {
            match settle(finished, &store, &faults).await {
                Some(verdict) => answer = verdict,
                None => return wait_for_hangup(read).await,
            }
        }
        if answer.action != Action::NoReply {
            reply(&mut write, &answer).await?;
        }
        if answer.action == Action::Close {
            return Ok(());
        }
    }
}

/// The answer to a whole mail; `None` means silence.
async fn settle(finished: Finished, store: &Arc<Store>, faults: &Faults) -> Option<Response> {
    let Finished::Mail { envelope, raw } = finished else {
        return Some(custom(552, "5.3.4 message too big"));
    };
    let hindrance = faults.at_data(&envelope.to);
    match hindrance {
        Some(Hindrance::HangBeforeStore) => return None,
        Some(Hindrance::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Hindrance::HangAfterStore) | None => {}
    }
    let bytes = raw.len();
    let store = Arc::clone(store);
    let kept = match tokio::task::spawn_blocking(move || store.keep(envelope, raw)).await {
        Ok(kept) => kept,
        Err(panic) => Err(io::Error::other(panic)),
    };
    match kept {
        Ok(_) if hindrance == Some(Hindrance::HangAfterStore) => None,
        Ok(id) => {
            tracing::info!(mail.id = %id, mail.bytes = bytes, "mail stored");
            Some(custom(250, &format!("2.0.0 stored as {id}")))
        }
        Err(error) => {
            tracing::error!(%error, "a mail could not be stored");
            Some(custom(451, "4.3.0 could not be stored, try again"))
        }
    }
}

/// Says nothing until the client gives up.
async fn wait_for_hangup(mut read: BufReader<OwnedReadHalf>) -> io::Result<()> {
    let mut rest = [0; 1024];
    while read.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn reply(write: &mut OwnedWriteHalf, response: &Response) -> io::Result<()> {
    write.write_all(&response.buffer()?).await
}

fn custom(code: u16, text: &str) -> Response {
    Response::custom(code, text.to_owned())
}

fn lock(letter: &Mutex<Letter>) -> MutexGuard<'_, Letter> {
    letter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The mail under way, shared between the session's handler and the connection.
#[derive(Default)]
struct Letter {
    envelope: Envelope,
    raw: Vec<u8>,
    too_big: bool,
    finished: Option<Finished>,
}

enum Finished {
    Mail { envelope: Envelope, raw: Vec<u8> },
    TooBig,
}

/// Writes down what the client says.
struct Scribe {
    letter: Arc<Mutex<Letter>>,
    faults: Arc<Faults>,
    bytes_max: usize,
}

impl Handler for Scribe {
    fn rcpt(&mut self, to: &str) -> Response {
        match self.faults.at_recipient(to) {
            Some(Refusal::Greylisted) => custom(451, "4.7.1 greylisted, try again later"),
            Some(Refusal::Rejected) => custom(550, "5.1.1 no such mailbox"),
            None => response::OK,
        }
    }

    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        if to.len() > RECIPIENTS_MAX {
            return custom(452, "4.5.3 too many recipients");
        }
        let envelope = Envelope {
            from: from.to_owned(),
            to: to.to_vec(),
        };
        *lock(&self.letter) = Letter {
            envelope,
            ..Letter::default()
        };
        response::OK
    }

    /// Never an error: mailin would answer it in the midst of the data.
    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        let mut letter = lock(&self.letter);
        if letter.too_big || letter.raw.len() + line.len() > self.bytes_max {
            letter.too_big = true;
            letter.raw = Vec::new();
        } else {
            letter.raw.extend_from_slice(line);
        }
        Ok(())
    }

    /// Always well for mailin, which after an error would take the next command for data. The
    /// connection gives the true answer.
    fn data_end(&mut self) -> Response {
        let letter = &mut *lock(&self.letter);
        letter.finished = Some(if letter.too_big {
            Finished::TooBig
        } else {
            Finished::Mail {
                envelope: std::mem::take(&mut letter.envelope),
                raw: std::mem::take(&mut letter.raw),
            }
        });
        response::OK
    }
}
