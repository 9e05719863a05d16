//! Messages that come twice, or in another order.

use super::{
    kind,
    tools::{between_ms, channel, one_of},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::ensure;
use async_trait::async_trait;
use boxoffice_contracts::topology::{Exchange, queues_of};
use futures::StreamExt as _;
use lapin::{
    Channel, Confirmation, Connection, Consumer, PublisherConfirm,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Where messages are reordered. Submits of new bookings keep their order: first come, first served.
const QUEUES_OF_ANSWERS: &[&str] = &["mail", "payments", "reservations", "tickets", "timeline"];
/// Not the intake: a second binding would hide that the owner's is missing.
const COPIED: [Exchange; 2] = [Exchange::Commands, Exchange::Events];
/// How many are held back at once.
const HELD_MAX: u16 = 20;

pub(super) const KINDS: &[Kind] = &[
    kind("messages.duplicate", 4, |dice| {
        Box::new(Doubled {
            lasts: between_ms(dice, 2_000..6_000),
            copies: None,
            sent: 0,
        })
    }),
    kind("messages.shuffle", 4, |dice| {
        Box::new(Shuffled {
            queue: one_of(dice, QUEUES_OF_ANSWERS),
            lasts: between_ms(dice, 1_000..4_000),
            dice: StdRng::from_rng(dice),
            held: None,
            moved: 0,
        })
    }),
];

/// What is heard on a queue of our own.
struct Heard {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
    queue: String,
}

impl Heard {
    async fn listen(connection: Connection, channel: Channel, queue: &str) -> anyhow::Result<Self> {
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let options = BasicConsumeOptions::default();
        let consumer = channel
            .basic_consume(queue.into(), "chaos".into(), options, FieldTable::default())
            .await?;
        Ok(Self {
            connection,
            channel,
            consumer,
            queue: queue.to_owned(),
        })
    }

    /// Nothing new comes to its queue: what goes on in the house would keep it from ever ending.
    async fn hear_no_more(&self) -> lapin::Result<()> {
        for exchange in COPIED {
            let (queue, exchange) = (self.queue.as_str().into(), exchange.name().into());
            let unbound =
                self.channel
                    .queue_unbind(queue, exchange, "#".into(), FieldTable::default());
            unbound.await?;
        }
        Ok(())
    }

    /// What has come by now, at most so many; messages still on their way belong to the next fault.
    async fn taken(&mut self, most: usize) -> anyhow::Result<Vec<Delivery>> {
        /// A delivery that was sent is here by then.
        const QUIET: Duration = Duration::from_millis(200);
        let mut taken = Vec::new();
        while taken.len() < most {
            match timeout_at(Instant::now() + QUIET, self.consumer.next()).await {
                Ok(Some(delivery)) => taken.push(delivery?),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Puts it straight into a queue, as it is, and waits until it is there.
    async fn put(&self, queue: &str, delivery: &Delivery) -> anyhow::Result<()> {
        let confirmed = self.send(queue, delivery).await?.await?;
        ensure!(
            matches!(confirmed, Confirmation::Ack(None)),
            "{queue}: {confirmed:?}"
        );
        Ok(())
    }

    async fn send(&self, queue: &str, delivery: &Delivery) -> lapin::Result<PublisherConfirm> {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let properties = delivery.properties.clone();
        let data = &delivery.data;
        self.channel
            .basic_publish("".into(), queue.into(), options, data, properties)
            .await
    }

    /// What wasn't acknowledged goes back to its queue.
    async fn close(self) {
        let _ = self.connection.close(200, "done".into()).await;
    }
}

/// Every command and every fact comes twice, under the same id.
struct Doubled {
    lasts: Duration,
    copies: Option<Heard>,
    sent: usize,
}

#[async_trait]
impl Fault for Doubled {
    fn kind(&self) -> &'static str {
        "messages.duplicate"
    }

    fn target(&self) -> String {
        "commands and events".to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (connection, channel) = channel(stage).await?;
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = channel
            .queue_declare("".into(), options, FieldTable::default())
            .await?;
        let name = queue.name().as_str().to_owned();
        for exchange in COPIED {
            let all = channel.queue_bind(
                name.as_str().into(),
                exchange.name().into(),
                "#".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            );
            all.await?;
        }
        self.copies = Some(Heard::listen(connection, channel, &name).await?);
        Ok(())
    }

    async fn heal(&mut self, _stage: &Stage) -> anyhow::Result<()> {
        let Some(mut copies) = self.copies.take() else {
            return Ok(());
        };
        // The connection may have been another fault's victim: then there are no copies.
        if copies.hear_no_more().await.is_err() {
            return Ok(());
        }
        while let Ok(heard) = copies.taken(1_000).await {
            if heard.is_empty() {
                break;
            }
            let mut confirms = Vec::new();
            for copy in &heard {
                let (exchange, key) = (copy.exchange.as_str(), copy.routing_key.as_str());
                for from in COPIED.into_iter().filter(|from| from.name() == exchange) {
                    for queue in queues_of(from, key) {
                        confirms.extend(copies.send(queue.name, copy).await);
                    }
                }
            }
            for confirm in confirms {
                let confirmed = confirm.await;
                self.sent += usize::from(matches!(confirmed, Ok(Confirmation::Ack(None))));
            }
        }
        copies.close().await;
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.sent > 0).then(|| format!("{} messages came twice", self.sent))
    }
}

/// Some messages of a queue are held back and come in another order.
struct Shuffled {
    queue: &'static str,
    lasts: Duration,
    dice: StdRng,
    held: Option<Heard>,
    moved: usize,
}

#[async_trait]
impl Fault for Shuffled {
    fn kind(&self) -> &'static str {
        "messages.shuffle"
    }

    fn target(&self) -> String {
        self.queue.to_owned()
    }

    fn lasts(&self) -> Duration {
        self.lasts
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (connection, channel) = channel(stage).await?;
        channel
            .basic_qos(HELD_MAX, BasicQosOptions::default())
            .await?;
        self.held = Some(Heard::listen(connection, channel, self.queue).await?);
        Ok(())
    }

    async fn heal(&mut self, _stage: &Stage) -> anyhow::Result<()> {
        let Some(mut held) = self.held.take() else {
            return Ok(());
        };
        let mut messages = held.taken(HELD_MAX.into()).await.unwrap_or_default();
        messages.shuffle(&mut self.dice);
        for message in &messages {
            // Confirmed before it is acknowledged: it may come twice, and is never lost.
            if held.put(self.queue, message).await.is_err() {
                break;
            }
            if message.acker.ack(BasicAckOptions::default()).await.is_ok() {
                self.moved += 1;
            }
        }
        held.close().await;
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        (self.moved > 0).then(|| format!("{} messages in another order", self.moved))
    }
}
