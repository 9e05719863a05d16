//! One connection through the proxy: two directions, each a reader that queues what came and a writer that lets it go
//! on, late, changed or not at all.

use crate::{
    mode::{Flow, Mode},
    parse::{Piece, Protocol, Splitter},
    proxy::Link,
    rules::{Act, Point},
};
use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

/// What one direction keeps back at most is this times the size of a read; then TCP's own window holds the sender.
const QUEUE_MAX: usize = 64;
const READ_MAX: usize = 16 * 1024;
/// An answer that doesn't come within this was never meant to.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How finely a throttled stream is cut.
const THROTTLE_STEP: Duration = Duration::from_millis(20);

/// Why a connection ends before its time.
enum Broken {
    /// By a mode or a rule.
    Proxy,
    /// By one of the two sides, or by the network between.
    Peer,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Peer
    }
}

/// What was read, and when.
struct Chunk {
    bytes: Vec<u8>,
    at: Instant,
}

/// What both directions of a connection know.
struct Wire {
    link: Arc<Link>,
    /// Told by the client's first bytes, before they are forwarded: the server's answer finds it.
    protocol: OnceLock<Protocol>,
    /// The message whose answer shall be lost, and until when that is waited for.
    losing: watch::Sender<Option<(Point, Instant)>>,
}

/// Reset when it is dropped, by whomever, unless it ended in order.
struct Hard {
    stream: TcpStream,
    ended: bool,
}

impl Hard {
    fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            ended: false,
        }
    }
}

impl Drop for Hard {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.stream.set_zero_linger();
        }
    }
}

/// Serves one client until both sides are done or something breaks.
pub(crate) async fn serve(client: TcpStream, link: Arc<Link>) {
    let mut client = Hard::new(client);
    let mut resets = link.resets.subscribe();
    let mut modes = link.mode.subscribe();
    // A packet that never arrives opens no connection at the server.
    let passed = modes
        .wait_for(|mode| !matches!(mode, Mode::Blackhole(_)))
        .await;
    if passed.map_or(Mode::Reset, |mode| *mode) == Mode::Reset {
        link.counters.cut.fetch_add(1, Relaxed);
        return;
    }
    let Ok(server) = TcpStream::connect(&link.target).await else {
        return;
    };
    let mut server = Hard::new(server);
    let wire = Wire {
        link,
        protocol: OnceLock::new(),
        losing: watch::Sender::new(None),
    };
    let (client_reads, client_writes) = client.stream.split();
    let (server_reads, server_writes) = server.stream.split();
    let both = async {
        tokio::try_join!(
            wire.carry(Flow::Up, client_reads, server_writes),
            wire.carry(Flow::Down, server_reads, client_writes)
        )
    };
    let ended = tokio::select! {
        ended = both => ended.map(|(up, down)| up || down),
        _ = resets.changed() => Err(Broken::Proxy),
    };
    if matches!(ended, Err(Broken::Proxy) | Ok(true)) {
        wire.link.counters.cut.fetch_add(1, Relaxed);
    }
    client.ended = ended.is_ok();
    server.ended = ended.is_ok();
}

impl Wire {
    /// Carries one direction to its end. Returns whether it was the proxy that closed it.
    async fn carry(
        &self,
        flow: Flow,
        from: ReadHalf<'_>,
        to: WriteHalf<'_>,
    ) -> Result<bool, Broken> {
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        let direction = Direction {
            wire: self,
            flow,
            to,
            modes: self.link.mode.subscribe(),
            losing: self.losing.subscribe(),
            splitter: Splitter::new(flow),
            dropping: BTreeSet::new(),
            left: None,
            closed: false,
        };
        let (_, closed) = tokio::try_join!(read(from, queue), direction.write(queued))?;
        Ok(closed)
    }
}

/// Queues what comes, until its end.
async fn read(mut from: ReadHalf<'_>, queue: mpsc::Sender<Chunk>) -> Result<(), Broken> {
    loop {
        let mut bytes = vec![0; READ_MAX];
        let count = from.read(&mut bytes).await?;
        bytes.truncate(count);
        let chunk = Chunk {
            bytes,
            at: Instant::now(),
        };
        // Without bytes it is the end, which waits its turn like them.
        if queue.send(chunk).await.is_err() || count == 0 {
            return Ok(());
        }
    }
}

/// One direction's writer.
struct Direction<'a> {
    wire: &'a Wire,
    flow: Flow,
    to: WriteHalf<'a>,
    modes: watch::Receiver<Mode>,
    losing: watch::Receiver<Option<(Point, Instant)>>,
    splitter: Splitter,
    /// Channels whose current message is dropped; its content is still to come.
    dropping: BTreeSet<u16>,
    /// Bytes until the cut.
    left: Option<u64>,
    /// The proxy has shut the receiver's side down; what comes is discarded.
    closed: bool,
}

impl Direction<'_> {
    /// Returns whether the proxy closed it.
    async fn write(mut self, mut queue: mpsc::Receiver<Chunk>) -> Result<bool, Broken> {
        self.take_mode().await?;
        loop {
            let (losing, deadline) = match *self.losing.borrow() {
                Some((ref point, deadline)) if point.flow() != self.flow => (true, deadline),
                _ => (false, Instant::now()),
            };
            let chunk = tokio::select! {
                biased;
                changed = self.modes.changed() => {
                    changed.map_err(|_gone| Broken::Proxy)?;
                    self.take_mode().await?;
                    continue;
                }
                // What is swallowed from here on is decided before the next bytes are looked at.
                changed = self.losing.changed() => {
                    changed.map_err(|_gone| Broken::Proxy)?;
                    continue;
                }
                () = sleep_until(deadline), if losing => return Err(Broken::Proxy),
                chunk = queue.recv() => chunk,
            };
            let Some(chunk) = chunk else {
                return Ok(self.closed);
            };
            self.wait(&chunk).await?;
            if chunk.bytes.is_empty() {
                let rest = self.splitter.rest();
                self.forward(&rest).await?;
                if !self.closed {
                    self.to.shutdown().await?;
                }
                return Ok(self.closed);
            }
            let protocol = &self.wire.protocol;
            for piece in self.splitter.push(&chunk.bytes, protocol) {
                self.take(piece).await?;
            }
        }
    }

    /// A mode that acts at once, when it is set.
    async fn take_mode(&mut self) -> Result<(), Broken> {
        let mode = *self.modes.borrow_and_update();
        self.left = match mode {
            Mode::CutAfter { flow, bytes } if flow.covers(self.flow) => Some(bytes),
            _ => None,
        };
        if matches!(mode, Mode::HalfClose(flow) if flow.covers(self.flow)) && !self.closed {
            self.closed = true;
            self.to.shutdown().await?;
        }
        Ok(())
    }

    /// Waits as long as the mode keeps back what was read.
    async fn wait(&mut self, chunk: &Chunk) -> Result<(), Broken> {
        let mut held = false;
        loop {
            let mode = *self.modes.borrow();
            let until = match mode {
                Mode::Blackhole(flow) if flow.covers(self.flow) => None,
                Mode::Delay {
                    flow,
                    delay,
                    jitter,
                } if flow.covers(self.flow) => {
                    let swing = jitter.mul_f64(rand::random_range(0.0..=2.0));
                    Some(chunk.at + (delay + swing).saturating_sub(jitter))
                }
                _ => return Ok(()),
            };
            if !held {
                held = true;
                self.count_held(chunk.bytes.len());
            }
            let over = async {
                match until {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return Ok(()),
                changed = self.modes.changed() => changed.map_err(|_gone| Broken::Proxy)?,
            }
            self.take_mode().await?;
        }
    }

    /// One message or a part of one.
    async fn take(&mut self, piece: Piece) -> Result<(), Broken> {
        if self.is_lost(&piece)? {
            self.swallow(&piece.bytes);
            return Ok(());
        }
        if piece.head {
            self.dropping.remove(&piece.channel);
        } else if self.dropping.contains(&piece.channel) {
            self.swallow(&piece.bytes);
            return Ok(());
        }
        let act = piece
            .point
            .as_ref()
            .and_then(|point| self.wire.link.rules.meet(point));
        if act.is_some() {
            self.wire.link.counters.hits.fetch_add(1, Relaxed);
        }
        match act {
            None => {}
            Some(Act::Reset) => return Err(Broken::Proxy),
            Some(Act::Drop) => {
                self.dropping.insert(piece.channel);
                self.swallow(&piece.bytes);
                return Ok(());
            }
            Some(Act::Hold(how_long)) => {
                self.count_held(piece.bytes.len());
                sleep(how_long).await;
            }
            Some(Act::LoseAnswer) => {
                let losing = piece
                    .point
                    .map(|point| (point, Instant::now() + ANSWER_MAX));
                self.wire.losing.send_replace(losing);
            }
        }
        self.forward(&piece.bytes).await
    }

    /// Whether this is on the way back to one whose answer is lost. Its answer ends the connection.
    fn is_lost(&self, piece: &Piece) -> Result<bool, Broken> {
        let losing = self.losing.borrow();
        let Some((point, _)) = losing
            .as_ref()
            .filter(|(point, _)| point.flow() != self.flow)
        else {
            return Ok(false);
        };
        let answered = match point {
            Point::AmqpPublish => matches!(piece.point, Some(Point::AmqpConfirm | Point::AmqpNack)),
            Point::AmqpDeliver => piece.point == Some(Point::AmqpClientAck),
            _ => true,
        };
        if answered {
            self.swallow(&piece.bytes);
            return Err(Broken::Proxy);
        }
        Ok(true)
    }

    async fn forward(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            if self.closed {
                self.swallow(bytes);
                return Ok(());
            }
            let mode = *self.modes.borrow();
            let (mut count, mut pause) = (bytes.len(), None);
            if let Mode::Throttle {
                flow,
                bytes_per_sec,
            } = mode
                && flow.covers(self.flow)
            {
                let rate = f64::from(bytes_per_sec.max(1));
                count = count.min(((rate * THROTTLE_STEP.as_secs_f64()) as usize).max(1));
                pause = Some(Duration::from_secs_f64(count as f64 / rate));
                self.count_held(count);
            }
            let last = self.left.filter(|left| *left <= count as u64);
            let part = &bytes[..last.map_or(count, |left| left as usize)];
            self.to.write_all(part).await?;
            self.wire.link.counters.forwarded(self.flow, part.len());
            if last.is_some() {
                return Err(Broken::Proxy);
            }
            self.left = self.left.map(|left| left - part.len() as u64);
            bytes = &bytes[part.len()..];
            if let Some(pause) = pause
                && let Ok(changed) = timeout(pause, self.modes.changed()).await
            {
                changed.map_err(|_gone| Broken::Proxy)?;
                self.take_mode().await?;
            }
        }
        Ok(())
    }

    fn swallow(&self, bytes: &[u8]) {
        self.wire
            .link
            .counters
            .swallowed
            .fetch_add(bytes.len() as u64, Relaxed);
    }

    fn count_held(&self, bytes: usize) {
        self.wire
            .link
            .counters
            .held
            .fetch_add(bytes as u64, Relaxed);
    }
}
