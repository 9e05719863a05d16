//! One step of a booking: from a queue, through the database, to the next queue.

use super::{
    gateway::Gateway,
    rows::{Insert, Rows},
};
use crate::queues;
use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions,
    },
    types::FieldTable,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

/// Where the facts go.
pub(super) const EVENTS: &str = "bench.bare.events";
const BATCH_MAX: usize = 100;
const PACE: Duration = Duration::from_millis(8);
const PREFETCH: u16 = 400;
/// Persistent.
const DURABLE: u8 = 2;
/// As large as a command with its envelope.
const BODY_BYTES: usize = 700;
const CALLS_AT_ONCE: usize = 32;

/// What a step does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    pub(super) queue: &'static str,
    no: u32,
    /// Written first.
    before: &'static [Insert],
    /// Whether the booking itself is changed.
    changes: bool,
    call: Option<Call>,
    /// Written when the gateway has answered.
    after: &'static [Insert],
    next: Option<&'static str>,
    tells: bool,
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Authorise,
    Capture,
}

pub(super) const STEPS: [Of; 5] = [
    Of {
        queue: "bench.bare.submit",
        no: 1,
        before: &[
            ("bare_inbox", 1),
            ("bare_bookings", 1),
            ("bare_claims", 2),
            ("bare_events", 1),
            ("bare_outbox", 2),
        ],
        changes: false,
        call: None,
        after: &[],
        next: Some("bench.bare.authorise"),
        tells: true,
    },
    Of {
        queue: "bench.bare.authorise",
        no: 2,
        before: &[("bare_calls", 2)],
        changes: false,
        call: Some(Call::Authorise),
        after: &[("bare_inbox", 1), ("bare_outbox", 1)],
        next: Some("bench.bare.authorised"),
        tells: false,
    },
    Of {
        queue: "bench.bare.authorised",
        no: 3,
        before: &[("bare_inbox", 1), ("bare_events", 1), ("bare_outbox", 2)],
        changes: true,
        call: None,
        after: &[],
        next: Some("bench.bare.capture"),
        tells: true,
    },
    Of {
        queue: "bench.bare.capture",
        no: 4,
        before: &[("bare_calls", 1)],
        changes: false,
        call: Some(Call::Capture),
        after: &[("bare_inbox", 1), ("bare_outbox", 1)],
        next: Some("bench.bare.captured"),
        tells: false,
    },
    Of {
        queue: "bench.bare.captured",
        no: 5,
        before: &[("bare_inbox", 1), ("bare_events", 1), ("bare_outbox", 1)],
        changes: true,
        call: None,
        after: &[],
        next: None,
        tells: true,
    },
];

/// A message.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Body {
    id: Uuid,
    intent: String,
    /// What the house's messages say beside it.
    rest: String,
}

pub(super) struct Step {
    of: Of,
    _connections: [Connection; 2],
    consumer: Consumer,
    publisher: Channel,
    rows: Rows,
    gateway: Gateway,
}

impl Step {
    pub(super) async fn open(
        amqp: &str,
        of: Of,
        rows: Rows,
        gateway: Gateway,
    ) -> anyhow::Result<Self> {
        let (consuming, channel) = connect(amqp).await?;
        for queue in [of.queue, EVENTS].into_iter().chain(of.next) {
            queues::declare(&channel, queue).await?;
        }
        channel
            .basic_qos(PREFETCH, BasicQosOptions::default())
            .await?;
        let consumer = channel
            .basic_consume(
                of.queue.into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        let (publishing, publisher) = connect(amqp).await?;
        publisher
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(Self {
            of,
            _connections: [consuming, publishing],
            consumer,
            publisher,
            rows,
            gateway,
        })
    }

    /// Until something fails. Tells how many bookings have come to their end.
    pub(super) async fn work(mut self, told: UnboundedSender<usize>) -> anyhow::Result<()> {
        let mut begun = Instant::now();
        loop {
            let batch = self.gather(begun + PACE).await?;
            begun = Instant::now();
            let bodies = batch.iter().map(|one| serde_json::from_slice(&one.data));
            let mut bodies: Vec<Body> = bodies.collect::<Result<_, _>>()?;
            let ids: Vec<Uuid> = bodies.iter().map(|body| body.id).collect();
            let (of, rows) = (self.of, &self.rows);
            rows.write(&ids, of.no, of.before, of.changes).await?;
            if let Some(call) = of.call {
                bodies = self.call(call, bodies).await?;
                rows.write(&ids, of.no, of.after, false).await?;
            }
            self.publish(&bodies).await?;
            rows.forget(&ids, of.no).await?;
            if let Some(last) = batch.last() {
                last.acker.ack(BasicAckOptions { multiple: true }).await?;
            }
            if of.next.is_none() {
                told.send(batch.len())?;
            }
        }
    }

    /// At least one; then what comes until then.
    async fn gather(&mut self, until: Instant) -> anyhow::Result<Vec<Delivery>> {
        let first = self.consumer.next().await;
        let mut batch = vec![first.context("the consumer ended")??];
        while batch.len() < BATCH_MAX {
            match timeout_at(until, self.consumer.next()).await {
                Ok(more) => batch.push(more.context("the consumer ended")??),
                Err(_late) => break,
            }
        }
        Ok(batch)
    }

    async fn call(&self, call: Call, bodies: Vec<Body>) -> anyhow::Result<Vec<Body>> {
        let calls = bodies.into_iter().map(|mut body| async move {
            match call {
                Call::Authorise => body.intent = self.gateway.authorise().await?,
                Call::Capture => self.gateway.capture(&body.intent).await?,
            }
            anyhow::Ok(body)
        });
        stream::iter(calls)
            .buffer_unordered(CALLS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn publish(&self, bodies: &[Body]) -> anyhow::Result<()> {
        let mut confirms = Vec::new();
        for body in bodies {
            let bytes = serde_json::to_vec(body)?;
            let queues = self.of.next.into_iter();
            for queue in queues.chain(self.of.tells.then_some(EVENTS)) {
                confirms.push(send(&self.publisher, queue, &bytes).await?);
            }
        }
        for confirmed in try_join_all(confirms).await? {
            ensure!(
                matches!(confirmed, Confirmation::Ack(None)),
                "{confirmed:?}"
            );
        }
        Ok(())
    }
}

/// Where bookings come in.
pub(super) struct Door {
    _connection: Connection,
    channel: Channel,
}

impl Door {
    pub(super) async fn open(amqp: &str) -> anyhow::Result<Self> {
        let (connection, channel) = connect(amqp).await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(Self {
            _connection: connection,
            channel,
        })
    }

    pub(super) async fn submit(&mut self, count: usize) -> anyhow::Result<()> {
        let mut confirms = Vec::with_capacity(count);
        for _ in 0..count {
            let body = Body {
                id: Uuid::now_v7(),
                intent: String::new(),
                rest: "x".repeat(BODY_BYTES),
            };
            let bytes = serde_json::to_vec(&body)?;
            confirms.push(send(&self.channel, STEPS[0].queue, &bytes).await?);
        }
        try_join_all(confirms).await?;
        Ok(())
    }
}

async fn connect(amqp: &str) -> anyhow::Result<(Connection, Channel)> {
    let connection = Connection::connect(amqp, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

async fn send(
    channel: &Channel,
    queue: &str,
    body: &[u8],
) -> anyhow::Result<impl Future<Output = lapin::Result<Confirmation>> + use<>> {
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default().with_delivery_mode(DURABLE);
    let confirm = channel.basic_publish("".into(), queue.into(), options, body, properties);
    Ok(confirm.await?)
}
