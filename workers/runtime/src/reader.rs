//! One queue's consumer, kept alive: channel, prefetch and subscription are built again from nothing
//! whenever anything is wrong with them.
//!
//! It begins with a prefetch of one. Messages that were given back come first, so whatever may have killed
//! a worker shows itself before others are in hand whose deliveries its next crash would count too.

use crate::{
    amqp,
    backoff::Backoff,
    broker::{Broker, BrokerError},
    hand::{Delivered, Hand, suspect},
    link::Opened,
    tally::Tally,
    telemetry,
    window::Window,
};
use boxoffice_contracts::topology::Queue;
use futures::StreamExt;
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// What a reader is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Consume,
    /// Cancel the consumer, keep what is in hand.
    Hold,
    Stop,
}

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Reader {
    pub(crate) broker: Broker,
    pub(crate) queue: &'static Queue,
    pub(crate) slot: usize,
    pub(crate) hand: Arc<Hand>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) mode: watch::Receiver<Mode>,
    /// What people want instead of the topology's prefetch.
    pub(crate) prefetch: watch::Receiver<Option<u16>>,
}

enum End {
    Stopped,
    /// Begin again with a new channel.
    Again,
}

impl Reader {
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::connection();
        let mut told = String::new();
        loop {
            match self.wanted().await {
                Mode::Stop => return,
                Mode::Consume | Mode::Hold => {}
            }
            match self.session().await {
                Ok(End::Stopped) => return,
                Ok(End::Again) => {
                    told.clear();
                    backoff.reset();
                }
                Err(error) => {
                    let text = error.to_string();
                    if text != told {
                        tracing::warn!(queue = self.queue.name, error = %text, "can't consume");
                        told = text;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                _ = self.mode.wait_for(|mode| *mode == Mode::Stop) => return,
            }
        }
    }

    /// Waits until consuming is wanted, or stopping.
    async fn wanted(&mut self) -> Mode {
        match self.mode.wait_for(|mode| *mode != Mode::Hold).await {
            Ok(mode) => *mode,
            // Nobody is there any more to tell.
            Err(_) => Mode::Stop,
        }
    }

    async fn session(&mut self) -> Result<End, BrokerError> {
        let link = Arc::clone(self.broker.consuming_link());
        link.up().await;
        let Opened {
            channel,
            generation,
            ..
        } = link.channel().await?;
        let window = Window::new(self.queue.name, channel.clone());
        metrics::counter!(telemetry::CONSUMERS_OPENED_TOTAL, "queue" => self.queue.name)
            .increment(1);
        // Until the first message has shown that it is harmless.
        let mut careful = true;
        let mut prefetch = 1;
        let mut consumer = self.subscribe(&channel, prefetch).await?;
        loop {
            let delivery = tokio::select! {
                delivery = consumer.next() => delivery,
                () = link.gone(generation) => return Ok(End::Again),
                wanted = self.prefetch.changed(), if !careful => {
                    // The prefetch is the consumer's, set when it begins: another consumer on the same channel, so
                    // that what is in hand stays ours.
                    if wanted.is_err() {
                        return Ok(End::Again);
                    }
                    self.withdraw(&channel, &window, consumer, true).await?;
                    prefetch = self.full();
                    consumer = self.subscribe(&channel, prefetch).await?;
                    tracing::info!(queue = self.queue.name, prefetch, "prefetch changed");
                    continue;
                }
                changed = self.mode.changed() => {
                    let mode = if changed.is_ok() { *self.mode.borrow_and_update() } else { Mode::Stop };
                    match mode {
                        Mode::Consume => continue,
                        Mode::Stop => {
                            // What was not handed over goes back when the channel closes.
                            self.cancel(&channel, &consumer).await?;
                            return Ok(End::Stopped);
                        }
                        Mode::Hold => {
                            self.withdraw(&channel, &window, consumer, true).await?;
                            tokio::select! {
                                mode = self.wanted() => if mode == Mode::Stop {
                                    return Ok(End::Stopped);
                                },
                                () = link.gone(generation) => return Ok(End::Again),
                            }
                            if !channel.status().connected() {
                                return Ok(End::Again);
                            }
                            consumer = self.subscribe(&channel, prefetch).await?;
                            continue;
                        }
                    }
                }
            };
            // The end of the stream: the broker cancelled it, or the channel is gone.
            let Some(delivery) = delivery else {
                return Ok(End::Again);
            };
            let delivered = self.read(&window, delivery?);
            match (suspect(&delivered), careful) {
                (true, true) => self.hand.put(Delivered {
                    alone: true,
                    ..delivered
                }),
                (false, false) => self.hand.put(delivered),
                (false, true) => {
                    self.hand.put(delivered);
                    self.withdraw(&channel, &window, consumer, true).await?;
                    careful = false;
                    prefetch = self.full();
                    consumer = self.subscribe(&channel, prefetch).await?;
                }
                (true, false) => {
                    // Not with others in hand: finish them, give this one back, and meet it again alone.
                    drop(delivered);
                    self.withdraw(&channel, &window, consumer, false).await?;
                    tokio::select! {
                        () = window.empty() => {}
                        () = link.gone(generation) => {}
                        _ = self.mode.wait_for(|mode| *mode == Mode::Stop) => return Ok(End::Stopped),
                    }
                    let closing = channel.close(200, "suspect message".into());
                    let _ = timeout(BROKER_TIMEOUT, closing).await;
                    return Ok(End::Again);
                }
            }
        }
    }

    /// What is taken ahead by a consumer that has nothing to fear.
    fn full(&mut self) -> u16 {
        self.prefetch
            .borrow_and_update()
            .unwrap_or(self.queue.prefetch)
    }

    /// Sets the prefetch, then consumes: the other way round the first deliveries would be unbounded.
    async fn subscribe(&self, channel: &Channel, prefetch: u16) -> Result<Consumer, BrokerError> {
        // Per consumer. The broker's "global" is per channel, and gone in 4.3.
        let qos = channel.basic_qos(prefetch, BasicQosOptions { global: false });
        answer("basic.qos", qos).await?;
        let options = BasicConsumeOptions::default();
        let tag = format!("{}-{}", self.queue.name, uuid::Uuid::new_v4().simple());
        let queue = amqp::short(self.queue.name);
        let consume =
            channel.basic_consume(queue, amqp::short(&tag), options, FieldTable::default());
        answer("basic.consume", consume).await
    }

    async fn cancel(&self, channel: &Channel, consumer: &Consumer) -> Result<(), BrokerError> {
        let cancel = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
        answer("basic.cancel", cancel).await
    }

    /// Cancels the consumer and takes what was delivered until then; suspects only if asked.
    async fn withdraw(
        &self,
        channel: &Channel,
        window: &Arc<Window>,
        mut consumer: Consumer,
        suspects: bool,
    ) -> Result<(), BrokerError> {
        self.cancel(channel, &consumer).await?;
        while let Ok(Some(delivery)) = timeout(BROKER_TIMEOUT, consumer.next()).await {
            let delivered = self.read(window, delivery?);
            let alone = suspect(&delivered);
            if !alone || suspects {
                self.hand.put(Delivered { alone, ..delivered });
            }
        }
        Ok(())
    }

    fn read(&self, window: &Arc<Window>, delivery: Delivery) -> Delivered {
        Delivered::new(
            self.queue,
            self.slot,
            &self.tally,
            &delivery.properties,
            delivery.data,
            window.ticket(delivery.delivery_tag, delivery.acker),
        )
    }
}

async fn answer<T>(
    what: &'static str,
    asked: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(BROKER_TIMEOUT, asked).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(BrokerError::TimedOut(what)),
    }
}
