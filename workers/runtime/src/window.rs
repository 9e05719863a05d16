//! Acks of one channel: many at once below the first unsettled tag, one by one above it.

use crate::{ports::Acker, telemetry};
use futures::future::join_all;
use lapin::Channel;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};

/// The consuming connection is never blocked by the broker, so an ack that isn't written by then never is.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// The deliveries of a channel that are in hand. While one is, the channel stays open.
#[derive(Debug)]
pub struct Window {
    queue: &'static str,
    /// Dropping the last handle closes the channel; what is unsettled goes back to its queue.
    _channel: Option<Channel>,
    tags: Mutex<Tags>,
    in_hand: AtomicUsize,
    settled: Notify,
}

#[derive(Debug)]
struct Tags {
    /// Every tag below is settled.
    next: u64,
    /// Settled tags above.
    above: BTreeSet<u64>,
}

/// The right to acknowledge one delivery.
#[derive(Debug)]
pub struct Ticket {
    tag: u64,
    acker: Box<dyn Acker>,
    window: Arc<Window>,
}

impl Window {
    /// `channel` is kept open as long as a ticket is there.
    pub fn new(queue: &'static str, channel: impl Into<Option<Channel>>) -> Arc<Self> {
        Arc::new(Self {
            queue,
            _channel: channel.into(),
            tags: Mutex::new(Tags {
                next: 1,
                above: BTreeSet::new(),
            }),
            in_hand: AtomicUsize::new(0),
            settled: Notify::new(),
        })
    }

    /// The right to acknowledge the delivery of this tag.
    pub fn ticket(self: &Arc<Self>, tag: u64, acker: impl Acker + 'static) -> Ticket {
        self.in_hand.fetch_add(1, Ordering::Relaxed);
        Ticket {
            tag,
            acker: Box::new(acker),
            window: Arc::clone(self),
        }
    }

    /// Waits until nothing of this channel is in hand.
    pub(crate) async fn empty(&self) {
        loop {
            let settled = self.settled.notified();
            if self.in_hand.load(Ordering::Acquire) == 0 {
                return;
            }
            settled.await;
        }
    }

    /// Frames are written under the lock: a multiple ack that overtook another would name a tag that the
    /// broker no longer knows, and that closes the channel.
    async fn ack(&self, tickets: &[&Ticket]) {
        let mut tags = self.tags.lock().await;
        let mut highest: Option<&Ticket> = None;
        let new: BTreeSet<u64> = tickets.iter().map(|ticket| ticket.tag).collect();
        tags.above.extend(&new);
        loop {
            let next = tags.next;
            if !tags.above.remove(&next) {
                break;
            }
            tags.next += 1;
        }
        let next = tags.next;
        let mut single = Vec::new();
        for ticket in tickets {
            if ticket.tag >= next {
                single.push(*ticket);
            } else if highest.is_none_or(|highest| highest.tag < ticket.tag) {
                highest = Some(ticket);
            }
        }
        let mut acks = Vec::with_capacity(single.len() + 1);
        if let Some(ticket) = highest {
            acks.push(ticket.acker.ack(true));
        }
        for ticket in single {
            acks.push(ticket.acker.ack(false));
        }
        let written = join_all(acks);
        let stale = match timeout(ACK_TIMEOUT, written).await {
            Ok(results) => results.iter().filter(|written| !**written).count(),
            Err(_) => tickets.len(),
        };
        if stale > 0 {
            // Never a success: the channel is gone and the messages come again; the inbox knows them.
            metrics::counter!(telemetry::STALE_ACKS_TOTAL, "queue" => self.queue)
                .increment(stale as u64);
        }
    }
}

impl Ticket {
    /// Whether the delivery still is ours. Deliveries of a dead connection linger in lapin's buffer.
    pub(crate) fn usable(&self) -> bool {
        self.acker.usable()
    }

    /// Gives the delivery back, to come again at once. Only a planted bug does.
    pub(crate) async fn requeue(&self) {
        let mut tags = self.window.tags.lock().await;
        tags.above.insert(self.tag);
        // Should the channel be gone, it comes again all the same.
        self.acker.requeue().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.window.in_hand.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.window.settled.notify_waiters();
        }
    }
}

/// Acknowledges deliveries, whichever channels they came from.
pub(crate) async fn ack(tickets: &[&Ticket]) {
    let mut rest: Vec<&Ticket> = tickets.to_vec();
    while let Some(first) = rest.first() {
        let window = Arc::clone(&first.window);
        let (own, others): (Vec<&Ticket>, Vec<&Ticket>) = rest
            .into_iter()
            .partition(|ticket| Arc::ptr_eq(&ticket.window, &window));
        window.ack(&own).await;
        rest = others;
    }
}
